"""Which segments may go: cases as data."""

from __future__ import annotations

import pytest

from logctl.engine.log.config import LogConfig
from logctl.engine.log.retention import SegmentFacts, by_age, by_size, by_start_offset

NOW = 1000
SEGMENTS = [
    SegmentFacts(10, 100, 300),
    SegmentFacts(20, 100, 600),
    SegmentFacts(30, 100, 500),
    SegmentFacts(40, 50, 900),
]


@pytest.mark.parametrize(("start", "count"), [(0, 0), (9, 0), (10, 1), (25, 2), (30, 3), (40, 3), (99, 3)])
def test_below_the_start_offset(start: int, count: int) -> None:
    assert by_start_offset(SEGMENTS, start) == count


@pytest.mark.parametrize(
    ("retention_ms", "up_to", "count"),
    [
        (-1, 99, 0),
        (800, 99, 0),
        (700, 99, 0),
        (699, 99, 1),
        (400, 99, 1),
        (399, 99, 3),
        (0, 99, 4),
        (0, 39, 3),
        (0, 15, 1),
    ],
)
def test_by_age(retention_ms: int, up_to: int, count: int) -> None:
    """An old segment behind a younger one stays: the log has no holes."""
    assert by_age(SEGMENTS, LogConfig(retention_ms=retention_ms), NOW, up_to) == count


@pytest.mark.parametrize(
    ("retention_bytes", "up_to", "count"),
    [(-1, 99, 0), (350, 99, 0), (251, 99, 0), (250, 99, 1), (151, 99, 1), (150, 99, 2), (0, 99, 3), (0, 25, 2)],
)
def test_by_size(retention_bytes: int, up_to: int, count: int) -> None:
    assert by_size(SEGMENTS, LogConfig(retention_bytes=retention_bytes), up_to) == count


def test_an_empty_last_segment_is_not_removed_for_its_age() -> None:
    assert by_age([SegmentFacts(10, 0, -1)], LogConfig(retention_ms=0), NOW, 99) == 0


def test_compaction_alone_removes_nothing() -> None:
    config = LogConfig(retention_ms=0, retention_bytes=0, cleanup_policy=frozenset({"compact"}))
    assert by_age(SEGMENTS, config, NOW, 99) == by_size(SEGMENTS, config, 99) == 0
