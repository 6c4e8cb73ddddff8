"""asyncio's loop with one addition: a callback that runs last in every turn that had something ready.

A tick ends when every ready connection has been heard. asyncio offers `call_soon` for that, but runs what it is given
in the next turn, after polling once more. The addition lies in the selector, which asyncio lets one choose: whenever it
reports ready descriptors, it reports one more at the end, an eventfd that is never really ready and whose reader is the
callback. That saves a poll and a turn for each tick, most of what a single request costs the loop.
"""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable

from logctl.engine.event_loop import asyncio


class _LastWord(selectors.EpollSelector):
    """Reports the key `last`, if there is one, behind whatever is ready."""

    last: selectors.SelectorKey | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if ready and self.last is not None:
            ready.append((self.last, selectors.EVENT_READ))
        return ready


class TickLoop(asyncio.SelectorEventLoop):
    """An event loop that can run a callback at the end of each turn with I/O."""

    def __init__(self) -> None:
        self._last_word = _LastWord()
        super().__init__(self._last_word)
        self._marker = -1

    def at_end_of_turn(self, callback: Callable[[], object]) -> None:
        """Run `callback` after all other callbacks of every turn in which a descriptor was ready."""
        assert self._marker < 0, "one is enough"
        self._marker = os.eventfd(0, os.EFD_CLOEXEC)
        self.add_reader(self._marker, callback)
        self._last_word.last = self._last_word.get_key(self._marker)

    def close(self) -> None:
        """Close the loop."""
        if self._marker >= 0:
            self._last_word.last = None
            self.remove_reader(self._marker)
            os.close(self._marker)
            self._marker = -1
        super().close()
