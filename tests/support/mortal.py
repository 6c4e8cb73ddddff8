"""Commands that die: a process that runs `logctl`, and is killed when the journal has come to a chosen entry.

    with Mortals() as mortals:
        done = mortals.run("topic", "create", "a", env={...}, kill=Kill(2, "torn"))

Each command runs in a process of its own, forked from one that has everything loaded. `Kill(entry, moment)`: when the
entry of that number (from 0) is to be appended, the process is killed with SIGKILL `before` that, `after` it, or when
half of the line is written (`torn`); or it is `interrupted` there, as by Ctrl-C.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

MOMENTS = ("before", "torn", "after")


class Kill(NamedTuple):
    entry: int
    moment: str


class Done(NamedTuple):
    """`code` is negative for a process that was killed."""

    code: int
    out: str
    err: str


class Mortals:
    def __enter__(self) -> Mortals:
        self._folder = TemporaryDirectory(prefix="mortal-")
        self._parent = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()
        self._folder.cleanup()

    def run(self, *arguments: str, env: Mapping[str, str], kill: Kill | None = None) -> Done:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        out, err = Path(self._folder.name, "out"), Path(self._folder.name, "err")
        order = {"arguments": arguments, "env": dict(env), "kill": kill, "out": str(out), "err": str(err)}
        self._parent.stdin.write(json.dumps(order).encode() + b"\n")
        self._parent.stdin.flush()
        code = int(self._parent.stdout.readline())
        return Done(code, out.read_text(), err.read_text())


def _serve() -> None:
    import logctl.admin.topic_changes
    import logctl.cli.audit
    import logctl.cli.run
    import logctl.cli.topic  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _live(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _live(order: dict[str, Any]) -> None:
    from logctl.cli.main import main

    os.environ.update(order["env"])
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order["kill"] is not None:
        _doom(Kill(*order["kill"]))
    code = main(order["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _doom(kill: Kill) -> None:
    from logctl.admin.journal import Journal

    append = Journal._append
    count = 0

    def deadly(self: Journal, line: bytes) -> None:
        nonlocal count
        if count == kill.entry and kill.moment == "interrupted":
            signal.raise_signal(signal.SIGINT)
        if count == kill.entry:
            if kill.moment == "torn":
                with self.path.open("ab") as file:
                    file.write(line[: len(line) // 2])
            elif kill.moment == "after":
                append(self, line)
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        append(self, line)

    Journal._append = deadly  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve()
