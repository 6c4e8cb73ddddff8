"""A client's way through a cluster: one connection to each node it deals with, and what Metadata told about leaders.

As real clients do it asks any node who leads, sends to the leader, and asks again when the answer says that this was
wrong. When one connection ends all of them are given up: what was under way is in doubt, and the client begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

from logctl.engine.simulation.network import ClientEnd
from logctl.engine.simulation.session import Session
from logctl.wire import errors
from logctl.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from logctl.wire.messages.fetch import FetchRequest
from logctl.wire.messages.metadata import MetadataRequest
from logctl.wire.messages.offset_commit import OffsetCommitRequest
from logctl.wire.messages.offset_fetch import OffsetFetchRequest
from logctl.wire.messages.produce import ProduceRequest
from logctl.wire.schema import Message

_ASTRAY: Final = frozenset(
    {
        errors.NOT_LEADER_OR_FOLLOWER,
        errors.FENCED_LEADER_EPOCH,
        errors.UNKNOWN_TOPIC_ID,
        errors.UNKNOWN_TOPIC_OR_PARTITION,
        errors.KAFKA_STORAGE_ERROR,
        errors.NOT_COORDINATOR,
        errors.COORDINATOR_NOT_AVAILABLE,
    }
)
_AGAIN_S: Final = 0.2
_METADATA_VERSION: Final = 12


class Hosts(Protocol):
    """The nodes as clients see them."""

    random: Random

    @property
    def node_ids(self) -> list[int]: ...
    def time(self) -> float: ...
    def connect_to(
        self, node_id: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> ClientEnd | None: ...


class _Host:
    """One node, for a session."""

    def __init__(self, hosts: Hosts, node_id: int) -> None:
        self._hosts = hosts
        self._node_id = node_id

    def time(self) -> float:
        return self._hosts.time()

    def connect(self, received: Callable[[bytes], None], ended: Callable[[], None]) -> ClientEnd | None:
        return self._hosts.connect_to(self._node_id, received, ended)


class Routes:
    """See `session.Way`. `lost` is called once when the connections end."""

    def __init__(self, hosts: Hosts, name: str, lost: Callable[[], None]) -> None:
        self._hosts = hosts
        self._lost = lost
        self._random = Random(hosts.random.random())
        self._sessions = {
            node_id: Session(_Host(hosts, node_id), name, self._one_lost, abrupt=True) for node_id in hosts.node_ids
        }
        self._home: Session | None = None
        self._coordinator: Session | None = None
        self._leaders: dict[tuple[bytes, int], int] = {}
        self._asking = False
        self._not_before_s = 0.0
        self._ending = False

    @property
    def connected(self) -> bool:
        return self._home is not None and self._home.connected

    @property
    def owed(self) -> int:
        return sum(session.owed for session in self._sessions.values()) - self._asking

    def open(self) -> bool:
        home = self._sessions[self._random.choice(list(self._sessions))]
        if not home.open():
            return False
        self._home, self._coordinator = home, None
        self._leaders.clear()
        self._not_before_s = 0.0
        self._learn()
        return True

    def ask(self, body: Message, version: int, answered: Callable[[Any], None]) -> None:
        self._target(body).ask(body, version, answered)

    def ask_leader(
        self, partition: tuple[bytes, int], body: Message, version: int, answered: Callable[[Any], None]
    ) -> None:
        """`leads_to` has said that it is reached."""
        self._sessions[self._leaders[partition]].ask(body, version, answered)

    def _target(self, body: Message) -> Session:
        assert self._home is not None
        match body:
            case ProduceRequest():
                topic = body.topic_data[0]
                return self._sessions[self._leaders[topic.topic_id, topic.partition_data[0].index]]
            case FetchRequest():
                wanted = body.topics[0]
                return self._sessions[self._leaders[wanted.topic_id, wanted.partitions[0].partition]]
            case OffsetCommitRequest() | OffsetFetchRequest() | ConsumerGroupHeartbeatRequest():
                assert self._coordinator is not None
                return self._coordinator
            case _:
                return self._home

    def impatient(self) -> bool:
        return any(session.impatient() for session in self._sessions.values())

    def hang_up(self) -> None:
        if self.connected:
            self._one_lost()

    def _one_lost(self) -> None:
        if self._ending:
            return
        self._ending = True
        for session in self._sessions.values():
            session.hang_up()
        self._ending = self._asking = False
        self._home = self._coordinator = None
        self._lost()

    # Who leads.

    def leads_to(self, partition: tuple[bytes, int], also: int | None = None) -> bool:
        leader = self._leaders.get(partition)
        if leader is None:
            self._learn()
            return False
        if also is not None and self._leaders.get((partition[0], also)) != leader:
            return False
        session = self._sessions[leader]
        if session.connected or session.open():
            return True
        self._leaders = {known: node_id for known, node_id in self._leaders.items() if node_id != leader}
        self._learn()
        return False

    @property
    def has_coordinator(self) -> bool:
        return self._coordinator is not None and self._coordinator.connected

    def reaches(self, node_id: int) -> bool:
        session = self._sessions[node_id]
        if not session.connected and not session.open():
            return False
        self._coordinator = session
        return True

    def astray(self, code: int) -> bool:
        if code not in _ASTRAY:
            return False
        self._leaders.clear()
        return True

    def _learn(self) -> None:
        """Ask some node who leads, if that is not asked already."""
        if self._asking or self._hosts.time() < self._not_before_s:
            return
        self._not_before_s = self._hosts.time() + _AGAIN_S
        session = self._sessions[self._random.choice(list(self._sessions))]
        if session.connected or session.open():
            self._asking = True
            session.ask(MetadataRequest(topics=None), _METADATA_VERSION, self._told)

    def _told(self, response: Any) -> None:
        self._asking = False
        self._leaders = {
            (topic.topic_id, one.partition_index): one.leader_id
            for topic in response.topics
            for one in topic.partitions
            if one.leader_id in self._sessions
        }
