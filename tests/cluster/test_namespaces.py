"""Machines fall off the network: nobody reaches them, clients neither (`test_partitions.py` for all kinds of cuts)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.accidents import Accidents, usually
from support.clients.librdkafka import Librdkafka
from support.namespaces import Namespaces
from support.trio import running_nodes

pytestmark = pytest.mark.xdist_group("namespaces")

IMPATIENT = Librdkafka(socket_timeout_ms=2000, topic_metadata_refresh_interval_ms=1000)

CUTS: dict[str, Callable[[Namespaces, int], None]] = {
    "gone": Namespaces.isolate,
    "silent": Namespaces.silence,
    "deaf": Namespaces.deafen,
}


@pytest.fixture(scope="module")
def all_networks() -> Iterator[Namespaces]:
    with Namespaces(3) as made:
        yield made


@pytest.fixture(scope="module")
def same_nodes(tmp_path_factory: pytest.TempPathFactory, all_networks: Namespaces) -> Iterator[Accidents]:
    nodes_of = running_nodes(tmp_path_factory.mktemp("far"), 3, make=all_networks.node, host=all_networks.host)
    with nodes_of as nodes:
        yield Accidents(nodes)


@pytest.fixture
def networks(all_networks: Namespaces) -> Iterator[Namespaces]:
    yield all_networks
    all_networks.mend()


@pytest.mark.parametrize("how", usually("gone", "deaf", more=["silent"]))
def test_the_machine_of_leader_and_controller_falls_off_the_network(
    room: Accidents, networks: Namespaces, how: str
) -> None:
    gone = room.controller()
    room.create_topic(replicas=[gone, *(set(room.nodes) - {gone})], min_insync_replicas="2")
    before = room.place(room.topic)
    with room.load([IMPATIENT]) as load:
        load.goes_on()
        CUTS[how](networks, gone)
        room.away = {gone}
        room.wait_led_by_another(room.topic, gone)
        load.goes_on()
        networks.mend()
        room.away = set()
        room.wait_in_sync(room.topic)
        load.goes_on()
    assert room.place(room.topic).epoch <= before.epoch + 2, "one change for the cut, and no back and forth"
    room.judge(load)
