"""The diary: one sentence a line, whatever is in it and however much there is."""

from __future__ import annotations

import io
import json

from logctl.engine.diary import LINES_PER_SECOND, Diary


def test_an_entry_is_a_line_with_its_time_and_kind() -> None:
    out = io.StringIO()
    Diary(out, clock=lambda: 1_700_000_000.25).say("topic", "Created orders")
    assert out.getvalue() == "2023-11-14T22:13:20.250Z topic       Created orders\n"


def test_as_json_an_entry_carries_facts() -> None:
    out = io.StringIO()
    Diary(out, "json", clock=lambda: 1_700_000_000.25).say("ready", "Ready", addresses=["127.0.0.1:9092"])
    assert json.loads(out.getvalue()) == {
        "time": "2023-11-14T22:13:20.250Z",
        "kind": "ready",
        "message": "Ready",
        "addresses": ["127.0.0.1:9092"],
    }


def test_what_a_peer_says_stays_on_its_line() -> None:
    out = io.StringIO()
    Diary(out).say("connection", "client \x1b[2J\r\nforged entry")
    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[2J\\r\\nforged entry" in out.getvalue()


def test_a_storm_of_entries_is_counted_instead_of_written() -> None:
    out, now = io.StringIO(), [100.0]
    diary = Diary(out, clock=lambda: now[0])
    for _ in range(500):
        diary.say("limits", "Refused a connection")
    diary.say("topic", "Created orders")
    now[0] = 101.0
    diary.say("limits", "Refused a connection")
    lines = out.getvalue().splitlines()
    assert len(lines) == LINES_PER_SECOND + 3
    assert "Created orders" in lines[LINES_PER_SECOND]
    assert f"{500 - LINES_PER_SECOND} more entries of this kind were left out" in lines[-2]


def test_a_reader_that_went_away_does_not_stop_the_node() -> None:
    out = io.StringIO()
    out.close()
    Diary(out).say("topic", "Created orders")
