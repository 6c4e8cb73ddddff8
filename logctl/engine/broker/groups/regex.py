"""Subscription patterns: RE2's syntax, matched in time that grows with the name's length alone.

Theory of operation
-------------------
A pattern comes from a client and is tried on every topic name, so its cost must not be the client's to choose: Python's
`re` would let `(a+)+` run for hours. A pattern has to match the whole name, which only asks whether a name belongs to a
regular language: greed, captures and alternatives' order mean nothing. So the pattern becomes a nondeterministic
automaton (Thompson), and matching carries the set of states it could be in from character to character; sets that were
seen before are remembered, so most steps are one look into a dictionary.

Topic names are made of letters, digits, `.`, `_` and `-`; every class of characters is cut down to those.

Accepted: literals, `.`, `[...]` with ranges, negation and POSIX classes, `\\d \\w \\s` and their opposites, `\\pL` and
`\\p{Lu}` (general categories), `* + ? {n,m}` with or without `?` behind, groups of every kind, flags `i m s U`,
`^ $ \\A \\z \\b \\B`, `\\Q...\\E`, `\\x41`, `\\x{41}`. Refused, as by RE2: back references, look-around, more
than 1,000 repetitions. Refused by us: scripts (`\\p{Greek}`), what expands to more than `MOST_STATES` states, and what
costs more than `MOST_WORK` state visits on the names at hand (a second or so).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from logctl.engine.broker.groups.regex_parser import (
    MOST_STATES,
    Alternatives,
    Assertion,
    Characters,
    InvalidPattern,
    Node,
    Repetition,
    Sequence_,
    parse,
)

__all__ = ["InvalidPattern", "Pattern", "matching"]

MOST_WORK: Final = 4_000_000

_FINAL: Final = 0
_START, _WORD, _OTHER, _END = range(4)
"""What lies beside a position in the name."""


class Pattern:
    """A compiled pattern. Raises InvalidPattern with a sentence when it is none."""

    def __init__(self, text: str) -> None:
        self._read: list[tuple[frozenset[str], int] | None] = [None]
        self._jump: list[tuple[int, ...]] = [()]
        self._condition: list[str] = [""]
        self._start = self._build(parse(text), _FINAL)
        self._steps: dict[tuple[frozenset[int], int, str], frozenset[int]] = {}
        self._work = 0

    def matches(self, name: str) -> bool:
        """Whether the whole name belongs to the pattern's language. Raises InvalidPattern when too much was asked."""
        states, before = frozenset([self._start]), _START
        for character in name:
            key = (states, before, character)
            after = self._steps.get(key)
            if after is None:
                after = self._steps[key] = self._step(states, before, character)
            states = after
            if not states:
                return False
            before = _kind(character)
        return _FINAL in self._reach(states, before, _END)

    def _step(self, states: frozenset[int], before: int, character: str) -> frozenset[int]:
        reads = (self._read[state] for state in self._reach(states, before, _kind(character)))
        return frozenset(read[1] for read in reads if read is not None and character in read[0])

    def _reach(self, states: Iterable[int], before: int, after: int) -> set[int]:
        """All states that can be had without reading, at a place between two kinds of neighbours."""
        reached: set[int] = set()
        todo = list(states)
        while todo:
            state = todo.pop()
            if state in reached or not _CONDITIONS[self._condition[state]](before, after):
                continue
            reached.add(state)
            todo.extend(self._jump[state])
        self._work += len(reached)
        if self._work > MOST_WORK:
            raise InvalidPattern("the pattern costs too much on the topics of this cluster")
        return reached

    # Building: each node becomes states that lead to `end`; the answer is where it begins.

    def _add(self, read: tuple[frozenset[str], int] | None, jump: tuple[int, ...], condition: str = "") -> int:
        if len(self._read) >= MOST_STATES:
            raise InvalidPattern("the pattern is too large")
        self._read.append(read)
        self._jump.append(jump)
        self._condition.append(condition)
        return len(self._read) - 1

    def _build(self, node: Node, end: int) -> int:
        if isinstance(node, Characters):
            return self._add((node.allowed, end), ())
        if isinstance(node, Assertion):
            return self._add(None, (end,), node.kind)
        if isinstance(node, Alternatives):
            return self._add(None, tuple(self._build(option, end) for option in node.options))
        if isinstance(node, Repetition):
            return self._build_repetition(node, end)
        assert isinstance(node, Sequence_)
        for part in reversed(node.parts):
            end = self._build(part, end)
        return end

    def _build_repetition(self, node: Repetition, end: int) -> int:
        if node.most is None:
            loop = self._add(None, ())
            self._jump[loop] = (self._build(node.what, loop), end)
            start = loop
        else:
            start = end
            for _ in range(node.most - node.least):
                start = self._add(None, (self._build(node.what, start), end))
        for _ in range(node.least):
            start = self._build(node.what, start)
        return start


def matching(patterns: Iterable[str], names: Iterable[str]) -> dict[str, frozenset[str]]:
    """The names each pattern matches. Raises InvalidPattern."""
    names = list(names)
    compiled = {text: Pattern(text) for text in patterns}
    return {text: frozenset(filter(pattern.matches, names)) for text, pattern in compiled.items()}


def _kind(character: str) -> int:
    return _WORD if character.isalnum() or character == "_" else _OTHER


_CONDITIONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "": lambda _before, _after: True,
    "start": lambda before, _after: before == _START,
    "end": lambda _before, after: after == _END,
    "boundary": lambda before, after: (before == _WORD) != (after == _WORD),
    "inside": lambda before, after: (before == _WORD) == (after == _WORD),
}
