"""Committed offsets of the groups of one partition of `__consumer_offsets`.

Three ways to write, all of them records: a commit, a deletion (tombstone), and the offsets of a transaction. Those are
written at once but count only when the transaction's COMMIT marker follows (KIP-98); until then they are *pending*, and
who asks for stable offsets is told to come again. Of several commits of one partition the last one written counts, as
in Apache Kafka: a marker does not bring back an offset that was written before the one that stands.

Offsets expire (KIP-211) `offsets.retention.minutes` after the group was last alive: for a group without members that is
when it became empty; for topics that a live consumer group no longer reads, and for offsets without a group, the time
of the commit. A group that is rebalancing loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from logctl.engine.broker.groups.turn import Entry, Turn
from logctl.wire.primitives import ZERO_UUID
from logctl.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue

NO_EPOCH = -1
NO_EXPIRY = -1


class Committed(NamedTuple):
    """One committed offset. `expire_timestamp_ms` only where the client set one (OffsetCommit 2-4)."""

    offset: int
    leader_epoch: int
    metadata: str
    commit_timestamp_ms: int
    expire_timestamp_ms: int = NO_EXPIRY
    topic_id: bytes = ZERO_UUID

    def value(self) -> OffsetCommitValue:
        return OffsetCommitValue(
            self.offset,
            self.leader_epoch,
            self.metadata,
            self.commit_timestamp_ms,
            self.expire_timestamp_ms,
            self.topic_id,
        )


def committed(value: OffsetCommitValue) -> Committed:
    return Committed(
        value.offset,
        value.leader_epoch,
        value.metadata,
        value.commit_timestamp,
        value.expire_timestamp,
        value.topic_id,
    )


ByPartition = dict[int, Committed]
ByTopic = dict[str, ByPartition]


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a group's offsets may go. `base_ms`: the time retention runs from; None for the time of each commit.
    Offsets of topics that are read stay."""

    base_ms: int | None
    reads: frozenset[str] | None = frozenset()


class Offsets:
    """All of them, by group, topic and partition; and by producer id what transactions have not decided yet, each with
    the place in the log's order where it was written. `_order_of` knows that place for offsets written since the first
    of the pending ones."""

    def __init__(self) -> None:
        self.by_group: dict[str, ByTopic] = {}
        self.pending: dict[int, dict[str, dict[str, dict[int, tuple[int, Committed]]]]] = {}
        self._order = 0
        self._order_of: dict[tuple[str, str, int], int] = {}

    def get(self, group_id: str, topic: str, partition: int) -> Committed | None:
        return self.by_group.get(group_id, {}).get(topic, {}).get(partition)

    def of(self, group_id: str) -> ByTopic:
        return self.by_group.get(group_id, {})

    def is_pending(self, group_id: str, topic: str, partition: int) -> bool:
        """Whether an undecided transaction would change this offset."""
        return any(partition in groups.get(group_id, {}).get(topic, {}) for groups in self.pending.values())

    # Replaying.

    def replay(self, key: OffsetCommitKey, value: OffsetCommitValue | None, producer_id: int = -1) -> None:
        """Take a record in. `producer_id` is that of a transactional batch, else -1."""
        if value is None:
            self._remove(key.group, key.topic, key.partition)
        elif producer_id < 0:
            self._set(key.group, key.topic, key.partition, committed(value))
        else:
            self._order += 1
            groups = self.pending.setdefault(producer_id, {})
            places = groups.setdefault(key.group, {}).setdefault(key.topic, {})
            places[key.partition] = self._order, committed(value)

    def replay_marker(self, producer_id: int, commit: bool) -> None:
        """The end of a transaction: its offsets count from here on, or never."""
        groups = self.pending.pop(producer_id, {})
        if commit:
            for group_id, topics in groups.items():
                for topic, partitions in topics.items():
                    for partition, (order, offset) in partitions.items():
                        self._decide(group_id, topic, partition, order, offset)
        if not self.pending:
            self._order_of.clear()

    def _decide(self, group_id: str, topic: str, partition: int, order: int, offset: Committed) -> None:
        if order > self._order_of.get((group_id, topic, partition), -1):
            self._place(group_id, topic)[partition] = offset
            self._order_of[group_id, topic, partition] = order

    def _set(self, group_id: str, topic: str, partition: int, offset: Committed) -> None:
        self._place(group_id, topic)[partition] = offset
        if self.pending:
            self._order += 1
            self._order_of[group_id, topic, partition] = self._order

    def _place(self, group_id: str, topic: str) -> ByPartition:
        return self.by_group.setdefault(group_id, {}).setdefault(topic, {})

    def _remove(self, group_id: str, topic: str, partition: int) -> None:
        topics = self.by_group.get(group_id, {})
        partitions = topics.get(topic, {})
        partitions.pop(partition, None)
        if not partitions:
            topics.pop(topic, None)
        if not topics:
            self.by_group.pop(group_id, None)

    # Writing: records that are replayed at once.

    def put(self, turn: Turn, group_id: str, topic: str, partition: int, offset: Committed) -> None:
        turn.append(OffsetCommitKey(group_id, topic, partition), offset.value())
        self._set(group_id, topic, partition, offset)

    def drop(self, turn: Turn, group_id: str, topic: str, partition: int) -> None:
        turn.append(OffsetCommitKey(group_id, topic, partition))
        self._remove(group_id, topic, partition)

    def drop_group(self, turn: Turn, group_id: str) -> None:
        """Everything of the group, also what transactions would still add."""
        for topic, partition in list(self._places(group_id)):
            self.drop(turn, group_id, topic, partition)
        for groups in self.pending.values():
            groups.pop(group_id, None)

    def drop_topics(self, turn: Turn, topics: frozenset[str]) -> None:
        """Topics were deleted: no group keeps offsets of them."""
        for group_id, by_topic in list(self.by_group.items()):
            for topic in [topic for topic in by_topic if topic in topics]:
                for partition in list(by_topic[topic]):
                    self.drop(turn, group_id, topic, partition)

    def drop_foreign(self, turn: Turn, topic_ids: Mapping[str, bytes]) -> None:
        """Drop offsets that name a topic by an id it does not have."""
        for group_id in list(self.by_group):
            for topic, partition in list(self._places(group_id)):
                told = self.by_group[group_id][topic][partition].topic_id
                if told != ZERO_UUID and topic_ids.get(topic) != told:
                    self.drop(turn, group_id, topic, partition)

    def expire(self, turn: Turn, group_id: str, expiry: Expiry, now_ms: int, retention_ms: int) -> bool:
        """Drop what has expired; answers whether the group has no offsets any more."""
        reads = expiry.reads
        for topic, partition in list(self._places(group_id)):
            if reads is None or topic in reads or self.is_pending(group_id, topic, partition):
                continue
            offset = self.by_group[group_id][topic][partition]
            if _has_expired(offset, expiry.base_ms, now_ms, retention_ms):
                self.drop(turn, group_id, topic, partition)
        return group_id not in self.by_group and not any(group_id in groups for groups in self.pending.values())

    def _places(self, group_id: str) -> Iterator[tuple[str, int]]:
        for topic, partitions in self.by_group.get(group_id, {}).items():
            for partition in partitions:
                yield topic, partition

    def records_of(self, group_id: str) -> Iterator[Entry]:
        """Records that make the group's offsets what they are, apart from pending ones."""
        for topic, partitions in self.of(group_id).items():
            for partition, offset in partitions.items():
                yield Entry(OffsetCommitKey(group_id, topic, partition), offset.value())


def _has_expired(offset: Committed, base_ms: int | None, now_ms: int, retention_ms: int) -> bool:
    if offset.expire_timestamp_ms != NO_EXPIRY:
        return now_ms >= offset.expire_timestamp_ms
    since_ms = offset.commit_timestamp_ms if base_ms is None else base_ms
    return now_ms - since_ms >= retention_ms
