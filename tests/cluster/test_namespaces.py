"""Machines fall off the network: nobody reaches them, clients neither (`test_partitions.py` for all kinds of cuts)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.accidents import Accidents
from support.clients.librdkafka import Librdkafka
from support.namespaces import Namespaces
from support.trio import running_nodes

IMPATIENT = Librdkafka(socket_timeout_ms=2000, topic_metadata_refresh_interval_ms=1000)

CUTS: dict[str, Callable[[Namespaces, int], None]] = {
    "gone": Namespaces.isolate,
    "silent": Namespaces.silence,
    "deaf": Namespaces.deafen,
}


@pytest.fixture
def networks() -> Iterator[Namespaces]:
    with Namespaces(3) as made:
        yield made


@pytest.fixture
def room(tmp_path: Path, networks: Namespaces) -> Iterator[Accidents]:
    with running_nodes(tmp_path, 3, make=networks.node, host=networks.host) as nodes:
        yield Accidents(nodes)


@pytest.mark.parametrize("how", CUTS)
def test_the_machine_of_leader_and_controller_falls_off_the_network(
    room: Accidents, networks: Namespaces, how: str
) -> None:
    gone = room.controller()
    room.create("orders", replicas=[gone, *(set(room.nodes) - {gone})], min_insync_replicas="2")
    before = room.place("orders")
    with room.load("orders", [IMPATIENT]) as load:
        load.goes_on()
        CUTS[how](networks, gone)
        room.away = {gone}
        room.wait_led_by_another("orders", gone)
        load.goes_on()
        networks.mend()
        room.away = set()
        room.wait_in_sync("orders")
        load.goes_on()
    assert room.place("orders").epoch <= before.epoch + 2, "one change for the cut, and no back and forth"
    room.judge("orders", load)
