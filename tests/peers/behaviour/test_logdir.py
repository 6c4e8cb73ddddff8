"""logctl logdir, in every world, beside what Apache's tool and kafka-python tell of the same directories."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.worlds import Done, Witness, World

Logctl = Callable[..., Done]


@pytest.fixture
def topic(logctl: Logctl, fresh: Callable[[str], str], world: World) -> str:
    """Two partitions on every broker, the first with records in it."""
    name = fresh("stored")
    logctl("topic", "create", name, "--partitions", "2", "--replication-factor", str(world.nodes))
    logctl("record", "produce", name, "--partition", "0", stdin="one\ntwo\n")
    return name


def test_each_broker_tells_of_its_directories(logctl: Logctl, topic: str, world: World) -> None:
    found = logctl("logdir", "list", "-o", "json").json["logdirs"]
    assert sorted({one["broker"] for one in found}) == list(range(1, world.nodes + 1))
    for one in found:
        assert one["total_bytes"] >= one["usable_bytes"] > 0
        assert (one["error"], one["cordoned"]) == ("", False)
        assert one["replicas"] >= 2
        assert one["name"] == f"{one['broker']}:{one['path']}"
    titles, *rows = logctl("logdir", "list").out.splitlines()
    assert titles.split() == ["BROKER", "PATH", "REPLICAS", "USED", "FREE", "TOTAL", "STATE"]
    assert len(rows) == len(found)


def test_replicas_are_told_as_apaches_tool_tells_them(logctl: Logctl, topic: str, witness: Witness) -> None:
    apaches = ["--describe", "--topic-list", topic, "--broker-list", "1"]
    rows = logctl("logdir", "describe", *apaches, "-o", "json").json["replicas"]
    shown = witness.script("kafka-log-dirs", *apaches)
    told = json.loads(next(line for line in shown.splitlines() if line.startswith("{")))
    theirs = sorted(
        (entry["partition"], broker["broker"], directory["logDir"], entry["size"], entry["offsetLag"])
        for broker in told["brokers"]
        for directory in broker["logDirs"]
        for entry in directory["partitions"]
    )
    mine = [(row["name"], row["broker"], row["path"], row["size_bytes"], row["offset_lag"]) for row in rows]
    assert mine == [(entry[0].replace(f"{topic}-", f"{topic}:"), *entry[1:]) for entry in theirs]
    assert [row["size_bytes"] > 0 for row in rows] == [True, False]


def test_what_is_not_there_is_told(logctl: Logctl, topic: str) -> None:
    known = logctl("logdir", "list", "--broker", "77", code=1)
    assert "broker 77 is not among the brokers of the cluster\nhint: there are 1" in known.err
    assert f"did you mean {topic}" in logctl("logdir", "describe", "--topic", f"{topic}x", code=1).err
    partly = logctl("logdir", "describe", "--topic", topic, "--topic", f"{topic}x", "-o", "json", code=4)
    assert partly.json["replicas"] != []
    assert logctl("logdir", "describe", "--topic", "no-such-*", "-o", "json").json["replicas"] == []
    assert "broker ids joined by ','" in logctl("logdir", "describe", "--broker-list", "x", code=2).err
