"""Groups of consumers, by five clients and every group protocol each of them speaks.

Members commit what they were handed after each poll, and wait for the answer (kcat commits by itself). So in calm
times each record is read once; after an accident, from the last commit on. Who judges the accident is at the end of
this file.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from clients.conftest import create_topic
from support.clients import Client, Message, Sending, SendingThread, fresh_range, produce
from support.committed import Committed
from support.engines import Node, started
from support.history import Outcome, Send
from support.members import ASSIGNED, COMMITTED, EAGER, READ, REVOKED, Event, Joining, Kind, Member
from support.members import partitions_of as named
from support.members.kinds import GOES_BY_ITSELF, names
from support.members.kinds import kind as kind_named
from support.waiting import wait_until

from logctl.wire.errors import WireError

SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "5000",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "200",
    "group.consumer.assignment.interval.ms": "0",
    "offsets.topic.num.partitions": "3",
}
ALL = {0, 1, 2, 3}


def kinds(*, told: bool = False) -> pytest.MarkDecorator:
    java = pytest.mark.java, pytest.mark.xdist_group("clients-java")
    marked = [pytest.param(name, marks=java) if name.startswith("java") else name for name in names(told=told)]
    return pytest.mark.parametrize("kind", marked, indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest, cast: Callable[[str], Any]) -> Kind:
    return kind_named(request.param, lambda: cast("java"))


@pytest.fixture
def producer(cast: Callable[[str], Client]) -> Client:
    return cast("librdkafka")


@pytest.fixture(scope="module")
def node(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with started(engine, tmp_path_factory.mktemp(f"groups-{engine}"), SETTINGS) as node:
        yield node


class Scene:
    """A topic, a group of the same name, and who is in it. Values are written in order and told apart."""

    def __init__(self, node: Node, kind: Kind, producer: Client, name: str, stack: ExitStack) -> None:
        self.node, self.kind, self.name = node, kind, name
        self._producer, self._stack = producer, stack
        self.members: list[Member] = []
        self.written: list[str] = []
        create_topic(node.address, name, len(ALL))

    def joining(self, **how: Any) -> Joining:
        return Joining(self.node.address, self.name, self.name, **how)

    def join(self, **how: Any) -> Member:
        member = self.kind.join(self.joining(**how))
        self._stack.callback(member.leave)
        self.members.append(member)
        return member

    def write(self, each: int = 3) -> None:
        """So many to each partition."""
        for partition in sorted(ALL):
            values = [f"{partition}-{len(self.written) + n}" for n in range(each)]
            produce(self._producer, self.node.address, self.name, [Message(v.encode()) for v in values],
                    partition=partition, sending=Sending(linger_ms=0))  # fmt: skip
            self.written += values

    def read(self) -> list[str]:
        return [event.value for member in self.members for event in member.events if event.what == READ]

    def all_is_read(self) -> None:
        wait_until(lambda: set(self.read()) >= set(self.written), "everything written to be read")

    def all_is_committed(self, *, everybody_left: bool = False) -> None:
        """The end of each partition, as another client sees it; of kcat only once it has left."""
        if self.kind.client == GOES_BY_ITSELF and not everybody_left:
            return
        ends = dict.fromkeys(ALL, len(self.written) // len(ALL))
        wait_until(lambda: self.committed() == ends, f"the commits to come to {ends}")

    def committed(self) -> dict[int, int] | None:
        try:
            return Committed(self.node.address, self.name).look()
        except WireError:
            return None  # the coordinator is loading

    def calm(self, *shares: Callable[[], set[int]]) -> None:
        """Until these hold everything between them, in equal shares."""

        def divided() -> bool:
            held = [share() for share in shares]
            return sorted(p for one in held for p in one) == sorted(ALL) and len({len(one) for one in held}) == 1

        wait_until(divided, f"{len(shares)} members to divide the partitions")


@pytest.fixture
def scene(node: Node, kind: Kind, producer: Client, topic_name: str) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(node, kind, producer, topic_name, stack)


@kinds()
@pytest.mark.on_both
def test_two_members_share_and_when_one_leaves_the_other_goes_on(scene: Scene) -> None:
    first = scene.join()
    scene.calm(first.assignment)
    scene.write()
    scene.all_is_read()
    scene.all_is_committed()
    second = scene.join()
    scene.calm(first.assignment, second.assignment)
    taken = set().union(*named(first.events, REVOKED))
    assert taken == (ALL if scene.kind.protocol == EAGER else second.assignment()), "what the protocol is about"
    scene.write()
    scene.all_is_read()
    scene.all_is_committed()
    second.leave()
    scene.calm(first.assignment)
    scene.write()
    scene.all_is_read()
    assert sorted(scene.read()) == sorted(scene.written), "each once"


@kinds()
def test_a_static_member_that_comes_back_finds_its_partitions_and_disturbs_nobody(scene: Scene) -> None:
    first = scene.join(instance="first", session_timeout_ms=30_000)
    scene.calm(first.assignment)
    second = scene.join(instance="second", session_timeout_ms=30_000)
    scene.calm(first.assignment, second.assignment)
    share, before = second.assignment(), len(first.events)
    second.leave()
    back = scene.join(instance="second", session_timeout_ms=30_000)
    wait_until(lambda: back.assignment() == share, "the same share")
    scene.write()
    scene.all_is_read()
    assert not named(first.events[before:], REVOKED) + named(first.events[before:], ASSIGNED)


@kinds()
def test_a_member_that_vanishes_is_missed_when_its_session_ends(scene: Scene) -> None:
    first = scene.join()
    scene.calm(first.assignment)
    second = scene.kind.join_apart(scene.joining(session_timeout_ms=2_000))
    try:
        scene.calm(first.assignment, second.assignment)
    finally:
        second.vanish()
    scene.calm(first.assignment)
    scene.write()
    scene.all_is_read()


@kinds(told=True)
def test_seeking_moves_the_reader_and_not_the_commit(scene: Scene) -> None:
    first = scene.join(commits=False)
    scene.calm(first.assignment)
    scene.write(5)
    scene.all_is_read()
    assert first.commit() == dict.fromkeys(ALL, 5)
    first.seek(2, 1)
    wait_until(lambda: len(scene.read()) == 24, "the last four of one partition to be read again")
    assert sorted(set(scene.read())) == sorted(scene.written)
    assert scene.committed() == dict.fromkeys(ALL, 5)
    first.leave()
    second = scene.join(commits=False)
    scene.calm(second.assignment)
    scene.write(1)
    scene.all_is_read()
    assert [event.offsets for event in second.events if event.what == READ and 2 in event.offsets] == [{2: 5}]


@kinds()
def test_a_group_goes_on_where_it_was_after_a_restart_of_the_node(
    kind: Kind, engine: str, tmp_path: Path, producer: Client
) -> None:
    with started(engine, tmp_path, SETTINGS) as node, ExitStack() as stack:
        scene = Scene(node, kind, producer, "orders", stack)
        stays = scene.join(session_timeout_ms=30_000)
        scene.calm(stays.assignment)
        scene.write()
        scene.all_is_read()
        scene.all_is_committed()
        node.stop()
        node.start()
        scene.all_is_committed()
        scene.write()
        scene.all_is_read()
        scene.all_is_committed()
        stays.leave()
        scene.all_is_committed(everybody_left=True)
        node.stop()
        node.start()
        comes = scene.join()
        scene.calm(comes.assignment)
        scene.write()
        scene.all_is_read()
        assert sorted(scene.read()) == sorted(scene.written), "each once"


# SIGKILL under a group at work ----------------------------------------------------------------------------------------


class Steady(SendingThread):
    """Some hundred records a second rather than all that can be."""

    window = 2


class Watch:
    """Looks at a group's commits all the time; what it saw is as good as an acknowledgement."""

    def __init__(self, committed: Committed) -> None:
        self.seen: list[tuple[float, dict[int, int]]] = []
        """(when the look began, what it saw)"""
        self.events: list[Event] = []
        self._committed = committed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            began = time.monotonic()
            try:
                offsets = self._committed.look()
            except (OSError, WireError):
                continue  # the node is down, or not ready
            self.seen.append((began, offsets))
            self.events.append(Event(time.monotonic(), COMMITTED, offsets))

    def end(self) -> None:
        self._ending.set()
        self._thread.join()


@kinds()
def test_a_node_killed_under_a_group_loses_nothing_and_repeats_only_what_was_not_committed(
    kind: Kind, engine: str, tmp_path: Path, producer: Client
) -> None:
    with started(engine, tmp_path, SETTINGS) as node, ExitStack() as stack:
        scene = Scene(node, kind, producer, "orders", stack)
        members = [scene.join(), scene.join()]
        scene.calm(*(member.assignment for member in members))
        watch = Watch(Committed(node.address, scene.name))
        stack.callback(watch.end)
        sender = producer.sender(node.address, Sending(idempotent=True, linger_ms=5))
        stream = Steady(sender, "writer", scene.name, len(ALL), fresh_range())
        sends = accidents(node, scene, stream)
        sent = [str(send.value) for send in sends if send.outcome is Outcome.OK]
        wait_until(lambda: set(scene.read()) >= set(sent), "everything acknowledged to be read")
        watch.end()
        histories = [member.events for member in members]
    for history in histories:
        assert not told_too_early(history, [*histories, watch.events])
    assert not went_back(watch.seen, histories)
    assert_places(histories)


def accidents(node: Node, scene: Scene, stream: SendingThread) -> list[Send]:
    try:
        for _ in range(2):
            goal = len(scene.read()) + 150
            wait_until(lambda: len(scene.read()) >= goal, "the group to make progress")  # noqa: B023
            node.kill()
            node.start()
        goal = len(scene.read()) + 150
        wait_until(lambda: len(scene.read()) >= goal, "the group to go on")
    finally:
        sends = stream.stop()
    return sends


def acknowledged(all_events: Sequence[Sequence[Event]], partition: int, before: float) -> int:
    """The highest commit of a partition that any member had been told of by then."""
    commits = [
        event.offsets[partition]
        for events in all_events
        for event in events
        if event.what == COMMITTED and partition in event.offsets and event.at < before
    ]
    return max(commits, default=0)


def told_too_early(mine: Sequence[Event], everybodys: Sequence[Sequence[Event]]) -> list[str]:
    """Stretches that begin before a commit which was acknowledged before the partition was assigned; and gaps."""
    wrong, since, expected = [], {}, {}
    for event in mine:
        if event.what == ASSIGNED:
            since.update(dict.fromkeys(event.offsets, event.at))
            expected.update(dict.fromkeys(event.offsets, None))
        elif event.what == READ:
            [(partition, offset)] = event.offsets.items()
            least = acknowledged(everybodys, partition, since.get(partition, event.at))
            if expected.get(partition) is None and offset < least:
                wrong.append(f"{partition}: began at {offset}, and {least} had been committed")
            elif expected.get(partition) not in (None, offset):
                wrong.append(f"{partition}: {offset} came where {expected[partition]} was due")
            expected[partition] = offset + 1
    return wrong


def went_back(seen: Sequence[tuple[float, dict[int, int]]], all_events: Sequence[Sequence[Event]]) -> list[str]:
    """Looks that saw less than an earlier look, or less than had been acknowledged when they began."""
    assert len(seen) > 5, "the watch slept"
    wrong, highest = [], dict.fromkeys(ALL, 0)
    for began, offsets in seen:
        for partition in ALL:
            least = max(highest[partition], acknowledged(all_events, partition, began))
            if offsets.get(partition, 0) < least:
                wrong.append(f"{partition}: {offsets.get(partition)} was seen after {least}")
            highest[partition] = max(highest[partition], offsets.get(partition, 0))
    return wrong


def assert_places(histories: Sequence[Sequence[Event]]) -> None:
    """Each place held one value, whoever read it, and no place was left out."""
    places: dict[tuple[int, int], set[str]] = {}
    for event in itertools.chain.from_iterable(histories):
        if event.what == READ:
            [place] = event.offsets.items()
            places.setdefault(place, set()).add(event.value)
    assert all(len(values) == 1 for values in places.values())
    assert len({value for values in places.values() for value in values}) == len(places)
    for partition in ALL:
        offsets = sorted(offset for where, offset in places if where == partition)
        assert offsets == list(range(len(offsets)))


def test_the_judge_sees_what_may_not_be() -> None:
    mine = [Event(1, ASSIGNED, {0: 0}), Event(2, READ, {0: 0}), Event(3, COMMITTED, {0: 1}), Event(4, READ, {0: 1})]
    later = [Event(5, ASSIGNED, {0: 0}), Event(6, READ, {0: 1})]
    assert told_too_early([*mine, *later], [mine]) == []
    too_early = [Event(5, ASSIGNED, {0: 0}), Event(6, READ, {0: 0})]
    assert told_too_early(too_early, [mine]) == ["0: began at 0, and 1 had been committed"]
    assert told_too_early([*mine, Event(6, READ, {0: 3})], [mine]) == ["0: 3 came where 2 was due"]
    looks = [(2.0, {0: 0})] * 5 + [(4.0, {0: 1})]
    assert went_back(looks, [mine]) == []
    assert went_back([*looks, (5.0, {0: 0})], [mine]) == ["0: 0 was seen after 1"]
    assert went_back([(4.0, {})] * 6, [mine]) == ["0: None was seen after 1"] * 6
