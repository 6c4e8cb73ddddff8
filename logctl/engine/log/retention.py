"""Which segments a log may let go of. A pure choice: facts in, a number and its reason out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from logctl.engine.log.config import LogConfig


class SegmentFacts(NamedTuple):
    """`end_offset`: behind its last batch. `latest_ms`: its largest timestamp, or when it was last written to."""

    end_offset: int
    size: int
    latest_ms: int


def by_start_offset(segments: Sequence[SegmentFacts], start_offset: int) -> int:
    """How many of the oldest segments lie below where the log begins. The last segment never does."""
    count = 0
    while count < len(segments) - 1 and segments[count].end_offset <= start_offset:
        count += 1
    return count


def by_age(segments: Sequence[SegmentFacts], config: LogConfig, now_ms: int, up_to: int) -> int:
    """How many of the oldest segments are older than retention.ms. Nothing at or above offset `up_to` goes."""
    if config.retention_ms < 0 or not config.deletes:
        return 0
    count = 0
    for segment in segments:
        if segment.size == 0 or segment.end_offset > up_to or now_ms - segment.latest_ms <= config.retention_ms:
            break
        count += 1
    return count


def by_size(segments: Sequence[SegmentFacts], config: LogConfig, up_to: int) -> int:
    """How many of the oldest segments can go while retention.bytes are kept."""
    if config.retention_bytes < 0 or not config.deletes:
        return 0
    spare = sum(segment.size for segment in segments) - config.retention_bytes
    count = 0
    for segment in segments[:-1]:
        spare -= segment.size
        if spare < 0 or segment.end_offset > up_to:
            break
        count += 1
    return count
