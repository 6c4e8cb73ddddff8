"""logctl group on our node: groups that librdkafka makes, to the letter; tests/peers/behaviour has every world."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import yaml
from cli.conftest import Logctl, make_topic, run
from confluent_kafka import Consumer, TopicPartition
from support.ports import free_port
from support.waiting import wait_until


@contextmanager
def member(
    bootstrap: str, group: str, topic: str, protocol: str = "classic", partitions: int = 1, **more: str
) -> Iterator[Consumer]:
    """A member of the group, once it has as many partitions as it waits for."""
    settings = {"bootstrap.servers": bootstrap, "group.id": group, "group.protocol": protocol} | {
        name.replace("_", "."): value for name, value in more.items()
    }
    consumer = Consumer({"auto.offset.reset": "earliest", "enable.auto.commit": False, **settings})
    try:
        consumer.subscribe([topic])
        wait_until(lambda: consumer.poll(0.1) is None and len(consumer.assignment()) == partitions, "partitions")
        yield consumer
    finally:
        consumer.close()


def commit(bootstrap: str, group: str, topic: str, offsets: dict[int, int]) -> None:
    """As a group without members: somebody who only keeps offsets here."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    wanted = [TopicPartition(topic, number, offset, metadata="noted") for number, offset in offsets.items()]
    for told in consumer.commit(offsets=wanted, asynchronous=False):
        assert told.error is None, told.error
    consumer.close()


@pytest.fixture
def group(name: str) -> str:
    """A group's name that no other story uses."""
    return f"group-{name}"


@pytest.fixture
def pair(logctl: Logctl, name: str) -> str:
    """A topic with two partitions and three records in the first."""
    make_topic(logctl, name, "--partitions", "2")
    assert logctl("record", "produce", name, "--partition", "0", stdin="a\nb\nc\n").code == 0
    return name


def document(logctl: Logctl, *arguments: str) -> dict[str, Any]:
    done = logctl(*arguments, "-o", "json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    assert found["complete"] is True
    return found


# -- list ------------------------------------------------------------------------------------------------------------


def test_groups_are_listed_with_type_and_state(logctl: Logctl, bootstrap: str, topic: str, group: str) -> None:
    with member(bootstrap, group, topic), member(bootstrap, f"{group}-new", topic, "consumer"):
        commit(bootstrap, f"{group}-kept", topic, {0: 0})
        done = logctl("group", "list", f"{group}*")
        assert (done.code, done.err) == (0, "")
        assert [line.split() for line in done.out.splitlines()] == [
            ["NAME", "TYPE", "STATE"],
            [group, "classic", "Stable"],
            [f"{group}-kept", "classic", "Empty"],
            [f"{group}-new", "consumer", "Stable"],
        ]
        listed = document(logctl, "group", "list", group)["groups"]
        assert listed == [
            {"name": group, "type": "classic", "state": "Stable", "protocol_type": "consumer", "coordinator": 1}
        ]


def test_groups_are_chosen_by_pattern_state_and_type(logctl: Logctl, bootstrap: str, topic: str, group: str) -> None:
    commit(bootstrap, f"{group}-kept", topic, {0: 0})
    with member(bootstrap, f"{group}-old", topic), member(bootstrap, f"{group}-new", topic, "consumer"):

        def names(*flags: str) -> list[str]:
            return logctl("group", "ls", f"{group}-*", "-o", "name", *flags).out.split()

        assert names() == [f"{group}-kept", f"{group}-new", f"{group}-old"]
        assert names("--state", "empty") == [f"{group}-kept"]
        assert names("--state", "Empty, stable") == names()
        assert names("--type", "consumer") == [f"{group}-new"]
        assert names("--type", "classic", "--state", "stable") == [f"{group}-old"]
        assert names("--type", "share") == []


# -- describe --------------------------------------------------------------------------------------------------------


def test_a_classic_group_is_described_with_what_its_members_read(
    logctl: Logctl, bootstrap: str, pair: str, group: str
) -> None:
    with member(bootstrap, group, pair, partitions=2, client_id="billing-1", group_instance_id="desk-7"):
        [described] = document(logctl, "group", "describe", group)["groups"]
        [reader] = described.pop("members")
        assert re.fullmatch(r"desk-7-.+", reader.pop("member"))
        assert reader.pop("host").lstrip("/") == "127.0.0.1"
        assert reader == {
            "instance": "desk-7", "type": "classic", "client_id": "billing-1", "epoch": None,
            "assignment": {pair: [0, 1]}, "target": None, "subscribed": [],
        }  # fmt: skip
        assert described == {
            "name": group, "type": "classic", "state": "Stable", "protocol_type": "consumer", "assignor": "range",
            "coordinator": {"id": 1, "address": bootstrap}, "epoch": None, "assignment_epoch": None,
        }  # fmt: skip


def test_a_group_of_the_new_protocol_is_described_with_its_target(
    logctl: Logctl, bootstrap: str, pair: str, group: str
) -> None:
    with member(bootstrap, group, pair, "consumer", partitions=2):
        wait_until(lambda: document(logctl, "group", "describe", group)["groups"][0]["state"] == "Stable", "stability")
        [described] = document(logctl, "group", "describe", group)["groups"]
        [reader] = described["members"]
        assert (described["type"], described["assignor"]) == ("consumer", "uniform")
        assert described["epoch"] == described["assignment_epoch"] == reader["epoch"]
        assert reader["type"] == "consumer"
        assert reader["assignment"] == reader["target"] == {pair: [0, 1]}
        assert reader["subscribed"] == [pair]


def test_the_table_has_a_line_about_the_group_and_one_for_each_member(
    logctl: Logctl, bootstrap: str, pair: str, group: str
) -> None:
    with ExitStack() as members:
        members.enter_context(member(bootstrap, group, pair, partitions=2, client_id="one"))
        wide = logctl("group", "describe", "--group", group, "-o", "wide").out
        done = logctl("group", "describe", "--group", group)
    headline, titles, row = done.out.splitlines()
    assert headline == (
        f"group {group}, type classic, state Stable, assignor range, coordinator 1 ({bootstrap}), members 1"
    )
    assert titles.split() == ["MEMBER", "CLIENT-ID", "HOST", "PARTITIONS", "ASSIGNMENT"]
    assert row.split()[1] == "one"
    assert row.split()[3:] == ["2", f"{pair}(0,1)"]
    assert wide.splitlines()[1].split() == [
        "MEMBER", "INSTANCE", "CLIENT-ID", "HOST", "EPOCH", "PARTITIONS", "ASSIGNMENT", "TARGET", "SUBSCRIBED"
    ]  # fmt: skip
    empty = logctl("group", "describe", group)
    assert empty.out == f"group {group}, type classic, state Empty, coordinator 1 ({bootstrap}), members 0\n"


# -- lag -------------------------------------------------------------------------------------------------------------


def test_lag_is_what_lies_between_the_commit_and_the_end(logctl: Logctl, bootstrap: str, pair: str, group: str) -> None:
    commit(bootstrap, group, pair, {0: 1, 1: 0})
    done = logctl("group", "lag", group)
    assert (done.code, done.err) == (0, "")
    headline, verdict, titles, *rows = done.out.splitlines()
    assert headline.startswith(f"group {group}, state Empty, partitions 2, total lag 2, oldest unread ")
    assert verdict == f"stopped: {pair}-0: no member reads it, and 2 records wait"
    assert titles.split() == ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "TIME-LAG", "VERDICT", "CLIENT-ID"]
    assert [row.split()[:5] for row in rows] == [[pair, "0", "1", "3", "2"], [pair, "1", "0", "0", "0"]]
    assert rows[1].split()[5:] == ["0", "ms", "ok", "-"]


def test_a_partition_without_a_commit_has_no_lag(logctl: Logctl, bootstrap: str, pair: str, group: str) -> None:
    commit(bootstrap, group, pair, {0: 3})
    with member(bootstrap, group, pair, partitions=2, client_id="billing-1"):
        done = logctl("group", "lag", group)
        assert done.out.splitlines()[0] == f"group {group}, state Stable, partitions 2, total lag 0, 1 without a lag"
        assert done.out.splitlines()[4].split()[:5] == [pair, "1", "-", "0", "-"]
        [found] = document(logctl, "group", "lag", group)["groups"]
        first, second = found["partitions"]
        assert (first["committed"], first["end"], first["lag"], first["client_id"]) == (3, 3, 0, "billing-1")
        assert (second["committed"], second["end"], second["lag"], second["client_id"]) == (None, 0, None, "billing-1")
        assert found["total_lag"] == 0


def test_nothing_known_is_not_a_lag_of_zero(logctl: Logctl, bootstrap: str, pair: str, group: str) -> None:
    with member(bootstrap, group, pair, "consumer", partitions=2):
        assert "total lag -, 2 without a lag" in logctl("group", "lag", group).out
        assert document(logctl, "group", "lag", group)["groups"][0]["total_lag"] is None


def test_the_lag_of_many_groups_is_told_at_once(logctl: Logctl, bootstrap: str, pair: str, group: str) -> None:
    for number in range(3):
        commit(bootstrap, f"{group}-{number}", pair, {0: number})
    found = document(logctl, "group", "lag", f"{group}-?")["groups"]
    assert [(entry["name"], entry["total_lag"]) for entry in found] == [(f"{group}-{n}", 3 - n) for n in range(3)]
    every = document(logctl, "group", "lag", "--all-groups")["groups"]
    assert {entry["name"] for entry in found} <= {entry["name"] for entry in every}


def test_every_form_tells_the_same(logctl: Logctl, bootstrap: str, pair: str, group: str) -> None:
    commit(bootstrap, group, pair, {0: 1})
    told = document(logctl, "group", "lag", group)
    again = yaml.safe_load(logctl("group", "lag", group, "-o", "yaml").out)
    for document_of in (told, again):  # time goes on between the two
        del document_of["groups"][0]["time_lag_ms"], document_of["groups"][0]["partitions"][0]["time_lag_ms"]
    assert again == told
    assert logctl("group", "lag", group, "-o", "name").out == f"{group}\n"
    [row] = csv.DictReader(io.StringIO(logctl("group", "lag", group, "-o", "csv").out))
    assert row.pop("metadata").startswith("noted")  # librdkafka has been seen to add a zero byte
    assert row.pop("time_lag") != "-"
    assert row == {
        "group": group, "topic": pair, "partition": "0", "committed": "1", "start": "0", "end": "3", "log_end": "3",
        "lag": "2", "reads": "-", "writes": "-", "catch_up": "-", "verdict": "stopped", "client_id": "-",
        "reason": "no member reads it, and 2 records wait", "member": "-", "host": "-",
    }  # fmt: skip
    assert logctl("group", "lag", group, "--no-headers").out.splitlines()[2].split()[:5] == [pair, "0", "1", "3", "2"]


# -- reset -----------------------------------------------------------------------------------------------------------


def test_a_reset_shows_each_partition_and_goes_ahead_at_a_word(
    logctl: Logctl, bootstrap: str, pair: str, group: str
) -> None:
    commit(bootstrap, group, pair, {0: 1})
    reset = "group", "reset", "--group", group, "--topic", pair, "--to-latest"
    titles, *rows = logctl(*reset, "--dry-run", "--execute").out.splitlines()[1:]
    assert titles.split() == ["GROUP", "TOPIC", "PARTITION", "CURRENT", "NEW", "DELTA"]
    assert [row.split() for row in rows] == [[group, pair, "0", "1", "3", "+2"], [group, pair, "1", "-", "0", "-"]]
    asked = logctl(*reset)
    assert (asked.code, "add -y to go ahead" in asked.err) == (5, True)
    assert logctl(*reset, "--execute").code == 0
    assert logctl(*reset, "--dry-run").out == f"group {group} is at these offsets already; nothing to do\n"


# -- what is not there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["describe", "lag"])
def test_a_group_that_does_not_exist_is_refused_with_near_names(
    logctl: Logctl, bootstrap: str, pair: str, group: str, verb: str
) -> None:
    commit(bootstrap, group, pair, {0: 1})
    done = logctl("group", verb, f"{group}x")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: group {group}x does not exist\nhint: did you mean {group}")
    both = logctl("group", verb, group, "nobody-has-this-name")
    assert both.code == 4
    assert both.out.startswith(f"group {group}, ")
    assert "error: the answer is not complete\n  group nobody-has-this-name does not exist\n" in both.err
    assert logctl("group", "list", "nobody-has-this-*").out.split() == ["NAME", "TYPE", "STATE"]
    assert logctl("group", verb, "nobody-has-this-*")[:2] == (0, "")


def test_commits_outlive_their_topic_no_longer_than_the_cluster_says(
    logctl: Logctl, bootstrap: str, pair: str, group: str
) -> None:
    """A topic that has gone has no end; whether the cluster still tells the commits is its own affair."""
    commit(bootstrap, group, pair, {0: 1})
    assert logctl("topic", "delete", pair, "-y").code == 0
    done = logctl("group", "lag", group, "-o", "json")
    assert done.code in (0, 1)
    for found in json.loads(done.out)["groups"] if done.code == 0 else ():
        assert [entry["lag"] for entry in found["partitions"]] in ([], [None])


def test_nobody_at_the_address_is_told() -> None:
    for verb in ("list", "describe", "lag"):
        done = run("group", verb, "--timeout", "2", bootstrap=f"127.0.0.1:{free_port()}")
        assert (done.code, done.out) == (7, "")
        assert done.err.startswith("error: no broker could be reached: ")
