"""The broker: everything a node knows while it answers, owned by one thread.

The shell decodes a request and calls `handle`. The answer is a response, or a sign that it comes later: then the
request is parked somewhere (in `waiting`, or with the metadata log until a record is committed) and its response
appears in `outbox`, which the shell empties at the end of every tick. `tick` is called when `next_deadline_ms` has
come, or later. Nothing in here reads a clock or touches a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from logctl.engine.broker import dispatch
from logctl.engine.broker.described import Described
from logctl.engine.broker.groups.coordinator import Groups
from logctl.engine.broker.producer_ids import ProducerIds
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.directories import assign_directories
from logctl.security import acl
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Appends
    from logctl.engine.broker.fetch_sessions import FetchSessions
    from logctl.engine.broker.metadata import Metadata
    from logctl.engine.broker.replicas import Replicas
    from logctl.engine.broker.waiting import Waiting
    from logctl.engine.log.disk import DiskFault
    from logctl.engine.log.log import Log
    from logctl.wire.schema import Message


class NodeSettings(Protocol):
    """What the broker asks of the node's settings."""

    def integer(self, name: str) -> int: ...
    def text(self, name: str) -> str: ...
    def items(self, name: str) -> list[str]: ...
    def flag(self, name: str) -> bool: ...
    def given_texts(self) -> dict[str, str]: ...
    def described(self) -> Iterable[Described]: ...


class Broker:
    """One node's broker. `say` takes a kind and a sentence for the diary."""

    def __init__(
        self,
        *,
        node_id: int,
        cluster_id: str,
        settings: NodeSettings,
        metadata: Metadata,
        replicas: Replicas,
        appends: Appends,
        waiting: Waiting,
        sessions: FetchSessions,
        say: Callable[[str, str], None],
    ) -> None:
        self.node_id = node_id
        self.cluster_id = cluster_id
        self.settings = settings
        self.metadata = metadata
        self.replicas = replicas
        self.appends = appends
        self.waiting = waiting
        self.sessions = sessions
        self.say = say
        self.producer_ids = ProducerIds(self)
        self.groups = Groups(node_id, settings, replicas, waiting, replicas.new_id, say)
        self.outbox: list[tuple[Request[Any], Message]] = []

    def handle(self, request: Request[Any], now_ms: int) -> Answer:
        """The answer, or None when the connection must be closed (the diary says why)."""
        objection = dispatch.refusal(request.api_key, request.version)
        if objection:
            self.say("request", f"{request.peer.host}:{request.peer.port} {objection}")
            return None
        route = dispatch.route(request.api_key)
        try:
            decision = acl.decide_request(request.api_key, request.peer.principal, request.peer.host)
            if not decision.allowed:
                raise WireError(errors.CLUSTER_AUTHORIZATION_FAILED, decision.reason)
            return route.handle(self, request, now_ms)
        except WireError as error:
            return route.refused(request, error)

    def reply(self, request: Request[Any], response: Message) -> None:
        """The answer to a request that was parked."""
        self.outbox.append((request, response))

    def may(self, request: Request[Any], operation: Operation, resource: Resource, name: str) -> bool:
        """May the sender of the request do this to the thing called `name`?"""
        return acl.decide(request.peer.principal, request.peer.host, operation, resource, name).allowed

    def operations(self, request: Request[Any], resource: Resource, name: str) -> int:
        """What the sender may do to it, as the bit field of Metadata and its like."""
        return acl.authorized_operations(request.peer.principal, request.peer.host, resource, name)

    def forget(self, request: Request[Any]) -> None:
        """The connection is gone: nobody wants this answer any more."""
        self.waiting.cancel(request)

    def log_dir_failed(self, log: Log, fault: DiskFault) -> None:
        """The disk under a log failed: its directory is closed, and the metadata log with it when it lies there."""
        directory = self.replicas.directory_of(log)
        if directory is not None:
            self.replicas.fail(directory, fault)
        if log is self.metadata.log or (directory and self.replicas.directory_of(self.metadata.log) is directory):
            self.metadata.on_flush_failed(fault)

    def tick(self, now_ms: int) -> None:
        """Whatever is due: deadlines of parked requests, timed flushes, retention, checkpoints."""
        self.appends.tick(now_ms)
        self.waiting.expire(now_ms)
        self.replicas.tick(now_ms)
        self.groups.tick(now_ms)
        self.metadata.tick(now_ms)
        if self.replicas.untold:
            self._tell_directories()

    def _tell_directories(self) -> None:
        """Replicas lie in other directories than the image says: the controller takes note."""
        chosen, self.replicas.untold = self.replicas.untold, {}

        def failed(error: WireError) -> None:
            self.say("metadata", f"The directories of {len(chosen)} partitions could not be noted: {error.message}")

        try:
            self.metadata.decide(
                lambda controller: assign_directories(controller, self.node_id, chosen), lambda decision: None, failed
            )
        except WireError as error:
            failed(error)

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do again, if nothing happens before."""
        if self.replicas.untold:
            return 0
        rooms = (self.appends, self.waiting, self.replicas, self.groups, self.metadata)
        return min((due for room in rooms if (due := room.next_deadline_ms()) is not None), default=None)
