"""logctl txn in every world: who coordinates what, who writes where, what hangs, and how it is ended.

Our node serves no transactions yet: there every command but `producers` says so in one sentence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer
from support.hanging import leave_hanging
from support.waiting import wait_until
from support.worlds import Done, Witness, World, only

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]


@pytest.fixture
def topic(logctl: Logctl, fresh: Fresh) -> str:
    name = fresh("payments")
    logctl("topic", "create", name, "--partitions", "2")
    return name


@contextmanager
def open_transaction(world: World, name: str, topic: str) -> Iterator[Producer]:
    """A transaction of another client with one record in partition 1; whoever is still there at the end aborts it."""
    settings = {"transactional.id": name, "transaction.timeout.ms": 50_000}
    producer = Producer({"bootstrap.servers": world.bootstrap, **settings})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=1)
    producer.flush(30)
    try:
        yield producer
    finally:
        try:
            producer.abort_transaction(30)
        except KafkaException:
            pass  # it was ended by somebody else, as the story wanted


def producers(logctl: Logctl, topic: str, *flags: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = logctl("txn", "producers", topic, *flags, "-o", "json").json["producers"]
    return found


# -- everywhere ------------------------------------------------------------------------------------------------------


def test_leaders_tell_who_writes_to_them(world: World, logctl: Logctl, topic: str, witness: Witness) -> None:
    assert producers(logctl, topic) == []
    writer = Producer({"bootstrap.servers": world.bootstrap, "enable.idempotence": True})
    for _ in range(3):
        writer.produce(topic, b"x", partition=1)
    writer.flush(30)
    logctl("record", "produce", topic, "-p", "0", stdin="a\nb\n")
    first, second = producers(logctl, topic)
    assert (first["partition"], first["last_sequence"], first["start_offset"]) == (0, 1, None)
    assert (second["partition"], second["last_sequence"], second["producer_epoch"]) == (1, 2, 0)
    assert [one["partition"] for one in producers(logctl, topic, "-p", "1")] == [1]
    assert producers(logctl, topic, "--open") == []
    theirs = witness.script("kafka-transactions", "describe-producers", "--topic", topic, "--partition", "1")
    assert str(second["producer_id"]) in theirs.splitlines()[1].split()
    missing = logctl("txn", "producers", f"{topic}x", code=1)
    assert f"did you mean {topic}" in missing.err


@only("ours")
def test_a_cluster_without_transactions_says_so(logctl: Logctl, topic: str) -> None:
    for arguments, api in (
        (("list",), "ListTransactions (key 66)"),
        (("describe", "pay"), "DescribeTransactions (key 65)"),
        (("find-hanging", topic), "ListTransactions (key 66)"),
        (("terminate", "pay", "-y"), "DescribeTransactions (key 65)"),
    ):
        done = logctl("txn", *arguments, code=1)
        assert f"error: this cluster does not offer {api}; Apache Kafka does since 3.0\n" in done.err
    nothing = logctl("txn", "abort", topic, "-p", "0", "--start-offset", "0", "-y")
    assert f"no transaction that begins at offset 0 is open in partition 0 of {topic}; nothing to do\n" in nothing.err


def test_what_cannot_be_meant_is_refused_before_anyone_is_asked(logctl: Logctl) -> None:
    assert "no transactional id was named" in logctl("txn", "describe", code=2).err
    assert "no transactional id was named" in logctl("txn", "terminate", code=2).err
    assert "no topic was named" in logctl("txn", "abort", code=2).err
    assert "no partition was named" in logctl("txn", "abort", "t", code=2).err
    assert "add --start-offset" in logctl("txn", "abort", "t", "-p", "0", code=2).err
    assert "--start-offset -1" in logctl("txn", "abort", "t", "-p", "0", "--start-offset", "-1", code=2).err
    assert "--state Open: there is no such state" in logctl("txn", "list", "--state", "Open", code=2).err


# -- on Apache Kafka -------------------------------------------------------------------------------------------------


@only("apache", "apache3")
def test_an_open_transaction_is_listed_described_and_terminated(
    world: World, logctl: Logctl, fresh: Fresh, topic: str, witness: Witness
) -> None:
    name = fresh("pay")
    with open_transaction(world, name, topic):
        listed = {one["name"]: one for one in logctl("txn", "list", "-o", "json").json["transactions"]}
        assert listed[name]["state"] == "Ongoing"
        held = logctl("txn", "describe", name, "-o", "json").json["transactions"][0]
        assert (held["state"], held["partitions"], held["timeout_ms"]) == ("Ongoing", [f"{topic}-1"], 50_000)
        assert (held["producer_id"], held["coordinator"]) == (listed[name]["producer_id"], listed[name]["coordinator"])
        assert held["open_ms"] is not None
        assert name in witness.script("kafka-transactions", "list")
        [open_one] = producers(logctl, topic, "--open")
        assert (open_one["producer_id"], open_one["start_offset"]) == (held["producer_id"], 0)
        _filters(logctl, name, held["producer_id"])
        kept = logctl("txn", "abort", topic, "-p", "1", "--start-offset", "0", "-y", code=1)
        assert f"does not hang: its coordinator knows it: transactional id {name} is Ongoing" in kept.err
        assert logctl("txn", "find-hanging", topic, "--older-than", "1ms", "-o", "name").out == ""
        assert "no terminal to ask at" in logctl("txn", "terminate", name, code=5).err
        logctl("txn", "terminate", name, "-y")
    assert f"{name} has no transaction open: it is CompleteAbort" in logctl("txn", "terminate", name, "-y").err
    after = logctl("txn", "describe", name, "-o", "json").json["transactions"][0]
    assert (after["state"], after["partitions"], after["open_ms"]) == ("CompleteAbort", [], None)
    assert after["producer_epoch"] > held["producer_epoch"]
    assert logctl("record", "consume", topic, "--isolation", "read_committed").out == ""


def _filters(logctl: Logctl, name: str, producer_id: int) -> None:
    for flags, found in (
        (("--state", "ongoing"), True),
        (("--state", "Empty"), False),
        (("--producer-id", str(producer_id)), True),
        (("--producer-id", "999999"), False),
        (("--duration-longer-than", "1ms"), True),
        (("--duration-longer-than", "1h"), False),
        (("--pattern", f"{name[:3]}.*"), True),
        (("--pattern", "nobody.*"), False),
    ):
        assert (flags, name in logctl("txn", "list", *flags, "-o", "name").out.split()) == (flags, found)


@only("apache", "apache3")
def test_what_has_ended_is_no_longer_open_and_verifies(world: World, logctl: Logctl, fresh: Fresh, topic: str) -> None:
    with open_transaction(world, fresh("pay"), topic) as producer:
        producer.commit_transaction(30)
        for number in range(2):
            producer.begin_transaction()
            producer.produce(topic, b"%d" % number, partition=1)
            producer.flush(30)
            (producer.commit_transaction if number else producer.abort_transaction)(30)
        assert producers(logctl, topic, "--open") == []
        found = logctl("record", "verify", topic, "-p", "1", "-o", "json").json["partitions"][0]
        counted = (found["records"], found["committed"], found["aborted"], found["open"], found["wrong"])
        assert counted == (3, 2, 1, 0, 0)
        assert logctl("record", "consume", topic, "--isolation", "read_committed").out == "open\n1\n"


@only("apache", "apache3")
def test_nobody_knows_the_transactional_id(logctl: Logctl, fresh: Fresh) -> None:
    name = fresh("nobody")
    assert "TRANSACTIONAL_ID_NOT_FOUND" in logctl("txn", "describe", name, code=1).err
    assert f"no coordinator knows the transactional id {name}" in logctl("txn", "terminate", name, "-y", code=1).err


@only("apache", "apache3")
def test_a_transaction_that_hangs_is_found_and_aborted(
    world: World, logctl: Logctl, topic: str, witness: Witness
) -> None:
    logctl("record", "produce", topic, "-p", "0", stdin="before\n")
    began = leave_hanging(world.bootstrap, topic, 0, 424_242, int(time.time() * 1000) - 3_600_000)
    logctl("record", "produce", topic, "-p", "0", stdin="after\n")
    assert logctl("record", "consume", topic, "--isolation", "read_committed").out == "before\n"
    [found] = logctl("txn", "find-hanging", topic, "--older-than", "1ms", "-o", "json").json["transactions"]
    assert (found["partition"], found["start_offset"], found["producer_id"]) == (0, began, 424_242)
    assert found["transactional_id"] is None
    theirs = witness.script("kafka-transactions", "find-hanging", "--topic", topic, "--max-transaction-timeout", "0")
    assert "424242" in theirs
    dry = logctl("txn", "abort", topic, "-p", "0", "--start-offset", str(began), "--dry-run")
    assert "424242, epoch 0" in dry.out
    assert "no terminal to ask at" in logctl("txn", "abort", topic, "-p", "0", "--start-offset", str(began), code=5).err
    logctl("txn", "abort", topic, "-p", "0", "--start-offset", str(began), "-y")
    wait_until(
        lambda: logctl("record", "consume", topic, "--isolation", "read_committed").out == "before\nafter\n",
        "the records behind the transaction",
    )
    assert logctl("txn", "find-hanging", topic, "--older-than", "1ms", "-o", "name").out == ""
    again = logctl("txn", "abort", topic, "-p", "0", "--start-offset", str(began), "-y")
    assert "nothing to do" in again.err
    verified = logctl("record", "verify", topic, "-p", "0", "-o", "json").json["partitions"][0]
    assert (verified["aborted"], verified["open"], verified["wrong"]) == (1, 0, 0)
