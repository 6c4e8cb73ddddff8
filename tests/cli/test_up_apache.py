"""`logctl up --engine apache`: real brokers in the words of our own; folders that remember whose they are."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Done, command, environment, run
from support.apache import classpath
from support.ports import free_ports_in_a_row
from support.waiting import wait_until

from logctl import local
from logctl.engine.apache import layout
from logctl.engine.apache.layout import Found, Wish

SMALL = ("--heap", "256m", "-c", "offsets.topic.num.partitions=2", "-c", "broker.session.timeout.ms=2000",
         "-c", "broker.heartbeat.interval.ms=500", "--timeout", "120s")  # fmt: skip
QUICK = {"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose nodes are gone at the end."""
    folder = tmp_path / "data"
    yield folder
    for node in local.nodes_in(folder):
        if node.pid is not None:
            os.kill(node.pid, signal.SIGKILL)


def up(data: Path, *more: str) -> Done:
    return run("up", "--data", str(data), *more, env=QUICK)


def status(data: Path) -> dict[int, dict[str, Any]]:
    done = run("node", "status", "--data", str(data), "-o", "json")
    return {node["node_id"]: node for node in json.loads(done.out)["nodes"]}


# -- without a JVM -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--nodes", "0"), "error: --nodes 0: a cluster has at least one node"),
        (("--nodes", "10", "--detach"), "error: --nodes 10: the bundled engine runs 1 to 9 nodes"),
        (("--heap", "1g"), "error: --heap is for Apache Kafka's nodes\nhint: add --engine apache"),
        (("--engine", "redpanda"), "error: --engine is logctl or apache, not 'redpanda'"),
        (("--engine", "apache", "--nodes", "0"), "error: --nodes 0: a cluster has at least one node"),
        (("--engine", "apache", "--ephemeral"), "error: --ephemeral is for the bundled engine"),
        (("--engine", "apache", "-c", "num.partition=1"), "error: -c num.partition: there is no setting"),
    ],
)
def test_flags_that_do_not_go_together_change_nothing(data: Path, flags: tuple[str, ...], says: str) -> None:
    more = ("--data", str(data)) if "--ephemeral" not in flags else ()
    done = run("up", *more, *flags)
    assert (done.code, done.err[: len(says)]) == (2, says)
    assert not data.exists()


def test_one_node_of_the_bundled_engine_may_be_asked_for(data: Path) -> None:
    assert up(data, "--nodes", "1", "--port", "0", "--detach").code == 0
    assert run("down", "--data", str(data)).code == 0


def test_the_data_of_several_nodes_does_not_change_hands(data: Path) -> None:
    layout.save(data, layout.decide(Wish(nodes=3), Found(), lambda: "4L6g3nShT-eMCtK--X86sw", lambda port: port))
    done = up(data, "--engine", "logctl")
    assert done.code == 2
    assert f"error: the data in {data} belongs to 3 nodes of Apache Kafka, and only the directory of a" in done.err
    assert local.engine_of(data) == "apache"


def test_a_node_that_there_is_not_is_neither_started_nor_stopped(data: Path) -> None:
    assert "Apache Kafka runs no nodes in" in run("node", "start", "2", "--data", str(data)).err
    done = run("node", "stop", "2", "--data", str(data))
    assert (done.code, f"there is no node 2 in {data}" in done.err) == (2, True)
    assert run("node", "start").code == 2


# -- with -------------------------------------------------------------------------------------------------------------


@pytest.mark.java
def test_a_cluster_of_three_loses_a_node_and_gets_it_back(data: Path) -> None:
    classpath()
    first = free_ports_in_a_row(3)
    addresses = [f"127.0.0.1:{first + index}" for index in range(3)]
    done = up(data, "--engine", "apache", "--nodes", "3", "--port", str(first), "--detach", *SMALL)
    assert (done.code, done.out) == (0, ""), done.err
    for number, address in enumerate(addresses, 1):
        assert f"node {number} is ready at {address} (process " in done.err
    for node in status(data).values():
        assert (node["engine"], node["state"], node["roles"]) == ("apache", "running", ["broker", "controller"])
        assert node["memory_bytes"] > 50 << 20
    assert run("topic", "create", "orders", "--replication-factor", "3", bootstrap=addresses[0]).code == 0

    assert re.fullmatch(r"node 2 \(process \d+\) stopped in .*\n", run("node", "stop", "2", "--data", str(data)).err)
    assert [node["state"] for node in status(data).values()] == ["running", "stopped", "running"]
    assert in_sync(addresses[0]) == [1, 3]
    again = up(data, "--nodes", "5", "--detach")
    assert (again.code, "the cluster runs with --nodes 3, and some of its nodes are up" in again.err) == (2, True)

    done = run("node", "start", "2", "--data", str(data), "--detach", "--timeout", "120s", env=QUICK)
    assert (done.code, "node 2 is ready at" in done.err) == (0, True), done.err
    wait_until(lambda: in_sync(addresses[0]) == [1, 2, 3], "node 2 to be in sync again")
    assert up(data, "--detach").err.count("is running already") == 3

    pids = [node["pid"] for node in status(data).values()]
    assert run("down", "--data", str(data)).code == 0
    assert [node["state"] for node in status(data).values()] == ["stopped"] * 3
    assert not any(_lives(pid) for pid in pids)
    diary = (data / "node-2.log").read_text()
    kinds = [line.split()[1] for line in diary.splitlines()]
    assert kinds == ["start", "start", "start", "stop", "stop", "start", "start", "stop", "stop"]


def in_sync(bootstrap: str) -> list[int]:
    done = run("topic", "describe", "orders", "-o", "json", bootstrap=bootstrap)
    return sorted(json.loads(done.out)["topics"][0]["partitions"][0]["isr"])


def _lives(pid: int) -> bool:
    """What has ended may still be in the table until its parent looks; it has no command line any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


@pytest.mark.java
def test_a_folder_changes_hands_and_an_orphan_is_found(data: Path) -> None:
    classpath()
    port = str(free_ports_in_a_row(1))
    address = f"127.0.0.1:{port}"
    up(data, "--port", port, "--detach")
    run("topic", "create", "orders", bootstrap=address)
    run("record", "produce", "orders", bootstrap=address, stdin=b"one\ntwo\n")
    refused = up(data, "--engine", "apache")
    assert (refused.code, "node 1 runs with the bundled engine" in refused.err) == (5, True)
    run("down", "--data", str(data))

    diary = data.parent / "diary"
    with diary.open("wb") as out:
        arguments = command("up", "--data", str(data), "--engine", "apache", "--port", port, *SMALL)
        process = subprocess.Popen(arguments, stdout=out, stderr=out, env=environment(None, QUICK))
    wait_until(lambda: " ready " in diary.read_text() or process.poll() is not None, "Apache Kafka to be ready")
    process.kill()
    process.wait()
    assert "goes to Apache Kafka; back with `logctl up --engine logctl`" in diary.read_text()
    assert run("record", "consume", "orders", "-n", "2", bootstrap=address).out == "one\ntwo\n"
    assert status(data)[1]["state"] == "running"
    assert run("down", "--data", str(data)).code == 0
    assert status(data)[1]["state"] == "stopped"

    bad = up(data, "-c", "num.io.threads=many", "--detach")
    assert bad.code == 1
    assert "error: node 1 ended while it was starting: org.apache.kafka.common.config.ConfigException" in bad.err
    assert "Invalid value many for configuration num.io.threads" in bad.err

    done = up(data, "--engine", "logctl", "--port", port, "--detach")
    assert "goes from Apache Kafka to the bundled engine" in done.err
    assert run("record", "consume", "orders", "-n", "2", bootstrap=address).out == "one\ntwo\n"
    assert status(data)[1]["engine"] == "logctl"
