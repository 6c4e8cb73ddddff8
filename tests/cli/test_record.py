"""logctl record on our node: what goes in comes out; tests/peers/behaviour tells of other clusters."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli.conftest import Logctl, command, environment, lines, make_topic, run
from support.node import running_node
from support.waiting import wait_until


def kcat(*arguments: str) -> str:
    """An independent witness."""
    program = shutil.which("kcat")
    if program is None:
        pytest.skip("there is no kcat on PATH")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


# -- in and out ------------------------------------------------------------------------------------------------------


def test_lines_go_in_and_come_out(logctl: Logctl, topic: str) -> None:
    assert logctl("record", "produce", topic, stdin="one\n\nthree") == (
        0,
        "",
        f"3 records acknowledged in {topic} (partition 0: 0 to 2)\n",
    )
    assert logctl("record", "consume", topic) == (0, "one\n\nthree\n", "")


def test_files_are_read_in_the_order_they_are_named(logctl: Logctl, topic: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a1\na2\n")
    (tmp_path / "b").write_text("b1")
    done = logctl("record", "produce", topic, str(tmp_path / "b"), "-", str(tmp_path / "a"), stdin="in\n")
    assert done.code == 0, done.err
    assert logctl("record", "consume", topic).out == "b1\nin\na1\na2\n"


@pytest.mark.parametrize(
    ("acks", "said"), [("0", "sent, unacknowledged,"), ("1", "acknowledged"), ("all", "acknowledged")]
)
def test_every_kind_of_acknowledgement(logctl: Logctl, topic: str, acks: str, said: str) -> None:
    done = logctl("record", "produce", topic, "--acks", acks, stdin="x\ny\n")
    assert done.code == 0
    assert done.err.startswith(f"2 records {said} in {topic}")
    deadline = time.monotonic() + 10
    while logctl("record", "consume", topic).out != "x\ny\n":
        assert time.monotonic() < deadline, "records sent without waiting arrive all the same"


def test_more_than_a_batch_can_hold_arrives_once_and_in_order(logctl: Logctl, topic: str, tmp_path: Path) -> None:
    (tmp_path / "many").write_text(lines(f"{number:0100}" for number in range(30_000)))  # type: ignore[arg-type]
    done = logctl("record", "produce", topic, str(tmp_path / "many"))
    assert done.err == f"30,000 records acknowledged in {topic} (partition 0: 0 to 29999)\n"
    assert logctl("record", "consume", topic).out == (tmp_path / "many").read_text()


# -- keys, headers, null ---------------------------------------------------------------------------------------------


def test_keys_go_where_the_java_client_puts_them(logctl: Logctl, name: str, bootstrap: str) -> None:
    make_topic(logctl, name, "--partitions", "7")
    keys = ["a", "ab", "abc", "abcd", "foobar", "order-1"]
    assert logctl("record", "produce", name, "-K", "=", stdin=lines(f"{key}=x" for key in keys)).code == 0  # type: ignore[arg-type]
    found = dict(line.split() for line in logctl("record", "consume", name, "--format", "%k %p\\n").out.splitlines())
    assert found == {"a": "5", "ab": "0", "abc": "4", "abcd": "5", "foobar": "0", "order-1": "4"}


def test_a_key_headers_and_a_partition_for_all(logctl: Logctl, name: str, bootstrap: str) -> None:
    make_topic(logctl, name, "--partitions", "3")
    done = logctl("record", "produce", name, "-k", "key", "-H", "a=1", "--header", "b=", "-p", "2", stdin="x\ny\n")
    assert done.err == f"2 records acknowledged in {name} (partition 2: 0 to 1)\n"
    assert kcat("-C", "-b", bootstrap, "-t", name, "-e", "-q", "-f", "%p %o %k %s %h\n") == (
        "2 0 key x a=1,b=\n2 1 key y a=1,b=\n"
    )


def test_null_is_not_empty(logctl: Logctl, topic: str) -> None:
    assert logctl("record", "produce", topic, "-K", "\\t", "-Z", "NULL", stdin="k\tNULL\nNULL\tv\nk\t\n").code == 0
    rows = [json.loads(line) for line in logctl("record", "consume", topic, "-o", "json").out.splitlines()]
    assert [(row["key"], row["value"]) for row in rows] == [("k", None), (None, "v"), ("k", "")]
    assert logctl("record", "consume", topic, "-Z", "NULL").out == "NULL\nv\n\n"
    assert logctl("record", "consume", topic, "--format", "%K %S;").out == "1 -1;-1 1;1 0;"


def test_a_line_that_is_wrong_stops_the_input_and_what_came_before_is_sent(logctl: Logctl, topic: str) -> None:
    done = logctl("record", "produce", topic, "-K", ":", stdin="a:1\nb\nc:3\n")
    assert done.code == 4
    assert done.err == (
        f"1 record acknowledged in {topic} (partition 0: 0 to 0)\n"
        "error: the input was read up to a line that is wrong\n"
        "  line 2 has no key: the separator ':' is not in it\n"
    )
    assert logctl("record", "consume", topic).out == "1\n"
    nowhere = logctl("record", "produce", topic, "--json", stdin='{"partition": 9}')
    assert nowhere.code == 2
    assert f"line 1: topic {topic} has partitions 0 to 0; 9 is not one of them" in nowhere.err


def test_a_record_without_a_key_is_refused_by_a_compacted_topic_and_named(logctl: Logctl, name: str) -> None:
    make_topic(logctl, name, "--config", "cleanup.policy=compact")
    done = logctl("record", "produce", name, "--json", stdin='{"key": "k", "value": "1"}\n{"value": "2"}\n')
    assert done.code in (1, 4)
    assert "line 2" in done.err


# -- JSON and raw bytes ----------------------------------------------------------------------------------------------


def test_a_record_goes_through_json_unchanged(logctl: Logctl, name: str) -> None:
    make_topic(logctl, name, "--partitions", "2")
    record = {
        "key": base64.b64encode(b"\xff\x00").decode(),
        "key_encoding": "base64",
        "value": "grün\n\x1b[2J",
        "headers": [{"key": "h", "value": "1"}, {"key": "h", "value": None}],
        "partition": 1,
        "timestamp": 1_700_000_000_123,
    }
    assert logctl("record", "produce", name, "--json", stdin=json.dumps(record)).code == 0
    line = logctl("record", "consume", name, "-o", "json").out
    assert json.loads(line) == {"topic": name, "offset": 0, **record}
    assert logctl("record", "produce", name, "--json", stdin=line).code == 0
    again = logctl("record", "consume", name, "-o", "json", "--from", "1").out
    assert json.loads(again) == {**json.loads(line), "offset": 1}


def test_json_that_is_wrong_names_line_and_field(logctl: Logctl, topic: str) -> None:
    done = logctl("record", "produce", topic, "--json", stdin='{"value": "a"}\n{"vlaue": "b"}\n')
    assert done.code == 4
    assert "  line 2: unknown field 'vlaue'" in done.err


def test_raw_bytes_are_one_value_and_come_back_byte_for_byte(logctl: Logctl, topic: str, tmp_path: Path) -> None:
    data = "line\n\x00\x1b[2J\r\nend"
    (tmp_path / "one").write_text("1\n2\n")
    assert logctl("record", "produce", topic, "--raw", stdin=data).code == 0
    assert logctl("record", "produce", topic, "--raw", str(tmp_path / "one"), str(tmp_path / "one")).code == 0
    assert logctl("record", "consume", topic, "-o", "raw", "-n", "1").out.encode() == data.encode()
    assert logctl("record", "consume", topic, "-o", "raw", "--from", "1").out == "1\n2\n1\n2\n"


# -- from where to where ---------------------------------------------------------------------------------------------


POSITIONS = [
    ([], "012345"),
    (["--from", "2"], "2345"),
    (["--from", "-2"], "45"),
    (["--from", "end"], ""),
    (["--from-beginning", "--max-messages", "2"], "01"),
    (["--from", "2", "--to", "4"], "23"),
    (["--from", "2023-11-14T22:13:23Z"], "345"),
    (["--from", "2023-11-14T23:13:23+01:00", "-n", "1"], "3"),
    (["--from", "@1700000001500", "--to", "@1700000004000"], "23"),
    (["--from", "1700000005001"], ""),
    (["--isolation", "read_committed"], "012345"),
    (["--partition", "0", "--to", "end"], "012345"),
]


def test_reading_begins_and_ends_where_it_was_told(logctl: Logctl, topic: str) -> None:
    """Six records, one a second from 2023-11-14T22:13:20Z on, in three batches."""
    rows = [json.dumps({"value": str(number), "timestamp": 1_700_000_000_000 + number * 1000}) for number in range(6)]
    for first in (0, 2, 4):
        assert logctl("record", "produce", topic, "--json", stdin=lines(rows[first : first + 2])).code == 0
    for flags, expected in POSITIONS:
        done = logctl("record", "consume", topic, *flags)
        assert (flags, done.code, "".join(done.out.split())) == (flags, 0, expected)


def test_several_topics_are_read_together(logctl: Logctl, name: str) -> None:
    for number in (1, 2):
        make_topic(logctl, f"{name}-{number}")
        assert logctl("record", "produce", f"{name}-{number}", stdin=f"{number}\n").code == 0
    done = logctl("record", "consume", f"{name}-1", f"{name}-2", "--format", "%t %s\\n")
    assert sorted(done.out.splitlines()) == [f"{name}-1 1", f"{name}-2 2"]


def test_a_place_that_is_not_there_is_said_to_be_not_there(logctl: Logctl, topic: str) -> None:
    beyond = logctl("record", "consume", topic, "--from", "7")
    assert (beyond.code, beyond.out) == (1, "")
    assert f"offset 7 is behind the end: partition 0 of {topic} at 0" in beyond.err
    nowhere = logctl("record", "consume", topic, "-p", "3")
    assert nowhere.code == 2
    assert f"topic {topic} has partitions 0 to 0; 3 is not one of them" in nowhere.err
    unknown = logctl("record", "produce", f"{topic}x", stdin="x")
    assert (unknown.code, unknown.out) == (1, "")
    assert f"topic {topic}x does not exist\nhint: did you mean {topic}" in unknown.err


def test_a_record_that_is_too_large_is_refused_by_name_and_the_others_arrive(logctl: Logctl, name: str) -> None:
    make_topic(logctl, name, "--config", "max.message.bytes=1000")
    done = logctl("record", "produce", name, stdin=lines(["a", "x" * 5000, *range(100)]))
    assert done.code == 4
    assert f"101 records acknowledged in {name} (partition 0: 0 to 100) - 1 refused\n" in done.err
    assert f"  line 2: partition 0 of {name}: MESSAGE_TOO_LARGE: " in done.err
    assert logctl("record", "consume", name).out == lines(["a", *range(100)])


# -- what lies on disk, and what takes long --------------------------------------------------------------------------


def test_a_bit_that_flips_on_disk_is_found_with_its_offset(tmp_path: Path) -> None:
    with running_node(tmp_path / "node") as node:
        assert run("topic", "create", "orders", bootstrap=node.address).code == 0
        for value in (b"one", b"two", b"three"):
            assert run("record", "produce", "orders", bootstrap=node.address, stdin=value).code == 0
        [segment] = (node.log_dir / "orders-0").glob("*.log")
        data = bytearray(segment.read_bytes())
        data[data.index(b"two")] ^= 1
        with segment.open("r+b") as file:
            file.write(data)
        done = run("record", "verify", "orders", "-o", "json", bootstrap=node.address)
        read = run("record", "consume", "orders", bootstrap=node.address)
    assert done.code == 1
    assert done.err == "orders-0, offset 1: checksum: A record batch does not match its checksum\n"
    [part] = json.loads(done.out)["partitions"]
    assert (part["batches"], part["records"], part["wrong"]) == (3, 2, 1)
    assert [(one["offset"], one["problem"]) for one in part["findings"]] == [(1, "checksum")]
    assert read.code == 1
    assert "partition 0 of orders, offset 1: the batch cannot be read" in read.err


def test_ctrl_c_ends_a_measurement_which_tells_what_it_has_and_leaves_nothing(logctl: Logctl, bootstrap: str) -> None:
    arguments = command("record", "perf", "--rate", "1000", "-n", "1000000", "-o", "json")
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(bootstrap)
    ) as perf:
        assert perf.stderr is not None
        name = perf.stderr.readline().decode().split()[2].rstrip(":")
        assert name.startswith("logctl-perf-")
        wait_until(lambda: logctl("record", "consume", name, "-n", "1").out, "the first record")
        perf.send_signal(signal.SIGINT)
        out, _ = perf.communicate(timeout=60)
    assert perf.returncode == 130
    [phase] = json.loads(out)["phases"]
    assert phase["name"] == "produce"
    assert 0 < phase["records"] < 1_000_000
    assert json.loads(out)["interrupted"]
    assert name not in logctl("topic", "list", "-o", "name").out.split()
