"""Virtual time: asyncio's loop with a clock that jumps to the next thing to do.

Nothing is polled and nobody sleeps, so an hour of a node's life passes as fast as its callbacks run, and the order of
events depends on nothing but what was scheduled.
"""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from typing import Any

from logctl.engine.event_loop import asyncio


class _Time(selectors.BaseSelector):
    """Where a loop would wait for descriptors, time passes."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "the world has come to a standstill: nothing is scheduled"
        self.now_s += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time begins at 0 and passes only when nothing is left to do."""

    def __init__(self) -> None:
        self._virtual = _Time()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s
