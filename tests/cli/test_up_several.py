"""`logctl up --nodes 3`: a small cluster in one word, its nodes alike and each replaceable."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.conftest import Done, command, environment, run
from support.waiting import wait_until

from logctl import local

Logctl = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    for node in local.nodes_in(tmp_path / "data"):
        if node.pid is not None:
            os.kill(node.pid, signal.SIGKILL)


def up(folder: Path, *more: str) -> Done:
    return run("up", "--nodes", "3", "--port", "0", "--detach", "--data", str(folder), *more)


def nodes(folder: Path) -> list[local.LocalNode]:
    return local.nodes_in(folder)


def test_three_nodes_are_one_cluster_and_go_together(folder: Path) -> None:
    started = up(folder)
    assert started.code == 0, started.err
    assert [node.state for node in nodes(folder)] == ["running"] * 3
    first = nodes(folder)[0].addresses[0]
    assert run("topic", "create", "orders", "--partitions", "6", bootstrap=first).code == 0
    listed = json.loads(run("node", "list", "-o", "json", bootstrap=nodes(folder)[2].addresses[0]).out)
    assert [one["id"] for one in listed["nodes"]] == [1, 2, 3]
    stopped = run("down", "--data", str(folder))
    assert stopped.code == 0
    assert [node.state for node in nodes(folder)] == ["stopped"] * 3


def test_the_one_that_died_is_started_again_and_the_others_are_left_alone(folder: Path) -> None:
    assert up(folder).code == 0
    before = {node.node_id: node.pid for node in nodes(folder)}
    assert before[2] is not None
    os.kill(before[2], signal.SIGKILL)
    wait_until(lambda: not nodes(folder)[1].is_running, "node 2 to be gone")
    again = run("up", "--detach", "--data", str(folder))
    assert again.code == 0, again.err
    assert "node 1 runs already" in again.err
    after = {node.node_id: node.pid for node in nodes(folder)}
    assert (after[1], after[3]) == (before[1], before[3])
    assert after[2] not in (None, before[2])
    assert after[2] is not None
    os.kill(after[2], signal.SIGKILL)
    wait_until(lambda: not nodes(folder)[1].is_running, "node 2 to be gone")
    shutil.rmtree(folder / "node-2")
    emptied = run("up", "--detach", "--data", str(folder))
    assert "node 2 began with an empty directory, and has no vote" in emptied.err
    assert run("down", "--data", str(folder)).code == 0


def test_in_the_foreground_they_stop_with_the_command_even_when_it_is_killed(folder: Path) -> None:
    process = subprocess.Popen(
        command("up", "--nodes", "3", "--port", "0", "--data", str(folder)),
        env=environment(None), stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: [node.state for node in nodes(folder)] == ["running"] * 3, "three nodes")
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: [node.state for node in nodes(folder)] == ["stopped"] * 3, "the nodes to stop in order")


def test_nodes_leave_one_by_one_and_not_by_a_number(folder: Path) -> None:
    assert up(folder).code == 0
    assert run("down", "--data", str(folder)).code == 0
    other = run("up", "--nodes", "2", "--detach", "--data", str(folder))
    assert other.code == 2
    assert "holds 3 nodes, and --nodes 2 would leave some out" in other.err
    assert "`logctl node decommission 3 --drain`" in other.err
    assert run("up", "--nodes", "10", "--detach", "--data", str(folder)).code == 2
    (folder / "nodes.json").write_text("{")
    damaged = run("up", "--detach", "--data", str(folder))
    assert damaged.code == 1
    assert "nodes.json cannot be read" in damaged.err
