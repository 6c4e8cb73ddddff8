"""One node after the other is stopped in order and started again, under load: nobody is told anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.accidents import ROUNDS, Accidents
from support.clients import Client
from support.group_reader import GroupReader

PARTITIONS = 3

pytestmark = [pytest.mark.timeout(120 + 60 * ROUNDS), pytest.mark.xdist_group("Java under load")]


@pytest.mark.java
def test_no_client_hears_of_it(room: Accidents, cast: Callable[[str], Client]) -> None:
    room.create_topic(partitions=PARTITIONS, min_insync_replicas="2")
    clients = [cast(name) for name in ("librdkafka", "java")]
    with room.load(clients, PARTITIONS) as load, GroupReader(room.bootstrap, "billing", room.topic) as reader:
        load.goes_on()
        reader.goes_on()
        for node in list(room.nodes.values()) * ROUNDS:
            node.stop()
            load.goes_on()
            node.start()
            room.wait_in_sync(room.topic, PARTITIONS)
            load.goes_on()
            reader.goes_on()
        load.stop()
    assert not load.refused
    room.judge(load, *reader.polls)
    assert not reader.went_back()
