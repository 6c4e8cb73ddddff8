"""Who holds a port: for the sentence an operator reads when an address is taken."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"


def port_owner(port: int) -> str:
    """'kafka-server (process 4711)', or an empty text when that cannot be found out (another user's, or not Linux)."""
    sockets = _listening_sockets(port)
    if not sockets:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            with os.scandir(process / "fd") as entries:
                found = any(os.readlink(entry.path) in sockets for entry in entries)
            if found:
                return f"{_command(process)} (process {process.name})"
        except OSError:
            continue
    return ""


def _listening_sockets(port: int) -> set[str]:
    """Descriptors of sockets that listen on the port, as /proc names them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _command(process: Path) -> str:
    """The program, or what it was asked to run when it is an interpreter."""
    words = (process / "cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    name = os.path.basename(words[0])
    if re.fullmatch(r"python[\d.]*|java", name):
        told = next((os.path.basename(word) for word in words[1:] if not word.startswith("-")), "")
        name = f"{name} {told}".strip()
    return name[:60]
