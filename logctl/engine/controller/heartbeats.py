"""Brokers that are alive, and those that are not heard of any more (KIP-631).

Theory of operation
-------------------
A broker tells the controller every so often that it lives, how far it has read the metadata log, and what it wants. It
is let in (unfenced) once it has read its own registration: then it knows all that was decided before. It is fenced when
it asks for that, when none of its log directories works, or when its session ends: nothing was heard for
broker.session.timeout.ms.

A broker that wants to stop is marked as shutting down; what it leads goes to others. By its next heartbeat that is
committed, and unless somebody else could take over more it is told to stop. What it was the last in-sync replica of
waits for it without a leader: nobody else could lead that, however long it stayed.

Sessions live in memory, on the leader of the quorum alone: a new leader gives everybody who is let in the time of one
session. While a session lasts, nobody else may register under the broker's id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from logctl.engine.controller.brokers import fence_broker
from logctl.engine.controller.changes import leaders_for_leaderless, without
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.directories import all_failed, told_directories
from logctl.engine.controller.image import Broker, Image
from logctl.engine.controller.replay import apply
from logctl.engine.controller.terms import Terms
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from logctl.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord

UNFENCE = -1
SHUTTING_DOWN = 1


def heartbeat(controller: Controller, request: BrokerHeartbeatRequest) -> Decision[BrokerHeartbeatResponse]:
    """What becomes of a broker that says how it is. Raises WireError for one that is not registered so."""
    broker = controller.image.brokers.get(request.broker_id)
    if broker is None:
        raise WireError(errors.BROKER_ID_NOT_REGISTERED, f"Broker {request.broker_id} is not registered")
    if broker.epoch != request.broker_epoch:
        raise WireError(errors.STALE_BROKER_EPOCH, f"Broker {request.broker_id} has registered anew since")
    caught_up = request.current_metadata_offset >= broker.epoch
    terms = Terms(controller)
    records = told_directories(terms, broker, request.offline_log_dirs, request.cordoned_log_dirs)
    if records:
        controller = controller._replace(image=apply(controller.image, records))
    moves = _wanted_changes(controller, broker, request, caught_up)
    after = apply(controller.image, moves) if moves else controller.image
    response = BrokerHeartbeatResponse(
        is_caught_up=caught_up,
        is_fenced=after.brokers[broker.broker_id].fenced,
        should_shut_down=request.want_shut_down and not moves and not leads_what_others_could(after, broker.broker_id),
    )
    return Decision([*records, *moves], response)


def _wanted_changes(
    controller: Controller, broker: Broker, request: BrokerHeartbeatRequest, caught_up: bool
) -> list[Any]:
    if request.want_shut_down:
        return _begin_shutdown(controller, broker)
    if request.want_fence or all_failed(broker, request.offline_log_dirs):
        return [] if broker.fenced else fence_broker(controller, broker.broker_id).records
    return _let_in(controller, broker) if broker.fenced and caught_up else []


def _let_in(controller: Controller, broker: Broker) -> list[Any]:
    """Unfence a broker, and give leaders to partitions that waited for it."""
    change = BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.epoch, fenced=UNFENCE)
    return [change, *leaders_for_leaderless(Terms(controller).after([change]), broker.broker_id)]


def _begin_shutdown(controller: Controller, broker: Broker) -> list[Any]:
    if broker.in_controlled_shutdown or broker.fenced:
        return []
    change = BrokerRegistrationChangeRecord(
        broker_id=broker.broker_id, broker_epoch=broker.epoch, in_controlled_shutdown=SHUTTING_DOWN
    )
    return [change, *without(Terms(controller).after([change]), broker.broker_id)]


def leads_what_others_could(image: Image, broker_id: int) -> bool:
    """Does the broker lead a partition that another in-sync replica may lead?"""
    active = {broker.broker_id for broker in image.active_brokers()} - {broker_id}
    return any(
        partition.leader == broker_id and not active.isdisjoint(partition.isr)
        for topic in image.topics.values()
        for partition in topic.partitions.values()
    )


class Sessions:
    """When each broker was last heard of; the memory of one leader of the quorum."""

    def __init__(self, timeout_ms: int) -> None:
        self.timeout_ms = timeout_ms
        self._heard_ms: dict[int, int] = {}

    def begin(self, brokers: Iterable[int], now_ms: int) -> None:
        """Office was taken: these brokers have the time of one session."""
        self._heard_ms = dict.fromkeys(brokers, now_ms)

    def excuse(self, for_ms: int, now_ms: int) -> None:
        """Nobody could be heard for that long: it does not count as silence."""
        self._heard_ms = {one: min(heard_ms + for_ms, now_ms) for one, heard_ms in self._heard_ms.items()}

    def lasts(self, broker_id: int, now_ms: int) -> bool:
        """Whether the broker was heard of, and not too long ago."""
        heard_ms = self._heard_ms.get(broker_id)
        return heard_ms is not None and now_ms - heard_ms < self.timeout_ms

    def touch(self, broker_id: int, now_ms: int) -> None:
        self._heard_ms[broker_id] = now_ms

    def forget(self, broker_id: int) -> None:
        self._heard_ms.pop(broker_id, None)

    def ended(self, image: Image, now_ms: int) -> list[Broker]:
        """The brokers that are let in and were not heard of for too long, longest first."""
        late = [(heard_ms, one) for one, heard_ms in self._heard_of(image) if now_ms - heard_ms >= self.timeout_ms]
        return [image.brokers[one] for _, one in sorted(late)]

    def silent(self, image: Image, now_ms: int, for_ms: int) -> list[int]:
        """The brokers that are let in and were not heard of for so long."""
        return [one for one, heard_ms in self._heard_of(image) if now_ms - heard_ms >= for_ms]

    def next_silence_ms(self, image: Image, for_ms: int) -> int | None:
        """When the first broker will have been silent for so long if nothing is heard."""
        return min((heard_ms + for_ms for _, heard_ms in self._heard_of(image)), default=None)

    def next_end_ms(self, image: Image) -> int | None:
        """When the next session ends if nothing is heard."""
        return self.next_silence_ms(image, self.timeout_ms)

    def _heard_of(self, image: Image) -> list[tuple[int, int]]:
        """Those that are let in, and when they were heard of last."""
        brokers = image.brokers
        return [(one, ms) for one, ms in self._heard_ms.items() if one in brokers and not brokers[one].fenced]
