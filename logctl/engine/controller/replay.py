"""Replaying records of the metadata log into an image: the other half of every decision.

Theory of operation
-------------------
A `Draft` starts from an image and takes records one by one. Each dictionary of the image is copied when it is first
written to, each topic's partitions when one of them first changes; `image()` wraps the result up, and the draft goes
on from there. A leader that decided the records, a follower that fetched them and a node that starts up run this same
code, so they cannot disagree.

A metadata transaction (KIP-868) is remembered as the image before its first record: an abort goes back to it.

Records are trusted to be decoded; a record that cannot be true here (a partition of a topic that does not exist) raises
`InconsistentRecord`, because guessing on would make this node disagree with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from logctl.engine.controller.image import (
    METADATA_VERSION,
    Broker,
    Endpoint,
    Image,
    Partition,
    Resource,
    ResourceType,
    Topic,
)


class InconsistentRecord(Exception):
    """A record that contradicts the image it is replayed on."""


def apply(image: Image, records: Iterable[Any]) -> Image:
    """The image after these records. Raises InconsistentRecord."""
    draft = Draft(image)
    for record in records:
        draft.replay(record)
    return draft.image()


class Draft:
    """An image being written. See the theory above."""

    def __init__(self, base: Image | None = None) -> None:
        self._tuples: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._start_from(base or Image())

    def _start_from(self, base: Image) -> None:
        self.base = base
        self.next_producer_id = base.next_producer_id
        self.transaction_start = base.transaction_start
        self._written: dict[str, dict[Any, Any]] = {}
        self._open_topics: dict[bytes, dict[int, Partition]] = {}

    def replay(self, record: Any) -> None:
        """Take one record in. Raises InconsistentRecord."""
        rule = _RULES.get(record.api_key)
        if rule is None:
            raise InconsistentRecord(f"record type {record.api_key} is not known to this version")
        rule(self, record)

    def image(self) -> Image:
        """The image up to here."""
        if self._written or self.next_producer_id != self.base.next_producer_id or self._transaction_moved():
            self._start_from(
                self.base._replace(
                    **self._written,
                    next_producer_id=self.next_producer_id,
                    transaction_start=self.transaction_start,
                )
            )
        return self.base

    def _transaction_moved(self) -> bool:
        return self.transaction_start is not self.base.transaction_start

    def own(self, name: str) -> dict[Any, Any]:
        """The dictionary `name` of the image, copied so that it may be written to."""
        mine = self._written.get(name)
        if mine is None:
            mine = self._written[name] = dict(getattr(self.base, name))
        return mine

    def see(self, name: str) -> Any:
        """The dictionary `name` as it stands, for reading."""
        mine = self._written.get(name)
        return getattr(self.base, name) if mine is None else mine

    def partitions(self, topic_id: bytes) -> dict[int, Partition]:
        """The partitions of a topic, copied so that they may be written to."""
        found = self._open_topics.get(topic_id)
        if found is None:
            name = self.see("topic_names").get(topic_id)
            if name is None:
                raise InconsistentRecord(f"a record speaks of the topic with id {topic_id.hex()}, which does not exist")
            topic = self.see("topics")[name]
            found = dict(topic.partitions)
            self._open(Topic(name, topic_id, found), found)
        return found

    def _open(self, topic: Topic, partitions: dict[int, Partition]) -> None:
        self.own("topics")[topic.name] = topic
        self._open_topics[topic.topic_id] = partitions

    def add_topic(self, name: str, topic_id: bytes) -> None:
        if name in self.see("topics"):
            raise InconsistentRecord(f"topic {name} is created a second time")
        self.own("topic_names")[topic_id] = name
        partitions: dict[int, Partition] = {}
        self._open(Topic(name, topic_id, partitions), partitions)

    def remove_topic(self, topic_id: bytes) -> None:
        name = self.own("topic_names").pop(topic_id, None)
        if name is None:
            raise InconsistentRecord(f"the topic with id {topic_id.hex()} is removed but does not exist")
        del self.own("topics")[name]
        self._open_topics.pop(topic_id, None)
        if (ResourceType.TOPIC, name) in self.see("configs"):
            del self.own("configs")[ResourceType.TOPIC, name]

    def shared(self, values: Sequence[Any] | None) -> tuple[Any, ...]:
        """The values as a tuple; equal ones are the same object, since most partitions have the same few replicas."""
        made = tuple(values or ())
        return self._tuples.setdefault(made, made)

    def change_broker(self, broker_id: int, epoch: int, **changes: Any) -> None:
        broker = self.see("brokers").get(broker_id)
        if broker is None or broker.epoch != epoch:
            raise InconsistentRecord(f"a record speaks of broker {broker_id} at epoch {epoch}, which is not registered")
        self.own("brokers")[broker_id] = broker._replace(**changes)

    def begin_transaction(self) -> None:
        if self.transaction_start is not None:
            raise InconsistentRecord("a metadata transaction begins inside another")
        self.transaction_start = self.image()

    def end_transaction(self, *, aborted: bool) -> None:
        before = self.transaction_start
        if before is None:
            raise InconsistentRecord("a metadata transaction ends that never began")
        if aborted:
            self._start_from(before)
        self.transaction_start = None


def _topic(draft: Draft, record: Any) -> None:
    draft.add_topic(record.name, record.topic_id)


def _remove_topic(draft: Draft, record: Any) -> None:
    draft.remove_topic(record.topic_id)


def _partition(draft: Draft, record: Any) -> None:
    shared = draft.shared
    draft.partitions(record.topic_id)[record.partition_id] = Partition(
        shared(record.replicas),
        shared(record.isr),
        record.leader,
        record.leader_epoch,
        record.partition_epoch,
        shared(record.directories),
        shared(record.removing_replicas),
        shared(record.adding_replicas),
        record.leader_recovery_state,
        shared(record.eligible_leader_replicas),
        shared(record.last_known_elr),
    )


_PARTITION_FIELDS: Final = (
    ("isr", "isr"),
    ("replicas", "replicas"),
    ("removing_replicas", "removing"),
    ("adding_replicas", "adding"),
    ("directories", "directories"),
    ("eligible_leader_replicas", "elr"),
    ("last_known_elr", "last_known_elr"),
)


def _partition_change(draft: Draft, record: Any) -> None:
    """What the record does not say stays. Naming a leader starts a new leader epoch, also when it is the same one."""
    partitions = draft.partitions(record.topic_id)
    before = partitions.get(record.partition_id)
    if before is None:
        raise InconsistentRecord(f"partition {record.partition_id} is changed but does not exist")
    partitions[record.partition_id] = changed(before, record, draft.shared)


def changed(
    before: Partition, record: Any, shared: Callable[[Sequence[Any]], tuple[Any, ...]] = tuple
) -> Partition:
    """The partition after a PartitionChangeRecord."""
    changes: dict[str, Any] = {"partition_epoch": before.partition_epoch + 1}
    for said, name in _PARTITION_FIELDS:
        values = getattr(record, said)
        if values is not None:
            changes[name] = shared(values)
    if record.leader != _LEADER_UNCHANGED:
        changes |= {"leader": record.leader, "leader_epoch": before.leader_epoch + 1}
    if record.leader_recovery_state >= 0:
        changes["leader_recovery_state"] = record.leader_recovery_state
    return before._replace(**changes)


_LEADER_UNCHANGED: Final = -2


def _clear_elr(draft: Draft, record: Any) -> None:
    topics = draft.see("topics")
    names = [record.topic_name] if record.topic_name else list(topics)
    for name in names:
        if name not in topics:
            raise InconsistentRecord(f"eligible replicas of topic {name} are cleared, which does not exist")
        partitions = draft.partitions(topics[name].topic_id)
        for number, partition in list(partitions.items()):
            if partition.elr or partition.last_known_elr:
                epoch = partition.partition_epoch + 1
                partitions[number] = partition._replace(elr=(), last_known_elr=(), partition_epoch=epoch)


def _config(draft: Draft, record: Any) -> None:
    configs, resource = draft.own("configs"), _resource(record)
    values = dict(configs.get(resource, {}))
    if record.value is None:
        values.pop(record.name, None)
    else:
        values[record.name] = record.value
    if values:
        configs[resource] = values
    else:
        configs.pop(resource, None)


def _resource(record: Any) -> Resource:
    return record.resource_type, record.resource_name


def _feature(draft: Draft, record: Any) -> None:
    if record.feature_level == 0 and record.name != METADATA_VERSION:
        draft.own("features").pop(record.name, None)
    else:
        draft.own("features")[record.name] = record.feature_level


def _producer_ids(draft: Draft, record: Any) -> None:
    if record.next_producer_id < draft.next_producer_id:
        raise InconsistentRecord(f"producer ids go back from {draft.next_producer_id} to {record.next_producer_id}")
    draft.next_producer_id = record.next_producer_id


def _register_broker(draft: Draft, record: Any) -> None:
    cordoned = record.cordoned_log_dirs
    draft.own("brokers")[record.broker_id] = Broker(
        record.broker_id,
        record.broker_epoch,
        record.incarnation_id,
        tuple(Endpoint(e.name, e.host, e.port, e.security_protocol) for e in record.end_points),
        {f.name: (f.min_supported_version, f.max_supported_version) for f in record.features},
        record.rack,
        record.fenced,
        record.in_controlled_shutdown,
        tuple(record.log_dirs),
        None if cordoned is None else tuple(cordoned),
    )


def _unregister_broker(draft: Draft, record: Any) -> None:
    if draft.own("brokers").pop(record.broker_id, None) is None:
        raise InconsistentRecord(f"broker {record.broker_id} is unregistered but was not registered")


def _fence(draft: Draft, record: Any) -> None:
    draft.change_broker(record.id, record.epoch, fenced=True)


def _unfence(draft: Draft, record: Any) -> None:
    draft.change_broker(record.id, record.epoch, fenced=False)


def _change_registration(draft: Draft, record: Any) -> None:
    """Fenced is -1 for unfenced now, 1 for fenced now, 0 for no change; the other fields likewise say only what
    changed.
    """
    changes: dict[str, Any] = {}
    if record.fenced:
        changes["fenced"] = record.fenced > 0
    if record.in_controlled_shutdown:
        changes["in_controlled_shutdown"] = True
    if record.log_dirs:
        changes["log_dirs"] = tuple(record.log_dirs)
    if record.cordoned_log_dirs is not None:
        changes["cordoned_log_dirs"] = tuple(record.cordoned_log_dirs)
    draft.change_broker(record.broker_id, record.broker_epoch, **changes)


def _register_controller(draft: Draft, record: Any) -> None:
    draft.own("controllers")[record.controller_id] = record


def _nothing(draft: Draft, record: Any) -> None:
    pass


def _keep(identity: Callable[[Any], tuple[Any, ...]]) -> Callable[[Draft, Any], None]:
    def rule(draft: Draft, record: Any) -> None:
        draft.own("kept")[record.api_key, *identity(record)] = record

    return rule


def _forget(api_key: int, identity: Callable[[Any], tuple[Any, ...]]) -> Callable[[Draft, Any], None]:
    def rule(draft: Draft, record: Any) -> None:
        draft.own("kept").pop((api_key, *identity(record)), None)

    return rule


def _quota(draft: Draft, record: Any) -> None:
    entity = tuple(sorted(((part.entity_type, part.entity_name) for part in record.entity), key=repr))
    key = (record.api_key, entity, record.key)
    if record.remove:
        draft.own("kept").pop(key, None)
    else:
        draft.own("kept")[key] = record


def _scram(draft: Draft, record: Any) -> None:
    """Its secrets arrive as slices of the batch, which is not ours to hold on to."""
    for name in ("salt", "stored_key", "server_key"):
        setattr(record, name, bytes(getattr(record, name)))
    draft.own("kept")[record.api_key, record.name, record.mechanism] = record


_SCRAM: Final = 11
_ACL: Final = 18
_TOKEN: Final = 10

_RULES: Final[dict[int, Callable[[Draft, Any], None]]] = {
    0: _register_broker,
    1: _unregister_broker,
    2: _topic,
    3: _partition,
    4: _config,
    5: _partition_change,
    7: _fence,
    8: _unfence,
    9: _remove_topic,
    10: _keep(lambda token: (token.token_id,)),
    11: _scram,
    12: _feature,
    14: _quota,
    15: _producer_ids,
    17: _change_registration,
    18: _keep(lambda acl: (acl.id,)),
    19: _forget(_ACL, lambda removal: (removal.id,)),
    20: _nothing,
    21: _keep(lambda state: ()),
    22: _forget(_SCRAM, lambda removal: (removal.name, removal.mechanism)),
    23: lambda draft, record: draft.begin_transaction(),
    24: lambda draft, record: draft.end_transaction(aborted=False),
    25: lambda draft, record: draft.end_transaction(aborted=True),
    26: _forget(_TOKEN, lambda removal: (removal.token_id,)),
    27: _register_controller,
    28: _clear_elr,
}
"""What each record type does, by its number (the apiKey of its definition)."""
