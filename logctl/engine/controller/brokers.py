"""Brokers coming and going: registration, and what it does to the partitions they lead (KIP-631).

A registration gets the offset of its record as broker epoch: a later one of the same id is newer, and requests that
carry an older epoch are refused. A broker whose previous registration did not end in order may have lost what it had
not flushed, so its partitions start a new leader epoch: clients that were ahead then notice and step back (KIP-320);
where eligible leader replicas are kept it is in sync with nothing and eligible for nothing until it has caught up
(KIP-966).
"""

from __future__ import annotations

from typing import Any

from logctl.engine.controller.changes import change, places_of, without
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import NO_LEADER, Broker, Endpoint
from logctl.engine.controller.snapshot import broker_record
from logctl.engine.controller.terms import Terms
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.broker_registration import BrokerRegistrationRequest, BrokerRegistrationResponse
from logctl.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from logctl.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord
from logctl.wire.stored.unregister_broker_record import UnregisterBrokerRecord


def register_broker(
    controller: Controller, request: BrokerRegistrationRequest, *, heard_of: bool = False
) -> Decision[BrokerRegistrationResponse]:
    """Take a broker in, fenced; the answer carries its epoch. `heard_of`: the broker registered under this id is alive.

    Raises WireError: among others DUPLICATE_BROKER_REGISTRATION while another broker lives under the id.
    """
    _check_registration(controller, request)
    before = controller.image.brokers.get(request.broker_id)
    if before is not None and before.incarnation_id == request.incarnation_id:
        return Decision([], BrokerRegistrationResponse(broker_epoch=before.epoch))
    if before is not None and heard_of and not before.in_controlled_shutdown:
        raise WireError(
            errors.DUPLICATE_BROKER_REGISTRATION, f"Another broker with id {request.broker_id} was heard of just now"
        )
    registered = _registration(controller, request)
    records: list[Any] = [broker_record(registered)]
    if before is not None:
        orderly = before.epoch == request.previous_broker_epoch
        records += without(Terms(controller).after(records), request.broker_id, lost=not orderly)
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
    terms = Terms(controller).after(records)
    orderly = before is not None and before.epoch == request.previous_broker_epoch
    for topic, number, partition in places_of(terms.image, request.broker_id):
        if partition.leader == NO_LEADER or (partition.leader == request.broker_id and not orderly):
            record = change(terms, topic, number, partition, renew=True)
            records += [] if record is None else [record]
    return Decision(records, BrokerRegistrationResponse(broker_epoch=broker.epoch))


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


def fence_broker(controller: Controller, broker_id: int) -> Decision[None]:
    """Fence a broker that is registered, and take its partitions away."""
    change = BrokerRegistrationChangeRecord(
        broker_id=broker_id, broker_epoch=controller.image.brokers[broker_id].epoch, fenced=1
    )
    return Decision([change, *without(Terms(controller).after([change]), broker_id)], None)


def unregister_broker(controller: Controller, request: UnregisterBrokerRequest) -> Decision[UnregisterBrokerResponse]:
    """Forget a broker that is fenced; its replicas stay assigned to it. Raises WireError."""
    broker = controller.image.brokers.get(request.broker_id)
    if broker is None:
        raise WireError(errors.BROKER_ID_NOT_REGISTERED, f"Broker {request.broker_id} is not registered")
    if not broker.fenced:
        raise WireError(
            errors.INVALID_REQUEST, f"Broker {request.broker_id} is alive; stop it for good before it is forgotten"
        )
    gone = UnregisterBrokerRecord(broker_id=broker.broker_id, broker_epoch=broker.epoch)
    records = [gone, *without(Terms(controller).after([gone]), broker.broker_id)]
    return Decision(records, UnregisterBrokerResponse(error_message=None))
