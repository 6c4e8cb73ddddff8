"""Filters: which of a handful of records each of them wants."""

from __future__ import annotations

import pytest

from logctl.admin.record_filters import Filters
from logctl.errors import UsageError
from logctl.wire.records import Record

RECORDS = [
    Record(0, 0, b"order-1", b"created", (("trace", b"abc"),)),
    Record(1, 0, b"order-2", b"paid\ntwice", (("trace", b"abd"), ("trace", None))),
    Record(2, 0, b"order-1", None, ()),
    Record(3, 0, None, b"created", (("kind", None),)),
    Record(4, 0, b"\xff\xfe", b"gr\xc3\xbcn \xff", ()),
]

WANTED = [
    (Filters(key="order-*"), [0, 1, 2]),
    (Filters(key="order-[2-9]"), [1]),
    (Filters(key="order"), []),
    (Filters(key="??"), [4]),
    (Filters(key_regex="der-1$"), [0, 2]),
    (Filters(value_regex="created|twice"), [0, 1, 3]),
    (Filters(value_regex="paid.twice"), [1]),
    (Filters(value_regex="grün"), [4]),
    (Filters(headers=("trace",)), [0, 1]),
    (Filters(headers=("trace=ab?",)), [0, 1]),
    (Filters(headers=("trace=abc", "kind")), []),
    (Filters(headers=("kind",)), [3]),
    (Filters(headers=("kind=*",)), []),
    (Filters(tombstones=True), [2]),
    (Filters(key="order-1", value_regex="created"), [0]),
    (Filters(key="order-1", value_regex="created", inverted=True), [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("filters", "offsets"), WANTED)
def test_a_filter_keeps_what_it_says(filters: Filters, offsets: list[int]) -> None:
    keep = filters.keep()
    assert keep is not None
    assert [record.offset for record in RECORDS if keep(record)] == offsets


def test_without_filters_there_is_nothing_to_ask() -> None:
    assert Filters().keep() is None


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        (Filters(key_regex="("), r"--key-regex: '\(' is not a regular expression"),
        (Filters(value_regex="["), r"--value-regex: '\[' is not a regular expression"),
        (Filters(headers=("=x",)), "a header filter has the form name"),
        (Filters(inverted=True), "there is no filter to invert"),
    ],
)
def test_what_cannot_be_a_filter_is_refused(filters: Filters, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        filters.keep()
