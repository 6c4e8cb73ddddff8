"""logctl cluster quorum-add and quorum-remove: who votes. A second controller joins the one node of Apache Kafka."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.apache import new_apache_node
from support.waiting import wait_until
from support.worlds import APACHE, APACHE3, OURS, OURS3, Done, Witness, World, only

from logctl.engine.apache import ApacheNode, run_tool

Logctl = Callable[..., Done]


@pytest.fixture
def second(world: World, logctl: Logctl, tmp_path: Path) -> Iterator[ApacheNode]:
    """A controller that follows the quorum, without a vote."""
    [cluster] = logctl("cluster", "quorum", "-o", "json").json["clusters"]
    first = cluster["replicas"][0]["address"].partition("://")[2]
    node = new_apache_node(tmp_path, {"controller.quorum.bootstrap.servers": first}, heap="128m")
    node.node_id, node.cluster_id, node.roles, node.voters_in_log = 2, cluster["name"], ("controller",), True
    node.write_files()
    format_ = "kafka.tools.StorageTool", "format", "--no-initial-controllers"
    made = run_tool(*format_, "-t", node.cluster_id, "-c", str(node.place.properties))
    assert made.code == 0, made.stderr
    with node:
        yield node


def roles(logctl: Logctl) -> dict[int, str]:
    [cluster] = logctl("cluster", "quorum", "-o", "json").json["clusters"]
    return {one["id"]: one["role"] for one in cluster["replicas"]}


@only(APACHE)
def test_a_vote_is_given_taken_away_and_given_back(
    logctl: Logctl, witness: Witness, second: ApacheNode, home: Path
) -> None:
    wait_until(lambda: roles(logctl).get(2) == "observer", "the second controller to follow")
    config = str(second.place.properties)
    assert "not said where node 2 hears" in logctl("cluster", "quorum-add", "2", code=2).err
    preview = logctl("cluster", "quorum-add", "--config", config, "--dry-run")
    assert "let node 2 vote, heard at CONTROLLER://127.0.0.1:" in preview.out
    assert roles(logctl)[2] == "observer"
    added = logctl("cluster", "quorum-add", "--config", config)
    assert "of 2 voters 2 must be alive" in added.err
    assert roles(logctl) == {1: "leader", 2: "voter"}
    assert '"id": 2' in witness.script("kafka-metadata-quorum", "describe", "--status")
    assert "has a vote already" in logctl("cluster", "quorum-add", "--config", config).err
    assert "without a confirmation" in logctl("cluster", "quorum-remove", "2", code=5).err
    logctl("cluster", "quorum-remove", "--controller-id", "2", "-y")
    assert roles(logctl)[2] == "observer"
    [undone] = json.loads(logctl("audit", "undo", "last", "-o", "json").out)["changes"]
    assert (undone["kind"], undone["name"]) == ("voter", "2")
    assert roles(logctl)[2] == "voter"
    logctl("cluster", "quorum-remove", "2", "-y")


@only(APACHE)
def test_the_only_voter_keeps_its_vote(logctl: Logctl) -> None:
    assert "node 1 is the only voter" in logctl("cluster", "quorum-remove", "1", "-y", code=5).err
    assert "node 7 has no vote; nothing to do" in logctl("cluster", "quorum-remove", "7").err
    assert "node 7 does not follow the metadata log" in logctl(
        "cluster", "quorum-add", "7", "--listener", "CONTROLLER://localhost:1", code=1
    ).err


@only(OURS, APACHE3)
def test_voters_that_are_fixed_stay(logctl: Logctl) -> None:
    refused = logctl("cluster", "quorum-remove", "1", "-y", code=1)
    assert "the voters of this cluster are fixed by controller.quorum.voters (kraft.version 0)" in refused.err


@only(OURS3)
def test_one_of_three_gives_its_vote_away_and_gets_it_back(logctl: Logctl, witness: Witness) -> None:
    logctl("cluster", "quorum-remove", "3", "-y")
    wait_until(lambda: roles(logctl).get(3) == "observer", "it to follow without a vote")
    assert '"id": 3' not in _voters_of(witness.script("kafka-metadata-quorum", "describe", "--status"))
    logctl("audit", "undo", "last")
    assert roles(logctl)[3] != "observer"
    assert '"id": 3' in _voters_of(witness.script("kafka-metadata-quorum", "describe", "--status"))


def _voters_of(status: str) -> str:
    [line] = [line for line in status.splitlines() if line.startswith("CurrentVoters:")]
    return line
