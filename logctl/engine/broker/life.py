"""A broker's life in a cluster of several nodes: registered, let in, heard of, and taking leave (KIP-631).

Theory of operation
-------------------
    REGISTERING   asks the controller for an epoch, again and again until there is a controller that grants one
    CATCHING_UP   reads the metadata log up to its own registration; then the logs of its partitions are opened
    FENCED        says that it is ready; the controller lets it in
    SERVING       says so every broker.heartbeat.interval.ms
    LEAVING       asks that its partitions be moved, until nothing is left that others could lead

A controller that no longer knows the epoch sends the broker back to REGISTERING, with its logs as they are. Whoever
leads the quorum is asked; while nobody does, time passes. While a broker under the same id is still heard of, which may
be this one's last life, asking goes on until its session has ended. A registration that can never be granted (another
cluster, features that this node cannot run) ends the node with the reason; so does a disk that refuses the metadata
log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from logctl.wire import errors
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.metadata import Metadata
    from logctl.wire.messages.broker_registration import BrokerRegistrationRequest

_AGAIN_MS: Final = 50
_LEAVE_UNHEARD_MS: Final = 1000
"""Whoever leaves, and nobody is there to hand over to, goes after so long."""
_FINAL: Final = (errors.INCONSISTENT_CLUSTER_ID, errors.UNSUPPORTED_VERSION, errors.INVALID_REGISTRATION)
_FORGOTTEN: Final = (errors.STALE_BROKER_EPOCH, errors.BROKER_ID_NOT_REGISTERED)

AskController = Callable[[Message, Callable[[Any], None]], None]
"""Sends a request to the leader of the quorum; the callback gets the response, or None."""


class Stage(Enum):
    REGISTERING = "registering"
    CATCHING_UP = "catching up"
    FENCED = "fenced"
    SERVING = "serving"
    LEAVING = "leaving"
    GONE = "gone"


class Life:
    """`open_logs` is called once, and gone through to its end, when all that was decided before the registration is
    known; `let_in` each time the controller lets the broker in; `hopeless` with a sentence when it never will. It does
    not ask to be let in before `is_ready()`."""

    def __init__(
        self,
        metadata: Metadata,
        registration: BrokerRegistrationRequest,
        ask_controller: AskController,
        *,
        heartbeat_ms: int,
        clock: Callable[[], int],
        open_logs: Callable[[], Iterator[None]],
        let_in: Callable[[], None],
        hopeless: Callable[[str], None],
        say: Callable[[str, str], None],
        offline_dirs: Callable[[], list[bytes]] = list,
        cordoned_dirs: Callable[[], list[bytes]] = list,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.stage = Stage.REGISTERING
        self.epoch = -1
        self._metadata = metadata
        self._registration = registration
        self._ask_controller = ask_controller
        self._heartbeat_ms = heartbeat_ms
        self._clock = clock
        self._open_logs = open_logs
        self._let_in = let_in
        self._hopeless = hopeless
        self._say = say
        self._offline_dirs = offline_dirs
        self._cordoned_dirs = cordoned_dirs
        self._is_ready = is_ready
        self._has_a_twin = False
        self._opening: Iterator[None] | None = None
        self._asking = False
        self._due_ms = 0
        self._heard_ms = 0

    def advance(self, now_ms: int) -> None:
        """Do what is due."""
        if self._metadata.has_failed:
            self._despair()
            return
        if self.stage is Stage.CATCHING_UP and self._metadata.applied_offset > self.epoch:
            self._caught_up()
        if self._nobody_listens(now_ms):
            self.stage = Stage.GONE
        if self._asking or now_ms < self._due_ms or self._metadata.leader_id < 0:
            return
        if self.stage is Stage.REGISTERING:
            self._ask(self._registration, self._registered)
        elif self.stage is Stage.FENCED and not self._is_ready():
            self._due_ms = now_ms + _AGAIN_MS
        elif self.stage not in (Stage.CATCHING_UP, Stage.GONE):
            self._ask(self._heartbeat(), self._heard)

    def next_deadline_ms(self) -> int | None:
        if self.stage is Stage.CATCHING_UP:
            return None if self._opening is None else 0
        return None if self._asking or self.stage is Stage.GONE else self._due_ms

    def _nobody_listens(self, now_ms: int) -> bool:
        return self.stage is Stage.LEAVING and now_ms - self._heard_ms >= _LEAVE_UNHEARD_MS

    def speak_soon(self) -> None:
        """There is something to tell that should not wait for the next heartbeat's time."""
        self._due_ms = 0

    def leave(self) -> None:
        """Begin to take leave; `stage` is GONE when that is done."""
        if self.stage in (Stage.SERVING, Stage.FENCED) and not self._metadata.has_failed:
            self.stage = Stage.LEAVING
            self._due_ms = 0
            self._heard_ms = self._clock()
        else:
            self.stage = Stage.GONE

    def _despair(self) -> None:
        """What is decided cannot be learnt any more: another node must take over, and this one begin anew."""
        fault, reason = self._metadata.log.failed, self._metadata.incomprehensible
        if fault is not None:
            reason = f"The metadata log cannot be kept: {fault.message}. {fault.hint}".strip()
        if self.stage is not Stage.GONE and reason:
            self.stage = Stage.GONE
            self._hopeless(reason)

    def _ask(self, request: Message, done: Callable[[Any], None]) -> None:
        self._asking = True

        def answered(response: Any) -> None:
            self._asking = False
            self._due_ms = self._clock() + _AGAIN_MS
            if response is not None:
                self._heard_ms = self._clock()
                done(response)

        self._ask_controller(request, answered)

    def _registered(self, response: Any) -> None:
        if response.error_code in _FINAL:
            info = errors.describe(response.error_code)
            self._hopeless(f"The controller refuses this broker: {info.name}: {info.meaning}")
        elif response.error_code == errors.DUPLICATE_BROKER_REGISTRATION:
            self._wait_for_twin()
        elif response.error_code == errors.NONE:
            self._has_a_twin = False
            self.epoch = response.broker_epoch
            self.stage = Stage.CATCHING_UP

    def _wait_for_twin(self) -> None:
        """Said once: the session of a life that ended without a word is over soon."""
        if not self._has_a_twin:
            self._has_a_twin = True
            self._say(
                "controller",
                f"Broker {self._registration.broker_id} is registered already and was heard of just now: this node "
                "waits until that one's session ends. If another node runs with this node.id, stop one of them",
            )

    def _caught_up(self) -> None:
        """The logs are opened a portion at a time: meanwhile this node goes on voting."""
        if self._opening is None:
            self._opening = self._open_logs()
        for _ in self._opening:
            return
        self.stage = Stage.FENCED
        self._due_ms = 0

    def _heartbeat(self) -> BrokerHeartbeatRequest:
        return BrokerHeartbeatRequest(
            broker_id=self._registration.broker_id,
            broker_epoch=self.epoch,
            current_metadata_offset=self._metadata.applied_offset - 1,
            want_shut_down=self.stage is Stage.LEAVING,
            offline_log_dirs=self._offline_dirs(),
            cordoned_log_dirs=self._cordoned_dirs(),
        )

    def _heard(self, response: Any) -> None:
        if response.error_code in _FORGOTTEN and self.stage is not Stage.LEAVING:
            self.stage = Stage.REGISTERING
        elif response.error_code:
            return
        elif self.stage is Stage.LEAVING:
            if response.should_shut_down:
                self.stage = Stage.GONE
        else:
            self._due_ms = self._clock() + self._heartbeat_ms
            if response.is_fenced:
                self.stage = Stage.FENCED
            elif self.stage is Stage.FENCED:
                self.stage = Stage.SERVING
                self._let_in()
