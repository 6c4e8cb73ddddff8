"""A partition that begins to be copied from a leader at which a question waits already does not wait for its end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.broker_room import NODE, Room, registered
from support.live_server import LiveServer
from support.waiting import wait_until

from logctl.engine.broker.fetcher import Fetcher, Pace
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ReplicaState

OTHER = 2


def test_a_newcomer_makes_the_follower_ask_nothing_so_that_the_running_question_ends(tmp_path: Path) -> None:
    room = Room(tmp_path)
    asked: list[Any] = []
    for name in ("old", "new", "newer"):
        room.create(name, leader=OTHER)
        room.change(name, replicas=(OTHER, NODE), directories=(b"e" * 16, b"d" * 16))
    node: Any = SimpleNamespace(
        node_id=NODE,
        clock=lambda: room.now_ms,
        broker_epoch=lambda: 0,
        throttle=SimpleNamespace(names=lambda topic, partition: False),
        ask=lambda node_id, request, done: asked.append(request),
    )
    fetcher = Fetcher(OTHER, node, Pace())
    fetcher.add(room.replica("old"))
    fetcher.advance(room.now_ms)
    fetcher.advance(room.now_ms)
    assert len(asked) == 1
    for name in ("new", "newer"):
        fetcher.add(room.replica(name))
        fetcher.advance(room.now_ms)
    assert [len(request.topics) for request in asked] == [1, 0], "one empty question is enough"
    assert asked[1].max_wait_ms == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_a_leader_answers_the_question_that_waits_when_the_node_asks_more(
    tmp_path: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LiveServer(tmp_path) as live:
        monkeypatch.setattr(live.server, "_watch_clock", lambda now_ms: None)  # it stands, which is no step back
        live.create("orders")
        both = {"replicas": (NODE, OTHER), "isr": (NODE, OTHER), "directories": (b"d" * 16, b"e" * 16)}
        live.run(lambda: live.room.change("orders", 0, **both))
        live.run(lambda: setattr(live.room.metadata, "image", knowing_the_other(live)))
        client = live.connect()
        wait_until(lambda: len(live.server.connections) == 1, "the node to accept")
        live.run(lambda: [setattr(one.peer, "is_node", True) for one in live.server.connections.values()])
        topic_id = live.room.metadata.image.topics["orders"].topic_id
        asked = FetchTopic(topic_id=topic_id, partitions=[FetchPartition(partition=0, partition_max_bytes=1 << 20)])
        who = ReplicaState(replica_id=OTHER, replica_epoch=0)
        first = client.frame(FetchRequest(replica_state=who, max_wait_ms=3_600_000, min_bytes=1, topics=[asked]), 17)
        nothing = client.frame(FetchRequest(replica_state=who, session_epoch=-1), 17)
        if at_once:
            client.sock.sendall(first + nothing)
        else:
            client.sock.sendall(first)
            wait_until(lambda: len(live.room.waiting) == 1, "the question to wait")
            client.sock.sendall(nothing)
        told = [client.receive() for _ in range(2)]
        assert [number for number, _ in told] == [1, 2]


def knowing_the_other(live: LiveServer) -> Any:
    image = live.room.metadata.image
    return image._replace(brokers={**image.brokers, OTHER: registered(OTHER, 9093)})
