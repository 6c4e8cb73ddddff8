"""The diary: what a node did, one sentence a line.

An entry has a kind (`start`, `topic`, `connection`, ...), a sentence, and facts for machines. As text it reads

    2026-08-24T20:31:05.120Z topic       Created orders with 6 partitions

and as JSON it is an object with `time`, `kind`, `message` and the facts. Whatever a peer put into a sentence cannot
break out of its line or move the cursor of a terminal. A kind that has said its share of a second is counted instead,
so that a storm of connections fills a line, not a disk.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final, TextIO

LINES_PER_SECOND: Final = 50


class Diary:
    """Writes entries to a stream, and to whoever listens. `clock` answers seconds since the epoch."""

    def __init__(self, stream: TextIO, form: str = "text", clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._line = _as_json if form == "json" else _as_text
        self._clock = clock
        self._said: dict[str, tuple[int, int]] = {}
        self.listeners: list[Callable[[str, str], None]] = []

    def say(self, kind: str, sentence: str, **facts: object) -> None:
        """One entry."""
        now = self._clock()
        if self._may_say(kind, int(now)):
            self._write(now, kind, sentence, facts)
        for listener in self.listeners:
            listener(kind, sentence)

    def _may_say(self, kind: str, second: int) -> bool:
        before, count = self._said.get(kind, (second, 0))
        if before != second:
            if count > LINES_PER_SECOND:
                self._write(second, kind, f"{count - LINES_PER_SECOND} more entries of this kind were left out", {})
            count = 0
        self._said[kind] = second, count + 1
        return count < LINES_PER_SECOND

    def _write(self, now: float, kind: str, sentence: str, facts: dict[str, object]) -> None:
        try:
            self._stream.write(self._line(_timestamp(now), kind, sentence, facts))
            self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody is left to read it, or the disk is full: the node goes on


def _timestamp(now: float) -> str:
    whole = int(now)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((now - whole) * 1000):03}Z"


def _as_text(when: str, kind: str, sentence: str, facts: dict[str, object]) -> str:
    return f"{when} {kind:<11} {_one_line(sentence)}\n"


def _as_json(when: str, kind: str, sentence: str, facts: dict[str, object]) -> str:
    return json.dumps({"time": when, "kind": kind, "message": sentence, **facts}) + "\n"


def _one_line(sentence: str) -> str:
    if sentence.isprintable():
        return sentence
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in sentence)
