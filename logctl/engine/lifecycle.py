"""Starting a node in the background, seen from outside its process.

A node in the background is `python -m logctl.engine` in a session of its own, with its diary in a file. While it
starts, it also announces its diary on a pipe, so that whoever started it can tell what takes long, or why it failed:
the last lines are JSON entries of kind `ready` or `failed`. After that the pipe is closed and the node is on its own.

How one is stopped is told in `local`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from logctl import errors
from logctl.engine.config_file import Entry
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed

if TYPE_CHECKING:
    from logctl.engine.ephemeral import Scratch

_ANSWER_BYTES_MAX: Final = 65536


def local_entries(log_dir: Path, port: int, node_id: int = 1) -> list[Entry]:
    """The settings of a node that `logctl up` runs."""
    place = "logctl up"
    return [
        Entry("node.id", str(node_id), place),
        Entry("process.roles", "broker,controller", place),
        Entry("listeners", f"PLAINTEXT://127.0.0.1:{port}", place),
        Entry("log.dirs", str(log_dir), place),
    ]


def start_detached(
    entries: Sequence[Entry],
    diary: Path,
    log_format: str = "text",
    *,
    scratch: Scratch | None = None,
    leash: int | None = None,
) -> Detached:
    """Start a node with these settings; its diary is appended to the file `diary`.

    With `scratch` it inherits that folder, and removes it after an orderly stop; with `leash`, the reading end of a
    pipe, it stops when the other end is closed.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "logctl.engine", f"--announce={writing}", f"--log-format={log_format}"]
    command += [f"--diary={diary}", *([f"--scratch={scratch.as_argument()}"] if scratch else [])]
    command += ["--leash=0"] if leash is not None else []
    command += [f"{entry.name}={entry.text}" for entry in entries]
    try:
        with open(diary, "ab") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if leash is None else leash,
                stdout=out,
                stderr=out,
                start_new_session=True,
                pass_fds=(writing, *([scratch.mark] if scratch else [])),
            )
    except OSError as error:
        os.close(reading)
        raise OperationFailed(f"cannot write the diary {diary}: {error.strerror}") from error
    finally:
        os.close(writing)
    return Detached(process, reading, diary)


class Detached:
    """A node that is starting in the background."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: int, diary: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._pipe = pipe
        self._diary = diary
        self._unread = b""

    def events(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """The node's entries until it is ready. Raises what it failed with, or DeadlineExceeded."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                for line in self._lines(deadline):
                    entry = json.loads(line)
                    if entry["kind"] == "failed":
                        raise _rebuilt(entry)
                    yield entry
                    if entry["kind"] == "ready":
                        return
        finally:
            os.close(self._pipe)

    def end(self, signal_number: int, timeout_s: float | None = None) -> int:
        """Send the process a signal and wait for its end; answers its exit code. Raises TimeoutExpired."""
        if self._process.poll() is None:
            self._process.send_signal(signal_number)
        return self._process.wait(timeout_s)

    def _lines(self, deadline: float) -> list[bytes]:
        wait_s = max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select([self._pipe], [], [], wait_s)
        if not readable:
            hint = f"it goes on trying; look at {self._diary}, or stop it with `logctl down`"
            raise DeadlineExceeded("the node has not started in time", hint)
        chunk = os.read(self._pipe, 65536)
        if not chunk:
            code = self._process.wait()
            raise OperationFailed(f"the node ended while it started ({_ending(code)})", f"its diary is {self._diary}")
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        return lines


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _rebuilt(entry: dict[str, Any]) -> LogctlError:
    """The failure that the node told us about, as if it were ours."""
    kind = getattr(errors, entry.get("error", ""), OperationFailed)
    return kind(entry["message"], entry.get("hint", "")) if kind is not errors.PartialFailure else OperationFailed("")


def answers(address: str, timeout_s: float) -> bool:
    """Does somebody at `address` (host:port) answer ApiVersions?"""
    host, _, port = address.rpartition(":")
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s) as sock:
            sock.sendall(struct.pack(">i", len(request)) + request)
            size = struct.unpack(">i", _exactly(sock, 4))[0]
            if not 6 <= size <= _ANSWER_BYTES_MAX:
                return False
            correlation_id, error_code = struct.unpack(">ih", _exactly(sock, size)[:6])
    except (OSError, EOFError):
        return False
    return (correlation_id, error_code) == (1, 0)


def _exactly(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk = sock.recv(size - len(found))
        if not chunk:
            raise EOFError
        found += chunk
    return found
