"""How fast records can be written and read, and how long one takes to be acknowledged.

Latency is counted from handing a record to the producer to the acknowledgement of its batch, so waiting for a batch to
fill or for the one before it is part of it. Latencies go into buckets that grow by 2 %, so any number of them takes the
same memory, and a percentile is right to 2 %. With a target rate, a record's turn comes when it is due, and batches are
sent as soon as the one before is acknowledged.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable
from typing import Final, NamedTuple

from logctl.admin.consumer import Consumer, Delivered
from logctl.admin.producer import Producer
from logctl.wire.records import NewRecord

_GROWTH: Final = math.log(1.02)
_FLOOR_MS: Final = 0.01
_PENDING_MAX: Final = 1 << 20
_VALUES: Final = 64
_LOOK_EVERY: Final = 64
_PATIENCE_S: Final = 0.01


class Histogram:
    """Latencies in ms, in buckets that grow by 2 %."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.sum_ms = 0.0
        self.max_ms = 0.0

    def add(self, latency_ms: float) -> None:
        place = int(math.log(max(latency_ms, _FLOOR_MS) / _FLOOR_MS) / _GROWTH)
        self._buckets[place] = self._buckets.get(place, 0) + 1
        self.count += 1
        self.sum_ms += latency_ms
        self.max_ms = max(self.max_ms, latency_ms)

    def percentile(self, share: float) -> float | None:
        """The latency that `share` (0 to 1) of all stay within; None when there are none."""
        left = math.ceil(share * self.count)
        for place in sorted(self._buckets):
            left -= self._buckets[place]
            if left <= 0:
                return min(self.max_ms, _FLOOR_MS * math.exp((place + 1) * _GROWTH))
        return None

    @property
    def mean_ms(self) -> float | None:
        return self.sum_ms / self.count if self.count else None


class Load(NamedTuple):
    """How much to write: so many records, or for so long, whichever ends first; None: no limit. `rate`: records a
    second, None for as fast as it goes."""

    records: int | None
    size_bytes: int
    rate: float | None
    duration_s: float | None


class Measured(NamedTuple):
    """`elapsed_s` runs from the first record to the last acknowledgement, or to the last record read."""

    records: int
    size_bytes: int
    elapsed_s: float
    latency: Histogram | None = None
    first_ms: float | None = None


Clock = Callable[[], float]
Told = Callable[[Measured], None]


class _Timed:
    """When each record that is not acknowledged yet was handed over; a ring, since they come back nearly in order."""

    def __init__(self, clock: Clock) -> None:
        self.histogram = Histogram()
        self._clock = clock
        self._at_s = array("d", bytes(8 * _PENDING_MAX))

    def sent(self, number: int, now_s: float) -> None:
        self._at_s[number % _PENDING_MAX] = now_s

    def done(self, numbers: list[int]) -> None:
        now_s = self._clock()
        for number in numbers:
            self.histogram.add((now_s - self._at_s[number % _PENDING_MAX]) * 1000)


def produce_load(
    make: Callable[[Callable[[list[int]], None]], Producer],
    load: Load,
    clock: Clock,
    stopped: Callable[[], bool],
    told: Told,
) -> Measured:
    """Write the load with the producer that `make` opens, and wait for its acknowledgements. `stopped` ends it early;
    `told` hears of it now and then. Raises what halts production."""
    timed = _Timed(clock)
    producer = make(timed.done)
    values = _values(load.size_bytes)
    began_s = now_s = clock()

    def so_far() -> Measured:
        acknowledged = producer.tally.acknowledged
        return Measured(acknowledged, acknowledged * load.size_bytes, max(1e-9, clock() - began_s), timed.histogram)

    number = 0
    while load.records is None or number < load.records:
        if number % _LOOK_EVERY == 0 or load.rate is not None:
            now_s = clock()
            told(so_far())
            if stopped() or (load.duration_s is not None and now_s - began_s >= load.duration_s):
                break
        if load.rate is not None and not _due(producer, number, load.rate, began_s, clock):
            continue
        if number - producer.tally.acknowledged >= _PENDING_MAX:
            producer.flush()
        timed.sent(number, clock())
        producer.add(NewRecord(None, values[number % _VALUES]), number)
        number += 1
    producer.flush()
    return so_far()


def _due(producer: Producer, number: int, rate: float, began_s: float, clock: Clock) -> bool:
    """Has the turn of this record come? If not, a moment passes in which answers are taken."""
    early_s = began_s + number / rate - clock()
    if early_s <= 0:
        return True
    producer.pause(min(early_s, _PATIENCE_S))
    return False


def _values(size_bytes: int) -> list[bytes]:
    """Values of letters that do not repeat much, the same in every run."""
    chance = random.Random(1)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
    return [bytes(letters[byte & 31] for byte in chance.randbytes(size_bytes)) for _ in range(_VALUES)]


def consume_load(
    consumer: Consumer, duration_s: float | None, clock: Clock, stopped: Callable[[], bool], told: Told
) -> Measured:
    """Read what the consumer was opened for, and drop it."""
    began_s = clock()
    records = size_bytes = 0
    first_ms: float | None = None
    elapsed_s = 1e-9
    for event in consumer.read():
        if isinstance(event, Delivered):
            records += len(event.records)
            size_bytes += sum(len(one.key or b"") + len(one.value or b"") for one in event.records)
            elapsed_s = max(1e-9, clock() - began_s)
            first_ms = elapsed_s * 1000 if first_ms is None else first_ms
            told(Measured(records, size_bytes, elapsed_s, None, first_ms))
        if stopped() or (duration_s is not None and clock() - began_s >= duration_s):
            break
    return Measured(records, size_bytes, elapsed_s, None, first_ms)
