"""Keeps peers from filling the diary: what they can cause at will is written down a few times, then counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

AT_MOST: Final = 20
WINDOW_MS: Final = 10_000


@dataclass(slots=True)
class _Window:
    begun_ms: int
    written: int = 0
    counted: int = 0


class Notices:
    """`say(kind, sentence)` writes the diary; of each kind at most `AT_MOST` sentences come through per `WINDOW_MS`."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._windows: dict[str, _Window] = {}

    def tell(self, kind: str, sentence: str, now_ms: int) -> None:
        """Write the sentence, or count it."""
        window = self._windows.get(kind)
        if window is None:
            window = self._windows[kind] = _Window(now_ms)
        if window.written < AT_MOST:
            window.written += 1
            self._say(kind, sentence)
        else:
            window.counted += 1

    def tick(self, now_ms: int) -> None:
        """Begin new windows where the old are over, and tell how many sentences were left out."""
        for kind, window in list(self._windows.items()):
            if now_ms - window.begun_ms >= WINDOW_MS:
                del self._windows[kind]
                if window.counted:
                    self._say(kind, f"The same {window.counted} times more within {WINDOW_MS // 1000} seconds")
