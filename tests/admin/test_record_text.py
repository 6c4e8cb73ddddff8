"""Records as text, both ways."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logctl.admin.record_text import LineFormat, as_json, iso_time, parse_json, template, unescape, values
from logctl.errors import UsageError
from logctl.wire.records import Record

RECORD = Record(7, 1_700_000_000_123, b"k1", b"v1", (("trace", b"1"), ("none", None)))


def test_a_plain_line_is_a_value() -> None:
    assert LineFormat().parse(b"one two", 1).record[:2] == (None, b"one two")
    assert LineFormat(key=b"k").parse(b"", 1).record[:2] == (b"k", b"")


def test_a_line_with_its_key_is_cut_at_the_first_separator() -> None:
    assert LineFormat(separator=b":").parse(b"k:v:w", 1).record[:2] == (b"k", b"v:w")
    with pytest.raises(UsageError, match="line 12 has no key"):
        LineFormat(separator=b":").parse(b"kv", 12)


def test_the_null_token_makes_a_tombstone() -> None:
    line = LineFormat(separator=b"\t", null=b"NULL")
    assert line.parse(b"k\tNULL", 1).record[:2] == (b"k", None)
    assert line.parse(b"NULL\tv", 1).record[:2] == (None, b"v")
    assert line.parse(b"k\t", 1).record[:2] == (b"k", b""), "an empty value is not null"


def test_a_json_line_says_everything() -> None:
    line = b'{"key": "k", "value": null, "partition": 3, "timestamp": 5, "headers": [{"key": "h", "value": "x"}]}'
    record, partition = parse_json(line, 1)
    assert record == (b"k", None, (("h", b"x"),), 5)
    assert partition == 3


def test_a_json_line_may_leave_everything_out_and_hold_documents() -> None:
    assert parse_json(b"{}", 1) == ((None, None, (), -1), None)
    assert parse_json(b'{"value": {"a": [1, 2]}}', 1).record.value == b'{"a":[1,2]}'
    assert parse_json(b'{"headers": {"a": "1"}}', 1).record.headers == (("a", b"1"),)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"plain", "line 4 is not JSON"),
        (b"[" * 100_000, "line 4 is not JSON"),
        (b"[1]", "an object was expected"),
        (b'{"vlaue": 1}', "unknown field 'vlaue'"),
        (b'{"partition": "0"}', "partition is not a whole number"),
        (b'{"timestamp": 1e30}', "timestamp is not a whole number"),
        (b'{"partition": true}', "partition is not a whole number"),
        (b'{"value": "?", "value_encoding": "base64"}', "value is not base64"),
        (b'{"value": "eA==", "value_encoding": "hex"}', "line 4: value is not hex"),
        (b'{"value": "eA==", "value_encoding": "rot13"}', "value_encoding can be 'base64' or 'hex'"),
        (b'{"headers": [["a", "b"]]}', "a header is an object"),
        (b'{"headers": 1}', "headers are a list"),
    ],
)
def test_a_json_line_that_is_wrong_is_named_with_its_field(line: bytes, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_json(line, 4)


def test_bytes_that_are_not_text_are_marked() -> None:
    item = json.loads(as_json("t", 0, RECORD._replace(key=b"\xff\x00")))
    assert item["key"] == "/wA="
    assert item["key_encoding"] == "base64"
    assert "value_encoding" not in item


some_bytes = st.none() | st.binary(max_size=20) | st.text(max_size=20).map(str.encode)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
headers = st.lists(st.tuples(names, some_bytes), max_size=3).map(tuple)


@given(key=some_bytes, value=some_bytes, headers=headers, timestamp=st.integers(0, 2**62), partition=st.integers(0, 99))
def test_what_consume_writes_as_json_produce_reads_back(key, value, headers, timestamp, partition) -> None:  # type: ignore[no-untyped-def]
    line = as_json("topic", partition, Record(0, timestamp, key, value, headers))
    assert line.count(b"\n") == 1
    assert parse_json(line.rstrip(b"\n"), 1) == ((key, value, headers, timestamp), partition)


@given(st.binary())
def test_any_line_is_a_record_or_a_usage_error(line: bytes) -> None:
    try:
        parse_json(line, 1)
    except UsageError:
        pass


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("%t/%p@%o %k=%s\\n", b"orders/2@7 k1=v1\n"),
        ("%T %D", b"1700000000123 2023-11-14T22:13:20.123Z"),
        ("%K %S %h", b"2 2 trace=1,none=-"),
        ("100%% \\x41\\t\\0", b"100% A\t\0"),
    ],
)
def test_a_template_is_filled_in(text: str, written: bytes) -> None:
    assert template(text, null=b"-")("orders", 2, RECORD) == written


def test_null_has_the_length_minus_one_and_the_token_that_was_chosen() -> None:
    record = RECORD._replace(key=None, value=None)
    assert template("%k %K %s %S", null=b"NULL")("t", 0, record) == b"NULL -1 NULL -1"
    assert values(b"NULL")("t", 0, record) == b"NULL\n"


@pytest.mark.parametrize("text", ["%q", "50%", "end\\"])
def test_a_template_that_is_wrong_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        template(text)


def test_a_timestamp_that_is_no_date_is_shown_as_it_is() -> None:
    assert iso_time(0) == "1970-01-01T00:00:00.000Z"
    assert iso_time(2**62) == str(2**62)


def test_separators_may_be_written_with_escapes() -> None:
    assert unescape("\\t") == b"\t"
    assert unescape("a%b\\x1f") == b"a%b\x1f"
