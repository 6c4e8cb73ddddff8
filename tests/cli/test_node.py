"""`logctl node`: started from a file, prepared, looked at."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Done, command, environment, run
from support.node import Node, running_node
from support.ports import free_port
from support.waiting import wait_until

from logctl import local

CLUSTER = "4L6g3nShT-eMCtK--X86sw"


def format_config(config: Path, *more: str) -> Done:
    return run("node", "format", "--config", str(config), *more)


def write_config(tmp_path: Path, name: str = "server.properties", **more: str) -> Path:
    """A config file in the form of its ending; the log directory is `data` beside it."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "7",
        "listeners": f"PLAINTEXT://127.0.0.1:{free_port()}",
        "log.dirs": str(tmp_path / "data"),
        **{key.replace("_", "."): value for key, value in more.items()},
    }
    between = "=" if name.endswith(".properties") else ": "
    path = tmp_path / name
    path.write_text("".join(f"{key}{between}{value}\n" for key, value in settings.items()))
    return path


def status(data: Path) -> list[dict[str, Any]]:
    done = run("node", "status", "--data", str(data), "-o", "json")
    assert done.code == 0
    nodes: list[dict[str, Any]] = json.loads(done.out)["nodes"]
    return nodes


# -- start -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["server.properties", "node.yaml"])
def test_a_service_manager_starts_and_stops_a_node(tmp_path: Path, name: str) -> None:
    config = write_config(tmp_path, name)
    assert format_config(config).code == 0
    process = subprocess.Popen(
        command("node", "start", "--config", str(config)), stderr=subprocess.DEVNULL, env=environment(None)
    )
    try:
        wait_until(lambda: local.describe(tmp_path / "data").state == "running", "the node to run")
        [node] = status(tmp_path / "data")
        assert (node["node_id"], node["state"], node["pid"]) == (7, "running", process.pid)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()


def test_an_apache_config_starts_a_node_as_it_is(tmp_path: Path) -> None:
    """The settings of Apache's quick start, quorum and controller listener included."""
    inner = free_port()
    config = write_config(
        tmp_path,
        listeners=f"PLAINTEXT://127.0.0.1:{free_port()},CONTROLLER://127.0.0.1:{inner}",
        controller_listener_names="CONTROLLER",
        inter_broker_listener_name="PLAINTEXT",
        listener_security_protocol_map="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        controller_quorum_voters=f"7@127.0.0.1:{inner}",
        num_network_threads="3",
        socket_send_buffer_bytes="102400",
    )
    format_config(config)
    diary = tmp_path / "diary"
    with open(diary, "wb") as out:
        process = subprocess.Popen(
            command("node", "start", "--config", str(config)), stderr=out, env=environment(None)
        )
    try:
        wait_until(lambda: " ready " in diary.read_text(), "the node to be ready")
        with socket.create_connection(("127.0.0.1", inner), 10):
            pass
    finally:
        process.kill()
        process.wait()
    assert "num.network.threads is known but this node does not act on it" in diary.read_text()


def test_a_folder_that_was_not_prepared_is_not_started_on(tmp_path: Path) -> None:
    done = run("node", "start", "--config", str(write_config(tmp_path)))
    assert done.code == 2
    assert f"error: {tmp_path}/data has no meta.properties" in done.err
    assert "hint: prepare it with `logctl node format --config FILE`" in done.err


def test_a_folder_of_another_node_is_not_started_on(tmp_path: Path) -> None:
    format_config(write_config(tmp_path))
    before = (tmp_path / "data" / "meta.properties").read_bytes()
    done = run("node", "start", "--config", str(write_config(tmp_path, node_id="8")))
    assert done.code == 2
    assert f"error: {tmp_path}/data belongs to node 7, not to node 8" in done.err
    assert (tmp_path / "data" / "meta.properties").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("node.id: [1\n", "node.yaml:2: "),
        ("node.id: 1\nnode.ids: 2\n", "node.yaml:2: there is no setting 'node.ids'\nhint: did you mean node.id?"),
        ("log.dirs: /data\n", "node.id is not set"),
        ("node.id: 1\n", "log.dirs is not set"),
        ("node.id: one\n", "node.yaml:1: node.id is a whole number, not 'one'"),
    ],
)
def test_a_config_that_makes_no_sense_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    config = tmp_path / "node.yaml"
    config.write_text(text)
    done = run("node", "start", "--config", str(config))
    assert done.code == 2
    assert says in done.err


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    done = run("node", "start", "--config", str(tmp_path / "none.yaml"))
    assert done.code == 2
    assert done.err == f"error: cannot read the config file {tmp_path}/none.yaml: No such file or directory\n"


# -- format ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_prepared_for_a_given_cluster(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    done = format_config(config, "--cluster-id", CLUSTER)
    assert (done.code, done.err) == (0, f"{tmp_path}/data is prepared for node 7 of cluster {CLUSTER}\n")
    said = local.read_properties(tmp_path / "data" / "meta.properties")
    assert (said["cluster.id"], said["node.id"], said["version"]) == (CLUSTER, "7", "1")


def test_preparing_twice_changes_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    format_config(config)
    before = (tmp_path / "data" / "meta.properties").read_bytes()
    done = format_config(config)
    assert done.code == 0
    assert "was prepared for node 7" in done.err
    assert (tmp_path / "data" / "meta.properties").read_bytes() == before


def test_a_folder_of_another_cluster_is_left_alone(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    format_config(config, "--cluster-id", CLUSTER)
    before = (tmp_path / "data" / "meta.properties").read_bytes()
    done = format_config(config, "--cluster-id", "another")
    assert done.code == 2
    assert f"belongs to cluster {CLUSTER}, not to another" in done.err
    assert (tmp_path / "data" / "meta.properties").read_bytes() == before


def test_a_data_folder_is_prepared_for_up(tmp_path: Path) -> None:
    assert run("node", "format", "--data", str(tmp_path), "--cluster-id", CLUSTER).code == 0
    with running_node(tmp_path) as node:
        assert local.describe(node.log_dir).cluster_id == CLUSTER


def test_format_needs_to_know_what(tmp_path: Path) -> None:
    assert run("node", "format").code == 2
    assert run("node", "format", "--data", str(tmp_path), "--config", str(write_config(tmp_path))).code == 2


# -- status ----------------------------------------------------------------------------------------------------------


def test_status_of_a_node_through_its_life(tmp_path: Path) -> None:
    node = Node(tmp_path, free_port(), {})
    assert status(tmp_path) == []
    with node:
        [seen] = status(tmp_path)
        assert (seen["state"], seen["pid"], seen["addresses"]) == ("running", node.pid, [node.address])
        assert seen["roles"] == ["broker", "controller"]
        assert seen["log_dir"] == str(node.log_dir)
        end = seen["metadata_end"]
        assert end > 0
        run("topic", "create", "orders", bootstrap=node.address)
        assert status(tmp_path)[0]["metadata_end"] > end
        node.kill()
        assert status(tmp_path)[0]["state"] == "died"
        node.start()
        node.stop()
        [seen] = status(tmp_path)
        assert (seen["state"], seen["pid"], seen["addresses"]) == ("stopped", None, [])


def test_status_as_a_table(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        done = run("node", "status", "--data", str(tmp_path))
    titles, row = done.out.splitlines()
    assert titles.split() == ["NODE", "ENGINE", "STATE", "PID", "ADDRESS", "ROLES", "MEMORY", "METADATA-END", "DATA"]
    assert row.split()[:5] == ["1", "logctl", "running", row.split()[3], node.address]
