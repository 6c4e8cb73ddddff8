"""Lines as Apache's console tools take and print them."""

from __future__ import annotations

import pytest

from logctl.admin.record_console import console_reader, console_writer
from logctl.errors import UsageError
from logctl.wire.records import NewRecord, Record

FULL = Record(7, 1_700_000_000_000, b"k", b"v", (("a", b"1"), ("b", None)))
BARE = Record(8, -1, None, None, ())
ALL = ["print.timestamp=true", "print.partition=true", "print.offset=true", "print.headers=true", "print.key=true"]

PRINTED = [
    ([], b"v\n", b"null\n"),
    (["print.key=true"], b"k\tv\n", b"null\tnull\n"),
    (["print.key=true", "print.value=false", "key.separator=:"], b"k\n", b"null\n"),
    (
        ALL,
        b"CreateTime:1700000000000\tPartition:3\tOffset:7\ta:1,b:null\tk\tv\n",
        b"NO_TIMESTAMP\tPartition:3\tOffset:8\tNO_HEADERS\tnull\tnull\n",
    ),
    (["null.literal=-", "line.separator=;", "print.key=true", "key.separator=\\x00"], b"k\0v;", b"-\0-;"),
]


@pytest.mark.parametrize(("properties", "full", "bare"), PRINTED)
def test_records_are_printed_as_the_console_consumer_does(properties: list[str], full: bytes, bare: bytes) -> None:
    write = console_writer(properties)
    assert (write("t", 3, FULL), write("t", 3, BARE)) == (full, bare)


ONE_HEADER = (("x", b"1"),)
READ = [
    ([], b"a\tb", NewRecord(None, b"a\tb")),
    (["parse.key=true"], b"a\tb\tc", NewRecord(b"a", b"b\tc")),
    (["parse.key=true", "key.separator=::", "null.marker=NULL"], b"a::NULL", NewRecord(b"a", None)),
    (["parse.key=true", "null.marker=NULL"], b"NULL\tb", NewRecord(None, b"b")),
    (["parse.headers=true"], b"x:1,y:2\tb", NewRecord(None, b"b", (("x", b"1"), ("y", b"2")))),
    (["parse.headers=true", "parse.key=true", "headers.delimiter=|"], b"x:1|k\tb", NewRecord(b"k", b"b", ONE_HEADER)),
    (["parse.headers=true", "null.marker=-"], b"-\tb", NewRecord(None, b"b")),
]  # fmt: skip


@pytest.mark.parametrize(("properties", "line", "record"), READ)
def test_lines_are_read_as_the_console_producer_does(properties: list[str], line: bytes, record: NewRecord) -> None:
    assert console_reader(properties).parse(line, 1).record == record


@pytest.mark.parametrize(
    ("properties", "line", "complaint"),
    [
        (["parse.key=true"], b"a", "line 4 has no key: the separator '\\\\t' is not in it"),
        (["parse.headers=true"], b"a", "line 4 has no headers"),
        (["parse.headers=true"], b"a\tb", "line 4 has no header value: the separator ':'"),
    ],
)
def test_a_line_without_its_separator_is_named(properties: list[str], line: bytes, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        console_reader(properties).parse(line, 4)


@pytest.mark.parametrize("properties", [["print.kay=true"], ["print.key"], ["key.separator="]])
def test_properties_that_mean_nothing_are_refused(properties: list[str]) -> None:
    with pytest.raises(UsageError):
        console_writer(properties) if "separator" not in properties[0] else console_reader(properties)
