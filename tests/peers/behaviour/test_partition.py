"""logctl partition: what is wrong with which, and elections. Leaders change in the cluster of three alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.worlds import Done, Witness, World, only

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]


@pytest.fixture
def topic(logctl: Logctl, fresh: Fresh, world: World) -> str:
    """Two partitions, with a replica on every broker."""
    name = fresh("places")
    logctl("topic", "create", name, "--partitions", "2", "--replication-factor", str(world.nodes))
    return name


def test_partitions_are_listed_with_what_is_wrong(logctl: Logctl, topic: str, witness: Witness) -> None:
    rows = logctl("partition", "list", topic, "-o", "json").json["partitions"]
    [seen] = witness.admin.describe_topics([topic])
    theirs = [(one["partition_index"], one["leader_id"], one["replica_nodes"]) for one in seen["partitions"]]
    assert [(row["partition"], row["leader"], row["replicas"]) for row in rows] == sorted(theirs)
    assert [(row["name"], row["faults"]) for row in rows] == [(f"{topic}:0", []), (f"{topic}:1", [])]
    assert rows[0]["min_isr"] is not None
    assert logctl("partition", "list", f"{topic}:1", "-o", "name").out == f"{topic}:1\n"
    assert logctl("partition", "list", "--topic", f"{topic[:-1]}*", "-o", "name").out.split()[:1] != []


def test_filters_show_what_any_of_them_finds(logctl: Logctl, topic: str) -> None:
    def found(*flags: str) -> list[str]:
        return logctl("partition", "list", topic, *flags, "-o", "name").out.split()

    assert found("--offline", "--under-replicated", "--under-min-isr", "--at-min-isr", "--no-preferred-leader") == []
    leader = logctl("partition", "list", f"{topic}:0", "-o", "json").json["partitions"][0]["leader"]
    assert f"{topic}:0" in found("--leader", str(leader))
    assert found("--leader", "77") == []
    assert f"did you mean {topic}" in logctl("partition", "list", f"{topic}x", code=1).err


def test_where_the_preferred_replica_leads_there_is_nothing_to_elect(
    logctl: Logctl, topic: str, tmp_path: Path
) -> None:
    logctl("partition", "elect", "--preferred", topic)
    so = f"{topic}:0 is led by the preferred replica already; nothing to do\n"
    assert logctl("partition", "elect", "--preferred", f"{topic}:0").err == so
    apaches = ["--election-type", "PREFERRED", "--topic", topic, "--partition", "0"]
    assert logctl("partition", "elect", *apaches).err == so
    file = tmp_path / "elect.json"
    file.write_text(json.dumps({"partitions": [{"topic": topic, "partition": 0}]}))
    assert logctl("partition", "elect", "--preferred", "--path-to-json-file", str(file)).err == so
    nobody = logctl("partition", "elect", "--unclean", f"{topic}:0")
    assert nobody.err == f"{topic}:0 is led by somebody already; nothing to do\n"


def test_what_cannot_be_meant_is_refused(logctl: Logctl, topic: str) -> None:
    assert "topic nowhere-at-all does not exist" in logctl(
        "partition", "elect", "--preferred", "nowhere-at-all", code=1
    ).err
    assert "has no partition 9" in logctl("partition", "elect", "--preferred", f"{topic}:9", code=1).err
    assert "say which election" in logctl("partition", "elect", topic, code=2).err
    assert "say which partitions" in logctl("partition", "elect", "--unclean", code=2).err
    assert "say which election" in logctl("partition", "elect", "--unclean", "--preferred", topic, code=2).err


# -- the cluster of three ----------------------------------------------------------------------------------------------


@pytest.fixture
def led_by_another(topic: str, witness: Witness) -> str:
    """A partition whose replicas were put in another order, so that its leader is not the preferred one any more."""
    [seen] = witness.admin.describe_topics([topic])
    replicas: list[int] = seen["partitions"][0]["replica_nodes"]
    number: int = seen["partitions"][0]["partition_index"]
    reordered = [*replicas[1:], replicas[0]]
    witness.admin.alter_partition_reassignments({_place(topic, number): reordered})
    return f"{topic}:{number}"


def _place(topic: str, number: int) -> Any:
    from kafka.structs import TopicPartition

    return TopicPartition(topic, number)


@only("ours3", "apache3")
def test_the_preferred_replica_is_made_leader(logctl: Logctl, led_by_another: str, witness: Witness) -> None:
    listed = logctl("partition", "list", "--no-preferred-leader", "-o", "json").json["partitions"]
    [mine] = [row for row in listed if row["name"] == led_by_another]
    assert mine["faults"] == ["no-preferred-leader"]
    preview = logctl("partition", "elect", "--preferred", led_by_another, "--dry-run")
    assert f"  ~ leader: {mine['leader']} -> {mine['replicas'][0]}\n" in preview.out
    logctl("partition", "elect", "--preferred", led_by_another)
    topic, _, number = led_by_another.partition(":")
    [seen] = witness.admin.describe_topics([topic])
    leaders = {one["partition_index"]: one["leader_id"] for one in seen["partitions"]}
    assert leaders[int(number)] == mine["replicas"][0]


@pytest.fixture
def moving(logctl: Logctl, fresh: Fresh, witness: Witness) -> Iterator[str]:
    """A topic that a throttle keeps on its way from brokers 1 and 2 to 1, 2 and 3: it takes three answers of a leader,
    and the first is over the limit for long."""
    name = fresh("moving")
    logctl("topic", "create", name, "--replica-assignment", "1:2")
    logctl("record", "produce", name, stdin=("x" * 99_000 + "\n") * 30)
    logctl("config", "set", "--topic", name, "follower.replication.throttled.replicas=*", "-y")
    logctl("config", "set", "--topic", name, "leader.replication.throttled.replicas=*", "-y")
    for flag in ("leader", "follower"):
        logctl("config", "set", "--broker-defaults", f"{flag}.replication.throttled.rate=1024", "-y")
    witness.admin.alter_partition_reassignments({_place(name, 0): [1, 2, 3]})
    yield name
    for flag in ("leader", "follower"):
        logctl("config", "unset", "--broker-defaults", f"{flag}.replication.throttled.rate", "-y")


@only("ours3", "apache3")
def test_a_move_is_shown_and_is_no_outage(logctl: Logctl, moving: str) -> None:
    [topic] = logctl("topic", "describe", moving, "-o", "json").json["topics"]
    [row] = topic["partitions"]
    assert (row["replicas"], row["adding"], row["removing"]) == ([1, 2, 3], [3], [])
    assert topic["replication_factor"] == 2
    assert "ADDING  REMOVING" in logctl("topic", "describe", moving).out
    assert logctl("topic", "describe", moving, "--under-replicated-partitions", "-o", "name").out == ""
    assert logctl("partition", "list", moving, "--under-replicated", "-o", "name").out == ""
