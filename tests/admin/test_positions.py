"""What --from and --to may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logctl.admin.positions import BEGINNING, END, Kind, Position, parse_position
from logctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("beginning", BEGINNING),
        ("earliest", BEGINNING),
        ("end", END),
        ("latest", END),
        ("0", Position(Kind.OFFSET, 0)),
        ("999999999999", Position(Kind.OFFSET, 999_999_999_999)),
        ("offset:1700000000000", Position(Kind.OFFSET, 1_700_000_000_000)),
        ("-10", Position(Kind.BEFORE_END, 10)),
        ("@5", Position(Kind.TIME, 5)),
        ("1700000000000", Position(Kind.TIME, 1_700_000_000_000)),
        ("1970-01-01", Position(Kind.TIME, 0)),
        ("1970-01-01T00:00:01.5", Position(Kind.TIME, 1500)),
        ("1970-01-01T01:00:00+01:00", Position(Kind.TIME, 0)),
        ("1970-01-01T00:00:00Z", Position(Kind.TIME, 0)),
    ],
)
def test_a_position_is_understood(text: str, position: Position) -> None:
    assert parse_position(text) == position


@pytest.mark.parametrize("text", ["", "soon", "1.5", "@", "offset:x", "--3", "9" * 30, "2026-13-01", "²"])
def test_anything_else_is_refused_with_what_is_possible(text: str) -> None:
    with pytest.raises(UsageError):
        parse_position(text)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse_position(text)
    except UsageError:
        pass
