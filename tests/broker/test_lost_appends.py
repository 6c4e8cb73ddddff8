"""Answers that spoke of appends which were lost: corrected once, they stay corrected."""

from __future__ import annotations

from typing import Any

from logctl.engine.broker.appends import Lost
from logctl.engine.connection import _correct


class BuiltAnew:
    """As the answer of several partitions is: from what is lost, not from the answer of before."""

    def instead(self, answer: bytes, lost: Lost) -> bytes:
        places: Any = ("orders-0", "orders-1")
        return b" ".join(b"lost" if lost(place) else b"kept" for place in places)


def test_a_later_loss_elsewhere_does_not_take_an_earlier_one_back() -> None:
    """A full disk lost orders-0; then the directory of another partition was closed."""
    parts, doubts = [b"kept kept"], [BuiltAnew()]
    assert _correct(parts, doubts, lambda replica: replica == "orders-0")
    assert parts == [b"lost kept"]
    assert _correct(parts, doubts, lambda replica: False)
    assert parts == [b"lost kept"]
    assert _correct(parts, doubts, lambda replica: replica == "orders-1")
    assert parts == [b"lost lost"]
