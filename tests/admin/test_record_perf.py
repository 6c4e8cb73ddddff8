"""Measuring: percentiles out of buckets, and the pace that a target rate sets."""

from __future__ import annotations

from typing import Any

from logctl.admin.record_perf import Histogram, Load, produce_load


def test_percentiles_are_right_to_two_percent() -> None:
    histogram = Histogram()
    for number in range(1, 1001):
        histogram.add(number / 10)
    for share, expected in ((0.5, 50.0), (0.95, 95.0), (0.99, 99.0)):
        found = histogram.percentile(share)
        assert found is not None
        assert expected <= found <= expected * 1.021
    assert histogram.percentile(1.0) == histogram.max_ms == 100.0
    assert histogram.mean_ms == 50.05


def test_of_nothing_there_are_no_percentiles() -> None:
    assert Histogram().percentile(0.5) is None
    assert Histogram().mean_ms is None


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Instant:
    """A producer whose batches are acknowledged 20 ms after they were asked for."""

    def __init__(self, clock: Clock, done: Any) -> None:
        self.tally = self
        self.acknowledged = 0
        self.added: list[float] = []
        self._clock = clock
        self._done = done
        self._waiting: list[int] = []

    def add(self, record: Any, line: int) -> None:
        self.added.append(self._clock())
        self._waiting.append(line)

    def pause(self, wait_s: float) -> None:
        self._clock.now_s += wait_s

    def flush(self) -> None:
        self._clock.now_s += 0.02
        self.acknowledged += len(self._waiting)
        self._done(self._waiting)
        self._waiting = []


def run(load: Load, stop_after_s: float = 1e9) -> tuple[Any, Instant]:
    clock = Clock()
    made: list[Instant] = []

    def make(done: Any) -> Any:
        made.append(Instant(clock, done))
        return made[0]

    end_s = clock.now_s + stop_after_s
    return produce_load(make, load, clock, lambda: clock.now_s >= end_s, lambda measured: None), made[0]


def test_a_target_rate_spreads_the_records_evenly() -> None:
    measured, producer = run(Load(50, 10, 100.0, None))
    assert [round((at - 100.0) * 100) for at in producer.added] == list(range(50))
    assert (measured.records, measured.size_bytes) == (50, 500)
    assert 0.5 <= measured.elapsed_s <= 0.52


def test_latency_is_counted_from_the_handing_over_to_the_acknowledgement() -> None:
    measured, _ = run(Load(2, 10, 1.0, None))
    assert 1019 <= measured.latency.max_ms <= 1021


def test_a_duration_ends_it_and_so_does_whoever_stops_it() -> None:
    assert run(Load(None, 10, 100.0, 0.3))[0].records in (30, 31)
    assert run(Load(None, 10, 100.0, None), stop_after_s=0.2)[0].records in (20, 21)
