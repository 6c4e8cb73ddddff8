"""kafkajs, the client of JavaScript services: it speaks old versions of the protocol, and the classic groups alone."""

from __future__ import annotations

import pytest
from clients.conftest import MakeTopic
from support import kafkajs

GZIP = 1


@pytest.fixture
def group(topic_name: str) -> str:
    return f"group-of-{topic_name}"


@pytest.mark.on_both
@pytest.mark.parametrize("compression", [0, GZIP], ids=["plain", "gzip"])
def test_what_it_sends_comes_back_through_a_group(bootstrap: str, topic: str, group: str, compression: int) -> None:
    messages = [{"key": f"k{n}", "value": f"value {n} é", "headers": {"n": str(n)}} for n in range(20)]
    [answer] = kafkajs.run(bootstrap, "produce", topic=topic, messages=messages, compression=compression)
    assert (answer["partition"], answer["errorCode"], answer["baseOffset"]) == (0, 0, 0)
    records = kafkajs.run(bootstrap, "consume", topic=topic, group=group, count=20)
    assert records == [{"partition": 0, "offset": number, **message} for number, message in enumerate(messages)]


def test_a_group_goes_on_where_it_has_committed(bootstrap: str, topic: str, group: str) -> None:
    kafkajs.run(bootstrap, "produce", topic=topic, messages=[{"value": str(number)} for number in range(6)])
    for expected in (["0", "1", "2"], ["3", "4", "5"]):
        records = kafkajs.run(bootstrap, "consume", topic=topic, group=group, count=3)
        assert [record["value"] for record in records] == expected


def test_it_seeks_to_an_offset(bootstrap: str, topic: str, group: str) -> None:
    kafkajs.run(bootstrap, "produce", topic=topic, messages=[{"value": str(number)} for number in range(10)])
    seek = {"partition": 0, "offset": 7}
    records = kafkajs.run(bootstrap, "consume", topic=topic, group=group, count=3, seek=seek)
    assert [record["offset"] for record in records] == [7, 8, 9]


def test_two_members_share_a_topic_and_one_takes_over(bootstrap: str, make_topic: MakeTopic, group: str) -> None:
    topic = make_topic(partitions=4)
    held = kafkajs.run(bootstrap, "share", topic=topic, group=group)
    assert held["alone"] == held["again"] == {"first": [0, 1, 2, 3], "second": []}
    assert sorted(held["together"]["first"] + held["together"]["second"]) == [0, 1, 2, 3]


def test_its_admin_creates_describes_and_deletes(bootstrap: str, topic_name: str) -> None:
    told = kafkajs.run(bootstrap, "administer", topic=topic_name)
    assert told == {"created": True, "partitions": 3, "ends": 3, "gone": True}
