"""One step of a coordinator and what it amounts to.

The coordinator answers nobody by itself: a step collects the records to append and the answers to give, and its caller
sends the answers once everything appended so far is durable. That order is the whole durability rule of this room; it
holds because the two lists leave together.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from logctl.wire.schema import Message


class Reply(Protocol):
    """One waiting client. It is called once with its response, or told the error that takes its place."""

    def __call__(self, response: Any) -> None: ...

    def fail(self, code: int) -> None: ...


class Entry(NamedTuple):
    """A record of `__consumer_offsets`: its key, and its value or None for a tombstone."""

    key: Message
    value: Message | None


class Caller(NamedTuple):
    """Who asks. `host` is written as Apache writes it, with a leading slash; `version` is that of the request."""

    client_id: str
    host: str
    version: int


class Turn:
    """`entries` to append, in order; `answers` to give once they are durable."""

    __slots__ = ("answers", "entries", "now_ms")

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.entries: list[Entry] = []
        self.answers: list[tuple[Reply, Message]] = []

    def append(self, key: Message, value: Message | None = None) -> None:
        self.entries.append(Entry(key, value))

    def answer(self, reply: Reply, response: Message) -> None:
        self.answers.append((reply, response))
