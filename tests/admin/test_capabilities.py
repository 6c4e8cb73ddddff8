"""What a cluster lacks is one sentence."""

from __future__ import annotations

import re

import pytest
from support.scripted import ScriptedCluster

from logctl.admin.capabilities import CAPABILITIES, compared, need, offers
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.link import NotOffered
from logctl.admin.routing import Cluster
from logctl.wire.api import BY_NAME


def test_every_api_is_in_the_table_once() -> None:
    assert list(CAPABILITIES) == list(BY_NAME)
    assert len(CAPABILITIES) == 89
    for api, capability in CAPABILITIES.items():
        assert re.fullmatch(r"\d\.\d+(\.\d)?", capability.since), api
        assert capability.called[0].islower(), api


def test_what_is_needed_and_not_there_is_told_with_the_release_that_has_it() -> None:
    with ScriptedCluster() as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        cluster = Cluster(client)
        need(cluster, "Metadata", Deadline(10))
        with pytest.raises(NotOffered) as refused:
            need(cluster, "DescribeQuorum", Deadline(10))
    assert refused.value.message == (
        "this cluster does not offer DescribeQuorum (key 55); Apache Kafka does since 2.8"
    )


@pytest.mark.parametrize(
    ("offered", "hint"), [((9, 11), "a newer logctl may know them"), ((0, 0), "the cluster is too old for it")]
)
def test_versions_that_we_do_not_share_are_told_apart(offered: tuple[int, int], hint: str) -> None:
    with ScriptedCluster() as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.brokers[1].versions["DeleteTopics"] = offered
        with pytest.raises(NotOffered, match="in versions") as refused:
            need(Cluster(client), "DeleteTopics", Deadline(10))
    assert refused.value.hint == hint


def test_brokers_that_differ_are_named() -> None:
    metadata, elections = BY_NAME["Metadata"].key, BY_NAME["ElectLeaders"].key
    found = {one.api: one for one in offers({1: {metadata: (0, 9), elections: (0, 2)}, 2: {metadata: (1, 13)}})}
    assert found["Metadata"].versions == (1, 9)
    assert found["Metadata"].sentence == "offers Metadata to learn brokers, topics and leaders"
    assert found["ElectLeaders"].sentence == (
        "offers ElectLeaders to elect leaders of partitions, but not on broker 2"
    )
    assert found["OffsetDelete"].sentence == (
        "does not offer OffsetDelete to delete a group's offsets of a topic; Apache Kafka does since 2.4"
    )
    assert "Vote" not in found


def test_versions_are_compared_broker_by_broker() -> None:
    found = {one.key: one for one in compared({1: {3: (0, 9), 43: (0, 2), 999: (0, 1)}, 2: {3: (1, 13)}})}
    assert (found[3].name, found[3].common, found[3].used, found[3].differs) == ("Metadata", (1, 9), 9, True)
    assert (found[43].common, found[43].used, found[43].ranges[2]) == ((None, None), None, (None, None))
    assert found[999].name == "(unknown to logctl: 999)"
