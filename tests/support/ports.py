"""Ports for servers that must know their port before they start, or come back to it after they were killed.

They come from below the range that the kernel hands to outgoing connections. A port that was handed out is reserved
for the life of this process by a lock on a file, so that neither another test worker nor another test run takes it
while its server is down.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 25000, 32000

_reservations: dict[int, int] = {}
"""Port -> descriptor of the locked file, open as long as this process lives."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on and nobody has reserved."""
    begin = os.getpid() * 61
    for step in range(LAST - FIRST):
        port = FIRST + (begin + step) % (LAST - FIRST)
        if port not in _reservations and _reserve(port):
            if _can_listen(host, port):
                return port
            os.close(_reservations.pop(port))
    raise AssertionError(f"no free port from {FIRST} to {LAST}")


def free_ports_in_a_row(count: int) -> int:
    """The first of so many ports in a row that are ours."""
    taken = [free_port()]
    while len(taken) < count or taken[-1] - taken[-count] != count - 1:
        taken.append(free_port())
    return taken[-count]


def _reserve(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"logctl-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _reservations[port] = descriptor
    return True


def _can_listen(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
