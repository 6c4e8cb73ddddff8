"""What clients did and saw, and whether a log that keeps its promises could have looked like that.

Vocabulary (Jepsen's, for a log). A history is a list of operations. Each belongs to a `process` (one client), begins
at `began` and ends at `ended` (seconds on one monotonic clock) and is

- OK: the client was told that it happened;
- FAIL: the client was told, for certain, that it did not;
- INFO: nobody knows (a timeout, a lost connection, a client that was shut down). Never call a timeout FAIL.

A `Send` carries one value, unique in the whole history, to one partition; OK sends know their offset. A `Poll` saw
(offset, value) pairs of one partition, in the order the client handed them over. `final` marks polls of the last,
complete read that follows when all is calm.

`check` returns what cannot be: a list of anomalies, each with its kind and a sentence. An empty list is a pass.

    lost            acknowledged, but the final read does not hold it
    doubled         one value at two offsets (a lapse of idempotence)
    offset-clash    two values at one offset
    phantom         a value that nobody sent
    undead          a value whose send failed for certain
    moved           acknowledged at one offset, seen at another
    reordered       one process's sends got offsets against its order; or a poll went backwards
    skipped         within one poll a known offset was stepped over
    went-back       a send that began after another was acknowledged got the lower offset

Offsets give the version order, so every rule is linear or n log n.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TypeVar

Partition = tuple[str, int]


class Outcome(Enum):
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Send:
    process: str
    partition: Partition
    value: int
    began: float
    ended: float
    outcome: Outcome
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    process: str
    partition: Partition
    seen: tuple[tuple[int, int], ...]  # (offset, value) as handed over
    final: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Anomaly:
    kind: str
    what: str


def check(sends: Sequence[Send], polls: Sequence[Poll]) -> list[Anomaly]:
    """Everything in the history that a durable, idempotent, ordered log could not have done."""
    positions = _positions(sends, polls)
    return sorted(
        {
            *_lost(sends, polls),
            *_doubled(positions),
            *_offset_clashes(positions),
            *_strangers(sends, polls),
            *_moved(sends, polls),
            *_reordered_sends(sends),
            *_reordered_polls(polls),
            *_skipped(positions, polls),
            *_went_back(sends),
        }
    )


Positions = dict[Partition, set[tuple[int, int]]]


def _positions(sends: Sequence[Send], polls: Sequence[Poll]) -> Positions:
    """Every (offset, value) that anybody was told of, per partition."""
    known: Positions = defaultdict(set)
    for send in sends:
        if send.outcome is Outcome.OK and send.offset is not None:
            known[send.partition].add((send.offset, send.value))
    for poll in polls:
        known[poll.partition].update(poll.seen)
    return known


def _lost(sends: Sequence[Send], polls: Sequence[Poll]) -> Iterable[Anomaly]:
    finally_read: dict[Partition, set[int]] = defaultdict(set)
    for poll in polls:
        if poll.final:
            finally_read[poll.partition].update(value for _, value in poll.seen)
    for send in sends:
        if send.outcome is Outcome.OK and send.value not in finally_read[send.partition]:
            yield Anomaly("lost", f"{_named(send)} was acknowledged at offset {send.offset} and is gone")


def _doubled(positions: Positions) -> Iterable[Anomaly]:
    for partition, pairs in positions.items():
        for value, offsets in _grouped((value, offset) for offset, value in pairs):
            if len(offsets) > 1:
                yield Anomaly("doubled", f"value {value} of {_label(partition)} is at offsets {offsets}")


def _offset_clashes(positions: Positions) -> Iterable[Anomaly]:
    for partition, pairs in positions.items():
        for offset, values in _grouped(pairs):
            if len(values) > 1:
                yield Anomaly("offset-clash", f"offset {offset} of {_label(partition)} held values {values}")


def _strangers(sends: Sequence[Send], polls: Sequence[Poll]) -> Iterable[Anomaly]:
    outcomes = {(send.partition, send.value): send.outcome for send in sends}
    for poll in polls:
        for offset, value in poll.seen:
            outcome = outcomes.get((poll.partition, value))
            where = f"value {value} at offset {offset} of {_label(poll.partition)}"
            if outcome is None:
                yield Anomaly("phantom", f"{where}: nobody sent it")
            elif outcome is Outcome.FAIL:
                yield Anomaly("undead", f"{where}: its send failed")


def _moved(sends: Sequence[Send], polls: Sequence[Poll]) -> Iterable[Anomaly]:
    promised = {(s.partition, s.value): s.offset for s in sends if s.outcome is Outcome.OK and s.offset is not None}
    for poll in polls:
        for offset, value in poll.seen:
            told = promised.get((poll.partition, value), offset)
            if told != offset:
                yield Anomaly("moved", f"value {value} of {_label(poll.partition)}: told {told}, seen at {offset}")


def _reordered_sends(sends: Sequence[Send]) -> Iterable[Anomaly]:
    """Sends of one process to one partition are in the order they are listed (pipelined, so times do not tell)."""
    latest: dict[tuple[str, Partition], Send] = {}
    for send in sends:
        if send.outcome is Outcome.OK and send.offset is not None:
            before = latest.get((send.process, send.partition))
            if before is not None and before.offset is not None and send.offset <= before.offset:
                yield Anomaly("reordered", f"{_named(send)} at {send.offset} after {_named(before)} at {before.offset}")
            latest[(send.process, send.partition)] = send


def _reordered_polls(polls: Sequence[Poll]) -> Iterable[Anomaly]:
    for poll in polls:
        for (before, _), (after, value) in pairwise(poll.seen):
            if after <= before:
                where = f"offset {after} (value {value}) of {_label(poll.partition)}"
                yield Anomaly("reordered", f"{poll.process} was handed {where} after {before}")


def _skipped(positions: Positions, polls: Sequence[Poll]) -> Iterable[Anomaly]:
    for poll in polls:
        seen = {offset for offset, _ in poll.seen}
        if seen:
            first, last = min(seen), max(seen)
            between = {offset for offset, _ in positions[poll.partition] if first < offset < last}
            for offset in between - seen:
                yield Anomaly("skipped", f"{poll.process} was not handed offset {offset} of {_label(poll.partition)}")


def _went_back(sends: Sequence[Send]) -> Iterable[Anomaly]:
    """Real time: what begins after an acknowledgement lies behind it in the log. A sweep by end of operation."""
    acknowledged = [send for send in sends if send.outcome is Outcome.OK and send.offset is not None]
    for _, of_partition in _grouped((send.partition, index) for index, send in enumerate(acknowledged)):
        mine = [acknowledged[index] for index in of_partition]
        done, high, highest = sorted(mine, key=lambda send: send.ended), 0, -1
        for send in sorted(mine, key=lambda send: send.began):
            while high < len(done) and done[high].ended < send.began:
                highest = max(highest, done[high].offset or 0)
                high += 1
            if send.offset is not None and send.offset <= highest:
                yield Anomaly("went-back", f"{_named(send)} got offset {send.offset} after {highest} was acknowledged")


Key = TypeVar("Key", bound=Hashable)
Member = TypeVar("Member")


def _grouped(pairs: Iterable[tuple[Key, Member]]) -> Iterable[tuple[Key, list[Member]]]:
    groups: dict[Key, list[Member]] = defaultdict(list)
    for key, member in pairs:
        groups[key].append(member)
    return groups.items()


def _named(send: Send) -> str:
    return f"value {send.value} of {send.process} to {_label(send.partition)}"


def _label(partition: Partition) -> str:
    return f"{partition[0]}-{partition[1]}"
