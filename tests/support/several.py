"""A cluster as its user starts it: `logctl up --nodes N` in the foreground, on free ports.

It is gone at the end, and also when the test run is killed: the command is told then, and stops its nodes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.ports import free_ports_in_a_row
from support.waiting import wait_until


@contextlib.contextmanager
def several_up(
    folder: Path, settings: Mapping[str, str], nodes: int, *flags: str, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Answers the addresses of the nodes, joined by ','. Their data is in `folder`."""
    first, diary = free_ports_in_a_row(nodes), folder / "diary"
    guard = shutil.which("setpriv")
    command = [*([guard, "--pdeathsig", "TERM"] if guard else []), *_up(folder, settings)]
    command += ["--nodes", str(nodes), "--port", str(first), *flags]
    with diary.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})}
        )
    try:
        wait_until(lambda: _is_ready(process, diary), "the cluster to be ready", timeout_s=120)
        yield ",".join(f"127.0.0.1:{first + index}" for index in range(nodes))
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()  # the second time means at once: its data is thrown away
        process.wait(60)


def start_again(folder: Path, settings: Mapping[str, str]) -> None:
    """Start those nodes of the folder which do not run, and wait until they are let in."""
    done = subprocess.run([*_up(folder, settings), "--detach"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def _up(folder: Path, settings: Mapping[str, str]) -> list[str]:
    command = [sys.executable, "-m", "logctl", "up", "--data", str(folder)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def _is_ready(process: subprocess.Popen[bytes], diary: Path) -> bool:
    assert process.poll() is None, diary.read_text()
    return "next: " in diary.read_text()
