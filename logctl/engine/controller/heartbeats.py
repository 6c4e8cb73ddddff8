"""Brokers that are alive, and those that are not heard of any more (KIP-631).

Theory of operation
-------------------
A broker tells the controller every so often that it lives, how far it has read the metadata log, and what it wants. It
is let in (unfenced) once it has read its own registration: then it knows all that was decided before. It is fenced when
it asks for that, or when its session ends: nothing was heard for broker.session.timeout.ms.

A broker that wants to stop is marked as shutting down; what it leads goes to others, and when nothing is left that
could be led elsewhere it is told to stop. Its replicas leave the in-sync sets only where somebody else remains.

Sessions live in memory, on the leader of the quorum alone: a new leader gives everybody the time of one session.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from logctl.engine.controller.brokers import fence_broker, leaderless_elections, partitions_without
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import Broker, Image
from logctl.engine.controller.replay import apply
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from logctl.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord

FENCE, UNFENCE = 1, -1
SHUTTING_DOWN = 1


def heartbeat(controller: Controller, request: BrokerHeartbeatRequest) -> Decision[BrokerHeartbeatResponse]:
    """What becomes of a broker that says how it is. Raises WireError for one that is not registered so."""
    broker = controller.image.brokers.get(request.broker_id)
    if broker is None:
        raise WireError(errors.BROKER_ID_NOT_REGISTERED, f"Broker {request.broker_id} is not registered")
    if broker.epoch != request.broker_epoch:
        raise WireError(errors.STALE_BROKER_EPOCH, f"Broker {request.broker_id} has registered anew since")
    caught_up = request.current_metadata_offset >= broker.epoch
    records = _wanted_changes(controller.image, broker, request, caught_up)
    after = apply(controller.image, records) if records else controller.image
    broker = after.brokers[broker.broker_id]
    response = BrokerHeartbeatResponse(
        is_caught_up=caught_up,
        is_fenced=broker.fenced,
        should_shut_down=request.want_shut_down and not leads_what_others_could(after, broker.broker_id),
    )
    return Decision(records, response)


def _wanted_changes(image: Image, broker: Broker, request: BrokerHeartbeatRequest, caught_up: bool) -> list[Any]:
    if request.want_shut_down:
        return _begin_shutdown(image, broker)
    if request.want_fence:
        return [] if broker.fenced else fence_broker(image, broker)
    return _let_in(image, broker) if broker.fenced and caught_up else []


def _let_in(image: Image, broker: Broker) -> list[Any]:
    """Unfence a broker, and give leaders to partitions that waited for it."""
    change = BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.epoch, fenced=UNFENCE)
    return [change, *leaderless_elections(apply(image, [change]), broker.broker_id)]


def _begin_shutdown(image: Image, broker: Broker) -> list[Any]:
    if broker.in_controlled_shutdown or broker.fenced:
        return []
    change = BrokerRegistrationChangeRecord(
        broker_id=broker.broker_id, broker_epoch=broker.epoch, in_controlled_shutdown=SHUTTING_DOWN
    )
    return [change, *partitions_without(image, broker.broker_id)]


def leads_what_others_could(image: Image, broker_id: int) -> bool:
    """Does the broker lead a partition that has another in-sync replica?"""
    return any(
        partition.leader == broker_id and any(member != broker_id for member in partition.isr)
        for topic in image.topics.values()
        for partition in topic.partitions.values()
    )


class Sessions:
    """When each broker was last heard of; the memory of one leader of the quorum."""

    def __init__(self, timeout_ms: int) -> None:
        self.timeout_ms = timeout_ms
        self._heard_ms: dict[int, int] = {}

    def begin(self, brokers: Iterable[int], now_ms: int) -> None:
        """Office was taken: everybody has the time of one session."""
        self._heard_ms = dict.fromkeys(brokers, now_ms)

    def touch(self, broker_id: int, now_ms: int) -> None:
        self._heard_ms[broker_id] = now_ms

    def forget(self, broker_id: int) -> None:
        self._heard_ms.pop(broker_id, None)

    def ended(self, image: Image, now_ms: int) -> list[Broker]:
        """The brokers that are let in and were not heard of for too long, longest first."""
        late = [
            (heard_ms, image.brokers[broker_id])
            for broker_id, heard_ms in self._heard_ms.items()
            if broker_id in image.brokers
            and not image.brokers[broker_id].fenced
            and now_ms - heard_ms >= self.timeout_ms
        ]
        return [broker for _, broker in sorted(late, key=lambda pair: pair[0])]

    def next_end_ms(self, image: Image) -> int | None:
        """When the next session ends if nothing is heard."""
        heard = [ms for one, ms in self._heard_ms.items() if one in image.brokers and not image.brokers[one].fenced]
        return min(heard) + self.timeout_ms if heard else None
