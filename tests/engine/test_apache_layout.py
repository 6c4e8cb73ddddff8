"""The nodes of a folder that Apache Kafka runs: decided from what is there and what is wished for, and remembered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logctl.engine.apache import layout
from logctl.engine.apache.layout import Found, Layout, Member, Wish, decide
from logctl.engine.config_file import Entry
from logctl.errors import UsageError


def wanted(port: int) -> int:
    return port or 40000


def decided(found: Found | None = None, **wish: Any) -> Layout:
    return decide(Wish(**wish), found or Found(), lambda: "new", wanted)


def shape(made: Layout) -> list[tuple[int, int, int, str]]:
    return [(one.node_id, one.port, one.controller_port, "+".join(one.roles)) for one in made.members]


BOTH = "broker+controller"


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, [(1, 9092, 19092, BOTH)]),
        ({"nodes": 3, "port": 5000}, [(n, 4999 + n, 14999 + n, BOTH) for n in (1, 2, 3)]),
        (
            {"nodes": 5},
            [(n, 9091 + n, 19091 + n, BOTH) for n in (1, 2, 3)] + [(n, 9091 + n, 0, "broker") for n in (4, 5)],
        ),
        ({"controllers": "separate"}, [(1, 9092, 0, "broker"), (101, 0, 19092, "controller")]),
        (
            {"nodes": 3, "controllers": "separate"},
            [(n, 9091 + n, 0, "broker") for n in (1, 2, 3)]
            + [(n, 0, 18991 + n, "controller") for n in (101, 102, 103)],
        ),
        ({"port": 60000}, [(1, 60000, 50000, BOTH)]),
    ],
)
def test_a_new_folder_is_laid_out(wish: dict[str, Any], expected: list[tuple[int, int, int, str]]) -> None:
    assert shape(decided(**wish)) == expected


def test_a_quorum_of_three_and_copies_that_survive_a_node() -> None:
    made = decided(nodes=3)
    said = made.node(Path("data"), made.members[1]).properties()
    assert said["controller.quorum.voters"] == "1@127.0.0.1:19092,2@127.0.0.1:19093,3@127.0.0.1:19094"
    assert said["default.replication.factor"] == said["offsets.topic.replication.factor"] == "3"
    assert said["min.insync.replicas"] == said["transaction.state.log.min.isr"] == "2"
    assert said["log.dirs"] == "data/node-2"


def test_what_was_given_wins_over_what_is_derived() -> None:
    made = decided(nodes=3, settings=[Entry("min.insync.replicas", "1", "-c")])
    assert made.node(Path("data"), made.members[0]).properties()["min.insync.replicas"] == "1"


def test_the_directory_of_a_bundled_node_is_taken_over_and_may_get_company() -> None:
    assert decided(Found(cluster_id="theirs")).cluster_id == "theirs"
    made = decided(Found(cluster_id="theirs"), nodes=3)
    assert shape(made) == [(1, 9092, 19092, BOTH), (2, 9093, 0, "broker"), (3, 9094, 0, "broker")]


def test_what_is_remembered_is_started_again_and_may_grow_and_move() -> None:
    before = decided(nodes=3, heap="2g", settings=[Entry("num.partitions", "7", "-c")])
    again = decided(Found(before))
    assert again.members == before.members
    assert again.settings == {}, "settings are given anew, as to a bundled node"
    assert shape(decided(Found(before), nodes=4))[-1] == (4, 9095, 0, "broker")
    assert [one.port for one in decided(Found(before), port=7000).members] == [7000, 7001, 7002]


def test_nodes_that_run_decide_how_the_others_start() -> None:
    before = decided(nodes=3, settings=[Entry("num.partitions", "7", "-c")])
    assert decided(Found(before, running=(1,))) == before
    for wish in ({"nodes": 5}, {"port": 7000}, {"heap": "2g"}, {"settings": [Entry("num.partitions", "8", "-c")]}):
        with pytest.raises(UsageError, match="some of its nodes are up"):
            decided(Found(before, running=(1,)), **wish)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"nodes": 1}, "this cluster has 2 nodes, and --nodes 1 would leave some out"),
        ({"controllers": "separate"}, "the controllers of this cluster are combined"),
        ({"controllers": "none"}, "--controllers is combined or separate"),
        ({"version": "latest"}, "'latest' is not a version of Apache Kafka"),
        ({"heap": "much"}, "--heap 'much' is not a size"),
        ({"port": 65535}, "2 nodes from port 65535 on go beyond the last port"),
        ({"settings": [Entry("node.id", "3", "-c node.id")]}, "-c node.id: node.id is decided by `logctl up`"),
        ({"settings": [Entry("num.partition", "3", "-c x")]}, "-c x: there is no setting 'num.partition'"),
        ({"settings": [Entry("flush", "os", "-c x")]}, "flush is a setting of the bundled engine alone"),
    ],
)
def test_what_cannot_be_is_told(wish: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        decided(Found(decided(nodes=2)), **wish)


def test_a_plug_in_may_have_settings_of_its_own() -> None:
    assert decided(settings=[Entry("opa.authorizer.url", "http://opa", "-c")]).settings


def test_it_is_remembered_as_it_was_for_its_owner_alone(tmp_path: Path) -> None:
    made = replace(decided(nodes=3, settings=[Entry("num.partitions", "7", "-c")]), kafka_home="/opt/kafka")
    layout.save(tmp_path, made)
    assert layout.load(tmp_path) == made
    assert (tmp_path / "apache" / "cluster.json").stat().st_mode & 0o077 == 0
    assert layout.load(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"form": 1}', '{"form": 1, "members": [{}]}'])
def test_a_memory_that_makes_no_sense_is_told_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "apache" / "cluster.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError, match=r"cluster\.json does not say how the nodes of .* are laid out"):
        layout.load(tmp_path)
    assert path.read_text() == text


def test_a_memory_of_a_newer_logctl_is_left_alone(tmp_path: Path) -> None:
    layout.save(tmp_path, decided())
    path = tmp_path / "apache" / "cluster.json"
    path.write_text(path.read_text().replace('"form": 1', '"form": 2'))
    with pytest.raises(UsageError, match="was written by a newer logctl"):
        layout.load(tmp_path)


def test_a_controller_alone_serves_no_clients() -> None:
    made = decided(controllers="separate")
    alone = made.node(Path("data"), made.members[1]).properties()
    assert (alone["process.roles"], alone["listeners"]) == ("controller", "CONTROLLER://127.0.0.1:19092")
    assert "advertised.listeners" not in alone
    broker = made.node(Path("data"), made.members[0]).properties()
    assert (broker["process.roles"], broker["listeners"]) == ("broker", "PLAINTEXT://127.0.0.1:9092")


def test_a_member_knows_its_parts() -> None:
    assert [(one.is_broker, one.votes) for one in (Member(1, 1, 2), Member(2, 1, 0, ("broker",)))] == [
        (True, True), (True, False),
    ]  # fmt: skip
