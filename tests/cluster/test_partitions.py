"""Cables between nodes are cut, and mended: the minority acknowledges nothing, the majority goes on, nothing is lost.

Clients reach every node all the time, also those that have been given up by the others: the hardest case. What happens
when nobody reaches a node is told in `test_namespaces.py`. LOGCTL_CLUSTER_ROUNDS=10 tells each story that often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic
from typing import NamedTuple

import pytest
from support.accidents import ROUNDS, Accidents, Load, give_back, produce_request, produced
from support.cables import Cables
from support.clients.librdkafka import Librdkafka
from support.history import Outcome, Send
from support.live_server import Client as Wire
from support.trio import running_nodes

pytestmark = [pytest.mark.timeout(120 + 30 * ROUNDS), pytest.mark.xdist_group("cut cables")]

IMPATIENT = Librdkafka(socket_timeout_ms=2000, topic_metadata_refresh_interval_ms=1000)



class Cut(NamedTuple):
    """`apply(cables, leader, controller)`. `leads_both`: the leader is the controller as well. `alone`: nothing that it
    is sent from then on can be copied by anybody."""

    apply: Callable[[Cables, int, int], None]
    leads_both: bool = False
    alone: bool = False


def _apart(cables: Cables, one: int, other: int) -> None:
    cables.cut(one, other)
    cables.cut(other, one)


CUTS = {
    "a leader alone": Cut(lambda cables, leader, _: cables.isolate(leader), alone=True),
    "a leader and controller alone": Cut(lambda cables, leader, _: cables.isolate(leader), leads_both=True, alone=True),
    "a leader without the controller": Cut(_apart),
    "a leader nobody hears": Cut(lambda cables, leader, _: cables.silence(leader), leads_both=True, alone=True),
    "a leader that hears nobody": Cut(lambda cables, leader, _: cables.deafen(leader)),
}


@pytest.fixture(scope="module")
def all_cables() -> Iterator[Cables]:
    with Cables() as made:
        yield made


@pytest.fixture(scope="module")
def same_nodes(tmp_path_factory: pytest.TempPathFactory, all_cables: Cables) -> Iterator[Accidents]:
    with running_nodes(tmp_path_factory.mktemp("nodes"), 3, way=all_cables.way) as nodes:
        yield Accidents(nodes)


@pytest.fixture
def cables(all_cables: Cables) -> Iterator[Cables]:
    yield all_cables
    all_cables.mend()


@pytest.mark.parametrize("name", CUTS)
def test_the_majority_goes_on_and_the_minority_acknowledges_nothing(
    room: Accidents, cables: Cables, name: str
) -> None:
    cut = CUTS[name]
    leader = room.controller() if cut.leads_both else room.controller() % 3 + 1
    room.create_topic(replicas=[leader, *(set(room.nodes) - {leader})], min_insync_replicas="2")
    strays: list[Send] = []
    with room.load([IMPATIENT]) as load:
        load.goes_on()
        for number in range(ROUNDS):
            before = room.place(room.topic)
            strays.append(cut_and_mend(room, cables, cut, 10**12 + number, load))
            room.wait_in_sync(room.topic)
            assert room.place(room.topic).epoch <= before.epoch + 2, "one change for the cut, and no back and forth"
            give_back(room)
            load.goes_on()
    load.sends += strays
    room.create(f"{room.topic}-after")
    room.judge(load)


def cut_and_mend(room: Accidents, cables: Cables, cut: Cut, value: int, load: Load) -> Send:
    """A record that was sent to the leader after it was cut off, and what became of it."""
    leader = room.leader(room.topic)
    with closing(Wire(room.nodes[leader].port)) as wire:
        wire.sock.settimeout(60)
        room.away = {leader}
        cut.apply(cables, leader, room.controller())
        began = monotonic()
        wire.send(produce_request(room.topic, value), 12)
        room.wait_led_by_another(room.topic, leader)
        load.goes_on()
        cables.mend()
        room.away = set()
        said, offset = produced(wire.receive()[1])
    told = {"NONE": Outcome.OK}.get(said, Outcome.FAIL if cut.alone else Outcome.INFO)
    assert told is not Outcome.OK or not cut.alone, "nobody else can have it"
    assert said in ("NONE", "NOT_LEADER_OR_FOLLOWER", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"), said
    return Send("stray", (room.topic, 0), value, began, monotonic(), told, offset if told is Outcome.OK else None)


def test_a_follower_that_is_cut_off_leaves_and_comes_back_without_unseating_anybody(
    room: Accidents, cables: Cables
) -> None:
    controller = room.controller()
    cut_off = controller % 3 + 1
    room.create_topic(replicas=[controller, cut_off, (controller + 1) % 3 + 1], min_insync_replicas="2")
    with room.load([Librdkafka()]) as load:
        load.goes_on()
        before = room.place(room.topic)
        cables.isolate(cut_off)
        room.away = {cut_off}
        room.wait_in_sync(room.topic, members=set(room.nodes) - {cut_off})
        load.goes_on()
        cables.mend()
        room.away = set()
        room.wait_in_sync(room.topic)
        load.goes_on()
    assert room.controller() == controller
    assert (room.place(room.topic).leader, room.place(room.topic).epoch) == (before.leader, before.epoch)
    assert not load.refused
    room.judge(load)
