"""The same stories told to our node and to Apache Kafka: what members and administrators are answered must be the same.

A story is a function over a `Talk`, which speaks to one engine, remembers every answer and writes it down with the
names that the engine made up (member ids, topic ids) replaced by their order. Left out are sentences and the order of
lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.engines import ENGINES, started
from support.groups import assignment, subscription
from support.live_server import Client
from support.waiting import wait_until

from logctl.engine.broker.groups import records
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from logctl.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
)
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from logctl.wire.messages.delete_groups import DeleteGroupsRequest
from logctl.wire.messages.describe_groups import DescribeGroupsRequest
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from logctl.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from logctl.wire.messages.list_groups import ListGroupsRequest
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from logctl.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from logctl.wire.records import iter_batches, iter_records
from logctl.wire.schema import Message

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("groups-beside-apache")]

SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "2",
    "group.consumer.assignment.interval.ms": "0",
    "group.max.size": "3",
    "group.consumer.max.size": "3",
}
TOPICS = {"t": 4, "u": 2}
LEFT_OUT = {"error_message", "throttle_time_ms", "port"}


class Engine:
    """One broker and the ids it gave the topics."""

    def __init__(self, name: str, port: int, directory: Path) -> None:
        self.name = name
        self.port = port
        self.directory = directory
        client = Client(port)
        topics = [CreatableTopic(name, size, 1) for name, size in TOPICS.items()]
        made = client.ask(CreateTopicsRequest(topics, 20_000), 7)
        self.ids = {topic.name: topic.topic_id for topic in made.topics}
        wait_until(lambda: self._coordinates(client), "a coordinator")
        client.close()

    def _coordinates(self, client: Client) -> bool:
        """Every partition of the offsets topic is loaded: lists say so."""
        keys = [f"group-{number}" for number in range(20)]
        found = client.ask(FindCoordinatorRequest(coordinator_keys=keys), 6).coordinators
        asked = [OffsetFetchRequestGroup(key, topics=None) for key in keys]
        answers = client.ask(OffsetFetchRequest(groups=asked), 8).groups
        return not any(one.error_code for one in (*found, *answers))


class Talk:
    """A conversation with one engine. `said` is what it answered, in order."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.said: list[Any] = []
        self._names = {value: f"id of {name}" for name, value in engine.ids.items()}
        self._members: dict[str, str] = {}
        self.clients = [Client(engine.port) for _ in range(3)]

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def ask(self, body: Message, version: int, client: int = 0) -> Any:
        self.send(body, version, client)
        return self.receive(client)

    def send(self, body: Message, version: int, client: int = 0) -> None:
        self.clients[client].send(body, version)

    def receive(self, client: int = 0) -> Any:
        answer = self.clients[client].receive()[1]
        self.said.append(self._plain(answer))
        return answer

    def _plain(self, value: Any, name: str = "") -> Any:
        if isinstance(value, list):
            return sorted((self._plain(item) for item in value), key=repr)
        if isinstance(value, memoryview | bytes):
            return self._names.get(bytes(value), bytes(value))
        if name in ("member_id", "leader") and value:
            return self._members.setdefault(value, f"member {len(self._members)}")
        if not hasattr(value, "fields"):
            return value
        kept = (entry.name for entry in value.fields if entry.name not in LEFT_OUT)
        return {"": type(value).__name__} | {entry: self._plain(getattr(value, entry), entry) for entry in kept}

    # What members say.

    def join(
        self, group: str, member: str = "", *, version: int = 9, client: int = 0, wait: bool = True, **how: Any
    ) -> Any:
        names = how.pop("protocols", ("range",))
        metadata = subscription(how.pop("topics", ("t",)), how.pop("owned", {}))
        body = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=how.pop("session_ms", 10_000),
            rebalance_timeout_ms=10_000,
            member_id=member,
            group_instance_id=how.pop("instance", None),
            protocol_type=how.pop("kind", "consumer"),
            protocols=[JoinGroupRequestProtocol(name, metadata) for name in names],
        )
        assert not how
        self.send(body, version, client)
        return self.receive(client) if wait else None

    def enter(self, group: str, *, client: int = 0, **how: Any) -> Any:
        """A new member, told its id and joined with it."""
        return self.join(group, self.join(group, client=client, **how).member_id, client=client, **how)

    def sync(
        self, group: str, joined: Any, shares: dict[str, bytes] | None = None, client: int = 0, **more: Any
    ) -> Any:
        more = {"protocol_type": joined.protocol_type, "protocol_name": joined.protocol_name, **more}
        body = SyncGroupRequest(
            group_id=group,
            generation_id=joined.generation_id,
            member_id=joined.member_id,
            assignments=[SyncGroupRequestAssignment(*share) for share in (shares or {}).items()],
            **more,
        )
        return self.ask(body, 5, client)

    def alone(self, group: str, **how: Any) -> Any:
        """A stable group of one."""
        joined = self.enter(group, **how)
        self.sync(group, joined, {joined.member_id: assignment({"t": [0, 1, 2, 3]})})
        return joined

    def beat(self, group: str, member: str, generation: int, instance: str | None = None) -> Any:
        return self.ask(HeartbeatRequest(group, generation, member, instance), 4)

    def consume(
        self, group: str, member: str, epoch: int = 0, *, owned: Any = None, version: int = 1, **more: Any
    ) -> Any:
        if epoch == 0:
            more = {"rebalance_timeout_ms": 60_000, "subscribed_topic_names": ["t"], **more}
            owned = {} if owned is None else owned
        parts = owned and [
            ConsumerGroupHeartbeatRequestTopicPartitions(self.engine.ids[topic], numbers)
            for topic, numbers in owned.items()
        ]
        held = None if owned is None else parts or []
        body = ConsumerGroupHeartbeatRequest(group, member, epoch, topic_partitions=held, **more)
        return self.ask(body, version)

    def commit(self, group: str, offsets: dict[int, int], member: str = "", epoch: int = -1, **how: Any) -> Any:
        topic, version = how.pop("topic", "t"), how.pop("version", 9)
        note, instance = how.pop("note", "n"), how.pop("instance", None)
        parts = [OffsetCommitRequestPartition(number, offset, -1, note) for number, offset in offsets.items()]
        topics = [OffsetCommitRequestTopic(topic, self.engine.ids.get(topic, b"?" * 16), parts)]
        return self.ask(OffsetCommitRequest(group, epoch, member, instance, -1, topics), version)

    def fetch(self, group: str, version: int = 9, **who: Any) -> Any:
        return self.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group, topics=None, **who)]), version)

    def describe(self, group: str) -> None:
        self.ask(DescribeGroupsRequest([group], True), 6)
        self.ask(ConsumerGroupDescribeRequest([group], True), 1)

    def listed(self, group: str) -> None:
        """The group's line in a list of all; others' lines are left out."""
        answer = self.clients[0].ask(ListGroupsRequest(), 5)
        self.said.append([self._plain(one) for one in answer.groups if one.group_id == group])


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Engine]]:
    with ExitStack() as stack:
        made = []
        for name in ENGINES:
            directory = tmp_path_factory.mktemp(name)
            node = stack.enter_context(started(name, directory, SETTINGS))
            made.append(Engine(name, int(node.address.rpartition(":")[2]), directory))
        yield made


@pytest.fixture
def both(engines: list[Engine]) -> Callable[[Callable[[Talk], None]], None]:
    """Tell a story to both; every answer must be the same."""

    def tell(story: Callable[[Talk], None]) -> None:
        told = []
        for engine in engines:
            talk = Talk(engine)
            try:
                story(talk)
            finally:
                talk.close()
            told.append(talk.said)
        for number, (ours, theirs) in enumerate(zip(*told, strict=True)):
            assert _flat(ours) == _flat(theirs), f"answer {number}"

    return tell


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """One entry per leaf, so that a failure names what differs."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {path: None} | {key: leaf for name, one in items for key, leaf in _flat(one, f"{path}/{name}").items()}
    return {path: value}


def every_version(key: int) -> range:
    versions = API[key].versions
    return range(versions.lowest, versions.highest + 1)


STRANGERS: list[Message] = [
    OffsetFetchRequest(
        group_id="nobody",
        topics=[OffsetFetchRequestTopic("t", [0])],
        groups=[OffsetFetchRequestGroup("nobody", topics=[OffsetFetchRequestTopics("t", b"?" * 16, [0])])],
    ),
    HeartbeatRequest("nobody", 1, "m"),
    HeartbeatRequest("", 1, "m"),
    LeaveGroupRequest("nobody", "m", [MemberIdentity("m")]),
    LeaveGroupRequest("", "m", [MemberIdentity("m")]),
    SyncGroupRequest("nobody", 1, "m"),
    SyncGroupRequest("", 1, "m"),
    JoinGroupRequest("nobody", 10_000, 10_000, "m", None, "consumer", [JoinGroupRequestProtocol("range", b"")]),
    JoinGroupRequest("", 10_000, 10_000, "", None, "consumer", [JoinGroupRequestProtocol("range", b"")]),
    JoinGroupRequest("nobody", 10, 10_000, "", None, "consumer", [JoinGroupRequestProtocol("range", b"")]),
    JoinGroupRequest("unfit", 10_000, 10_000, "", None, "consumer", []),
    JoinGroupRequest("unfit", 10_000, 10_000, "", None, "", [JoinGroupRequestProtocol("range", b"")]),
    DescribeGroupsRequest(["nobody", ""], True),
    DeleteGroupsRequest(["nobody"]),
    OffsetDeleteRequest("nobody", [OffsetDeleteRequestTopic("t", [OffsetDeleteRequestPartition(0)])]),
    OffsetDeleteRequest("", []),
    ConsumerGroupDescribeRequest(["nobody"]),
    ConsumerGroupHeartbeatRequest("nobody", "m", 1),
    ConsumerGroupHeartbeatRequest("nobody", "m", -1),
    ConsumerGroupHeartbeatRequest("nobody", "m", -2),
    ConsumerGroupHeartbeatRequest("nobody", "m", -3),
    ConsumerGroupHeartbeatRequest("nobody", "", 1),
    ConsumerGroupHeartbeatRequest("nobody", "m", 0),
    FindCoordinatorRequest(key_type=5, key="nobody", coordinator_keys=["nobody"]),
]


@pytest.mark.parametrize("place", range(len(STRANGERS)), ids=lambda place: type(STRANGERS[place]).__name__)
def test_nobody_asks_for_nothing(both, place: int) -> None:
    body = STRANGERS[place]

    def story(talk: Talk) -> None:
        for version in every_version(type(body).api_key):
            talk.ask(body, version)

    both(story)


def test_a_member_alone(both) -> None:
    def story(talk: Talk) -> None:
        group = "alone"
        joined = talk.alone(group)
        member = joined.member_id
        for generation in (1, 0, 2, -1):
            talk.beat(group, member, generation)
        talk.beat(group, member, 1, "instance")
        talk.describe(group)
        talk.listed(group)
        talk.commit(group, {0: 5}, member, 1)
        talk.commit(group, {0: 6}, member, 2)
        talk.commit(group, {0: 6}, "stranger", 1)
        talk.commit(group, {0: 6})
        talk.commit(group, {0: 6}, "", 1)
        talk.commit(group, {0: 6}, member, 1, instance="x")
        talk.fetch(group)
        talk.join(group, kind="connect")
        talk.join(group, protocols=("sticky",))
        talk.join(group, member, instance="x")
        talk.sync(group, joined, protocol_type="connect")
        talk.sync(group, joined, protocol_name="sticky")
        talk.sync(group, joined)
        talk.ask(OffsetDeleteRequest(group, [OffsetDeleteRequestTopic("t", [OffsetDeleteRequestPartition(0)])]), 0)
        talk.ask(DeleteGroupsRequest([group]), 2)
        leaving = [MemberIdentity("x"), MemberIdentity("", "y"), MemberIdentity(member)]
        talk.ask(LeaveGroupRequest(group, "", leaving), 5)
        talk.listed(group)
        talk.beat(group, member, 1)
        talk.commit(group, {1: 7})
        talk.fetch(group)
        talk.ask(DeleteGroupsRequest([group]), 2)
        talk.fetch(group)
        talk.listed(group)

    both(story)


@pytest.mark.parametrize("version", every_version(11))
def test_every_version_of_a_first_join(both, version: int) -> None:
    def story(talk: Talk) -> None:
        join = talk.enter if version >= 4 else talk.join
        joined = join(f"first-{version}", version=version)
        talk.sync(f"first-{version}", joined, {joined.member_id: b"share", "stranger": b"more"})

    both(story)


def test_two_members_and_a_third(both) -> None:
    def story(talk: Talk) -> None:
        group = "three"
        first = talk.alone(group)
        told = talk.join(group, client=1)
        talk.join(group, told.member_id, client=1, wait=False)
        wait_until(lambda: _code(talk, group, first) == errors.REBALANCE_IN_PROGRESS, "a round")
        talk.commit(group, {0: 1}, first.member_id, 1)
        first = talk.join(group, first.member_id)
        second = talk.receive(1)
        talk.commit(group, {0: 1}, first.member_id, 2)
        talk.describe(group)
        talk.sync(group, first, {first.member_id: b"left", second.member_id: b"right"})
        talk.sync(group, second, {second.member_id: b"everything"}, 1)
        talk.join(group, second.member_id, client=1)
        talk.describe(group)
        talk.ask(LeaveGroupRequest(group, "", [MemberIdentity(second.member_id)]), 5, 1)
        talk.beat(group, first.member_id, 2)
        talk.join(group, first.member_id)

    both(story)


def _code(talk: Talk, group: str, joined: Any) -> int:
    """A heartbeat that is asked as often as needed, and so not compared."""
    body = HeartbeatRequest(group, joined.generation_id, joined.member_id)
    code = talk.clients[0].ask(body, 4).error_code
    assert isinstance(code, int)
    return code


def test_static_members(both) -> None:
    def story(talk: Talk) -> None:
        group = "static"
        first = talk.join(group, instance="a")
        talk.sync(group, first, {first.member_id: b"share"})
        back = talk.join(group, instance="a")
        talk.beat(group, first.member_id, 1, "a")
        talk.beat(group, first.member_id, 1)
        talk.beat(group, back.member_id, 1, "a")
        talk.beat(group, back.member_id, 1, "b")
        talk.sync(group, back, group_instance_id="a")
        talk.join(group, first.member_id, instance="a")
        talk.commit(group, {0: 1}, first.member_id, 1, instance="a")
        talk.commit(group, {0: 1}, back.member_id, 1, instance="a")
        talk.join(group, instance="a", version=5)
        talk.describe(group)
        talk.ask(LeaveGroupRequest(group, "", [MemberIdentity(first.member_id, "a")]), 5)
        talk.ask(LeaveGroupRequest(group, "", [MemberIdentity("", "a")]), 5)
        talk.listed(group)

    both(story)


def test_offsets_without_members(both) -> None:
    def story(talk: Talk) -> None:
        for version in every_version(8):
            group = f"simple-{version}"
            talk.commit(group, {0: 1, 3: 2}, version=version)
            talk.commit(group, {0: 1, 9: 2}, version=version, topic="nothing")
            talk.commit(group, {0: 1, 9: 2}, version=version)
            talk.commit(group, {1: 1}, version=version, note="x" * 4_097)
            talk.commit(group, {1: 1}, version=version, note=None)
            talk.commit(f"none-{version}", {1: 1}, "m", 1, version=version)
            talk.fetch(group, member_id="m", member_epoch=1)
            for asked in every_version(9):
                topic = OffsetFetchRequestTopics("t", talk.engine.ids["t"] if asked >= 10 else bytes(16), [0, 1, 2])
                talk.ask(
                    OffsetFetchRequest(
                        group_id=group,
                        topics=[OffsetFetchRequestTopic("t", [0, 1, 2]), OffsetFetchRequestTopic("nothing", [0])],
                        groups=[OffsetFetchRequestGroup(group, topics=[topic])],
                    ),
                    asked,
                )
            talk.describe(group)
            talk.listed(group)
        topics = [
            OffsetDeleteRequestTopic("t", [OffsetDeleteRequestPartition(0), OffsetDeleteRequestPartition(9)]),
            OffsetDeleteRequestTopic("nothing", [OffsetDeleteRequestPartition(0)]),
        ]
        talk.ask(OffsetDeleteRequest("simple-9", topics), 0)
        talk.fetch("simple-9")
        talk.ask(DeleteGroupsRequest(["simple-9", "simple-8", "nobody"]), 2)

    both(story)


def test_groups_have_a_largest_size(both) -> None:
    def story(talk: Talk) -> None:
        for number in range(4):
            talk.consume("full", f"m{number}")
        talk.consume("full", "m0", 1)

    both(story)


class TestConsumerProtocol:
    def test_two_members_share(self, both) -> None:
        def story(talk: Talk) -> None:
            group = "share"
            old = talk.consume(group, "a").member_epoch
            talk.describe(group)
            talk.consume(group, "a", old)
            new = talk.consume(group, "b").member_epoch
            talk.describe(group)
            talk.consume(group, "b", new)
            talk.consume(group, "a", old)
            talk.describe(group)
            talk.consume(group, "a", old, owned={"t": [0, 1, 2, 3]})
            talk.consume(group, "b", new)
            talk.commit(group, {0: 1, 3: 1}, "a", old)
            kept = _target(talk, group, "a")
            talk.consume(group, "a", old, owned={"t": kept})
            talk.consume(group, "a", old, owned={"t": kept})
            talk.consume(group, "a", old, owned={"t": [0, 1, 2, 3]})
            talk.consume(group, "a", old - 1, owned={"t": kept})
            talk.consume(group, "b", new)
            talk.describe(group)
            talk.commit(group, {0: 1}, "a", new)
            talk.commit(group, {0: 1}, "a", new + 1)
            talk.commit(group, {kept[0]: 1}, "a", old)
            talk.commit(group, {kept[0]: 1}, "b", old)
            talk.commit(group, {0: 1, 3: 1}, "b", old)
            talk.commit(group, {0: 1}, "a", new, version=8)
            talk.commit(group, {0: 1}, "x", new)
            talk.commit(group, {0: 1})
            talk.fetch(group, member_id="a", member_epoch=new)
            talk.fetch(group, member_id="a", member_epoch=old)
            talk.fetch(group, member_id="x", member_epoch=new)
            talk.ask(OffsetDeleteRequest(group, [OffsetDeleteRequestTopic("t", [OffsetDeleteRequestPartition(0)])]), 0)
            talk.ask(DeleteGroupsRequest([group]), 2)
            talk.consume(group, "a", -1)
            talk.consume(group, "a", -1)
            talk.consume(group, "b", new)
            talk.listed(group)
            talk.consume(group, "b", -1)
            talk.listed(group)
            talk.describe(group)
            talk.ask(DeleteGroupsRequest([group]), 2)

        both(story)

    def test_lies(self, both) -> None:
        def story(talk: Talk) -> None:
            group = "lies"
            talk.consume(group, "a", rebalance_timeout_ms=-1)
            talk.consume(group, "a", owned={"t": [0]})
            talk.consume(group, "a", subscribed_topic_names=None)
            talk.consume(group, "a", server_assignor="mine")
            talk.consume(group, "a", instance_id="")
            talk.consume(group, "a", rack_id="")
            talk.consume(group, "a", subscribed_topic_names=None, subscribed_topic_regex="(")
            talk.consume(group, "")
            talk.consume("", "a")
            talk.listed(group)
            epoch = talk.consume(group, "a").member_epoch
            talk.consume(group, "a", epoch + 1)
            talk.consume(group, "a", -3)
            talk.consume(group, "x", epoch)
            talk.consume(group, "a", epoch, instance_id="i")
            talk.consume(group, "a", epoch, subscribed_topic_names=["u"], owned={"t": [0, 1, 2, 3]})
            talk.describe(group)
            talk.consume(group, "a", epoch, owned={"u": []})
            talk.consume(group, "a", -2)

        both(story)

    def test_static_members(self, both) -> None:
        def story(talk: Talk) -> None:
            group = "new-static"
            epoch = talk.consume(group, "a", instance_id="i").member_epoch
            talk.consume(group, "b", instance_id="i")
            talk.consume(group, "b", epoch, instance_id="i")
            talk.consume(group, "b", epoch, instance_id="j")
            talk.consume(group, "a", -2, instance_id="i")
            talk.describe(group)
            talk.consume(group, "c", instance_id="i")
            talk.consume(group, "a", epoch, instance_id="i")
            talk.consume(group, "a", -1, instance_id="i")
            talk.consume(group, "c", epoch, instance_id="i")
            talk.describe(group)
            talk.consume(group, "c", -1, instance_id="i")
            talk.listed(group)

        both(story)

    def test_ranges(self, both) -> None:
        def story(talk: Talk) -> None:
            group = "ranges"
            topics = {"subscribed_topic_names": ["t", "u"], "server_assignor": "range"}
            old = talk.consume(group, "a", **topics).member_epoch
            new = talk.consume(group, "b", **topics).member_epoch
            talk.consume(group, "a", old)
            talk.consume(group, "a", old, owned={"t": [0, 1], "u": [0]})
            talk.consume(group, "b", new)
            talk.describe(group)

        both(story)


def _target(talk: Talk, group: str, member: str) -> list[int]:
    """What a member is meant to have of `t`, by the engine's own account."""
    (described,) = talk.clients[0].ask(ConsumerGroupDescribeRequest([group]), 1).groups
    (found,) = [one for one in described.members if one.member_id == member]
    return sorted(number for topic in found.target_assignment.topic_partitions for number in topic.partitions)


def test_a_classic_group_is_taken_over_and_given_back(both) -> None:
    def story(talk: Talk) -> None:
        group = "moving"
        first = talk.alone(group)
        member = first.member_id
        talk.commit(group, {0: 1}, member, 1)
        talk.consume(group, "new")
        talk.describe(group)
        talk.beat(group, member, 1)
        joined = talk.join(group, member, owned={"t": [0, 1, 2, 3]})
        talk.sync(group, joined)
        talk.beat(group, member, 1)
        kept = _target(talk, group, member)
        joined = talk.join(group, member, owned={"t": kept})
        talk.sync(group, joined)
        talk.sync(group, joined, protocol_name="sticky")
        talk.beat(group, member, 2)
        talk.beat(group, member, 1)
        talk.beat(group, "new", 2)
        talk.consume(group, "new", 2)
        talk.commit(group, {0: 2}, member, 2)
        talk.commit(group, {0: 2}, member, 3)
        talk.describe(group)
        talk.listed(group)
        talk.join(group, kind="connect")
        talk.consume(group, "new", -1)
        talk.listed(group)
        talk.beat(group, member, 3)
        talk.beat(group, member, 2)
        joined = talk.join(group, member)
        talk.sync(group, joined, {member: assignment({"t": [0, 1, 2, 3]})})
        talk.describe(group)
        talk.fetch(group)

    both(story)


def test_what_is_no_consumer_is_not_taken_over(both) -> None:
    def story(talk: Talk) -> None:
        talk.alone("connect", kind="connect")
        talk.consume("connect", "new")
        talk.describe("connect")
        talk.ask(OffsetDeleteRequest("connect", [OffsetDeleteRequestTopic("t", [OffsetDeleteRequestPartition(0)])]), 0)

    both(story)


def test_records_that_apache_wrote_are_read_and_written_alike(engines: list[Engine]) -> None:
    """The other stories have filled its offsets topic; each record is decoded, and encoded to the same bytes."""
    (apache,) = [engine for engine in engines if engine.name == "apache"]
    seen: set[int] = set()
    for path in apache.directory.rglob("__consumer_offsets-*/*.log"):
        for batch in iter_batches(path.read_bytes()):
            for record in iter_records(batch):
                entry = records.decode(record.key, record.value)
                assert entry is not None
                again = records.encode(entry, 0)
                assert (again.key, again.value) == (record.key, record.value)
                seen.add(entry.key.api_key)
    assert seen >= {1}
