"""Figures as a human reads them."""

from __future__ import annotations

import pytest

from logctl.cli.units import count_text, duration_text, rate_count_text, rate_text, size_text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**3 * 5 // 4, "1.2 GiB"),
        (1024**7 * 3, "3072.0 EiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_sizes_are_told_in_binary_units(size_bytes: int | None, text: str) -> None:
    assert size_text(size_bytes) == text


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (250, "250 ms"),
        (999.7, "1.0 s"),
        (1500, "1.5 s"),
        (9970, "10s"),
        (59_600, "1m"),
        (90_000, "1m 30s"),
        (3_600_000, "1h"),
        (3_605_000, "1h"),
        (90_000_000, "1d 1h"),
        (-1500, "-1.5 s"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(duration_ms: float | None, text: str) -> None:
    assert duration_text(duration_ms) == text


def test_rates_and_counts_carry_their_unit() -> None:
    assert [rate_text(value) for value in (None, 1536)] == ["-", "1.5 KiB/s"]
    assert [count_text(value) for value in (None, 7, 1234567)] == ["-", "7", "1,234,567"]
    told = [rate_count_text(None), rate_count_text(0.25), rate_count_text(3), rate_count_text(1234.5, "records")]
    assert told == ["-", "0.25/s", "3/s", "1,234 records/s"]
