"""Fewer replicas than there should be: what is refused, what goes on, and who may lead when few are left."""

from __future__ import annotations

import pytest
from support.accidents import Accidents, ask, elect_unclean, fetch_request, fetched, produce_request, produced, usually
from support.clients.librdkafka import Librdkafka
from support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("scarce replicas")

NO_LEADER = -1


def pair(room: Accidents) -> tuple[int, int]:
    """Two nodes that may go one after the other while the third and one of them keep the quorum."""
    first, second = (one for one in room.nodes if one != room.controller())
    return first, second


def write(room: Accidents, node_id: int, value: int, acks: int = -1) -> tuple[str, int]:
    return produced(ask(room.nodes[node_id], produce_request(room.topic, value, acks=acks), 12))


def values(room: Accidents, node_id: int) -> list[int]:
    error, seen = fetched(ask(room.nodes[node_id], fetch_request(room.topic), 12))
    assert error == "NONE"
    return seen


def test_too_few_in_sync_refuses_writers_and_serves_readers(room: Accidents) -> None:
    stays, goes = pair(room)
    room.create_topic(replicas=[stays, goes], min_insync_replicas="2")
    assert write(room, stays, 1) == ("NONE", 0)
    room.nodes[goes].kill()
    wait_until(lambda: room.place(room.topic).isr == [stays], "the other to leave the in-sync set")
    assert write(room, stays, 2) == ("NOT_ENOUGH_REPLICAS", -1)
    assert values(room, stays) == [1]
    assert write(room, stays, 3, acks=1) == ("NONE", 1), "who asks for less gets less"
    room.nodes[goes].start()
    room.wait_in_sync(room.topic, members=[stays, goes])
    assert write(room, stays, 4) == ("NONE", 2)
    assert values(room, stays) == [1, 3, 4]
    room.replicas_match(room.topic)


def test_nobody_leads_who_lacks_records_unless_that_is_asked_for(room: Accidents) -> None:
    has_all, lacks = pair(room)
    room.create_topic(replicas=[has_all, lacks], min_insync_replicas="1")
    assert write(room, has_all, 1) == ("NONE", 0)
    room.nodes[lacks].kill()
    wait_until(lambda: room.place(room.topic).isr == [has_all], "the other to leave the in-sync set")
    assert write(room, has_all, 2) == ("NONE", 1)
    room.nodes[has_all].kill()
    room.nodes[lacks].start()
    wait_until(lambda: room.place(room.topic).leader == NO_LEADER, "nobody to lead")
    assert room.place(room.topic).isr == [has_all]
    assert elect_unclean(room) == "NONE"
    wait_until(lambda: room.leader(room.topic) == lacks, "who is left to lead")
    assert values(room, lacks) == [1], "that is what was asked for: the second record is lost"
    assert write(room, lacks, 3) == ("NONE", 1)
    room.nodes[has_all].start()
    room.wait_in_sync(room.topic, members=[has_all, lacks])
    assert values(room, lacks) == [1, 3]
    room.replicas_match(room.topic)


def test_where_it_is_allowed_it_happens_by_itself(room: Accidents) -> None:
    has_all, lacks = pair(room)
    room.create_topic(replicas=[has_all, lacks], unclean_leader_election_enable="true")
    assert write(room, has_all, 1) == ("NONE", 0)
    room.nodes[lacks].kill()
    wait_until(lambda: room.place(room.topic).isr == [has_all], "the other to leave the in-sync set")
    room.nodes[has_all].kill()
    room.nodes[lacks].start()
    wait_until(lambda: room.leader(room.topic) == lacks, "who is left to lead")
    assert values(room, lacks) == [1]


@pytest.mark.parametrize("how", usually("killed", more=["stopped"]))
def test_two_of_three_are_lost_and_return_with_all_that_was_acknowledged(room: Accidents, how: str) -> None:
    room.create_topic(min_insync_replicas="2")
    leader = room.leader(room.topic)
    with room.load([Librdkafka()]) as load:
        load.goes_on()
        lost = [leader, leader % 3 + 1]
        for one in lost:
            (room.nodes[one].stop if how == "stopped" else room.nodes[one].kill)()
        for one in lost:
            room.nodes[one].start()
        load.goes_on()
        room.wait_in_sync(room.topic)
    assert not load.refused
    room.judge(load)
