"""What happened in a simulated world: one line per event, in fixed columns.

time in s   life   who          what             details
   1.482      3    producer-2   acknowledged     orders-1 17..19
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Line(NamedTuple):
    """`life` counts the starts of the node."""

    time_s: float
    life: int
    who: str
    what: str
    details: str

    def __str__(self) -> str:
        return f"{self.time_s:10.4f} {self.life:4d}  {self.who:<11} {self.what:<16} {self.details}".rstrip()


class Trace:
    def __init__(self, time: Callable[[], float]) -> None:
        self.lines: list[Line] = []
        self.listener: Callable[[Line], object] | None = None
        """Hears each line as it is written."""
        self.life = 0
        self._time = time

    def note(self, who: str, what: str, details: str = "") -> None:
        line = Line(self._time(), self.life, who, what, details)
        self.lines.append(line)
        if self.listener is not None:
            self.listener(line)

    def last(self, count: int) -> str:
        return "\n".join(map(str, self.lines[-count:]))
