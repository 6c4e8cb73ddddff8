"""A node in the background: what `lifecycle.start_detached` runs.

    python -m logctl.engine --announce=FD --diary=FILE --log-format=text [--scratch=FD:DIR] [--leash=FD] NAME=VALUE ...

Until it is ready the node also writes its diary, as JSON, to the descriptor it was given: whoever started it reads
there how it goes, and the failure if it fails. A folder that is its own (`--scratch`) goes with the node when that ends
in order; after a failure the diary in it may still be read, and whoever started the node removes it.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import TYPE_CHECKING

from logctl.engine.config_file import Entry
from logctl.engine.diary import Diary
from logctl.errors import LogctlError

if TYPE_CHECKING:
    from logctl.engine.ephemeral import Scratch


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


def _scratch(argument: str | None) -> Scratch | None:
    if argument is None:
        return None
    from logctl.engine.ephemeral import Scratch

    return Scratch.inherited(argument)


def main(arguments: list[str]) -> int:
    flags = dict(one[2:].split("=", 1) for one in arguments if one.startswith("--"))
    settings = (one.partition("=") for one in arguments if not one.startswith("--"))
    entries = [Entry(name, text, "start") for name, _, text in settings]
    announcer = Announcer(int(flags["announce"]))
    diary = Diary(sys.stderr, flags["log-format"])
    diary.listeners.append(announcer.entry)
    scratch = _scratch(flags.get("scratch"))
    try:
        from logctl.engine.node import run

        leash = int(flags["leash"]) if "leash" in flags else None
        run(entries, diary=diary, diary_path=flags["diary"], format_if_new=True, leash=leash)
        if scratch is not None:
            scratch.remove()
    except LogctlError as error:
        announcer.tell(kind="failed", error=type(error).__name__, message=error.message, hint=error.hint)
        diary.say("failed", f"{error.message}. {error.hint}".strip())
        return 1
    return 0


if __name__ == "__main__":
    # A start creates much and drops nearly nothing: the collector, which `run` switches on, would look for it in vain.
    gc.disable()
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # everything is closed; taking the interpreter apart would only take time
