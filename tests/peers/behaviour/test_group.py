"""Groups, in every world: what they have read, whether they keep up, and where they shall go on; consumers of others
read and commit, and others tell what we changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kafka
import pytest
from confluent_kafka import Consumer, Producer
from support.committed import Committed
from support.live_groups import share_member, streams_member
from support.waiting import wait_until
from support.worlds import APACHE, OURS, Done, Witness, World, only

from logctl.wire.errors import WireError

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]

BEGAN_MS = 1_700_000_000_000
"""2023-11-14T22:13:20Z: the first of ten records, a second apart."""
COUNT = 10


class Group:
    """A group without members that has read half of a topic with two partitions of ten records."""

    def __init__(self, world: World, logctl: Logctl, fresh: Fresh) -> None:
        self.world = world
        self.name, self.topic = fresh("billing"), fresh("orders")
        forever = "retention.ms=-1"  # or records of 2023 would be gone as soon as somebody cleans up
        logctl("topic", "create", self.topic, "--partitions", "2", "--config", forever)
        self.produce(range(COUNT))
        self.committed = Committed(world.bootstrap, self.name)
        wait_until(self._put, "the positions to be kept")

    def _put(self) -> bool:
        """The first commit of all meets a coordinator that has yet to make its topic."""
        try:
            self.committed.put(self.topic, {0: 5, 1: 5})
        except (AssertionError, WireError):
            return False
        return True

    def produce(self, numbers: range) -> None:
        producer = Producer({"bootstrap.servers": self.world.bootstrap})
        for number in numbers:
            for partition in (0, 1):
                producer.produce(
                    self.topic, f"value-{number}", f"key-{number}", partition, timestamp=BEGAN_MS + 1000 * number,
                    headers={"traced": b"\xff\x1b[31m"},
                )  # fmt: skip
        assert producer.flush(20) == 0

    @contextmanager
    def member(self, *, protocol: str = "classic", partitions: int = 2) -> Iterator[Consumer]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.world.bootstrap, "group.id": self.name, "client.id": "desk",
                "group.protocol": protocol, "enable.auto.commit": False, "auto.offset.reset": "earliest",
            }
        )  # fmt: skip
        try:
            consumer.subscribe([self.topic])
            wait_until(lambda: consumer.poll(0.1) is None and len(consumer.assignment()) == partitions, "partitions")
            yield consumer
        finally:
            consumer.close()


@pytest.fixture
def group(world: World, logctl: Logctl, fresh: Fresh) -> Group:
    return Group(world, logctl, fresh)


def lag(logctl: Logctl, name: str, *flags: str) -> dict[str, Any]:
    [found] = logctl("group", "lag", name, *flags, "-o", "json").json["groups"]
    return dict(found)


def column(found: Mapping[str, Any], name: str) -> list[Any]:
    return [entry[name] for entry in found["partitions"]]


# -- who they are ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_is_listed_described_and_its_members_told(logctl: Logctl, group: Group, protocol: str) -> None:
    with group.member(protocol=protocol):
        [listed] = logctl("group", "list", group.name, "-o", "json").json["groups"]
        assert (listed["type"], listed["protocol_type"]) == (protocol, "consumer")
        [described] = logctl("group", "describe", group.name, "-o", "json").json["groups"]
        assert described["members"][0]["assignment"] == {group.topic: [0, 1]}
        [member] = logctl("group", "members", group.name, "-o", "json").json["members"]
        assert (member["group"], member["client_id"]) == (group.name, "desk")
        assert member["name"] == described["members"][0]["member"]
        assert (member["epoch"] is None) == (protocol == "classic")
        assert logctl("group", "members", group.name, "--columns", "group,client-id").out.split()[-2:] == [
            group.name, "desk"
        ]  # fmt: skip


@only("apache", "apache3")
def test_share_groups_begin_somewhere_and_can_be_moved(
    world: World, logctl: Logctl, group: Group, fresh: Fresh
) -> None:
    name = fresh("shared")
    with share_member(world.bootstrap, name, group.topic):
        [described] = logctl("group", "describe", name, "-o", "json").json["groups"]
        assert (described["type"], described["members"][0]["subscribed"]) == ("share", [group.topic])
        refused = logctl("group", "reset", name, "--topic", group.topic, "--to-earliest", "-y", code=1)
        assert f"group {name} is Stable, and must be empty: by-hand on 127.0.0.1" in refused.err
    logctl("group", "reset", name, "--topic", group.topic, "--to-offset", "4", "-y")
    found = lag(logctl, name)
    assert (found["type"], column(found, "committed")) == ("share", [4, 4])
    assert found["total_lag"] in (12, None)
    logctl("group", "delete-offsets", name, "--topic", group.topic, "-y")
    logctl("group", "delete", name, "-y")
    assert logctl("group", "list", name, "-o", "name").out == ""


@only("apache", "apache3")
def test_streams_groups_are_told_by_what_their_tasks_read(
    world: World, logctl: Logctl, group: Group, fresh: Fresh
) -> None:
    name = fresh("streaming")
    with streams_member(world.bootstrap, name, group.topic) as ready:
        wait_until(ready, "the member to get its tasks")
        [described] = logctl("group", "describe", name, "-o", "json").json["groups"]
        assert described["type"] == "streams"
        assert described["members"][0]["target"] == {group.topic: [0, 1]}


@only("ours")
def test_a_type_that_a_cluster_does_not_have_is_simply_not_there(logctl: Logctl, group: Group) -> None:
    assert logctl("group", "list", group.name, "--type", "share").out.split() == ["NAME", "TYPE", "STATE"]


# -- lag ---------------------------------------------------------------------------------------------------------------


def test_lag_is_told_with_its_age_and_a_verdict(logctl: Logctl, group: Group, witness: Witness) -> None:
    found = lag(logctl, group.name)
    assert (found["total_lag"], found["state"], found["verdict"]) == (10, "Empty", "stopped")
    assert found["reason"] == f"{group.topic}-0: no member reads it, and 5 records wait (and 1 more)"
    assert column(found, "start") == [0, 0]
    assert column(found, "end") == column(found, "log_end") == [COUNT, COUNT]
    age_ms = found["partitions"][0]["time_lag_ms"]
    assert abs(time.time() * 1000 - (BEGAN_MS + 5000) - age_ms) < 60_000
    assert found["time_lag_ms"] == age_ms
    told = witness.script("kafka-consumer-groups", "--describe", "--group", group.name)
    assert re.findall(rf"{group.topic} +\d +(\d+) +(\d+) +(\d+)", told) == [("5", "10", "5")] * 2
    assert lag(logctl, group.name, "--no-time")["partitions"][0]["time_lag_ms"] is None


def test_a_group_that_has_read_everything_is_ok(logctl: Logctl, group: Group) -> None:
    group.committed.put(group.topic, {0: COUNT, 1: COUNT})
    found = lag(logctl, group.name)
    assert (found["total_lag"], found["verdict"], found["time_lag_ms"]) == (0, "ok", 0)
    table = logctl("group", "lag", group.name).out.splitlines()
    assert table[0] == f"group {group.name}, state Empty, partitions 2, total lag 0"
    assert table[1] == "ok: everything is read"
    assert logctl("group", "lag", group.name, "--summary").out.splitlines() == table[:2]


def test_a_group_that_gets_on_is_told_when_it_will_have_caught_up(logctl: Logctl, group: Group) -> None:
    group.produce(range(COUNT, 100))
    reading = threading.Event()

    def read() -> None:
        for offset in range(6, 60):
            group.committed.put(group.topic, {0: offset, 1: 100})
            if reading.wait(0.02):
                return

    reader = threading.Thread(target=read)
    reader.start()
    found = lag(logctl, group.name, "--for", "1s")
    reading.set()
    reader.join()
    assert (found["verdict"], found["produce_rate"]) == ("ok", 0)
    first, second = found["partitions"]
    assert first["reason"].startswith("the lag falls, from ")
    assert first["commit_rate"] > 0
    assert first["catch_up_ms"] == pytest.approx(1000 * first["lag"] / first["commit_rate"], rel=0.01)
    assert second["catch_up_ms"] is None


def test_a_member_that_stands_still_is_stalled(logctl: Logctl, group: Group) -> None:
    with group.member():
        looked_once = lag(logctl, group.name)
        assert (looked_once["verdict"], looked_once["commit_rate"]) == (None, None)
        assert "takes more than one look" in looked_once["reason"]
        found = lag(logctl, group.name, "--for", "1s", "--patience", "500ms")
        assert (found["verdict"], found["commit_rate"], found["produce_rate"]) == ("stalled", 0, 0)
        assert re.search(r"the position has not moved for \d", found["reason"])
        assert found["partitions"][0]["client_id"] == "desk"


def test_what_was_deleted_unread_is_a_warning(logctl: Logctl, group: Group, witness: Witness) -> None:
    witness.admin.delete_records({kafka.TopicPartition(group.topic, 0): 8})
    found = lag(logctl, group.name)
    assert column(found, "verdict") == ["warning", "stopped"]
    assert found["partitions"][0]["reason"] == "3 records from 5 on were deleted before they were read"


@only("apache", "apache3")
def test_the_marks_of_transactions_are_no_lag(world: World, logctl: Logctl, group: Group, fresh: Fresh) -> None:
    """A reader that has seen the last record has nothing left to read, although the log goes on behind it."""
    producer = Producer({"bootstrap.servers": world.bootstrap, "transactional.id": fresh("tx")})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(group.topic, "last", partition=0)
    producer.commit_transaction(20)
    group.committed.put(group.topic, {0: COUNT + 1, 1: COUNT})
    wait_until(lambda: column(lag(logctl, group.name), "log_end")[0] == COUNT + 2, "the mark of the commit")
    found = lag(logctl, group.name)
    assert (column(found, "lag"), found["verdict"]) == ([0, 0], "ok")
    producer.begin_transaction()
    producer.produce(group.topic, "open", partition=0)
    producer.flush(10)
    wait_until(lambda: column(lag(logctl, group.name), "log_end")[0] == COUNT + 3, "the open record to be seen")
    found = lag(logctl, group.name)
    assert (column(found, "end"), column(found, "lag")) == ([COUNT + 2, COUNT], [0, 0])
    producer.abort_transaction(20)
    group.committed.put(group.topic, {0: COUNT + 1})
    wait_until(lambda: column(lag(logctl, group.name), "end")[0] == COUNT + 4, "the mark of the abort")
    assert column(lag(logctl, group.name), "lag") == [0, 0], "nothing but marks and what was aborted"


# -- what it is stuck at -----------------------------------------------------------------------------------------------


def test_the_records_at_the_position_are_shown(logctl: Logctl, group: Group) -> None:
    group.committed.put(group.topic, {1: COUNT})
    told = logctl("group", "peek", group.name, "-n", "2", "--before", "1", "-o", "json").json
    [partition] = told["partitions"]
    assert (partition["name"], partition["committed"], partition["lag"]) == (f"{group.topic}-0", 5, 5)
    assert [(one["offset"], one["place"], one["key"], one["value"]) for one in partition["records"]] == [
        (4, "read", "key-4", "value-4"), (5, "next", "key-5", "value-5"), (6, "later", "key-6", "value-6"),
    ]  # fmt: skip
    assert partition["records"][1]["timestamp_ms"] == BEGAN_MS + 5000
    assert partition["records"][1]["headers"] == [{"name": "traced", "value": "\\xff\x1b[31m"}]
    table = logctl("group", "peek", group.name)
    assert "\x1b" not in table.out
    assert "value-5" in table.out
    both = logctl("group", "peek", group.name, "--topic", f"{group.topic}:1", "-o", "json").json["partitions"]
    assert [[one["place"] for one in partition["records"]] for partition in both] == [["read"]]


def test_records_larger_than_any_limit_are_read_all_the_same(world: World, logctl: Logctl, group: Group) -> None:
    """A leader gives the first partition its batch whatever its size, and the others nothing: they come next."""
    producer = Producer({"bootstrap.servers": world.bootstrap, "linger.ms": 0})
    for partition in (0, 1):
        producer.produce(group.topic, os.urandom(700_000), partition=partition, timestamp=BEGAN_MS)
        producer.flush(10)
    group.committed.put(group.topic, {0: COUNT, 1: COUNT})
    ages = column(lag(logctl, group.name), "time_lag_ms")
    assert all(abs(time.time() * 1000 - BEGAN_MS - age_ms) < 60_000 for age_ms in ages)
    peeked = logctl("group", "peek", group.name, "--before", "2", "-o", "json").json["partitions"]
    assert [[one["value_bytes"] for one in partition["records"]] for partition in peeked] == [[7, 7, 700_000]] * 2


def test_what_compaction_and_trimming_left_is_found(logctl: Logctl, group: Group, witness: Witness) -> None:
    """The position points to where nothing is any more: the next record there is, is what waits."""
    witness.admin.delete_records({kafka.TopicPartition(group.topic, 0): 8})
    [first, _] = logctl("group", "peek", group.name, "-o", "json").json["partitions"]
    assert [(one["offset"], one["place"]) for one in first["records"]] == [(8, "next")]


# -- where it shall go on ----------------------------------------------------------------------------------------------


@only(OURS, APACHE)  # the coordinator's alone to know; the next stories ask for it in all worlds
@pytest.mark.parametrize(
    ("words", "new"),
    [
        (("--to-earliest",), 0),
        (("--to-latest",), COUNT),
        (("--to-offset", "7"), 7),
        (("--shift-by", "-2"), 3),
        (("--to-datetime", "2023-11-14T22:13:26Z"), 6),
        (("--to-datetime", "2023-11-14T22:13:26.500"), 7),
        (("--by-duration", "P1D"), COUNT),
        (("--shift-by", "100"), COUNT),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, tuple) else None,
)
def test_a_group_is_moved(logctl: Logctl, group: Group, words: tuple[str, ...], new: int) -> None:
    done = logctl("group", "reset", group.name, "--topic", group.topic, *words, "-y")
    assert group.committed.look() == {0: new, 1: new}
    if words == ("--shift-by", "100"):
        assert f"{group.topic}-0 ends at 10: 105 becomes 10" in done.err


def test_a_reset_is_previewed_planned_and_can_be_narrowed(logctl: Logctl, group: Group, tmp_path: Path) -> None:
    only_one = "group", "reset", "--group", group.name, "--topic", f"{group.topic}:1", "--to-earliest"
    preview = logctl(*only_one, "--dry-run")
    assert f"move group {group.name}: {group.topic}-1 5 -> 0 (-5)" in preview.out
    assert group.committed.look() == {0: 5, 1: 5}
    plan = tmp_path / "plan.json"
    plan.write_text(logctl(*only_one, "--dry-run", "-o", "json").out)
    logctl("group", "reset", "--plan", str(plan), "-y")
    assert group.committed.look() == {0: 5, 1: 0}
    again = logctl(*only_one, "--execute", "-y")
    assert f"group {group.name} is at these offsets already" in again.err
    assert logctl(*only_one[:4], "--all-topics", "--to-current", "-y").err.count("is at these offsets already") == 1


def test_positions_go_to_a_file_and_come_back(logctl: Logctl, group: Group, witness: Witness, tmp_path: Path) -> None:
    """Our file is Apache's, byte for byte, and each reads the other's."""
    words = "--group", group.name, "--all-topics", "--reset-offsets", "--to-current", "--export", "--dry-run"
    theirs = witness.script("kafka-consumer-groups", *words)
    ours = logctl("group", "reset", group.name, "--all-topics", "--to-current", "--export").out
    assert sorted(ours.splitlines()) == sorted(line for line in theirs.splitlines() if line)
    kept = tmp_path / "positions.csv"
    logctl("group", "reset", group.name, "--all-topics", "--to-current", "--to-file", str(kept))
    assert kept.read_text() == ours
    group.committed.put(group.topic, {0: 9, 1: 9})
    logctl("group", "reset", group.name, "--from-file", str(kept), "-y")
    assert group.committed.look() == {0: 5, 1: 5}
    wrong = logctl("group", "reset", group.name, "--from-file", "-", "-y", stdin=f"{group.topic},0,many\n", code=2)
    assert "stdin, line 1: the offset 'many' is not a number" in wrong.err


def test_a_group_with_members_is_left_alone_and_they_are_named(logctl: Logctl, group: Group) -> None:
    with group.member():
        for change in (
            ("reset", group.name, "--topic", group.topic, "--to-earliest"),
            ("delete", group.name),
            ("clone-offsets", "somebody", group.name),
        ):
            if change[0] == "clone-offsets":
                Committed(group.world.bootstrap, "somebody").put(group.topic, {0: 1})
            refused = logctl("group", *change, "-y", code=1)
            assert f"group {group.name} is Stable, and must be empty: desk on " in refused.err
        refused = logctl("group", "delete-offsets", group.name, "--topic", group.topic, "-y", code=1)
        assert f"group {group.name} reads {group.topic}-0 (desk on " in refused.err
        every = logctl("group", "reset", "--all-groups", "--topic", group.topic, "--to-current", "--dry-run")
        assert f"group {group.name} is Stable, and must be empty: desk on " in every.err
    assert group.committed.look() == {0: 5, 1: 5}


def test_positions_are_copied_forgotten_and_the_group_deleted(
    logctl: Logctl, group: Group, fresh: Fresh, witness: Witness
) -> None:
    canary = fresh("canary")
    logctl("group", "clone-offsets", group.name, canary, "-y")
    held = witness.admin.list_group_offsets([canary])[canary]
    assert {place.partition: told.offset for place, told in held.items()} == {0: 5, 1: 5}
    assert f"is where {group.name} is already" in logctl("group", "clone-offsets", group.name, canary, "-y").err
    logctl("group", "delete-offsets", canary, "--topic", f"{group.topic}:0", "-y")
    assert column(lag(logctl, canary), "partition") == [1]
    logctl("group", "delete", f"{canary}*", "-y")
    assert logctl("group", "list", canary, "-o", "name").out == ""
    assert f"group {canary} does not exist" in logctl("group", "delete", canary, "-y", code=1).err
    assert f"did you mean {group.name}" in logctl("group", "delete", f"{group.name}x", "-y", code=1).err
    assert "nothing to do" in logctl("group", "delete", canary, "--if-exists", "-y").err


def test_a_group_that_does_not_exist_is_made_by_a_reset(logctl: Logctl, group: Group, fresh: Fresh) -> None:
    name = fresh("newcomer")
    assert f"group {name} does not exist" in logctl(
        "group", "reset", name, "--all-topics", "--to-latest", "-y", code=1
    ).err
    done = logctl("group", "reset", name, "--topic", f"{group.topic}:0", "--to-latest", "-y")
    assert f"group {name} does not exist: this makes it" in done.err
    assert Committed(group.world.bootstrap, name).look() == {0: COUNT}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--to-earliest",), "say in which topics"),
        (("--topic", "t"), "say where to: nothing was named"),
        (("--topic", "t", "--to-earliest", "--to-latest"), "say where to: 2 places were named"),
        (("--topic", "t:x", "--to-earliest"), "--topic t:x: write TOPIC, or TOPIC:0,1"),
        (("--topic", "t", "--by-duration", "soon"), "'soon' is not a duration"),
        (("--topic", "t", "--to-datetime", "soon"), "'soon' is not a "),
    ],
)
def test_what_makes_no_sense_is_told_before_anybody_is_asked(
    logctl: Logctl, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in logctl("group", "reset", "billing", *words, code=2).err


def test_a_topic_that_does_not_exist_is_named(logctl: Logctl, group: Group) -> None:
    refused = logctl("group", "reset", group.name, "--topic", f"{group.topic}x", "--to-latest", code=1)
    assert f"topic {group.topic}x does not exist" in refused.err
    assert f"did you mean {group.topic}" in refused.err


def test_a_watch_tells_a_round_a_line(world: World, logctl: Logctl, group: Group) -> None:
    """In a process of its own, which is ended as Ctrl-C would."""
    command = [sys.executable, "-m", "logctl", "group", "lag", group.name, "--watch", "300ms", "-o", "json"]
    env = {**os.environ, "LOGCTL_BOOTSTRAP_SERVER": world.bootstrap}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as running:
        assert running.stdout is not None
        first, second = (json.loads(running.stdout.readline()) for _ in range(2))
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
        running.stdout.read()
    assert first["groups"][0]["produce_rate"] is None
    assert second["groups"][0]["produce_rate"] == 0
    assert second["groups"][0]["verdict"] == "stopped"


