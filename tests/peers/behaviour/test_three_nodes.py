"""Three nodes of ours, one of which goes: every command tells it, Apache's scripts say the same, and all of it heals.

What three nodes do while all of them run is told beside Apache's three, in the other files of this folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from support.committed import Committed
from support.waiting import wait_until
from support.worlds import Done, Witness, World, only

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]
pytestmark = only("ours3")


def rows(logctl: Logctl, topic: str, *flags: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = logctl("partition", "list", topic, *flags, "-o", "json").json["partitions"]
    return found


def column(logctl: Logctl, topic: str, name: str, *flags: str) -> list[Any]:
    return [row[name] for row in rows(logctl, topic, *flags)]


def states(logctl: Logctl) -> dict[int, bool]:
    """Node -> is it fenced?"""
    return {node["id"]: node["fenced"] for node in logctl("node", "list", "-o", "json").json["nodes"]}


def partitions_in(said: str) -> list[int]:
    """Those that kafka-topics --describe shows."""
    return [int(number) for number in re.findall(r"Partition: (\d+)", said)]


@pytest.fixture
def topic(logctl: Logctl, fresh: Fresh) -> str:
    """A partition preferred by each node, replicated to all of them, with records."""
    name = fresh("trio")
    logctl("topic", "create", name, "--replica-assignment", "1:2:3,2:3:1,3:1:2")
    for number in range(3):
        logctl("record", "produce", name, "-p", str(number), stdin="one\ntwo\n")
    return name


def test_a_node_that_is_gone_is_told_by_everything_that_looks(
    world: World, logctl: Logctl, topic: str, witness: Witness
) -> None:
    with world.without(2):
        wait_until(lambda: column(logctl, topic, "partition", "--under-replicated") == [0, 1, 2], "all to lack one")
        said = witness.script("kafka-topics", "--describe", "--topic", topic, "--under-replicated-partitions")
        assert partitions_in(said) == [0, 1, 2]
        assert column(logctl, topic, "isr") == [[1, 3], [3, 1], [3, 1]]
        assert column(logctl, topic, "partition", "--no-preferred-leader") == [1]
        assert states(logctl) == {1: False, 2: True, 3: False}
        [cluster] = logctl("cluster", "health", "-o", "json", code=1).json["clusters"]
        found = {one["check"] for one in cluster["findings"] if one["severity"] != "info"}
        assert cluster["verdict"] == "degraded"
        assert found >= {"missing-brokers", "under-replicated", "at-min-isr"}
        missing = logctl("cluster", "health", "missing-brokers", code=1)
        assert re.search(r"broker 2 +is registered and does not serve, and holds \d+ replicas", missing.out)
        waited = logctl("cluster", "health", "under-replicated", "--wait", "--timeout", "300ms", code=6)
        assert "with a replica that is not in sync" in waited.out
        [quorum] = logctl("cluster", "quorum", "-o", "json").json["clusters"]
        assert quorum["leader"] in (1, 3)
        shown = witness.script("kafka-metadata-quorum", "describe", "--replication").splitlines()[1:]
        assert sorted((line.split()[0], line.split()[-1]) for line in shown) == sorted(
            (str(one["id"]), "Leader" if one["id"] == quorum["leader"] else "Follower") for one in quorum["replicas"]
        )
        said = witness.script("kafka-cluster", "list-endpoints", "--include-fenced-brokers")
        assert re.search(r"\n2\s+127.0.0.1\s+\d+\s+null\s+fenced", said)
        partly = logctl("logdir", "list", "-o", "json", code=4).json
        assert [one["broker"] for one in partly["logdirs"]] == [1, 3]
    logctl("cluster", "health", "--wait", "--timeout", "30s")


def test_two_of_three_go_on_and_the_third_leads_again_when_it_is_elected(
    world: World, logctl: Logctl, topic: str, fresh: Fresh, witness: Witness
) -> None:
    with world.without(2):
        wait_until(lambda: column(logctl, topic, "leader")[1] == 3, "another to lead")
        nobody = logctl("partition", "elect", "--preferred", f"{topic}:1", code=1)
        assert f"{topic}:1: its preferred leader, broker 2, is not there" in nobody.err
        logctl("record", "produce", topic, "-p", "1", stdin="three\n")
        assert logctl("record", "consume", topic, "-p", "1", "-n", "3").out == "one\ntwo\nthree\n"
        later = fresh("later")
        logctl("topic", "create", later, "--replication-factor", "3")
        [made] = rows(logctl, later)
        assert (sorted(made["replicas"]), sorted(made["isr"])) == ([1, 2, 3], [1, 3])
        logctl("config", "set", "--broker", "3", "log.cleaner.threads=2", "-y")
        logctl("config", "unset", "--broker", "3", "log.cleaner.threads", "-y")
    logctl("cluster", "health", "--wait", "--timeout", "30s")
    assert column(logctl, topic, "partition", "--no-preferred-leader") == [1]
    one = "--topic", topic, "--partition", "1"
    said = witness.script("kafka-leader-election", "--election-type", "preferred", *one)
    assert "Successfully completed leader election (PREFERRED)" in said
    assert column(logctl, topic, "leader") == [1, 2, 3]


def test_who_was_not_in_sync_leads_only_when_that_is_said(
    world: World, logctl: Logctl, fresh: Fresh, witness: Witness
) -> None:
    """Node 2 misses the last record; then it is the only one of both that is there."""
    name = fresh("unclean")
    logctl("topic", "create", name, "--replica-assignment", "3:2,3:2", "--config", "min.insync.replicas=1")
    with ExitStack() as later:
        with world.deaf(2):
            wait_until(lambda: column(logctl, name, "isr") == [[3], [3]], "node 2 to be out of sync")
            logctl("record", "produce", name, "-p", "0", stdin="lost\n")
            later.enter_context(world.without(3))
        wait_until(lambda: column(logctl, name, "partition", "--offline") == [0, 1], "nobody to lead")
        offline = witness.script("kafka-topics", "--describe", "--topic", name, "--unavailable-partitions")
        assert partitions_in(offline) == [0, 1]
        [cluster] = logctl("cluster", "health", "offline-partitions", "-o", "json", code=1).json["clusters"]
        assert cluster["verdict"] == "critical"
        assert "is not there" in logctl("partition", "elect", "--preferred", f"{name}:0", code=1).err
        assert "add -y" in logctl("partition", "elect", "--unclean", f"{name}:0", code=5).err
        logctl("partition", "elect", "--unclean", f"{name}:0", "-y")
        witness.script("kafka-leader-election", "--election-type", "unclean", "--topic", name, "--partition", "1")
        assert (column(logctl, name, "leader"), column(logctl, name, "isr")) == ([2, 2], [[2], [2]])
        assert logctl("record", "consume", name, "-p", "0", "--from", "beginning").out == ""
    logctl("cluster", "health", "--wait", "--timeout", "30s")
    assert column(logctl, name, "leader") == [2, 2]
    assert [sorted(isr) for isr in column(logctl, name, "isr")] == [[2, 3], [2, 3]]


def test_groups_are_found_wherever_their_coordinators_are(
    world: World, logctl: Logctl, topic: str, fresh: Fresh
) -> None:
    names = [fresh("spread") for _ in range(8)]
    for name in names:
        Committed(world.bootstrap, name).put(topic, {0: 1})
    base = f"spread-{names[0].split('-')[1]}-*"
    assert set(logctl("group", "list", base, "-o", "name").out.split()) >= set(names)
    told = logctl("group", "describe", *names, "-o", "json").json["groups"]
    assert len({one["coordinator"]["id"] for one in told}) > 1
    lags = logctl("group", "lag", *names, "-o", "json").json["groups"]
    assert [one["total_lag"] for one in lags] == [1] * len(names)


def test_every_node_passes_on_what_the_controller_decides(world: World, logctl: Logctl, fresh: Fresh) -> None:
    """Each node is asked alone, in the words of requests, since clients know where the controller is."""
    for address in world.bootstrap.split(","):
        name = fresh("passed-on")
        wanted = CreatableTopic(name=name, num_partitions=1, replication_factor=3)
        with Client(parse_addresses(address)) as client:
            here = client.entrance(Deadline(10))
            answer: Any = client.ask(here, CreateTopicsRequest(topics=[wanted], timeout_ms=5000), Deadline(10))
        assert [(one.name, one.error_code) for one in answer.topics] == [(name, 0)]
        wait_until(partial(exists, logctl, name), f"{name} to be known")


def exists(logctl: Logctl, name: str) -> bool:
    return name in logctl("topic", "list", "-o", "name").out.split()


def test_apache_s_scripts_see_three_nodes(world: World, logctl: Logctl, topic: str, witness: Witness) -> None:
    ports = [address.rpartition(":")[2] for address in world.bootstrap.split(",")]
    said = witness.script("kafka-broker-api-versions")
    assert sorted(re.findall(r"(?m)^127.0.0.1:(\d+) \(id: \d rack: null isFenced: false\)", said)) == sorted(ports)
    said = witness.script("kafka-metadata-quorum", "describe", "--status")
    assert re.search(r"MaxFollowerLag: +\d+\n", said)
    assert re.findall(r'"id": (\d)', said.partition("CurrentVoters:")[2]) == ["1", "2", "3"]
    said = witness.script("kafka-log-dirs", "--describe", "--topic-list", topic)
    assert "Received log directory information from brokers 1,2,3" in said
    third = "--entity-type", "brokers", "--entity-name", "3"
    witness.script("kafka-configs", *third, "--alter", "--add-config", "log.cleaner.threads=3")
    first = {"LOGCTL_BOOTSTRAP_SERVER": world.bootstrap.split(",")[0]}
    assert logctl("config", "get", "--broker", "3", "log.cleaner.threads", env=first).out == "3\n"
    logctl("config", "unset", "--broker", "3", "log.cleaner.threads", env=first)
    assert "log.cleaner.threads" not in witness.script("kafka-configs", *third, "--describe")


# -- Apache's tool moves partitions ------------------------------------------------------------------------------------


def test_kafka_reassign_partitions_proposes_what_it_then_carries_out(
    logctl: Logctl, fresh: Fresh, witness: Witness, tmp_path: Path
) -> None:
    name, wish, plan = fresh("moved"), tmp_path / "topics.json", tmp_path / "plan.json"
    logctl("topic", "create", name, "--replica-assignment", "1:2,2:1")
    logctl("record", "produce", name, stdin="x" * 1000 + "\n")
    wish.write_text(json.dumps({"version": 1, "topics": [{"topic": name}]}))
    generate = "--generate", "--topics-to-move-json-file", str(wish), "--broker-list", "2,3"
    current, proposed = re.findall(r"(?m)^\{.*", witness.script(MOVE, *generate))
    assert sorted(one["replicas"] for one in json.loads(current)["partitions"]) == [[1, 2], [2, 1]]
    plan.write_text(proposed)
    started = witness.script(MOVE, "--execute", "--reassignment-json-file", str(plan))
    assert "Successfully started partition reassignments" in started
    verify = "--verify", "--reassignment-json-file", str(plan)
    wait_until(lambda: witness.script(MOVE, *verify).count("is completed") == 2, "both to have moved")
    wanted = {one["partition"]: one["replicas"] for one in json.loads(proposed)["partitions"]}
    assert {row["partition"]: row["replicas"] for row in rows(logctl, name)} == wanted
    assert "No partition reassignments found." in witness.script(MOVE, "--list")


MOVE: Final = "kafka-reassign-partitions"
