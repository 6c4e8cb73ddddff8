"""SIGKILL for whoever matters, under three clients and a group: nothing is lost, doubled, reordered or forgotten.

LOGCTL_CLUSTER_ROUNDS=10 tells the story that often on the same nodes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.accidents import ROUNDS, Accidents
from support.clients import Client
from support.committed import Committed
from support.group_reader import GroupReader
from support.waiting import wait_until

from logctl.engine.broker.groups.names import OFFSETS_TOPIC, partition_for

PARTITIONS = 2

pytestmark = [pytest.mark.timeout(180 + 60 * ROUNDS), pytest.mark.xdist_group("Java under load")]

VICTIMS: dict[str, Callable[[Accidents], int]] = {
    "leader": lambda room: room.leader(room.topic),
    "follower": lambda room: room.follower(room.topic),
    "controller": lambda room: room.controller(),
    "coordinator": lambda room: room.coordinator("billing"),
}


@pytest.mark.java
def test_whoever_is_killed_three_clients_and_a_group_go_on(room: Accidents, cast: Callable[[str], Client]) -> None:
    room.create_topic(partitions=PARTITIONS, min_insync_replicas="2")
    clients = [cast(name) for name in ("librdkafka", "kafka-python", "java")]
    with room.load(clients, PARTITIONS) as load, GroupReader(room.bootstrap, "billing", room.topic) as reader:
        load.goes_on()
        reader.goes_on()
        for victim in list(VICTIMS) * ROUNDS:
            killed = VICTIMS[victim](room)
            room.nodes[killed].kill()
            load.goes_on()
            reader.goes_on()
            room.nodes[killed].start()
            room.wait_in_sync(room.topic, PARTITIONS)
            load.goes_on()
        load.stop()
    room.judge(load, *reader.polls)
    assert not load.refused
    assert not reader.went_back()


def test_what_a_group_committed_is_known_to_every_coordinator_in_turn(room: Accidents) -> None:
    """The state that a coordinator keeps in memory is what the next one reads from the log."""
    room.create_topic(partitions=3)
    wanted = {0: 11, 1: 22, 2: 33}
    node = next(iter(room.there.values()))
    Committed(node.address, "shipping").put(room.topic, wanted)
    for _ in range(2):
        first = room.coordinator("shipping")
        room.nodes[first].kill()
        room.wait_led_by_another(OFFSETS_TOPIC, first, partition_for("shipping", 50))
        witness = next(iter(room.there.values()))
        group = Committed(witness.address, "shipping")
        wanted = {partition: offset + 1 for partition, offset in wanted.items()} | {0: wanted[0]}
        group.put(room.topic, {1: wanted[1], 2: wanted[2]})
        assert group.look() == wanted
        room.nodes[first].start()
        wait_until(lambda: len(room.place(OFFSETS_TOPIC, partition_for("shipping", 50)).isr) == 3, "all to be in sync")
