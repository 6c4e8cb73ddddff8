"""logctl record in every world: what goes in comes out, what is wanted is found, and what is stored is sound."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer
from kafka import TopicPartition
from support.worlds import APACHE, OURS, Done, Witness, World, only

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]
NOON = 1_700_000_000_000


def kcat(world: World, *arguments: str) -> str:
    program = shutil.which("kcat")
    if program is None:
        pytest.skip("there is no kcat on PATH")
    done = subprocess.run(
        [program, "-b", world.bootstrap, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def lines(rows: list[Any]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def topic(logctl: Logctl, fresh: Fresh) -> str:
    """A topic of one partition with six records, a second apart."""
    name = fresh("records")
    logctl("topic", "create", name, "--partitions", "1")
    rows = [
        {"key": "order-1", "value": '{"state": "new"}', "headers": [{"key": "trace", "value": "a1"}]},
        {"key": "order-2", "value": '{"state": "new"}', "headers": []},
        {"key": "order-1", "value": '{"state": "paid"}', "headers": [{"key": "trace", "value": "a2"}]},
        {"key": "user-1", "value": None, "headers": []},
        {"key": None, "value": "text", "headers": [{"key": "trace", "value": None}]},
        {"key": "AP8=", "key_encoding": "base64", "value": "/w==", "value_encoding": "base64", "headers": []},
    ]
    timed = [{**row, "timestamp": NOON + number * 1000} for number, row in enumerate(rows)]
    logctl("record", "produce", name, "--json", stdin=lines(timed))
    return name


# -- what is wanted --------------------------------------------------------------------------------------------------

FILTERS = [
    (["--key", "order-*"], [0, 1, 2]),
    (["--key-regex", "^.*-1$"], [0, 2, 3]),
    (["--grep", "paid|text"], [2, 4]),
    (["--value-regex", '"state": "new"'], [0, 1]),
    (["--header", "trace"], [0, 2, 4]),
    (["-H", "trace=a*"], [0, 2]),
    (["--tombstones"], [3]),
    (["--key", "order-1", "--grep", "new"], [0]),
    (["--key", "order-*", "--invert"], [3, 4, 5]),
    (["--key", "order-*", "-n", "2"], [0, 1]),
    (["--key", "order-*", "--from", "2023-11-14T22:13:21Z"], [1, 2]),
    (["--key", "order-*", "--to", f"@{NOON + 1500}"], [0, 1]),
    (["--partition", "0", "--offset", "-1"], [5]),
]


def test_filters_find_what_they_say(logctl: Logctl, topic: str) -> None:
    for flags, offsets in FILTERS:
        found = logctl("record", "consume", topic, *flags, "-o", "json").out
        assert (flags, [json.loads(line)["offset"] for line in found.splitlines()]) == (flags, offsets)
    assert logctl("record", "consume", topic, "--key", "order-*", "--count").out == "3\n"
    counted = logctl("record", "consume", topic, "--key", "order-*", "--count", "-o", "json")
    assert counted.json == {"count": 3, "scanned": 6}
    wrong = logctl("record", "consume", topic, "--grep", "(", code=2)
    assert "--value-regex: '(' is not a regular expression" in wrong.err


def test_the_same_records_in_every_form(logctl: Logctl, topic: str) -> None:
    plain = [json.loads(line) for line in logctl("record", "consume", topic, "-o", "json").out.splitlines()]
    assert yaml.safe_load(logctl("record", "consume", topic, "-o", "yaml").out) == plain
    rows = list(csv.DictReader(io.StringIO(logctl("record", "consume", topic, "-o", "csv", "-Z", "NULL").out)))
    assert [row["value"] for row in rows[2:5]] == ['{"state": "paid"}', "NULL", "text"]
    assert (rows[0]["timestamp"], rows[0]["headers"]) == ("2023-11-14T22:13:20.000Z", "trace=a1")
    first = "--to", "1", "-o", "json"
    laid_out = logctl("record", "consume", topic, *first, "--value-format", "json").json
    assert laid_out["value"] == {"state": "new"}
    hexed = logctl("record", "consume", topic, *first, "--key-format", "hex", "--value-format", "base64").json
    assert (hexed["key"], hexed["key_encoding"], hexed["value_encoding"]) == (b"order-1".hex(), "hex", "base64")
    assert logctl("record", "consume", topic, "--to", "1", "--format", "%k", "--key-format", "hex").out == hexed["key"]


@pytest.mark.parametrize("forms", [[], ["--key-format", "hex", "--value-format", "base64"], ["--value-format", "json"]])
def test_what_was_read_is_written_back_unchanged(logctl: Logctl, fresh: Fresh, topic: str, forms: list[str]) -> None:
    copy = fresh("copy")
    logctl("topic", "create", copy, "--partitions", "1")
    logctl("record", "produce", copy, "--json", stdin=logctl("record", "consume", topic, "-o", "json", *forms).data)
    read = [
        [{**json.loads(line), "topic": ""} for line in logctl("record", "consume", name, "-o", "json").out.splitlines()]
        for name in (topic, copy)
    ]
    if "json" in forms:  # an object is written back without its spaces
        read = [[{**row, "value": (row["value"] or "").replace(" ", "")} for row in rows] for rows in read]
    assert read[0] == read[1]


def test_records_of_others_are_read(world: World, logctl: Logctl, fresh: Fresh) -> None:
    name = fresh("theirs")
    logctl("topic", "create", name, "--partitions", "2")
    producer = Producer({"bootstrap.servers": world.bootstrap, "compression.type": "lz4"})
    producer.produce(name, b"v", b"k", partition=1, headers=[("h", b"1"), ("h", None)], timestamp=NOON)
    producer.produce(name, None, b"gone", partition=1, timestamp=NOON)
    producer.flush()
    rows = [json.loads(line) for line in logctl("record", "consume", name, "-o", "json").out.splitlines()]
    about = {"topic": name, "partition": 1, "timestamp": NOON}
    headers = [{"key": "h", "value": "1"}, {"key": "h", "value": None}]
    assert rows == [
        {**about, "offset": 0, "key": "k", "value": "v", "headers": headers},
        {**about, "offset": 1, "key": "gone", "value": None, "headers": []},
    ]


@only(OURS, APACHE)  # a batch is the leader's alone to read and write: two more tell nothing new
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_written_for_others_and_read_of_others(
    world: World, logctl: Logctl, fresh: Fresh, tmp_path: Path, codec: str
) -> None:
    name, values = fresh(codec), "".join(f"{number}\n" for number in range(1000))
    logctl("topic", "create", name, "--partitions", "1")
    logctl("record", "produce", name, "-z", codec, stdin=values)
    assert kcat(world, "-C", "-t", name, "-e", "-q") == values
    (tmp_path / "values").write_text(values)
    kcat(world, "-P", "-t", name, "-z", codec, "-l", str(tmp_path / "values"))
    assert logctl("record", "consume", name).out == values * 2


# -- what is written -------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_by_others(world: World, logctl: Logctl, fresh: Fresh) -> None:
    name = fresh("ours")
    logctl("topic", "create", name, "--partitions", "2")
    at = ["-p", "1", "--timestamp", "2023-11-14T22:13:20Z"]
    logctl("record", "produce", name, *at, "-K", ":", "-H", "h=1", "-z", "zstd", stdin="k:v\n")
    logctl("record", "produce", name, *at, "--tombstones", "--no-idempotent", stdin="gone\n")
    logctl("record", "produce", name, *at, "--acks", "1", "-k", "fixed", stdin="w\n")
    apache = ["--property", "parse.key=true", "--property", "parse.headers=true", "--property", "null.marker=NULL"]
    logctl("record", "produce", "--topic", name, "-p", "1", *apache, stdin="a:1,b:2\tkey\tvalue\nNULL\tkey\tNULL\n")
    shown = kcat(world, "-C", "-t", name, "-p", "1", "-e", "-q", "-f", "%o %k %S %s %h\n")
    assert shown == "0 k 1 v h=1\n1 gone -1  \n2 fixed 1 w \n3 key 5 value a=1,b=2\n4 key -1  \n"
    times = kcat(world, "-C", "-t", name, "-p", "1", "-e", "-q", "-c", "3", "-f", "%T\n")
    assert times == f"{NOON}\n" * 3
    console = ["--property", "print.key=true", "--property", "print.headers=true", "--from-beginning"]
    read = logctl("record", "consume", "--topic", name, "--timeout-ms", "300", "--max-messages", "2", *console).out
    assert read == "h:1\tk\tv\nNO_HEADERS\tgone\tnull\n"


def test_ways_of_reading_the_input_that_exclude_each_other(logctl: Logctl) -> None:
    for flags, sentence in (
        (["--json", "--tombstones"], "--json says all about a record; it excludes --tombstones"),
        (["--raw", "--tombstones"], "--raw says how the input is read; it excludes --tombstones"),
        (["--tombstones", "-k", "x"], "--tombstones takes each line as a key; it excludes --key"),
        (["--property", "parse.key=true", "-k", "x"], "--property says how lines are read; it excludes --key"),
        (["--timestamp", "7th of May"], "is not a position"),
        (["--timestamp", "end"], "--timestamp end: not a time"),
        (["--property", "parse.kay=true"], "--property parse.kay=true: not understood"),
    ):
        assert sentence in logctl("record", "produce", "t", *flags, code=2).err
    assert "no topic was named" in logctl("record", "produce", code=2).err
    refused = logctl("record", "produce", "t", env={"LOGCTL_READ_ONLY": "1"}, code=5)
    assert "cannot write records to topic t: LOGCTL_READ_ONLY=1 refuses every change" in refused.err


# -- where things are ------------------------------------------------------------------------------------------------


def test_offsets_are_those_that_apache_finds(logctl: Logctl, topic: str, witness: Witness, world: World) -> None:
    def spot(*flags: str) -> tuple[int | None, int | None]:
        [found] = logctl("record", "offsets", topic, *flags, "-o", "json").json["partitions"]
        assert (found["earliest"], found["latest"], found["stable"]) == (0, 6, 6)
        return found["offset"], found["timestamp_ms"]

    assert spot() == (5, NOON + 5000)
    assert spot("--time", "latest") == spot("--time", "-1") == (6, None)
    assert spot("--time", "earliest")[0] == 0
    assert spot("--time", str(NOON + 1500)) == spot("--time", "2023-11-14T22:13:21.5Z") == (2, NOON + 2000)
    assert spot("--time", "2100-01-01") == (None, None)
    assert spot("--time", "earliest-local")[0] == 0
    for when in ("-1", "max-timestamp", str(NOON + 1500)):
        theirs = witness.script("kafka-get-offsets", "--topic", topic, "--time", when).strip()
        mine = logctl("record", "offsets", topic, "--time", when, "-o", "json").json["partitions"][0]
        assert theirs == f"{topic}:0:{mine['offset']}"
    assert "'soon' is not a position" in logctl("record", "offsets", topic, "--time", "soon", code=2).err
    unknown = logctl("record", "offsets", f"{topic}x", code=1)
    assert f"did you mean {topic}" in unknown.err
    assert "none of these topics has partition 7" in logctl("record", "offsets", topic, "-p", "7", code=2).err


# -- is it sound? ----------------------------------------------------------------------------------------------------


def test_what_is_stored_is_sound_and_everything_sent_is_there(
    world: World, logctl: Logctl, fresh: Fresh, tmp_path: Path
) -> None:
    name = fresh("verified")
    logctl("topic", "create", name, "--partitions", "3")
    (tmp_path / "sent").write_text("".join(f"{number}\n" for number in range(3000)))
    logctl("record", "produce", name, str(tmp_path / "sent"), "-z", "gzip")
    producer = Producer({"bootstrap.servers": world.bootstrap, "enable.idempotence": True})
    for number in range(100):
        producer.produce(name, b"other", b"%d" % number)
    producer.flush()
    done = logctl("record", "verify", name, "--sent", str(tmp_path / "sent"), "-o", "json")
    parts = done.json["partitions"]
    assert sum(part["records"] for part in parts) == 3100
    assert [(part["wrong"], part["missing"], part["findings"]) for part in parts] == [(0, 0, [])] * 3
    assert sum(part["compression"].get("gzip", 0) for part in parts) >= 1
    assert max(part["producers"] for part in parts) == 2
    sent = done.json["sent"]
    assert (sent["sent"], sent["stored"], sent["lost"], sent["duplicated"]) == (3000, 3000, 0, 0)
    assert (sent["reordered"], sent["strangers"]) == (0, 100)
    part = logctl("record", "verify", name, "--from", "-10", "-p", "0", "-o", "csv", "--columns", "start,end").out
    [(start, end)] = [map(int, row) for row in csv.reader(part.splitlines()[1:])]
    assert end - start <= 10


def test_what_is_lost_or_doubled_is_counted_and_is_a_failure(logctl: Logctl, fresh: Fresh, tmp_path: Path) -> None:
    name = fresh("lossy")
    logctl("topic", "create", name, "--partitions", "1")
    (tmp_path / "sent").write_text("a\nb\nc\nd\n")
    logctl("record", "produce", name, stdin="c\na\nd\nd\n")
    done = logctl("record", "verify", name, "--sent", str(tmp_path / "sent"), code=1)
    assert "2 of 4 values stored as sent; 1 lost (lines 2); 1 duplicated (lines 4); 1 out of order\n" in done.err
    assert done.out.splitlines()[0].split()[:2] == ["TOPIC", "PARTITION"]


def test_what_was_trimmed_away_is_no_fault(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    name = fresh("trimmed")
    logctl("topic", "create", name, "--partitions", "1")
    logctl("record", "produce", name, stdin="a\nb\nc\nd\n")
    witness.admin.delete_records({TopicPartition(name, 0): 2})
    [part] = logctl("record", "verify", name, "-o", "json").json["partitions"]
    assert (part["start"], part["end"], part["records"], part["wrong"]) == (2, 4, 2, 0)
    [part] = logctl("record", "verify", name, "--to", "3", "-o", "json").json["partitions"]
    assert (part["start"], part["end"], part["records"]) == (2, 3, 1)


# -- how fast? -------------------------------------------------------------------------------------------------------


def test_speed_is_measured_in_a_topic_that_is_gone_afterwards(logctl: Logctl, witness: Witness) -> None:
    done = logctl("record", "perf", "-n", "3000", "--size", "50", "--partitions", "2", "-z", "lz4", "-o", "json")
    written, read = done.json["phases"]
    assert (written["name"], written["records"], written["size_bytes"]) == ("produce", 3000, 150_000)
    assert (read["name"], read["records"], read["size_bytes"]) == ("consume", 3000, 150_000)
    assert 0 < written["latency_p50_ms"] <= written["latency_p95_ms"] <= written["latency_p99_ms"]
    assert written["latency_p99_ms"] <= written["latency_max_ms"]
    assert read["latency_p50_ms"] is None
    assert written["topic"].startswith("logctl-perf-")
    assert written["topic"] not in witness.admin.list_topics()


def test_an_existing_topic_is_measured_after_a_confirmation(logctl: Logctl, topic: str) -> None:
    refused = logctl("record", "perf", "produce", "--topic", topic, "-n", "10", code=5)
    assert f"cannot write 10 records of 100 bytes into topic {topic} without a confirmation" in refused.err
    logctl("record", "perf", "produce", "--topic", topic, "-n", "10", "-y", "--throughput", "1000")
    [read] = logctl("record", "perf", "consume", "--topic", topic, "-o", "json").json["phases"]
    assert read["records"] == 16
    assert "there is nothing to read" in logctl("record", "perf", "consume", code=2).err
    assert "-n 0: a number above 0 was expected" in logctl("record", "perf", "-n", "0", code=2).err
