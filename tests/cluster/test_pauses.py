"""A node stands still for longer than its session, and wakes up believing that nothing has happened (SIGSTOP).

LOGCTL_CLUSTER_ROUNDS=10 tells each story that often on the same nodes.
"""

from __future__ import annotations

from contextlib import closing
from time import monotonic

import pytest
from support.accidents import ROUNDS, Accidents, Load, fetch_request, fetched, produce_request, produced
from support.clients.librdkafka import Librdkafka
from support.history import Outcome, Send
from support.live_server import Client as Wire
from support.waiting import wait_until

pytestmark = [pytest.mark.timeout(120 + 30 * ROUNDS), pytest.mark.xdist_group("pauses")]

IMPATIENT = Librdkafka(socket_timeout_ms=2000, topic_metadata_refresh_interval_ms=1000)
"""What is asked of a node that stands still is never answered: asking another waits for that."""


@pytest.mark.parametrize("also_controller", [True, False], ids=["who is the controller too", "who only leads"])
def test_a_leader_who_wakes_up_acknowledges_nothing_and_steps_back(room: Accidents, also_controller: bool) -> None:
    first = room.controller() if also_controller else room.controller() % 3 + 1
    room.create_topic(replicas=[first, first % 3 + 1, (first + 1) % 3 + 1], min_insync_replicas="2")
    refused: list[Send] = []
    with room.load([IMPATIENT]) as load:
        load.goes_on()
        for number in range(ROUNDS):
            asleep = room.leader(room.topic)
            refused.append(lost_on_the_sleeper(room, asleep, number, load))
            room.wait_in_sync(room.topic)
            load.goes_on()
    room.create(f"{room.topic}-after")
    load.sends += refused
    room.judge(load)


def lost_on_the_sleeper(room: Accidents, asleep: int, number: int, load: Load) -> Send:
    """A record that only the node that stands still was sent, and what it said to that when it woke up."""
    value, began = 10**12 + number, monotonic()
    with closing(Wire(room.nodes[asleep].port)) as wire:
        room.pause(asleep)
        wire.send(produce_request(room.topic, value), 12)
        now = room.wait_led_by_another(room.topic, asleep)
        epoch = room.place(room.topic).epoch
        load.goes_on()
        wire.send(fetch_request(room.topic, epoch=epoch), 12)
        room.resume(asleep)
        said, _ = produced(wire.receive()[1])
        assert said in ("NOT_LEADER_OR_FOLLOWER", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"), said
        error, _ = fetched(wire.receive()[1])
        assert error in ("UNKNOWN_LEADER_EPOCH", "NOT_LEADER_OR_FOLLOWER", "NONE"), error
    assert room.place(room.topic).epoch == epoch, f"{asleep} was unseated for good: {now} leads on"
    return Send("to the sleeper", (room.topic, 0), value, began, monotonic(), Outcome.FAIL)


def test_a_controller_who_wakes_up_decides_nothing_any_more(room: Accidents) -> None:
    asleep = room.controller()
    others = [one for one in room.nodes if one != asleep]
    room.create_topic(replicas=[*others, asleep], min_insync_replicas="2")
    before = room.place(room.topic)
    with room.load([IMPATIENT]) as load:
        load.goes_on()
        room.pause(asleep)
        wait_until(lambda: room.controller() != asleep, "another controller")
        room.create(f"{room.topic}-meanwhile", replicas=others)
        wait_until(lambda: sorted(room.place(room.topic).isr) == others, "the sleeper to be missed")
        load.goes_on()
        room.resume(asleep)
        room.wait_in_sync(room.topic)
        room.create(f"{room.topic}-after")
        load.goes_on()
    assert room.controller() != asleep
    after = room.place(room.topic)
    assert (after.leader, after.epoch) == (before.leader, before.epoch), "nobody else was disturbed"
    room.judge(load)


def test_a_follower_who_slept_too_long_leaves_the_in_sync_set_and_comes_back(room: Accidents) -> None:
    room.create_topic(min_insync_replicas="2")
    leader = room.leader(room.topic)
    asleep = next(one for one in room.nodes if one not in (leader, room.controller()))
    with room.load([Librdkafka()]) as load:
        load.goes_on()
        room.pause(asleep)
        wait_until(lambda: asleep not in room.place(room.topic).isr, "the follower to be missed")
        load.goes_on()
        room.resume(asleep)
        room.wait_in_sync(room.topic)
        load.goes_on()
    assert room.leader(room.topic) == leader
    assert not load.refused
    room.judge(load)
