"""What a disk held is gone: the node comes back empty under the same name, and is given everything again.

Until then it leads nothing (KIP-903, KIP-966): also where it was the last member of the in-sync set.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from support.accidents import Accidents, ask, elect_unclean, fetch_request, fetched, produce_request, produced, usually
from support.clients.librdkafka import Librdkafka
from support.controller import CLUSTER_ID
from support.node import Node
from support.trio import running_nodes
from support.waiting import wait_until

from logctl.engine.directory import format_directories
from logctl.engine.log.disk import RealDisk
from logctl.engine.node import new_uuid, wall_ms
from logctl.wire.records import iter_batches

pytestmark = pytest.mark.xdist_group("lost directories")

NO_LEADER = -1


def wipe(node: Node, node_id: int, topic: str) -> None:
    shutil.rmtree(node.log_dir)
    format_directories(
        RealDisk(), [str(node.log_dir)], cluster_id=CLUSTER_ID, node_id=node_id, new_uuid=new_uuid, now_ms=wall_ms()
    )


def folder(node: Node, topic: str) -> Path:
    return node.log_dir / f"{topic}-0"


@pytest.mark.parametrize("whom", usually("leader", "controller", more=["follower"]))
def test_a_node_that_lost_everything_is_given_it_again(room: Accidents, whom: str) -> None:
    room.create_topic(min_insync_replicas="2")
    leader, follower = room.leader(room.topic), room.follower(room.topic)
    victim = {"leader": leader, "follower": follower, "controller": room.controller()}[whom]
    with room.load([Librdkafka()]) as load:
        load.goes_on()
        room.nodes[victim].kill()
        wipe(room.nodes[victim], victim, room.topic)
        load.goes_on()
        room.nodes[victim].start()
        room.wait_in_sync(room.topic)
        load.goes_on()
    assert not load.refused
    room.judge(load)


@pytest.mark.parametrize("how", usually("killed", more=["stopped"]))
def test_a_partition_whose_folder_is_gone_is_copied_anew(room: Accidents, how: str) -> None:
    room.create_topic(min_insync_replicas="2")
    victim = room.leader(room.topic)
    with room.load([Librdkafka()]) as load:
        load.goes_on()
        (room.nodes[victim].stop if how == "stopped" else room.nodes[victim].kill)()
        shutil.rmtree(folder(room.nodes[victim], room.topic))
        load.goes_on()
        room.nodes[victim].start()
        room.wait_in_sync(room.topic)
    assert not load.refused
    room.judge(load)


def remove_folder(node: Node, node_id: int, topic: str) -> None:
    shutil.rmtree(folder(node, topic))


def remove_the_second_record(node: Node, node_id: int, topic: str) -> None:
    segment = folder(node, topic) / f"{0:020}.log"
    first, *_ = iter_batches(memoryview(segment.read_bytes()))
    segment.write_bytes(bytes(first))


TAKEN_AWAY: dict[str, Callable[[Node, int, str], None]] = {
    "its directory": wipe,
    "the folder of its partition": remove_folder,
    "its last record": remove_the_second_record,
}


@pytest.mark.parametrize("what", TAKEN_AWAY)
def test_the_last_in_sync_member_does_not_lead_without_what_it_had(room: Accidents, what: str) -> None:
    last, behind = (one for one in room.nodes if one != room.controller())
    room.create_topic(replicas=[last, behind])
    assert produced(ask(room.nodes[last], produce_request(room.topic, 1), 12)) == ("NONE", 0)
    room.nodes[behind].kill()
    wait_until(lambda: room.place(room.topic).isr == [last], "the other to leave the in-sync set")
    assert produced(ask(room.nodes[last], produce_request(room.topic, 2), 12)) == ("NONE", 1)
    room.nodes[last].stop()
    (room.nodes[last].log_dir / ".kafka_cleanshutdown").unlink()
    TAKEN_AWAY[what](room.nodes[last], last, room.topic)
    room.nodes[last].start()
    assert f"{room.topic}-0 lacks what it held" in room.nodes[last].diary
    room.nodes[behind].start()
    assert_led_by_nobody(room, last)
    room.nodes[last].kill()
    room.nodes[last].start()
    assert_led_by_nobody(room, last)
    assert elect_unclean(room) == "NONE", "who has something is asked to lead"
    wait_until(lambda: room.leader(room.topic) == behind, "who has something to lead")
    room.wait_in_sync(room.topic, members=[last, behind])
    assert fetched(ask(room.nodes[behind], fetch_request(room.topic), 12)) == ("NONE", [1])
    room.replicas_match(room.topic)


def assert_led_by_nobody(room: Accidents, empty: int) -> None:
    """All brokers are let in, so whatever was to be decided has been."""
    assert room.place(room.topic).leader == NO_LEADER
    assert room.place(room.topic).isr == []
    assert fetched(ask(room.nodes[empty], fetch_request(room.topic), 12))[0] == "NOT_LEADER_OR_FOLLOWER"


def test_a_voter_that_lost_its_directory_elects_nobody(tmp_path: Path) -> None:
    """The metadata log names voters with their directories (KIP-853): who has forgotten its vote has none.

    What was decided lies on the leader, which is down, and lay on the directory that is lost. The third, which was away
    when it was decided, must not lead with the help of the empty one.
    """
    with running_nodes(tmp_path, 3, named=True) as nodes:
        room = Accidents(nodes)
        leader = room.controller()
        emptied, behind = (one for one in nodes if one != leader)
        nodes[behind].kill()
        room.create("decided", replicas=[leader, emptied])
        nodes[emptied].kill()
        nodes[leader].kill()
        wipe(nodes[emptied], emptied, "decided")
        before = len(nodes[behind].diary)
        back = [Thread(target=nodes[one].start) for one in (emptied, behind)]
        for one in back:
            one.start()
        tries = "asks whether it would be elected"
        wait_until(lambda: nodes[behind].diary[before:].count(tries) >= 3, "the one that is behind to try")
        assert f"Node {behind} leads" not in nodes[behind].diary[before:]
        nodes[leader].start()
        for one in back:
            one.join()
        assert room.place("decided").replicas == [leader, emptied]
        assert room.controller() == leader
