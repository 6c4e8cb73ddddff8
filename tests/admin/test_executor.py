"""What the executor does around its steps: order, failures, gates, time, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import toys
from support.scripted import ScriptedCluster

from logctl.admin import checks
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.executor import (
    GateClosed,
    ItemDone,
    ItemFailed,
    PlanBegun,
    StepStarted,
    Unwritten,
    Verified,
    execute,
    rehearse,
)
from logctl.admin.history import read_history
from logctl.admin.journal import Circumstances, Journal
from logctl.admin.operation import Plan, Risk
from logctl.admin.routing import Cluster
from logctl.admin.standing import Remaining
from logctl.errors import (
    DeadlineExceeded,
    Declined,
    LogctlError,
    OperationFailed,
    PartialFailure,
    StalePlan,
    Unreachable,
    UsageError,
)

RED, WHITE = {"colour": "red"}, {"colour": "white"}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    toys.wall(monkeypatch, "a", "b", "c")
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        yield Cluster(client)


def told(plan: Plan, cluster: Cluster, journal: Journal, timeout_s: float = 20.0) -> tuple[list[Any], Any]:
    """Every event, and the error at the end or None."""
    events: list[Any] = []
    try:
        events.extend(execute(plan, cluster, Deadline(timeout_s), journal.begin(plan, Circumstances())))
    except LogctlError as error:
        return events, error
    return events, None


def names(events: list[Any], kind: type) -> list[str]:
    return [event.resource.name for event in events if isinstance(event, kind)]


def state(journal: Journal) -> str:
    [record] = read_history(journal).records
    return record.state


def test_steps_follow_each_other_and_each_change_is_seen(cluster: Cluster, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    events, error = told(toys.painting("a", "b"), cluster, journal)
    assert error is None
    assert [type(event) for event in events] == [
        PlanBegun,
        StepStarted,
        ItemDone,
        StepStarted,
        ItemDone,
        *[Verified] * 2,
    ]
    assert [(event.number, event.total) for event in events if isinstance(event, StepStarted)] == [(1, 2), (2, 2)]
    [record] = read_history(journal).records
    assert (record.state, events[0].plan_id) == ("done", record.plan_id)


def test_a_failed_step_does_not_hold_up_the_others(cluster: Cluster, tmp_path: Path) -> None:
    toys.faults["a"] = OperationFailed("toy a: TOO_WET: not now")
    journal = Journal(tmp_path)
    events, error = told(toys.painting("a", "b"), cluster, journal)
    assert isinstance(error, PartialFailure)
    assert (error.message, error.failures) == ("1 of 2 failed", ["toy a: TOO_WET: not now"])
    assert (toys.painted["a"], toys.painted["b"], names(events, ItemDone)) == (WHITE, RED, ["b"])
    assert state(journal) == "partly done"


def test_a_later_step_about_what_failed_is_not_begun(cluster: Cluster, tmp_path: Path) -> None:
    toys.faults["a"] = OperationFailed("not now")
    twice = toys.painting("a", "b")
    twice = twice._replace(steps=(*twice.steps, twice.steps[0]._replace(sentence="varnish a")))
    events, _ = told(twice, cluster, Journal(tmp_path))
    assert [event.step.sentence for event in events if isinstance(event, StepStarted)] == ["paint a red", "paint b red"]


def test_who_disturbs_the_cluster_stops_at_the_first_failure(cluster: Cluster, tmp_path: Path) -> None:
    toys.faults["a"] = OperationFailed("toy a: not now")
    _, error = told(toys.painting("a", "b", risk=Risk.DISRUPTIVE), cluster, Journal(tmp_path))
    assert toys.painted["b"] == WHITE
    assert isinstance(error, OperationFailed)
    assert "not begun: paint b red: an earlier step failed, and this one would disturb the cluster" in error.message


def test_nothing_more_is_begun_when_nobody_can_be_reached(cluster: Cluster, tmp_path: Path) -> None:
    def gone() -> None:
        raise Unreachable("nobody answers")

    toys.faults["b"] = gone
    journal = Journal(tmp_path)
    events, error = told(toys.painting("a", "b", "c"), cluster, journal)
    assert isinstance(error, PartialFailure)
    assert error.failures == ["toy b: nobody answers", "toy c: nobody answers"]
    assert names(events, ItemFailed) == ["b", "c"]
    [record] = read_history(journal).records
    assert [record.step(number).state for number in range(3)] == ["done", "failed", "not begun"]


def test_what_is_unreachable_from_the_beginning_is_called_so(cluster: Cluster, tmp_path: Path) -> None:
    def gone() -> None:
        raise Unreachable("nobody answers")

    toys.faults["a"] = gone
    _, error = told(toys.painting("a", "b"), cluster, Journal(tmp_path))
    assert isinstance(error, Unreachable)


def test_when_the_time_is_up_no_further_step_is_begun(cluster: Cluster, tmp_path: Path) -> None:
    deadline = Deadline(20.0)

    def slow() -> None:
        deadline._end_s = 0.0

    toys.faults["a"] = slow
    journal = Journal(tmp_path)
    plan = toys.painting("a", "b")
    with pytest.raises(DeadlineExceeded, match="the 20 s for the change are over: 1 of 2 were not done"):
        list(execute(plan, cluster, deadline, journal.begin(plan, Circumstances())))
    assert (toys.painted["b"], state(journal)) == (WHITE, "unknown")


def test_a_lost_answer_is_decided_by_looking(cluster: Cluster, tmp_path: Path) -> None:
    def lost() -> None:
        toys.painted["a"] = RED
        raise DeadlineExceeded("whether it was carried out is unknown")

    toys.faults["a"] = lost
    journal = Journal(tmp_path)
    _, error = told(toys.painting("a"), cluster, journal)
    assert (error, state(journal)) == (None, "done")
    assert read_history(journal).records[0].step(0).state == "unknown"


def test_a_moved_world_stops_everything_before_it_is_written_down(cluster: Cluster, tmp_path: Path) -> None:
    toys.painted["b"] = {"colour": "blue"}
    journal = Journal(tmp_path)
    _, error = told(toys.painting("a", "b"), cluster, journal)
    assert isinstance(error, StalePlan)
    assert error.message == ("toy b is no longer as it was when this was planned: colour was white and is blue")
    assert not journal.path.exists()


def test_what_is_left_must_still_be_what_was_shown(cluster: Cluster, tmp_path: Path) -> None:
    plan = toys.painting("a", "b")
    toys.painted["a"] = RED
    with pytest.raises(StalePlan, match="changed since this was shown"):
        execute(plan, cluster, Deadline(20), left=Remaining((0, 1)))


# -- gates -----------------------------------------------------------------------------------------------------------


class Finding:
    sentence = "topic orders has 3 partitions with too few replicas in sync"


def test_a_closed_gate_stops_a_plan_before_its_first_step(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find", lambda cluster, names, deadline: [Finding])
    journal = Journal(tmp_path)
    events, error = told(toys.painting("a", "b", gates=("under-replicated",)), cluster, journal)
    assert isinstance(error, Declined)
    assert error.message == f"not begun: paint a red, because {Finding.sentence}"
    assert names(events, ItemFailed) == ["a", "b"]
    assert toys.painted["a"] == WHITE


def test_a_gate_between_steps_is_waited_for(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[], [Finding], [Finding], []])
    monkeypatch.setattr(checks, "find", lambda cluster, names, deadline: next(answers))
    events, error = told(toys.painting("a", "b", gates=("under-replicated",)), cluster, Journal(tmp_path))
    assert (error, toys.painted["b"]) == (None, RED)
    assert [event.sentences for event in events if isinstance(event, GateClosed)] == [(Finding.sentence,)]


# -- the journal's part ----------------------------------------------------------------------------------------------


def test_what_cannot_be_written_down_is_not_done(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _, error = told(toys.painting("a"), cluster, Journal(tmp_path / "file" / "logctl"))
    assert isinstance(error, Declined)
    assert "cannot be written: Not a directory" in error.message
    assert "LOGCTL_JOURNAL=off" in error.hint
    assert toys.painted["a"] == WHITE


@pytest.mark.parametrize(
    ("entries", "done"), [(1, []), (2, ["a"]), (3, ["a"]), (4, ["a", "b"])], ids=lambda value: str(value)
)
def test_a_disk_that_fills_up_ends_the_change_where_it_is(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: int, done: list[str]
) -> None:
    """planned, begun, outcome, begun, outcome, ...: the entry after so many cannot be written."""
    journal = Journal(tmp_path)
    write, count = Journal._append, iter(range(100))

    def full(self: Journal, line: bytes) -> None:
        if next(count) >= entries:
            raise OSError(28, "No space left on device")
        write(self, line)

    monkeypatch.setattr(Journal, "_append", full)
    events, error = told(toys.painting("a", "b"), cluster, journal)
    assert [name for name in ("a", "b") if toys.painted[name] == RED] == done
    if done == ["a", "b"]:
        assert (error, [type(event) for event in events][-1]) == (None, Unwritten)
    else:
        assert "No space left on device" in "".join([error.message, *getattr(error, "failures", ())])
    assert state(journal) == "interrupted"


@pytest.mark.parametrize("at", [PlanBegun, StepStarted, ItemDone, Verified])
def test_who_stops_listening_leaves_an_interrupted_plan(cluster: Cluster, tmp_path: Path, at: type) -> None:
    journal, plan = Journal(tmp_path), toys.painting("a", "b")
    events = execute(plan, cluster, Deadline(20), journal.begin(plan, Circumstances()))
    for event in events:
        if isinstance(event, at):
            assert state(journal) == "running"
            break
    events.close()
    assert state(journal) == "interrupted"


# -- rehearsing ------------------------------------------------------------------------------------------------------


def test_a_rehearsal_tells_what_would_be_refused_and_does_nothing(cluster: Cluster) -> None:
    toys.faults["b"] = OperationFailed("toy b: not now")
    assert names(list(rehearse(toys.painting("a", "b"), cluster, Deadline(20))), ItemFailed) == ["b"]
    assert toys.painted["a"] == WHITE


def test_a_step_that_builds_on_an_earlier_one_is_not_rehearsed_before_its_time(cluster: Cluster) -> None:
    plan = toys.painting("a")
    plan = plan._replace(steps=(plan.steps[0], plan.steps[0]._replace(arguments={"no": "name"})))
    assert list(rehearse(plan, cluster, Deadline(20))) == []


def test_arguments_that_an_action_does_not_take_are_told_with_their_step(cluster: Cluster) -> None:
    plan = toys.painting("a", "b")
    plan = plan._replace(steps=(plan.steps[0], plan.steps[1]._replace(arguments={"colour": "red"})))
    with pytest.raises(UsageError, match=r"steps\[1\].arguments: 'name' is missing"):
        list(rehearse(plan, cluster, Deadline(20)))
