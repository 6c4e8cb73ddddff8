"""The journal: what it keeps, what it survives, and what it never tells."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support import toys

from logctl.admin.history import Record, read_history
from logctl.admin.journal import Circumstances, Journal, Unwritable
from logctl.admin.observe import Resource
from logctl.errors import Declined, OperationFailed, UsageError
from logctl.security.secrets import Secret

RED = {"colour": "red"}
A, B = Resource("toy", "a"), Resource("toy", "b")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    toys.wall(monkeypatch, "a", "b")
    return Journal(tmp_path / "logctl")


def only(journal: Journal) -> Record:
    [record] = read_history(journal).records
    return record


def test_a_plan_is_told_with_who_when_and_where(journal: Journal) -> None:
    told = Circumstances("logctl toy paint", "prod", "kafka-1:9092,kafka-2:9092", "/etc/client.properties")
    recorder = journal.begin(toys.painting("a", "b"), told)
    recorder.planned()
    recorder.begun(0)
    recorder.outcome(0, {A: None})
    recorder.begun(1)
    recorder.outcome(1, {B: OperationFailed("toy b: not now")})
    recorder.verified({A: {**RED, "id": "x"}})
    recorder.ended("partly done", OperationFailed("1 of 2 failed"))
    record = only(journal)
    assert (record.state, record.error, record.title) == ("partly done", "1 of 2 failed", "paint the toys")
    assert (record.command, record.context, record.bootstrap) == told[:3]
    assert re.fullmatch(r"\S+@\S+", record.by)
    assert record.pid == os.getpid()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.at)
    assert [record.step(number).state for number in range(2)] == ["done", "failed"]
    assert record.step(1).errors == ("toy b: not now",)
    assert record.verified == {A: {**RED, "id": "x"}}
    assert record.plan() == toys.painting("a", "b"), "everything that it takes to finish it or to take it back"


def test_ids_are_short_and_sort_by_time(journal: Journal) -> None:
    ids = []
    for _ in range(3):
        recorder = journal.begin(toys.painting("a"), Circumstances())
        recorder.planned()
        ids.append(recorder.plan_id or "")
        recorder.ended("done", None)
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9a-hjkmnp-tv-z]{10}", one) for one in ids)
    assert sorted(one[:7] for one in ids) == [one[:7] for one in ids]
    history = read_history(journal)
    assert [one.plan_id for one in history.records] == ids
    assert history.find("last").plan_id == ids[-1]
    assert history.find(ids[0].upper()).plan_id == ids[0]
    with pytest.raises(UsageError, match="the journal knows no plan 'zz'"):
        history.find("zz")
    with pytest.raises(UsageError, match="begins several ids"):
        history.find(ids[0][:3])


def test_only_its_owner_reads_it(journal: Journal) -> None:
    before = os.umask(0)
    try:
        journal.begin(toys.painting("a"), Circumstances()).planned()
    finally:
        os.umask(before)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    for path in (journal.folder / "running").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_torn_line_is_closed_off_and_told_of(journal: Journal) -> None:
    first = journal.begin(toys.painting("a"), Circumstances())
    first.planned()
    first.ended("done", None)
    with journal.path.open("ab") as file:
        file.write(b'{"id":"1ngc9966m9","at":"2026-11-25T00:00:3')
    assert read_history(journal).damaged == 1, "as the crash left it"
    journal.begin(toys.painting("b"), Circumstances()).planned()
    history = read_history(journal)
    assert (history.damaged, len(history.records)) == (1, 2)
    assert journal.path.read_bytes().count(b"\n") == 4


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b"[]", b"{}", b'{"id":1,"event":"begun"}', b'{"id":"x","event":"begun"}', b"[" * 100000, b"null"],
)
def test_a_line_that_makes_no_sense_spoils_no_other(journal: Journal, line: bytes) -> None:
    recorder = journal.begin(toys.painting("a"), Circumstances())
    recorder.planned()
    with journal.path.open("ab") as file:
        file.write(line + b"\n")
    recorder.ended("done", None)
    assert (read_history(journal).damaged, only(journal).state) == (1, "done")


def test_an_entry_with_a_part_missing_spoils_no_other(journal: Journal) -> None:
    recorder = journal.begin(toys.painting("a"), Circumstances())
    recorder.planned()
    for entry in ({"event": "outcome"}, {"event": "outcome", "step": 0, "outcomes": 7}, {"event": "planned"}):
        journal.append({"id": recorder.plan_id, **entry})
    recorder.ended("done", None)
    assert (read_history(journal).damaged, only(journal).state) == (3, "done")


def test_an_event_of_a_later_version_is_passed_over(journal: Journal) -> None:
    recorder = journal.begin(toys.painting("a"), Circumstances())
    recorder.planned()
    journal.append({"id": recorder.plan_id, "event": "approved", "by": "somebody"})
    recorder.ended("done", None)
    assert (read_history(journal).damaged, only(journal).state) == (0, "done")


WRITER = """
import sys
from pathlib import Path
from logctl.admin.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(40):
    journal.append({"id": sys.argv[2], "event": "note", "number": number, "filler": "x" * 5000})
"""


def test_several_processes_write_whole_lines(journal: Journal) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(journal.folder), name]) for name in ("a", "b", "c")]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    entries = list(journal.entries())
    assert None not in entries
    for name in ("a", "b", "c"):
        assert [one["number"] for one in entries if one is not None and one["id"] == name] == list(range(40))


def test_a_plan_is_running_as_long_as_its_process_holds_it(journal: Journal) -> None:
    recorder = journal.begin(toys.painting("a"), Circumstances())
    recorder.planned()
    assert only(journal).state == "running"
    with pytest.raises(Declined, match="is being carried out by another process"):
        journal.resume(recorder.plan_id or "", Circumstances()).planned()
    recorder.ended("interrupted", None)
    assert only(journal).state == "interrupted"
    again = journal.resume(recorder.plan_id or "", Circumstances())
    again.planned()
    assert only(journal).state == "running"
    again.ended("done", None)
    assert (only(journal).state, len(only(journal).resumed_by)) == ("done", 1)
    assert not list((journal.folder / "running").iterdir()), "nothing is left behind"


@pytest.mark.parametrize(("outcome", "state"), [("done", "undone"), ("failed", "done")])
def test_a_plan_is_undone_when_the_plan_that_undoes_it_is_done(journal: Journal, outcome: str, state: str) -> None:
    first = journal.begin(toys.painting("a"), Circumstances())
    first.planned()
    first.ended("done", None)
    second = journal.begin(toys.painting("a"), Circumstances(undoes=first.plan_id))
    second.planned()
    second.ended(outcome, None)
    record = read_history(journal).find(first.plan_id or "")
    assert record.state == state
    assert record.undone_by == (second.plan_id if outcome == "done" else None)


def test_no_secret_enters(journal: Journal) -> None:
    recorder = journal.begin(toys.painting("a", colour=Secret("canary")), Circumstances())
    recorder.planned()
    recorder.outcome(0, {A: None})
    recorder.verified({A: {"colour": Secret("canary")}})
    recorder.ended("done", None)
    assert b"canary" not in journal.path.read_bytes()
    [change] = only(journal).plan().changes
    assert change.after == {"colour": "(not shown)"}


def test_a_journal_that_cannot_be_read_is_said_so(journal: Journal) -> None:
    journal.path.mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_history(journal)
    with pytest.raises(Unwritable, match="cannot be written: Is a directory"):
        journal.append({"id": "x", "event": "note"})


def test_there_is_no_journal_before_the_first_change(journal: Journal) -> None:
    assert read_history(journal).records == ()
    assert not journal.folder.exists()


def test_it_lies_in_the_state_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Journal().path == tmp_path / "logctl" / "journal.jsonl"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Journal().path == tmp_path / ".local" / "state" / "logctl" / "journal.jsonl"


def test_a_line_is_whole_json(journal: Journal) -> None:
    journal.append({"id": "x", "event": "note", "name": "zwölf\n\u2028\x1b[2J"})
    [line] = journal.path.read_bytes().splitlines()
    assert line.isascii()
    assert json.loads(line)["name"] == "zwölf\n\u2028\x1b[2J"
