"""The table: what was measured, ours against Apache's, beside what was to be reached.

A goal is a ratio (ours / Apache's) or, for what an operator meets as an absolute, a value of ours.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

Samples = dict[str, dict[str, list[float]]]
"""Quantity -> broker -> one value per run."""


class Goal(NamedTuple):
    """`at_most` or else at least; of the ratio or else of our own value."""

    load: str
    quantity: str
    limit: float
    at_most: bool
    ratio: bool = True


GOALS = (
    Goal("produce 1 KiB: MB/s", "produce, os: MB/s", 1.2, at_most=False),
    Goal("produce 1 KiB: broker CPU s/GB", "produce, os: CPU s/GB", 1.0, at_most=True),
    Goal("produce 1 KiB lz4: MB/s", "lz4, os: MB/s", 1.1, at_most=False),
    Goal("produce 1 KiB lz4: broker CPU s/GB", "lz4, os: CPU s/GB", 0.9, at_most=True),
    Goal("one record a request: requests/s", "singles, os: records/s", 4.0, at_most=False),
    Goal("one record a request: broker CPU µs/request", "singles, os: CPU us/record", 0.25, at_most=True),
    Goal("flushed: produce 1 KiB: MB/s", "produce, every append: MB/s", 1.1, at_most=False),
    Goal("flushed: produce 1 KiB: broker CPU s/GB", "produce, every append: CPU s/GB", 0, at_most=False),
    Goal("flushed: one record a request: requests/s", "singles, every append: records/s", 15.0, at_most=False),
    Goal("flushed: one record: broker CPU µs/request", "singles, every append: CPU us/record", 0, at_most=False),
    Goal("consume: MB/s", "consume, os: MB/s", 1.0, at_most=False),
    Goal("consume: broker CPU s/GB", "consume, os: CPU s/GB", 1.0, at_most=True),
    Goal("1000 records/s: p50 ms", "latency, os: p50_ms", 0.9, at_most=True),
    Goal("1000 records/s: p99 ms", "latency, os: p99_ms", 0.9, at_most=True),
    Goal("flushed: 1000 records/s: p50 ms", "latency, every append: p50_ms", 0.9, at_most=True),
    Goal("flushed: 1000 records/s: p99 ms", "latency, every append: p99_ms", 0.9, at_most=True),
    Goal("start to first answer: s", "start: s", 0.3, at_most=True, ratio=False),
    Goal("memory idle: MiB", "memory idle", 64, at_most=True, ratio=False),
    Goal("memory after the loads: MiB", "memory after", 96, at_most=True, ratio=False),
)


def render(samples: Samples, goals: Sequence[Goal] = GOALS) -> str:
    """A Markdown table of the goals that were measured; medians, the spread of the runs in brackets."""
    lines = ["| load | Apache Kafka | logctl | ratio | goal | |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join(lines + [line for goal in goals if (line := _line(goal, samples))])


def _line(goal: Goal, samples: Samples) -> str:
    of = samples.get(goal.quantity)
    if not of:
        return ""
    cells = [_spread(of[broker]) if broker in of else "" for broker in ("apache", "logctl")]
    theirs, ours = (statistics.median(of[broker]) if broker in of else None for broker in ("apache", "logctl"))
    ratio = ours / theirs if ours is not None and theirs else None
    value = ratio if goal.ratio else ours
    wanted = f"{'at most' if goal.at_most else 'at least'} {goal.limit:g}{'x' if goal.ratio else ''}"
    verdict = ["", ""]
    if goal.limit and value is not None:
        met = value <= goal.limit if goal.at_most else value >= goal.limit
        verdict = [wanted, "yes" if met else "**no**"]
    return f"| {goal.load} | {' | '.join(cells)} | {'' if ratio is None else f'{ratio:.2f}x'} | {' | '.join(verdict)} |"


def _spread(values: list[float]) -> str:
    middle = _short(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({_short(min(values))}-{_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
