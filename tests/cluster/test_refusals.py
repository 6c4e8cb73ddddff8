"""Who does not belong is refused with a sentence: never followed, never elected, and nothing of the others' changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.accidents import Accidents, ask, fetch_request, fetched, produce_request, produced
from support.controller import CLUSTER_ID, registration
from support.live_server import Client as Wire
from support.node import Node
from support.ports import free_port
from support.waiting import wait_until

from logctl import local
from logctl.engine.config_file import Entry
from logctl.engine.directory import format_directories
from logctl.engine.lifecycle import Detached, local_entries, start_detached
from logctl.engine.log.disk import RealDisk
from logctl.engine.node import new_uuid, wall_ms
from logctl.wire.messages.alter_partition import AlterPartitionRequest
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from logctl.wire.messages.fetch import ReplicaState
from logctl.wire.messages.vote import VoteRequest

pytestmark = pytest.mark.xdist_group("refusals")

OTHER_CLUSTER = "BBBBBBBBQACAAAAAAAAAAQ"


def test_a_client_that_pretends_to_be_a_replica_moves_nothing(room: Accidents) -> None:
    """What it says to have read would let readers see what no follower has (CVE-2018-1288)."""
    leader, follower = (one for one in room.nodes if one != room.controller())
    room.create_topic(replicas=[leader, follower], min_insync_replicas="1")
    assert produced(ask(room.nodes[leader], produce_request(room.topic, 1), 12)) == ("NONE", 0)
    room.pause(follower)
    assert produced(ask(room.nodes[leader], produce_request(room.topic, 2, acks=1), 12)) == ("NONE", 1)
    old = fetch_request(room.topic, 2)
    old.replica_id = follower
    assert fetched(ask(room.nodes[leader], old, 12))[0] == "NOT_LEADER_OR_FOLLOWER"
    for epoch in range(20):
        new = fetch_request(room.topic, 2)
        new.topics[0].topic_id = room.topic_id(room.topic)
        new.replica_state = ReplicaState(follower, epoch)
        assert fetched(ask(room.nodes[leader], new, 17))[0] == "NOT_LEADER_OR_FOLLOWER"
    assert fetched(ask(room.nodes[leader], fetch_request(room.topic), 12)) == ("NONE", [1])
    room.resume(follower)


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        (VoteRequest(CLUSTER_ID), 2),
        (AlterPartitionRequest(1, 5), 3),
        (BrokerHeartbeatRequest(1, 5, 100, want_shut_down=True), 1),
        (registration(1), 4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_client_may_not_speak_as_a_node(room: Accidents, request_: Any, version: int) -> None:
    for node in room.nodes.values():
        with closing(Wire(node.port)) as wire:
            wire.send(request_, version)
            assert wire.is_closed()
        assert "which this node does not serve" in node.diary


@contextmanager
def beginning(folder: Path, node: Node, node_id: int, cluster_id: str = CLUSTER_ID, **settings: str) -> Iterator[Path]:
    """A process with that id and a directory of its own, on the way; its diary."""
    log_dir = local.log_dir_of(folder, node_id)
    format_directories(
        RealDisk(), [str(log_dir)], cluster_id=cluster_id, node_id=node_id, new_uuid=new_uuid, now_ms=wall_ms()
    )
    own = {
        **node.settings,
        "listeners": f"PLAINTEXT://127.0.0.1:{free_port()},CONTROLLER://127.0.0.1:{free_port()}",
        **{name.replace("_", "."): value for name, value in settings.items()},
    }
    entries = local_entries(log_dir, free_port(), node_id)
    entries += [Entry(name, value, f"-c {name}") for name, value in own.items()]
    diary = folder / "stranger.log"
    process: Detached = start_detached(entries, diary)
    try:
        yield diary
    finally:
        process.end(9)


def says(diary: Path, words: str) -> None:
    wait_until(lambda: words in diary.read_text(), f"the diary to say: {words}", timeout_s=20)


def test_a_node_of_another_cluster_is_not_let_in(room: Accidents, tmp_path: Path) -> None:
    with beginning(tmp_path, room.nodes[3], 3, OTHER_CLUSTER) as diary:
        says(diary, "belongs to another cluster")
        assert_all_is_well(room)
    assert "Ready at" not in diary.read_text()


@pytest.mark.parametrize("whose", ["the leader of the quorum", "a follower"])
def test_a_second_process_with_the_same_id_waits_and_disturbs_nobody(
    room: Accidents, tmp_path: Path, whose: str
) -> None:
    leader = room.controller()
    taken = leader if whose == "the leader of the quorum" else leader % 3 + 1
    with beginning(tmp_path, room.nodes[taken], taken) as diary:
        says(diary, "another node runs with this node.id")
        assert_all_is_well(room)
    assert "Ready at" not in diary.read_text()
    assert "it is fenced" not in "".join(node.diary for node in room.nodes.values())


def test_a_node_that_knows_other_voters_is_told_so(room: Accidents, tmp_path: Path) -> None:
    stranger = f"{room.nodes[1].settings['controller.quorum.voters']},4@127.0.0.1:{free_port()}"
    with beginning(tmp_path, room.nodes[3], 4, controller_quorum_voters=stranger) as diary:
        says(diary, "disagree about who votes")
        assert_all_is_well(room)


def test_the_directory_of_another_node_is_refused(room: Accidents, tmp_path: Path) -> None:
    node = room.nodes[3]
    log_dir = local.log_dir_of(tmp_path, 3)
    format_directories(
        RealDisk(), [str(log_dir)], cluster_id=CLUSTER_ID, node_id=2, new_uuid=new_uuid, now_ms=wall_ms()
    )
    stranger = Node(tmp_path, free_port(), node.settings, 3)
    with pytest.raises(Exception, match="belongs to node 2, not to node 3"):
        stranger.start()
    assert_all_is_well(room)


_NUMBERS = count()


def assert_all_is_well(room: Accidents) -> None:
    """The quorum is led as before, decides, and copies."""
    before = room.quorum()
    name = f"well-{next(_NUMBERS)}"
    room.create(name)
    leader = room.leader(name)
    assert produced(ask(room.nodes[leader], produce_request(name, 1), 12)) == ("NONE", 0)
    room.wait_in_sync(name)
    assert room.quorum() == before
