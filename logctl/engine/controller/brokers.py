"""Brokers coming and going: registration, and what it does to the partitions they lead (KIP-631).

A registration gets the offset of its record as broker epoch: a later one of the same id is newer, and requests that
carry an older epoch are refused. A broker whose previous registration did not end in order may have lost what it had
not flushed, so its partitions start a new leader epoch: clients that were ahead then notice and step back (KIP-320).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import NO_LEADER, Broker, Endpoint, Image, Partition
from logctl.engine.controller.replay import apply
from logctl.engine.controller.replicas import best_leader
from logctl.engine.controller.snapshot import broker_record
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.broker_registration import BrokerRegistrationRequest, BrokerRegistrationResponse
from logctl.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from logctl.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord
from logctl.wire.stored.partition_change_record import PartitionChangeRecord
from logctl.wire.stored.unregister_broker_record import UnregisterBrokerRecord


def register_broker(controller: Controller, request: BrokerRegistrationRequest) -> Decision[BrokerRegistrationResponse]:
    """Take a broker in, fenced; the answer carries its epoch. Raises WireError."""
    _check_registration(controller, request)
    image, before = controller.image, controller.image.brokers.get(request.broker_id)
    if before is not None and before.incarnation_id == request.incarnation_id:
        return Decision([], BrokerRegistrationResponse(broker_epoch=before.epoch))
    registered = _registration(controller, request)
    records: list[Any] = [broker_record(registered)]
    if before is not None:
        after = apply(image, records)
        records += partitions_without(after, request.broker_id)
    return Decision(records, BrokerRegistrationResponse(broker_epoch=registered.epoch))


def start_broker(controller: Controller, request: BrokerRegistrationRequest) -> Decision[BrokerRegistrationResponse]:
    """Register and unfence in one step: for the node that is its own controller and knows that it has caught up.

    `previous_broker_epoch` is the epoch that the last orderly stop wrote down (-1: there was none). When it is the one
    of the last registration, what this broker leads goes on in the same leader epoch. Raises WireError.
    """
    _check_registration(controller, request)
    before = controller.image.brokers.get(request.broker_id)
    broker = _registration(controller, request, fenced=False)
    records: list[Any] = [broker_record(broker)]
    image = apply(controller.image, records)
    orderly = before is not None and before.epoch == request.previous_broker_epoch
    for topic_id, number, partition in _partitions_of(image, request.broker_id):
        if partition.leader == NO_LEADER or (partition.leader == request.broker_id and not orderly):
            change = _election(image, partition)
            if change is not None:
                change.topic_id, change.partition_id = topic_id, number
                records.append(change)
    return Decision(records, BrokerRegistrationResponse(broker_epoch=broker.epoch))


def leaderless_elections(image: Image, broker_id: int) -> list[Any]:
    """Leaders for the partitions with a replica on this broker that have none and could."""
    records: list[Any] = []
    for topic_id, number, partition in _partitions_of(image, broker_id):
        change = _election(image, partition) if partition.leader == NO_LEADER else None
        if change is not None:
            change.topic_id, change.partition_id = topic_id, number
            records.append(change)
    return records


def _election(image: Image, partition: Partition) -> PartitionChangeRecord | None:
    """Who leads from now on: somebody in sync, else an eligible replica, else the last one that was (KIP-966)."""
    leader = best_leader(image, partition)
    if leader != NO_LEADER:
        return PartitionChangeRecord(leader=leader)
    for broker_id in (*partition.elr, *partition.last_known_elr):
        if broker_id in image.brokers and image.brokers[broker_id].active:
            return PartitionChangeRecord(
                leader=broker_id,
                isr=[broker_id],
                leader_recovery_state=0,
                eligible_leader_replicas=[],
                last_known_elr=[],
            )
    return None


def stop_broker(controller: Controller, broker_id: int) -> Decision[None]:
    """Say that a broker stops in order: for the node that is its own controller.

    It goes on leading what it leads, as nobody else could; whoever starts next on its directory may register at once,
    without waiting for a session to end.
    """
    broker = controller.image.brokers.get(broker_id)
    if broker is None or broker.in_controlled_shutdown:
        return Decision([], None)
    change = BrokerRegistrationChangeRecord(
        broker_id=broker_id, broker_epoch=broker.epoch, fenced=1, in_controlled_shutdown=1
    )
    return Decision([change], None)


def _check_registration(controller: Controller, request: BrokerRegistrationRequest) -> None:
    cluster_id = controller.rules.cluster_id
    if request.cluster_id != cluster_id:
        raise WireError(
            errors.INCONSISTENT_CLUSTER_ID, f"This is cluster {cluster_id}, the broker belongs to {request.cluster_id}"
        )
    if not request.log_dirs:
        raise WireError(errors.INVALID_REGISTRATION, "The broker names no log directory")
    offered = {feature.name: feature for feature in request.features}
    for name, level in sorted(controller.image.features.items()):
        feature = offered.get(name)
        if feature is None or not feature.min_supported_version <= level <= feature.max_supported_version:
            raise WireError(
                errors.UNSUPPORTED_VERSION,
                f"The cluster runs {name} at level {level}, which the broker does not support",
            )
    for broker in controller.image.brokers.values():
        shared = set(broker.log_dirs) & set(request.log_dirs)
        if shared and broker.broker_id != request.broker_id:
            raise WireError(
                errors.INVALID_REGISTRATION,
                f"A log directory of this broker is registered for broker {broker.broker_id}",
            )


def _registration(controller: Controller, request: BrokerRegistrationRequest, *, fenced: bool = True) -> Broker:
    return Broker(
        broker_id=request.broker_id,
        epoch=controller.next_offset,
        incarnation_id=request.incarnation_id,
        endpoints=tuple(Endpoint(e.name, e.host, e.port, e.security_protocol) for e in request.listeners),
        features={f.name: (f.min_supported_version, f.max_supported_version) for f in request.features},
        rack=request.rack,
        fenced=fenced,
        log_dirs=tuple(request.log_dirs),
    )


def _partitions_of(image: Image, broker_id: int) -> Iterator[tuple[bytes, int, Partition]]:
    """(topic id, number, partition) of every partition that has a replica on the broker."""
    for topic in image.topics.values():
        for number, partition in topic.partitions.items():
            if broker_id in partition.replicas:
                yield topic.topic_id, number, partition


def partitions_without(image: Image, broker_id: int) -> list[Any]:
    """Changes that take a broker out of office: out of every ISR but one it is the last member of, and out of
    leadership.
    """
    records: list[Any] = []
    for topic_id, number, partition in _partitions_of(image, broker_id):
        change = PartitionChangeRecord(partition_id=number, topic_id=topic_id)
        remaining = tuple(member for member in partition.isr if member != broker_id)
        if remaining and remaining != partition.isr:
            change.isr = list(remaining)
        if partition.leader == broker_id:
            change.leader = best_leader(image, partition, without=broker_id)
        if change.isr is not None or partition.leader == broker_id:
            records.append(change)
    return records


def fence_broker(image: Image, broker: Broker) -> list[Any]:
    """The records that fence a broker and take its partitions away."""
    change = BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.epoch, fenced=1)
    return [change, *partitions_without(image, broker.broker_id)]


def unregister_broker(controller: Controller, request: UnregisterBrokerRequest) -> Decision[UnregisterBrokerResponse]:
    """Forget a broker that is fenced; its replicas stay assigned to it. Raises WireError."""
    broker = controller.image.brokers.get(request.broker_id)
    if broker is None:
        raise WireError(errors.BROKER_ID_NOT_REGISTERED, f"Broker {request.broker_id} is not registered")
    if not broker.fenced:
        raise WireError(
            errors.INVALID_REQUEST, f"Broker {request.broker_id} is alive; stop it for good before it is forgotten"
        )
    records: list[Any] = partitions_without(controller.image, broker.broker_id)
    records.append(UnregisterBrokerRecord(broker_id=broker.broker_id, broker_epoch=broker.epoch))
    return Decision(records, UnregisterBrokerResponse(error_message=None))
