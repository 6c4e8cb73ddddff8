"""What the node has promised, as its clients heard it, and the comparison with what a restarted node holds.

Names of the invariants stand in the sentences of `Broken`:

- *acknowledged*: a record answered with acks=all is there, once, at its offset, after any end of the node;
- *written*: one answered with acks=1 is there as long as the page cache was kept and no disk refused;
- *shown*: what a consumer was shown, and the high watermark it was told, stays as it was;
- *dense*: the offsets of a log have no holes; *once*: no value is in it twice; *known*: it holds no value that nobody
  sent;
- *metadata*: topics, their ids, partitions and configs are as acknowledged; what was deleted stays deleted;
- *ids*: no producer id and no topic id is handed out twice;
- *deleted*: nothing is deleted but what somebody wanted deleted, and what was deleted does not come back;
- *commits*: the committed offset of a group never moves back, nor to what nobody committed.

An operation whose answer never came may have happened or not: the next restart tells, and from then on it is certain.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Partition = tuple[bytes, int]
"""(topic id, partition)."""


class Broken(AssertionError):
    """A promise was not kept; the sentence begins with the invariant's name."""


@dataclass(slots=True)
class Topic:
    """`configs`: per name the values that may be found; one value when the last change was answered."""

    name: str
    topic_id: bytes
    partitions: int
    configs: dict[str, set[str]] = field(default_factory=dict)
    may_be_gone: bool = False
    copies: int = 1
    lossy: bool = False
    """Somebody has asked for leaders that lack records: nothing is promised of it any more."""


class Sent(NamedTuple):
    """One record on its way. `outcome`: "ok", "fail" (certainly not written) or "info" (nobody knows)."""

    process: str
    partition: Partition
    value: int
    began_s: float
    ended_s: float
    outcome: str
    offset: int | None
    acks: int


class Seen(NamedTuple):
    process: str
    partition: Partition
    records: tuple[tuple[int, int], ...]
    final: bool


def ensure(condition: bool, sentence: str) -> None:
    if not condition:
        raise Broken(sentence)


class Promises:
    """Kept by the world, told by the clients."""

    def __init__(self) -> None:
        self.acknowledged: dict[Partition, dict[int, int]] = {}
        self.written: dict[Partition, dict[int, int]] = {}
        self.shown: dict[Partition, dict[int, int]] = {}
        self.shown_end: dict[Partition, int] = {}
        self.sent: dict[Partition, set[int]] = {}
        self.topics: dict[str, Topic] = {}
        self.perhaps: dict[str, int] = {}
        """Topics whose creation was not answered, with their number of partitions."""
        self.gone: set[bytes] = set()
        self.producer_ids: set[int] = set()
        self.topic_ids: set[bytes] = set()
        self.committed: dict[tuple[str, int], int] = {}
        self.attempted: dict[tuple[str, int], int] = {}
        self.cut_at_most: dict[Partition, int] = {}
        """The highest offset below which somebody wanted records deleted."""
        self.cut_at_least: dict[Partition, int] = {}
        """The highest offset below which somebody was told that records are deleted."""
        self.history: list[Sent | Seen] = []

    # What clients hear.

    def certain(self) -> list[Topic]:
        """Topics that exist for certain."""
        return [topic for topic in self.topics.values() if not topic.may_be_gone]

    def is_lossy(self, partition: Partition) -> bool:
        return any(topic.lossy for topic in self.topics.values() if topic.topic_id == partition[0])

    def spread(self, topic: Topic) -> None:
        """It may have several replicas from now on: what one node had written is promised no more."""
        topic.copies = max(topic.copies, 2)
        for number in range(topic.partitions):
            self.written.pop((topic.topic_id, number), None)

    def loosen(self, topic: Topic) -> None:
        topic.lossy = True

    def copies(self, partition: Partition) -> int:
        """How many nodes hold it."""
        return next((topic.copies for topic in self.topics.values() if topic.topic_id == partition[0]), 1)

    def name_of(self, partition: Partition) -> str:
        names = (topic.name for topic in self.topics.values() if topic.topic_id == partition[0])
        return f"{next(names, partition[0].hex())}-{partition[1]}"

    def sending(self, partition: Partition, values: list[int]) -> None:
        self.sent.setdefault(partition, set()).update(values)

    def answered(self, partition: Partition, base_offset: int, values: list[int], acks: int) -> None:
        if self.is_lossy(partition) or (acks != -1 and self.copies(partition) > 1):
            return  # whoever leads next need not have it, and a leader that was deposed takes such writes yet
        ledger = self.acknowledged if acks == -1 else self.written
        mine = ledger.setdefault(partition, {})
        for offset, value in enumerate(values, base_offset):
            other = mine.setdefault(offset, value)
            ensure(
                other == value, f"acknowledged: {self.name_of(partition)} gave offset {offset} to {other} and {value}"
            )
        self._as_shown(partition, list(enumerate(values, base_offset)), remember=False)

    def seen(self, partition: Partition, records: list[tuple[int, int]], high_watermark: int) -> None:
        """A consumer was handed these, and told of this high watermark."""
        if self.is_lossy(partition):
            return
        name = self.name_of(partition)
        offsets = [offset for offset, _ in records]
        ensure(not offsets or offsets[-1] < high_watermark, f"shown: {name} {offsets} above {high_watermark}")
        self._as_shown(partition, records, remember=True)
        self.shown_end[partition] = max(self.shown_end.get(partition, 0), high_watermark)

    def _as_shown(self, partition: Partition, records: list[tuple[int, int]], *, remember: bool) -> None:
        mine = self.shown.setdefault(partition, {})
        for offset, value in records:
            other = mine.setdefault(offset, value) if remember else mine.get(offset, value)
            ensure(
                other == value, f"shown: offset {offset} of {self.name_of(partition)} was {other} and is {value} now"
            )

    def new_producer(self, producer_id: int) -> None:
        ensure(producer_id not in self.producer_ids, f"ids: producer id {producer_id} was handed out twice")
        self.producer_ids.add(producer_id)

    def created(self, name: str, topic_id: bytes, partitions: int, copies: int = 1) -> None:
        ensure(topic_id not in self.topic_ids, f"ids: topic id {topic_id.hex()} was handed out twice")
        self.topic_ids.add(topic_id)
        self.topics[name] = Topic(name, topic_id, partitions, copies=copies)

    def deleted(self, name: str) -> None:
        self.gone.add(self.topics.pop(name).topic_id)

    def commit_answered(self, group: str, partition: int, offset: int) -> None:
        self.committed[group, partition] = max(self.committed.get((group, partition), -1), offset)

    def commit_found(self, group: str, partition: int, offset: int, least: int | None = None) -> None:
        """`least`: what was committed when it was asked for, if others may have gone on since."""
        key = group, partition
        if least is None:
            least = self.committed.get(key, -1)
        most = self.attempted.get(key, -1)
        ensure(least <= offset <= most, f"commits: {group} of orders-{partition} is at {offset}, not {least}..{most}")
        if offset >= 0:
            self.committed[key] = max(offset, self.committed.get(key, -1))

    def page_cache_lost(self) -> None:
        """Power, or a disk that refused: what was only written is promised no more."""
        self.written.clear()

    # What a restarted node holds.

    def check(self, broker: Any) -> None:
        """Compare everything; what was uncertain is certain afterwards."""
        self._check_topics(broker.metadata.image)
        for topic in self.topics.values():
            for number in range(topic.partitions):
                replica = broker.replicas.get(topic.name, number)
                ensure(replica is not None, f"metadata: {topic.name}-{number} has no log")
                self.check_log((topic.topic_id, number), replica)

    def _check_topics(self, image: Any) -> None:
        for name, partitions in self.perhaps.items():
            found = image.topics.get(name)
            if found is not None:
                self.created(name, found.topic_id, partitions)
        self.perhaps.clear()
        for topic in list(self.topics.values()):
            found = image.topics.get(topic.name)
            if found is None and topic.may_be_gone:
                self.deleted(topic.name)
                continue
            self._check_topic(topic, found, image)
        for name, found in image.topics.items():
            ensure(found.topic_id not in self.gone, f"metadata: {name} was deleted and is there again")
            ensure(name in self.topics or name.startswith("__"), f"metadata: nobody created {name}")

    def _check_topic(self, topic: Topic, found: Any, image: Any) -> None:
        ensure(found is not None, f"metadata: {topic.name} was acknowledged and is gone")
        ensure(found.topic_id == topic.topic_id, f"metadata: {topic.name} has another id")
        ensure(
            len(found.partitions) == topic.partitions, f"metadata: {topic.name} has {len(found.partitions)} partitions"
        )
        topic.may_be_gone = False
        configs = image.topic_configs(topic.name)
        for name, acceptable in topic.configs.items():
            value = configs.get(name, "")
            ensure(value in acceptable, f"metadata: {name} of {topic.name} is {value!r}, not one of {acceptable}")
            topic.configs[name] = {value}

    def check_log(self, partition: Partition, replica: Any, *, settled: bool = True) -> None:
        """Compare the log of a partition with what was said of it. Not `settled`: who leads it has just begun, and does
        not know yet how far the others are."""
        name = self.name_of(partition)
        records = read_all(replica.log)
        offsets = [offset for offset, _ in records]
        start, end = replica.log.start_offset, replica.log.end_offset
        ensure(offsets == list(range(start, end)), f"dense: {name} holds {offsets}, not {start}..{end - 1}")
        cut = self.cut_at_most.get(partition, 0)
        ensure(start <= cut, f"deleted: {name} begins at {start}, and nobody wanted more deleted than below {cut}")
        twice = [value for value, count in Counter(value for _, value in records).items() if count > 1]
        ensure(not twice, f"once: {name} holds {twice} more than once")
        strangers = {value for _, value in records} - self.sent.get(partition, set())
        ensure(not strangers, f"known: {name} holds {strangers}, which nobody sent")
        if self.is_lossy(partition):
            return
        gone = self.cut_at_least.get(partition, 0)
        ensure(start >= gone, f"deleted: {name} begins at {start}, though what lies below {gone} was deleted")
        found = dict(records)
        for invariant, ledger in (
            ("acknowledged", self.acknowledged),
            ("written", self.written),
            ("shown", self.shown),
        ):
            for offset, value in ledger.get(partition, {}).items():
                there = found.get(offset)
                ensure(
                    there == value or offset < start,
                    f"{invariant}: offset {offset} of {name} was {value}, is {there} (end {end})",
                )
        shown_end = self.shown_end.get(partition, 0)
        known_end = replica.high_watermark if settled else end
        ensure(known_end >= shown_end, f"shown: {name} ends at {known_end}, told {shown_end}")
        self.history.append(Seen("restart", partition, tuple(records), False))


def read_all(log: Any) -> list[tuple[int, int]]:
    """(offset, value) of every record, read as a fetch reads them."""
    from logctl.wire.records import iter_batches, iter_records

    records: list[tuple[int, int]] = []
    position = log.start_offset
    while position < log.end_offset:
        found = log.read(position, 1 << 16, log.end_offset, True)
        ensure(found.file is not None and found.length > 0, f"dense: {log.name} cannot be read at {position}")
        for batch in iter_batches(memoryview(found.file.pread(found.length, found.position))):
            records += [(one.offset, int(one.value or b"-1")) for one in iter_records(batch) if one.offset >= position]
        position = records[-1][0] + 1
    return records
