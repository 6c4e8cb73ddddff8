"""The broker: everything a node knows while it answers, owned by one thread.

The shell decodes a request and calls `handle`. The answer is a response, or a sign that it comes later: then the
request is parked somewhere (in `waiting`, or with the metadata log until a record is committed) and its response
appears in `outbox`, which the shell empties at the end of every tick. `tick` is called when `next_deadline_ms` has
come, or later. Nothing in here reads a clock or touches a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from logctl.engine.broker import dispatch
from logctl.engine.broker.described import Described
from logctl.engine.broker.forwarding import FORWARDED, Forwarding
from logctl.engine.broker.governing import Governing
from logctl.engine.broker.groups.coordinator import Groups
from logctl.engine.broker.placing import Placing
from logctl.engine.broker.producer_ids import ProducerIds
from logctl.engine.broker.replication import Replication
from logctl.engine.broker.request import PARKED, Answer, Peer, Request
from logctl.engine.broker.throttles import Throttles
from logctl.security import acl
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Appends
    from logctl.engine.broker.belonging import Belonging
    from logctl.engine.broker.fetch_sessions import FetchSessions
    from logctl.engine.broker.fetcher import Pace
    from logctl.engine.broker.life import Life
    from logctl.engine.broker.metadata import Metadata
    from logctl.engine.broker.quorum_talk import Done, QuorumTalk, Transport
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.replicas import Replicas
    from logctl.engine.broker.voter_changes import VoterChanges
    from logctl.engine.broker.waiting import Waiting
    from logctl.engine.controller.image import Image
    from logctl.engine.log.disk import DiskFault
    from logctl.engine.log.log import Log
    from logctl.wire.schema import Message


HERE: Final = Peer(-1, "here", 0, is_node=True)
"""Who asks when a node asks itself."""


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
        self.governing = Governing(metadata, settings, say)
        self.throttles = Throttles(node_id, settings, lambda: self.metadata.image)
        self.voter: QuorumTalk
        """Where there are other voters; see `join`."""
        self.voter_changes: VoterChanges | None = None
        self.belonging: Belonging | None = None
        self.life: Life | None = None
        self._transport: Transport | None = None
        self._replication: Replication | None = None
        self._forwarding: Forwarding | None = None
        self._placing = Placing(self)
        self._here: dict[Request[Any], Done] = {}

    def join(self, transport: Transport, voter: QuorumTalk) -> None:
        """There are other nodes, reached by `transport`, and `voter` speaks with them."""
        self._transport = transport
        self._forwarding = Forwarding(
            transport,
            leader=lambda: self.metadata.leader_id,
            clock=self.metadata.clock,
            reply=self.reply,
            refuse=self._refuse,
        )
        self.voter = voter
        self.governing.knock = lambda broker_id: transport.knock(broker_id) if broker_id != self.node_id else None

    def nobody_at(self, node_id: int) -> None:
        """A connection to that node was refused: no process listens there."""
        self.metadata.leader_is_gone(node_id)
        self.governing.nobody_at(node_id)

    def copy_replicas(self, pace: Pace) -> None:
        """The logs are open: copy what other nodes lead, and watch who copies from this one."""
        assert self._transport is not None
        self._replication = Replication(
            self.replicas, self._transport, self, pace, lambda: self.settings.integer("replica.lag.time.max.ms")
        )

    def note_follower(self, replica: Replica, broker_id: int) -> None:
        """A follower has asked a replica that this node leads."""
        if self._replication is not None:
            self._replication.noted(replica, broker_id)

    @property
    def image(self) -> Image:
        return self.metadata.image

    @property
    def broker_epoch(self) -> int:
        """The epoch under which this broker is registered now; -1 before."""
        return self.life.epoch if self.life is not None else -1

    def clock(self) -> int:
        return self.metadata.clock()

    def handle(self, request: Request[Any], now_ms: int) -> Answer:
        """The answer, or None when the connection must be closed (the diary says why)."""
        objection = dispatch.refusal(request.api_key, request.version, between_nodes=request.peer.is_node)
        if objection:
            self.say("request", f"{request.peer.host}:{request.peer.port} {objection}")
            return None
        route = dispatch.route(request.api_key)
        try:
            decision = acl.decide_request(request.api_key, request.peer.principal, request.peer.host)
            if not decision.allowed:
                raise WireError(errors.CLUSTER_AUTHORIZATION_FAILED, decision.reason)
            if self._forwarding is not None and self._belongs_elsewhere(request):
                self._forwarding.forward(request, now_ms)
                return PARKED
            return route.handle(self, request, now_ms)
        except WireError as error:
            return route.refused(request, error)

    def _belongs_elsewhere(self, request: Request[Any]) -> bool:
        return request.api_key in FORWARDED and not self.metadata.is_leader and not request.peer.is_node

    def _refuse(self, request: Request[Any], error: WireError) -> None:
        answer = dispatch.route(request.api_key).refused(request, error)
        if answer is not None:
            self.reply(request, answer)

    def reply(self, request: Request[Any], response: Message) -> None:
        """The answer to a request that was parked."""
        here = self._here.pop(request, None) if self._here else None
        if here is not None:
            here(response)
        else:
            self.outbox.append((request, response))

    @property
    def is_alone(self) -> bool:
        """There are no other nodes."""
        return self._transport is None

    def ask_controller(self, message: Message, done: Done) -> None:
        """Send a request to the leader of the quorum, which may be this node. `done` gets the response, or None."""
        leader = self.metadata.leader_id
        if leader == self.node_id or self._transport is None:
            self._ask_here(message, done)
        elif leader < 0:
            done(None)
        else:
            self._transport.ask(leader, "controller", message, done)

    def _ask_here(self, message: Message, done: Done) -> None:
        now_ms = self.metadata.clock()
        version = API[message.api_key].versions.highest
        request = Request(message.api_key, version, 0, None, message, HERE, now_ms)
        self._here[request] = done
        answer = self.handle(request, now_ms)
        if answer is not PARKED:
            self._here.pop(request)(answer)

    def may(self, request: Request[Any], operation: Operation, resource: Resource, name: str) -> bool:
        """May the sender of the request do this to the thing called `name`?"""
        return acl.decide(request.peer.principal, request.peer.host, operation, resource, name).allowed

    def operations(self, request: Request[Any], resource: Resource, name: str) -> int:
        """What the sender may do to it, as the bit field of Metadata and its like."""
        return acl.authorized_operations(request.peer.principal, request.peer.host, resource, name)

    def forget(self, request: Request[Any]) -> None:
        """The connection is gone: nobody wants this answer any more."""
        self.waiting.cancel(request)
        if request.peer.is_node:
            self.voter.forget(request)

    def log_dir_failed(self, log: Log, fault: DiskFault) -> None:
        """The disk under a log failed: its directory is closed, and the metadata log with it when it lies there."""
        directory = self.replicas.directory_of(log)
        if directory is not None:
            self.replicas.fail(directory, fault)
            if self.life is not None:
                self.life.speak_soon()
        if log is self.metadata.log or (directory and self.replicas.directory_of(self.metadata.log) is directory):
            self.metadata.on_flush_failed(fault)

    def tick(self, now_ms: int) -> None:
        """Whatever is due: deadlines of parked requests, timed flushes, retention, checkpoints."""
        self.appends.tick(now_ms)
        self.waiting.expire(now_ms)
        self.replicas.tick(now_ms)
        self.groups.tick(now_ms)
        self.metadata.tick(now_ms)
        if self._transport is not None:
            self.governing.advance(now_ms)
        self._placing.tick(now_ms)

    def converse(self, now_ms: int) -> None:
        """At the end of every turn: say to other nodes what there is to say, and let this broker's life go on."""
        if self._transport is None:
            return
        self.governing.advance(now_ms)
        self.voter.advance(now_ms)
        if self._forwarding is not None:
            self._forwarding.tick(now_ms)
        if self.life is not None:
            self.life.advance(now_ms)
        if self.voter_changes is not None:
            self.voter_changes.tick(now_ms)
        if self.belonging is not None:
            self.belonging.advance(now_ms)
        if self._replication is not None:
            self._replication.advance(now_ms)

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do again, if nothing happens before."""
        rooms: list[Any] = [self.appends, self.waiting, self.replicas, self.groups, self.metadata, self._placing]
        if self._transport is not None:
            rooms += [self.voter, self._forwarding, self.governing]
        others = (self.life, self._replication, self.voter_changes, self.belonging)
        rooms += [room for room in others if room is not None]
        dues = [due for room in rooms if (due := room.next_deadline_ms()) is not None]
        return min(dues, default=None)
