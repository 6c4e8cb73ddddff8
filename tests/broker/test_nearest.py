"""Consumers are sent to the replica in their rack, and what a follower shows them (KIP-392)."""

from __future__ import annotations

from typing import Any

import pytest
from support.replica_room import TOPIC_ID, Room

from logctl.engine.broker.nearest import BY_RACK
from logctl.wire import errors
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic


@pytest.fixture
def room() -> Room:
    """Broker 1 leads in rack a, 2 is in b, 3 in c; three records are everywhere."""
    room = Room()
    room.settings.overlay({"replica.lag.time.max.ms": "2000", "replica.selector.class": BY_RACK})
    racks = {1: "a", 2: "b", 3: "c"}
    brokers = {one: broker._replace(rack=racks[one]) for one, broker in room.image.brokers.items()}
    endpoints = {one: broker._replace(endpoints=(endpoint(one),)) for one, broker in brokers.items()}
    room.image = room.image._replace(brokers=endpoints)
    room.heal()
    for _ in range(3):
        room.produce(1)
    room.heal()
    settle(room, 500)
    return room


def endpoint(node_id: int) -> Any:
    from logctl.engine.controller.image import Endpoint

    return Endpoint("PLAINTEXT", "127.0.0.1", 9090 + node_id)


def settle(room: Room, milliseconds: int) -> None:
    for _ in range(milliseconds // 50):
        for node in room.nodes.values():
            node.hear()
            node.flush()
        while room.wire:
            room.deliver()
        room.pass_time(50)


def ask(
    room: Room, node_id: int, offset: int, rack: str = "", *, epoch: int = -1, version: int = 17
) -> tuple[int, int, bool]:
    """(error, preferred replica, whether there were records)."""
    asked = FetchPartition(
        partition=0, fetch_offset=offset, partition_max_bytes=1 << 20, current_leader_epoch=epoch
    )
    body = FetchRequest(
        max_wait_ms=0, min_bytes=0, topics=[FetchTopic("orders", TOPIC_ID, [asked])], rack_id=rack
    )
    node = room.nodes[node_id]
    request = room._request(node, body, version)
    told = room._through_bytes(request, node.broker.handle(request, room.now_ms)).responses[0].partitions[0]
    return told.error_code, told.preferred_read_replica, bool(told.records)


def test_the_leader_names_the_follower_in_the_consumers_rack(room: Room) -> None:
    assert ask(room, 1, 0, "b") == (errors.NONE, 2, False)
    assert ask(room, 1, 3, "c") == (errors.NONE, 3, False), "also at the end"
    assert ask(room, 1, 0, "a") == (errors.NONE, -1, True)
    assert ask(room, 1, 0, "nowhere") == (errors.NONE, -1, True)
    assert ask(room, 1, 0) == (errors.NONE, -1, True)


def test_without_the_selector_everybody_reads_from_the_leader(room: Room) -> None:
    room.settings.overlay({})
    assert ask(room, 1, 0, "b") == (errors.NONE, -1, True)


def test_who_is_not_in_sync_or_not_that_far_is_not_named(room: Room) -> None:
    room.cut = {(1, 2), (2, 1)}
    room.produce(1, acks=1)
    room.nodes[1].flush()
    assert ask(room, 1, 4, "b")[1] == -1, "it lacks the last record"
    assert ask(room, 1, 2, "b")[1] == 2
    settle(room, 4_000)
    assert 2 not in room.partition.isr
    assert ask(room, 1, 2, "b") == (errors.NONE, -1, True)


def test_a_follower_shows_what_it_knows_to_be_everywhere(room: Room) -> None:
    assert ask(room, 2, 0, "b") == (errors.NONE, -1, True)
    assert ask(room, 2, 3, "b") == (errors.NONE, -1, False)
    assert ask(room, 2, 9, "b") == (errors.OFFSET_OUT_OF_RANGE, -1, False)
    assert ask(room, 2, 0, "b", version=10)[0] == errors.NOT_LEADER_OR_FOLLOWER, "too old to be sent there"


def test_what_lies_above_a_watermark_that_is_not_known_yet_is_not_available(room: Room) -> None:
    room.cut = {(1, 2), (2, 1)}
    room.crash(2, power=False)
    room.register(2)
    follower = room.nodes[2].replica
    follower.high_watermark = 1
    follower.isr = (1, 2, 3)
    assert ask(room, 2, 0, "b") == (errors.NONE, -1, True)
    assert ask(room, 2, 2, "b") == (errors.OFFSET_NOT_AVAILABLE, -1, False)


def test_epochs_are_compared_as_at_the_leader(room: Room) -> None:
    epoch = room.partition.leader_epoch
    assert ask(room, 2, 0, "b", epoch=epoch)[0] == errors.NONE
    assert ask(room, 2, 0, "b", epoch=epoch + 1)[0] == errors.UNKNOWN_LEADER_EPOCH
    room.fence(1)
    room.nodes[2].hear()
    assert ask(room, 2, 0, "b", epoch=epoch)[0] == errors.FENCED_LEADER_EPOCH


def test_a_follower_that_fell_out_sends_consumers_to_the_leader(room: Room) -> None:
    room.fence(2)
    room.nodes[2].hear()
    assert ask(room, 2, 0, "b")[0] == errors.NOT_LEADER_OR_FOLLOWER


def test_followers_learn_at_once_how_far_all_are(room: Room) -> None:
    room.produce(1)
    settle(room, 100)
    assert ask(room, 2, 3, "b") == (errors.NONE, -1, True)
