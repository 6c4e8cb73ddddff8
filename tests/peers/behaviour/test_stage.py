"""The stage itself: worlds are what they say, the command runs here as in a shell, the witnesses see what it did."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import jsonschema
import pytest
from support.worlds import Done, Witness, World, hold_to_schema, only, run_here


def test_a_world_has_its_brokers(world: World, witness: Witness) -> None:
    assert len(witness.admin.describe_cluster()["brokers"]) == world.nodes


def test_stories_of_a_world_stay_together(world: World, request: pytest.FixtureRequest) -> None:
    """Else every process that tells some of them would start a cluster of its own."""
    if hasattr(request.config, "workerinput"):
        assert request.node.nodeid.endswith(f"@world-{world}")


@only("apache", "apache3")
def test_apache_offers_what_ours_does_not(world: World) -> None:
    assert world.offers("CreateAcls")
    assert world.offers("AlterClientQuotas")


@only("ours")
def test_ours_offers_topics_and_no_access_rules(world: World) -> None:
    assert world.offers("CreateTopics")
    assert not world.offers("CreateAcls")


def test_what_the_command_did_is_seen_by_its_witnesses(
    logctl: Callable[..., Done], fresh: Callable[[str], str], witness: Witness
) -> None:
    name = fresh("orders")
    logctl("topic", "create", name, "--partitions", "3")
    assert name in witness.admin.list_topics()
    assert f"Topic: {name}" in witness.script("kafka-topics", "--describe", "--topic", name)
    [described] = logctl("topic", "describe", name, "-o", "json").json["topics"]
    assert (described["name"], len(described["partitions"])) == (name, 3)
    read = logctl("record", "produce", name, stdin=b"one\ntwo\n")
    assert read.out == ""
    assert sorted(logctl("record", "consume", name, "-n", "2").out.split()) == ["one", "two"]
    answer = witness.java("offset_at", topic=name, partition=0, timestamp_ms=0)
    assert set(answer) >= {"offset"}
    logctl("topic", "create", name, "--partitions", "5", code=1)


def test_nothing_of_the_command_stays(logctl: Callable[..., Done]) -> None:
    before = dict(os.environ), sys.stdin, sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT)
    logctl("topic", "list", env={"LOGCTL_READ_ONLY": "1"})
    assert (dict(os.environ), sys.stdin, sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT)) == before


def test_a_document_is_held_to_its_schema(world: World) -> None:
    env = {**os.environ, "LOGCTL_BOOTSTRAP_SERVER": world.bootstrap}
    arguments = "topic", "list", "-o", "json"
    done = run_here(*arguments, env=env)
    hold_to_schema(arguments, done, env)
    wrong = Done(0, done.data.replace(b'"cluster_id"', b'"cluster"'), "")
    with pytest.raises(jsonschema.ValidationError, match="cluster"):
        hold_to_schema(arguments, wrong, env)
