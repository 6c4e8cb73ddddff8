"""What one broker was told, another shows a moment later: looking until all is as it should be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def settles(look: Callable[[], Seen], wanted: Seen, timeout_s: float = 20.0) -> None:
    """Look until `wanted` is seen; when time is up, fail with the difference that is left."""
    deadline = time.monotonic() + timeout_s
    seen = look()
    while seen != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
        seen = look()
    assert seen == wanted
