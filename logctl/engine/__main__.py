"""A node in the background: what `lifecycle.start_detached` runs.

    python -m logctl.engine --announce=FD --diary=FILE --log-format=text NAME=VALUE ...

Until it is ready the node also writes its diary, as JSON, to the descriptor it was given: whoever started it reads
there how it goes, and the failure if it fails.
"""

from __future__ import annotations

import json
import os
import sys

from logctl.engine.config_file import Entry
from logctl.engine.diary import Diary
from logctl.errors import LogctlError


class Announcer:
    """Passes the diary on until the node is ready, or nobody listens any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def entry(self, kind: str, sentence: str) -> None:
        self.tell(kind=kind, message=sentence)
        if kind in ("ready", "failed"):
            self.close()

    def tell(self, **facts: str) -> None:
        if self._descriptor is not None:
            try:
                os.write(self._descriptor, json.dumps(facts).encode() + b"\n")
            except OSError:
                self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def main(arguments: list[str]) -> int:
    flags = dict(one[2:].split("=", 1) for one in arguments if one.startswith("--"))
    settings = (one.partition("=") for one in arguments if not one.startswith("--"))
    entries = [Entry(name, text, "start") for name, _, text in settings]
    announcer = Announcer(int(flags["announce"]))
    diary = Diary(sys.stderr, flags["log-format"])
    diary.listeners.append(announcer.entry)
    try:
        from logctl.engine.node import run

        run(entries, diary=diary, diary_path=flags["diary"], format_if_new=True)
    except LogctlError as error:
        announcer.tell(kind="failed", error=type(error).__name__, message=error.message, hint=error.hint)
        diary.say("failed", f"{error.message}. {error.hint}".strip())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
