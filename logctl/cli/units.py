"""Figures as a human reads them: sizes in binary units, durations, rates and counts. Each answers '-' for None."""

from __future__ import annotations

from typing import Final

_BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEPS_MS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"))

UNKNOWN: Final = "-"


def size_text(size_bytes: float | None) -> str:
    """1536 -> '1.5 KiB'; bytes are never broken into parts."""
    if size_bytes is None:
        return UNKNOWN
    if abs(size_bytes) < 1024:
        return f"{round(size_bytes)} B"
    value, place = float(size_bytes), 0
    while abs(value) >= 1023.95 and place < len(_BYTES) - 1:
        value /= 1024
        place += 1
    return f"{value:.1f} {_BYTES[place]}"


def rate_text(bytes_per_second: float | None) -> str:
    """1536 -> '1.5 KiB/s'."""
    return UNKNOWN if bytes_per_second is None else f"{size_text(bytes_per_second)}/s"


def duration_text(duration_ms: float | None) -> str:
    """At most the two largest units: 250 -> '250 ms', 1500 -> '1.5 s', 90000 -> '1m 30s', 90000000 -> '1d 1h'."""
    if duration_ms is None:
        return UNKNOWN
    sign, left_ms = ("-", -duration_ms) if duration_ms < 0 else ("", duration_ms)
    if left_ms < 999.5:
        return f"{sign}{round(left_ms)} ms"
    if left_ms < 9950:
        return f"{sign}{left_ms / 1000:.1f} s"
    left_ms = round(left_ms / 1000) * 1000
    parts: list[str] = []
    for step_ms, letter in _STEPS_MS:
        if left_ms >= step_ms or parts:
            parts.append(f"{left_ms // step_ms}{letter}")
            left_ms %= step_ms
        if len(parts) == 2:
            break
    return sign + " ".join(part for part in parts if not part.startswith("0"))


def count_text(number: int | None) -> str:
    """1234567 -> '1,234,567'."""
    return UNKNOWN if number is None else f"{number:,}"


def rate_count_text(per_second: float | None, noun: str = "") -> str:
    """How many of something a second: (1234.5, 'records') -> '1,234 records/s', 0.25 -> '0.25/s'."""
    if per_second is None:
        return UNKNOWN
    shown = f"{per_second:,.0f}" if abs(per_second) >= 100 or per_second == int(per_second) else f"{per_second:.2g}"
    return f"{shown} {noun}/s" if noun else f"{shown}/s"
