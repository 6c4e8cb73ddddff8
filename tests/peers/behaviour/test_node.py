"""logctl node list and describe, in every world."""

from __future__ import annotations

from collections.abc import Callable

from support.worlds import APACHE, APACHE3, OURS, OURS3, Done, Witness, World, only

Logctl = Callable[..., Done]


def test_nodes_are_listed_with_what_they_lead_and_hold(
    world: World, logctl: Logctl, fresh: Callable[[str], str], witness: Witness
) -> None:
    name = fresh("held")
    logctl("topic", "create", name, "--partitions", "3")
    logctl("record", "produce", name, stdin=b"one\ntwo\n")
    nodes = logctl("node", "list", "-o", "json").json["nodes"]
    brokers = {one["broker_id"]: one for one in witness.admin.describe_cluster()["brokers"]}
    for node in nodes:
        if "broker" in node["roles"]:
            assert (node["host"], node["port"]) == (brokers[node["id"]]["host"], brokers[node["id"]]["port"])
            assert node["fenced"] is False
    assert [node["id"] for node in nodes if "broker" in node["roles"]] == sorted(brokers)
    assert sum(node["controller"] for node in nodes) == 1
    partitions = [one for topic in witness.admin.describe_topics() for one in topic["partitions"]]
    assert sum(node["leaders"] for node in nodes) == len(partitions)
    assert sum(node["replicas"] for node in nodes) >= len(partitions)
    assert sum(node["size_bytes"] or 0 for node in nodes) > 0
    assert {node["release"] for node in nodes if "broker" in node["roles"]} == {"4.3-IV0"}
    rows = logctl("node", "list", "--sort", "node", "--columns", "node,address", "--no-headers").out.splitlines()
    assert rows[0].split() == ["1", f"{brokers[1]['host']}:{brokers[1]['port']}"]


def test_a_node_is_described_with_its_directories(logctl: Logctl, witness: Witness) -> None:
    [node] = logctl("node", "describe", "1", "-o", "json").json["nodes"]
    assert node["features"]["metadata.version"]["highest"] == 30
    [directory] = node["log_dirs"]
    assert directory["error"] is None
    assert directory["total_bytes"] > directory["usable_bytes"] > 0
    assert directory["path"] in witness.script("kafka-log-dirs", "--describe", "--broker-list", "1")
    told = logctl("node", "describe", "1").out
    assert told.startswith("node 1, broker and controller")
    assert directory["path"] in told


def test_nodes_that_there_are_not(logctl: Logctl) -> None:
    assert "node 77 is not in the cluster" in logctl("node", "describe", "77", code=1).err
    both = logctl("node", "describe", "1", "77", "-o", "json", code=4)
    assert [node["id"] for node in both.json["nodes"]] == [1]
    assert [one["name"] for one in both.json["errors"]] == ["node 77"]
    assert "no node was named" in logctl("node", "describe", code=2).err


# -- leaving -----------------------------------------------------------------------------------------------------------


def test_a_node_that_holds_replicas_is_not_decommissioned(
    logctl: Logctl, fresh: Callable[[str], str], witness: Witness
) -> None:
    name = fresh("kept")
    logctl("topic", "create", name, "--replica-assignment", "1")
    refused = logctl("node", "decommission", "1", "-y", code=5)
    assert "node 1 holds " in refused.err
    assert "add --drain to move them to the brokers that stay first" in refused.err
    assert 1 in [one["broker_id"] for one in witness.admin.describe_cluster()["brokers"]]
    assert "node 77 is not in the cluster" in logctl("node", "decommission", "77", "-y", code=1).err
    assert "no node was named" in logctl("node", "drain", code=2).err


@only(OURS, APACHE)
def test_the_only_broker_has_nowhere_to_move_its_replicas_to(logctl: Logctl, fresh: Callable[[str], str]) -> None:
    logctl("topic", "create", fresh("alone"))
    refused = logctl("node", "drain", "1", "-y", code=5)
    assert "0 other brokers cannot hold what needs more" in refused.err


@only(OURS3, APACHE3)
def test_replicas_stay_where_too_few_brokers_would_be_left(
    logctl: Logctl, fresh: Callable[[str], str], witness: Witness
) -> None:
    name = fresh("everywhere")
    logctl("topic", "create", name, "--replica-assignment", "1:2:3")
    refused = logctl("node", "decommission", "3", "--drain", "--dry-run", code=5)
    assert "2 other brokers cannot hold what needs more: " in refused.err
    assert [one["replica_nodes"] for one in witness.admin.describe_topics([name])[0]["partitions"]] == [[1, 2, 3]]
