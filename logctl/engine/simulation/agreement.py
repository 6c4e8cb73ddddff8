"""What several nodes must hold to together, watched from outside at the end of every tick of each of them.

Names of the invariants stand in the sentences of `Broken` (P1 to P20 are those of the reliability notes):

- *epoch*: the quorum epoch of a node never falls, whatever ends the node; *one leader*: nobody else leads the same;
- *check quorum*: a leader that a majority does not ask any more resigns;
- *watermark*: a node's metadata high watermark never falls while it lives, and a majority has what lies below it;
- *committed*: what is committed is the same bytes on every node, and means the same (images of one offset are equal);
- *completeness*: who takes office holds everything that was committed before;
- *admin*: what was acknowledged of topics and configs is in the newest committed image; *broker epochs* only grow;
- *fenced*: a fenced broker leads nothing; *ISR*: a leader is in sync, and who is in sync is a replica;
- *elected*: who begins to lead a partition was in sync or eligible, where nobody has asked for anything else; its
  leader epoch never falls;
- *one leader* of a partition and leader epoch; its *high watermark* never falls and is on the disk of all in sync;
- *in sync*: who is taken into the in-sync set has everything below the high watermark on its disk;
- *whole*: who begins to lead a partition holds all that was acknowledged and shown there;
- *matching*: below the high watermark all replicas of a partition hold the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from logctl.engine.broker.metadata_records import decode_batches
from logctl.engine.controller.image import Image
from logctl.engine.controller.leading import SOUND
from logctl.engine.controller.replay import apply
from logctl.engine.quorum.majority import majority
from logctl.engine.simulation.promises import Broken, Promises, Topic, ensure
from logctl.wire.records import iter_batches, read_header

if TYPE_CHECKING:
    from logctl.engine.controller.image import Partition
    from logctl.engine.log.log import Log
    from logctl.engine.simulation.node import SimulatedNode

_PORTION_BYTES = 1 << 20


class _Seen(NamedTuple):
    """Where a node's metadata log stood when it was last looked at."""

    epoch: int = -1
    leads: bool = False
    high_watermark: int = 0
    applied_offset: int = 0


class Agreement:
    """`durable` holds, for each voter, up to where its metadata log is on disk."""

    def __init__(self, promises: Promises, node_ids: list[int]) -> None:
        self.promises = promises
        self.attempted: dict[str, int] = {}
        """Every topic that somebody has asked for."""
        self.committed_end = 0
        self.newest: Image | None = None
        self.newest_offset = -1
        self.durable = dict.fromkeys(node_ids, 0)
        self.replicas_durable: dict[tuple[int, bytes, int], int] = {}
        """(node, topic id, partition) -> up to where that replica is on disk."""
        self._epochs = dict.fromkeys(node_ids, 0)
        self._seen: dict[int, _Seen] = {}
        self._logs: dict[int, Log] = {}
        self._alone_since_ms: dict[int, int] = {}
        self._leaders: dict[int, int] = {}
        self._batches: dict[int, bytes] = {}
        self._images: dict[int, Image] = {}
        self._offices: dict[tuple[bytes, int, int], int] = {}
        self._watermarks: dict[tuple[int, bytes, int, int], int] = {}
        self.marks: dict[tuple[bytes, int], int] = {}
        """The highest watermark of each partition that a leader has had."""
        self._lost: set[tuple[int, bytes, int]] = set()
        """Replicas that are believed to have what they have lost, until they are taken in again."""
        self._replayed = Image()
        self._replayed_end = 0

    def died(self, node_id: int, node: SimulatedNode) -> None:
        """A life has ended."""
        self.durable[node_id] = node.parts.metadata.log.flushed_end
        for replica in node.broker.replicas:
            if replica.awake:
                self.replicas_durable[node_id, replica.topic_id, replica.partition] = replica.log.flushed_end
        self._seen.pop(node_id, None)
        self._logs.pop(node_id, None)
        self._alone_since_ms.pop(node_id, None)
        self._watermarks = {key: end for key, end in self._watermarks.items() if key[0] != node_id}

    def look(self, node_id: int, node: SimulatedNode) -> None:
        """Called at the end of every tick."""
        metadata = node.parts.metadata
        self._logs[node_id] = metadata.log
        self._check_office(node_id, metadata)
        self.durable[node_id] = metadata.log.flushed_end
        before = self._seen.get(node_id, _Seen())
        now = _Seen(metadata.epoch, metadata.is_leader, metadata.high_watermark, metadata.applied_offset)
        if now != before and not metadata.has_failed:  # one that has fallen silent tells nobody what it thinks
            self._seen[node_id] = now
            self._look_at_quorum(node_id, metadata, before, now)
        self._look_at_partitions(node_id, node)

    # The quorum.

    def _look_at_quorum(self, node_id: int, metadata: Any, before: _Seen, now: _Seen) -> None:
        known = self._epochs[node_id]
        ensure(now.epoch >= known, f"epoch: node {node_id} was in {known} and is in {now.epoch}")
        self._epochs[node_id] = now.epoch
        if now.leads and (not before.leads or before.epoch != now.epoch):
            self._take_office(node_id, metadata, now.epoch)
        ensure(
            now.high_watermark >= before.high_watermark,
            f"watermark: that of node {node_id} fell from {before.high_watermark} to {now.high_watermark}",
        )
        if now.high_watermark > before.high_watermark:
            self._compare(node_id, metadata.log, before.high_watermark, now.high_watermark)
        if now.high_watermark > self.committed_end:
            self._commit(node_id, now.high_watermark)
        if now.applied_offset != before.applied_offset:
            self._compare_image(node_id, metadata.image, now.applied_offset)

    def _take_office(self, node_id: int, metadata: Any, epoch: int) -> None:
        other = self._leaders.setdefault(epoch, node_id)
        ensure(other == node_id, f"one leader: nodes {other} and {node_id} both lead epoch {epoch}")
        end = metadata.log.end_offset
        ensure(
            end >= self.committed_end,
            f"completeness: node {node_id} leads epoch {epoch} and holds {end} of the {self.committed_end} committed",
        )
        self._compare(node_id, metadata.log, 0, self.committed_end)

    def _compare(self, node_id: int, log: Log, start: int, end: int) -> None:
        """Whether a log holds what is known to be committed there; what is not known yet is noted."""
        for offset, data in batches_of(log, max(start, log.start_offset), min(end, log.end_offset)):
            other = self._batches.setdefault(offset, data)
            ensure(other == data, f"committed: node {node_id} has another batch at offset {offset} than was committed")

    def _commit(self, node_id: int, end: int) -> None:
        self.committed_end = end
        self._replay(end)
        have = sorted(voter for voter, durable in self.durable.items() if durable >= end and self._agrees(voter, end))
        ensure(
            len(have) >= majority(len(self.durable)),
            f"watermark: node {node_id} says that everything below {end} is committed, on disk it is on {have} alone",
        )

    def _agrees(self, voter: int, end: int) -> bool:
        """Whether what a voter holds just below `end` is what is committed there; one that is down is believed."""
        log = self._logs.get(voter)
        held = batches_of(log, end - 1, end) if log is not None and log.start_offset < end else ()
        return all(self._batches.get(offset) == data for offset, data in held)

    def _check_office(self, node_id: int, metadata: Any) -> None:
        """A leader that a majority has not asked for long resigns; it is given a moment to notice."""
        role, timing, now_ms = metadata.raft.role, metadata.raft.timing, metadata.clock()
        heard = 0
        if metadata.is_leader:
            heard = 1 + sum(now_ms - one.fetched_ms < timing.fetch_timeout_ms * 2 for one in role.progress.values())
        if not metadata.is_leader or heard >= majority(len(self.durable)):
            self._alone_since_ms.pop(node_id, None)
            return
        since_ms = self._alone_since_ms.setdefault(node_id, now_ms)
        ensure(
            now_ms - since_ms < timing.fetch_timeout_ms * 2,
            f"check quorum: node {node_id} leads epoch {metadata.epoch} on, and a majority has long been silent",
        )

    def _compare_image(self, node_id: int, image: Image, offset: int) -> None:
        other = self._images.setdefault(offset, image)
        ensure(other is image or other == image, f"committed: node {node_id} understands offset {offset} differently")
        if offset > self.newest_offset:
            before, self.newest, self.newest_offset = self.newest, image, offset
            self._check_brokers(before, image)
            self.check_promises()

    def _check_brokers(self, before: Image | None, image: Image) -> None:
        for broker_id, broker in image.brokers.items():
            known = before.brokers.get(broker_id) if before is not None else None
            ensure(
                known is None or broker.epoch >= known.epoch,
                f"broker epochs: that of {broker_id} fell to {broker.epoch}",
            )
        for topic in image.topics.values():
            for number, partition in topic.partitions.items():
                name = f"{topic.name}-{number}"
                leader = image.brokers.get(partition.leader)
                ensure(
                    partition.leader < 0 or (leader is not None and not leader.fenced),
                    f"fenced: {partition.leader} leads {name}",
                )
                in_sync = set(partition.isr)
                ensure(
                    partition.leader < 0 or partition.leader in in_sync,
                    f"ISR: {partition.leader} leads {name} and is not in sync ({partition.isr})",
                )
                ensure(in_sync <= set(partition.replicas), f"ISR: {name} has {partition.isr} of {partition.replicas}")

    # Partitions, as the controller decides.

    def _replay(self, end: int) -> None:
        """Each committed batch is one decision: what did it change?"""
        for offset in sorted(one for one in self._batches if self._replayed_end <= one < end):
            for batch in decode_batches(self._batches[offset]):
                before, self._replayed = self._replayed, apply(self._replayed, batch.records)
                self._check_decision(before, self._replayed)
        self._replayed_end = end

    def _check_decision(self, before: Image, after: Image) -> None:
        if before.topics is after.topics:
            return
        for name, topic in after.topics.items():
            known = before.topics.get(name)
            if known is None or known.topic_id != topic.topic_id or known is topic:
                continue
            for number, now in topic.partitions.items():
                was = known.partitions.get(number)
                if was is not None and was is not now:
                    self._check_change((topic.topic_id, number), f"{name}-{number}", was, now)

    def _check_change(self, key: tuple[bytes, int], name: str, was: Partition, now: Partition) -> None:
        ensure(
            now.leader_epoch >= was.leader_epoch,
            f"elected: the leader epoch of {name} fell from {was.leader_epoch} to {now.leader_epoch}",
        )
        if self.promises.is_lossy(key):
            return
        ensure(
            now.leader in (-1, was.leader) or now.leader in _may_lead(was, now),
            f"elected: {now.leader} leads {name}, and {_may_lead(was, now)} were in sync or eligible",
        )
        mark = self.marks.get(key, 0)
        for one in set(now.isr) - set(was.isr) - set(was.elr):
            end = self.replicas_durable.get((one, *key), 0)
            self._lost.discard((one, *key))
            broker = self._replayed.brokers.get(one)
            ensure(broker is not None and not broker.fenced, f"in sync: {one} is taken in for {name}, and is fenced")
            ensure(end >= mark, f"in sync: {one} is taken in for {name} with {end} of {mark}")

    def check_promises(self) -> None:
        """What administrators were told, against the newest committed image; what was uncertain may become certain."""
        image, promises = self.newest, self.promises
        if image is None:
            return
        for topic in list(promises.topics.values()):
            found = image.topics.get(topic.name)
            if topic.may_be_gone and (found is None or found.topic_id != topic.topic_id):
                promises.deleted(topic.name)
            else:
                self._check_topic(topic, found, image)
        for name, found in image.topics.items():
            ensure(found.topic_id not in promises.gone, f"admin: {name} was deleted and is there again")
            if name not in promises.topics and not name.startswith("__"):
                ensure(name in self.attempted, f"admin: nobody created {name}")
                promises.perhaps.pop(name, None)
                promises.created(name, found.topic_id, len(found.partitions), len(found.partitions[0].replicas))

    def _check_topic(self, topic: Topic, found: Any, image: Image) -> None:
        ensure(found is not None, f"admin: {topic.name} was acknowledged and is gone")
        ensure(found.topic_id == topic.topic_id, f"admin: {topic.name} has another id")
        ensure(len(found.partitions) == topic.partitions, f"admin: {topic.name} has {len(found.partitions)} partitions")
        configs = image.topic_configs(topic.name)
        for name, acceptable in topic.configs.items():
            value = configs.get(name, "")
            ensure(value in acceptable, f"admin: {name} of {topic.name} is {value!r}, not one of {sorted(acceptable)}")

    # Partitions.

    def _look_at_partitions(self, node_id: int, node: SimulatedNode) -> None:
        for replica in node.broker.replicas:
            if not replica.awake or replica.fenced:
                continue
            key = replica.topic_id, replica.partition
            self.replicas_durable[node_id, *key] = replica.log.flushed_end
            if replica.high_watermark > replica.log.end_offset:
                name = f"{replica.topic}-{replica.partition}"
                raise Broken(f"high watermark: that of {name} lies beyond the log of node {node_id}")
            if not replica.is_leader:
                continue
            if self._offices.get((*key, replica.leader_epoch)) != node_id:
                self._begin_to_lead(node_id, key, replica)
            end = replica.high_watermark
            if end != self._watermarks.get((node_id, *key, replica.leader_epoch), 0):
                self._move_watermark(node_id, key, replica, end)

    def _begin_to_lead(self, node_id: int, key: tuple[bytes, int], replica: Any) -> None:
        name, epoch = f"{replica.topic}-{replica.partition}", replica.leader_epoch
        other = self._offices.setdefault((*key, epoch), node_id)
        ensure(other == node_id, f"one leader: nodes {other} and {node_id} both lead epoch {epoch} of {name}")
        found = self._replayed.topic_by_id(key[0])
        is_late = found is not None and found.partitions[key[1]].leader_epoch > epoch
        if is_late or self.promises.is_lossy(key):
            return
        end, mark = replica.log.end_offset, self.marks.get(key, 0)
        ensure(end >= mark, f"whole: node {node_id} leads {name} in epoch {epoch} with {end} of {mark}")
        topics = (topic for topic in self.promises.topics.values() if topic.topic_id == key[0])
        if any(topic.copies > 1 for topic in topics):
            self.promises.check_log(key, replica, settled=False)

    def _move_watermark(self, node_id: int, key: tuple[bytes, int], replica: Any, end: int) -> None:
        name, epoch = f"{replica.topic}-{replica.partition}", replica.leader_epoch
        place = node_id, *key, epoch
        before, self._watermarks[place] = self._watermarks.get(place, 0), end
        ensure(end > before, f"high watermark: that of {name} fell from {before} to {end} within epoch {epoch}")
        members = [one for one in replica.isr if (one, *key) not in self._lost]
        behind = [one for one in members if self.replicas_durable.get((one, *key), 0) < end]
        ensure(not behind, f"high watermark: that of {name} is {end}, but {behind} are in sync and have less")
        if not self.promises.is_lossy(key):
            self.marks[key] = max(self.marks.get(key, 0), end)

    def lost(self, node_id: int, names: list[str]) -> None:
        """The logs of these partitions are gone from a node."""
        image = self.newest
        for topic in image.topics.values() if image is not None else ():
            for number in topic.partitions:
                if f"{topic.name}-{number}" in names:
                    self.replicas_durable[node_id, topic.topic_id, number] = 0
                    self._lost.add((node_id, topic.topic_id, number))

    def match(self, nodes: dict[int, SimulatedNode], say: Callable[[str], None]) -> None:
        """Compare the replicas of each partition with one another, byte by byte. Costs time."""
        held: dict[tuple[str, int], list[Any]] = {}
        for node in nodes.values():
            for replica in node.broker.replicas:
                if replica.awake and not replica.fenced:
                    held.setdefault((replica.topic, replica.partition), []).append(replica)
        for (topic, number), replicas in held.items():
            start = max(replica.log.start_offset for replica in replicas)
            end = min(replica.high_watermark for replica in replicas)
            contents = {b"".join(data for _, data in batches_of(one.log, start, end)) for one in replicas}
            ensure(len(contents) == 1, f"matching: the replicas of {topic}-{number} differ below {end}")
        say(f"{len(held)} partitions")


def _may_lead(was: Partition, now: Partition) -> list[int]:
    """Who may begin to lead: members, those that complete a reassignment, and the last leader when all others have come
    back without what they had (KIP-966)."""
    found = {*was.isr, *was.elr}
    if (was.adding or was.removing) and now.leader_recovery_state == SOUND:
        found |= set(now.isr)
    if not was.isr and now.leader_recovery_state != SOUND:
        found |= set(was.last_known_elr[:1])
    return sorted(found)


def batches_of(log: Log, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(base offset, bytes) of the batches from `start` to `end`."""
    position = start
    while position < end:
        found = log.read(position, _PORTION_BYTES, end, True)
        if found.file is None or not found.length:
            return
        data = memoryview(found.file.pread(found.length, found.position))
        for batch in iter_batches(data):
            header = read_header(batch)
            yield header.base_offset, bytes(batch)
            position = header.last_offset + 1
