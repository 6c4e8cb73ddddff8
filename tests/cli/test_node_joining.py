"""A cluster of three grows to four and shrinks back, with its data in use; nodes that join, that vote, that may not."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.conftest import Done, environment, lines, run
from support.waiting import wait_until
from support.worlds import run_here

from logctl import local, seats


def ended(folder: Path) -> None:
    for node in local.nodes_in(folder):
        if node.pid is not None:
            os.kill(node.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with three nodes that run."""
    path = tmp_path_factory.mktemp("three") / "data"
    started = run("up", "--nodes", "3", "--port", "0", "--detach", "--data", str(path))
    assert started.code == 0, started.err
    yield path
    ended(path)


def bootstrap(folder: Path) -> str:
    return ",".join(local.addresses_in(folder))


def told(folder: Path, *arguments: str, code: int = 0, stdin: bytes = b"") -> Done:
    """A command that is told the addresses of the folder's nodes: in this process, unless it starts others."""
    if arguments[0] == "up" or arguments[:2] == ("node", "join"):
        done = run(*arguments, bootstrap=bootstrap(folder))
    else:
        here = run_here(*arguments, stdin=stdin, env=environment(bootstrap(folder)))
        done = Done(here.code, here.out, here.err)
    assert done.code == code, f"{arguments} ended with {done.code}: {done.out}{done.err}"
    return done


def quorum(folder: Path) -> dict[int, str]:
    """Node -> role. What a directory that has gone had followed is told of for some minutes: a vote comes first."""
    [cluster] = json.loads(told(folder, "cluster", "quorum", "-o", "json").out)["clusters"]
    return {one["id"]: one["role"] for one in reversed(cluster["replicas"])}


def voters(folder: Path) -> set[int]:
    return {node for node, role in quorum(folder).items() if role != "observer"}


def replicas(folder: Path, topic: str) -> list[list[int]]:
    found = json.loads(told(folder, "partition", "list", topic, "-o", "json").out)["partitions"]
    return [one["replicas"] for one in found]


def test_three_grow_to_four_and_shrink_back(folder: Path) -> None:
    place = "--data", str(folder)
    grown = told(folder, "up", "--nodes", "4", "--detach", *place)
    assert "node 4 is ready at 127.0.0.1:" in grown.err
    assert quorum(folder)[4] == "observer", "it follows without a vote"
    told(folder, "topic", "create", "orders", "--replica-assignment", "4:1,1:4,2:3")
    told(folder, "record", "produce", "orders", stdin=lines(range(100)).encode())

    refused = told(folder, "node", "decommission", "4", *place, "-y", code=5)
    assert "node 4 holds 2 replicas of 1 topic: orders (2)" in refused.err
    preview = told(folder, "node", "decommission", "4", "--drain", *place, "--dry-run")
    assert preview.out.splitlines()[:4] == [
        "move 2 replicas of 1 topic from node 4 to the others (1, 2, 3) [disruptive]",
        "stop node 4 [disruptive, no way back]",
        "strike broker 4 off the list of brokers [disruptive, no way back]",
        f"set {folder}/node-4 aside",
    ]
    told(folder, "node", "decommission", "4", "--drain", *place, "-y")
    assert {broker for row in replicas(folder, "orders") for broker in row} <= {1, 2, 3}
    assert [node.state for node in local.nodes_in(folder)] == ["running"] * 3
    assert (folder / "removed-node-4" / "meta.properties").exists(), "set aside, never deleted"
    read = told(folder, "record", "consume", "orders", "--from", "beginning", "--to", "end")
    assert sorted(map(int, read.out.split())) == list(range(100))
    listed = json.loads(told(folder, "node", "list", "-o", "json").out)["nodes"]
    assert [one["id"] for one in listed] == [1, 2, 3]
    told(folder, "cluster", "health", "--wait", "--timeout", "30s")
    gone = told(folder, "node", "decommission", "4", *place, code=1)
    assert "node 4 is not in the cluster" in gone.err


def test_a_node_that_joins_with_a_vote_can_replace_one_that_is_gone(folder: Path) -> None:
    joined = told(folder, "node", "join", "--voter", "--detach", "--data", str(folder))
    assert "node 4 is in the cluster and has caught up" in joined.err
    assert "created voter 4" in joined.err
    assert voters(folder) == {1, 2, 3, 4}
    again = told(folder, "node", "join", "--voter", "--node-id", "4", "--detach", "--data", str(folder))
    assert "node 4 runs already" in again.err
    assert "has a vote already" in again.err
    first = local.nodes_in(folder)[0]
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not local.nodes_in(folder)[0].is_running, "node 1 to be gone")
    told(folder, "topic", "create", "while-one-is-gone", "--partitions", "1")
    told(folder, "up", "--detach", "--data", str(folder))
    wait_until(lambda: quorum(folder).get(1) in ("voter", "leader"), "node 1 to vote again")
    told(folder, "cluster", "health", "--wait", "--timeout", "30s")
    told(folder, "node", "decommission", "4", "--drain", "--data", str(folder), "-y")
    assert voters(folder) == {1, 2, 3}


def test_a_join_that_was_cut_short_is_gone_on_with(folder: Path) -> None:
    table = seats.remembered(folder)
    assert table is not None
    from logctl.engine.several import new_seat

    seats.write(folder, table.with_seat(new_seat(table)))  # as far as it came before it was killed
    told(folder, "node", "join", "--detach", "--data", str(folder))
    assert [node.node_id for node in local.nodes_in(folder)] == [1, 2, 3, 4], "and no fifth"
    told(folder, "node", "decommission", "4", "--drain", "--data", str(folder), "-y")


# -- a directory of its own --------------------------------------------------------------------------------------------


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Iterator[Callable[..., Done]]:
    """`own(name, ...)`: join the cluster with that directory."""
    names = []

    def join(name: str, *more: str, code: int = 0) -> Done:
        names.append(name)
        return told(folder, "node", "join", "--directory", str(tmp_path / name), "--detach", *more, code=code)

    yield join
    for name in names:
        ended(tmp_path / name)


def test_a_directory_of_its_own_gets_settings_that_it_can_be_started_with(
    folder: Path, own: Callable[..., Done], tmp_path: Path
) -> None:
    joined = own("four")
    assert "node 4 is in the cluster and has caught up" in joined.err
    config = local.read_properties(tmp_path / "four.properties")
    assert (config["node.id"], config["process.roles"]) == ("4", "broker")
    assert "node 4 runs already" in own("four").err
    assert f"{tmp_path}/four belongs to node 4, not to node 9" in own("four", "--node-id", "9", code=5).err
    assert "is that of a node without a vote" in own("four", "--voter", code=2).err
    elsewhere = told(folder, "node", "decommission", "4", "-y", code=5)
    assert "holds nothing any more, but it runs on 127.0.0.1" in elsewhere.err
    told(folder, "node", "decommission", "4", "-y", "--data", str(tmp_path / "four"))
    assert (tmp_path / "removed-four").exists()


def test_who_may_not_join_leaves_no_trace(folder: Path, own: Callable[..., Done], tmp_path: Path) -> None:
    assert "node 2 is a voter of this cluster" in own("other", "--node-id", "2", code=5).err
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=4\n")
    assert "belongs to cluster another, and this is" in own("strange", code=5).err
    assert "has two listeners" in own("other", "--listener", "PLAINTEXT://127.0.0.1:1", code=2).err
    wrong = own("other", "-c", "num.partitions=many", code=2)
    assert "num.partitions" in wrong.err
    assert [path.name for path in tmp_path.iterdir()] == ["strange"]
    nowhere = told(folder, "node", "join", "--data", str(tmp_path), "--detach", code=2)
    assert "is not a folder of several nodes" in nowhere.err


# -- where a cluster begins --------------------------------------------------------------------------------------------


def test_a_directory_is_formatted_with_its_first_voters(tmp_path: Path) -> None:
    config = tmp_path / "one.properties"
    listeners = "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:9093\ncontroller.listener.names=CONTROLLER\n"
    config.write_text(f"node.id=1\n{listeners}log.dirs={tmp_path}/one\n")
    both = run("node", "format", "--config", str(config), "--standalone", "--no-initial-controllers")
    assert both.code == 2
    assert "exclude each other" in both.err
    others = "2@127.0.0.1:9093:3Db5QLSqSZieL3rJBUUegA"
    stranger = run("node", "format", "--config", str(config), "--initial-controllers", others)
    assert "node 1 is not among the first controllers" in stranger.err
    made = run("node", "format", "--config", str(config), "--standalone")
    assert made.code == 0, made.err
    assert (tmp_path / "one" / "__cluster_metadata-0").is_dir(), "the log begins with who votes"
