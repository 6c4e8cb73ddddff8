"""What is told while a plan is carried out, and what is reported when some of it failed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from support import toys
from support.scripted import ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.executor import GateClosed, ItemDone, PlanBegun, Progressed, StepStarted, Waiting
from logctl.admin.routing import Cluster
from logctl.cli import account
from logctl.cli.account import Account
from logctl.cli.output import Format
from logctl.cli.run import ChangeFlags, carry_out
from logctl.cli.session import Session
from logctl.errors import OperationFailed, PartialFailure


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    toys.wall(monkeypatch, "a", "b")
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        yield Session(Cluster(client), Deadline(20), 20, {})


def test_work_that_lasts_says_what_it_is_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(account, "_EVERY_S", 0.001)
    monkeypatch.setattr(account, "_LINES_EVERY", 1)
    plan = toys.painting("a", "b")
    said = ""

    def until(words: str) -> None:
        nonlocal said
        deadline = time.monotonic() + 20
        while words not in said:
            assert time.monotonic() < deadline, said
            said += capsys.readouterr().err

    with Account(plan) as told:
        told.tell(StepStarted(plan.steps[0], 1, 2))
        until("step 1 of 2: paint a red (0 s)\n")
        told.tell(GateClosed(plan.steps[1], ("2 partitions are under-replicated",)))
        until("waiting to paint b red: 2 partitions are under-replicated\n")
        told.tell(Waiting(1, 2))
        until("waiting until the cluster shows it: 1 of 2 (0 s)\n")


def test_what_the_cluster_goes_on_with_is_told_with_how_far_it_is_and_after_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(account, "_EVERY_S", 0.001)
    monkeypatch.setattr(account, "_LINES_EVERY", 1)
    plan = toys.painting("a", "b")
    half = Progressed("partition", 6, 12, 3 * 2**20, 8 * 2**20, 90.0)
    told = Account(plan)
    told.tell(PlanBegun("p1", 2))
    told.tell(StepStarted(plan.steps[0], 1, 2))
    told.tell(half)
    told.interrupted()
    how_far = "6 of 12 partitions, 3.0 MiB of 8.0 MiB, about 1m 30s left"
    said = capsys.readouterr().err
    assert f"the cluster goes on with what it was asked for: {how_far}\n" in said
    assert "hint: go on with `logctl audit resume p1`" in said
    with told:
        deadline = time.monotonic() + 20
        while f"step 1 of 2: paint a red: {how_far} (0 s)\n" not in said:
            assert time.monotonic() < deadline, said
            said += capsys.readouterr().err
    told.tell(ItemDone(plan.changes[0].resource))
    told.interrupted()
    assert "goes on with" not in capsys.readouterr().err


def test_a_partial_failure_is_reported_to_humans_and_machines(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = OperationFailed("cannot paint toy b: not now", "try again")
    refused.kafka_name = "TOO_WET"
    toys.faults["b"] = refused
    with pytest.raises(PartialFailure) as partial:
        carry_out(session, toys.painting("a", "b"), ChangeFlags(form=Format.JSON))
    assert partial.value.failures == ["TOO_WET: cannot paint toy b: not now"]
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["complete"], report["changed"]) == (False, True)
    assert [change["name"] for change in report["changes"]] == ["a"]
    assert report["errors"] == [
        {"name": "toy b", "error": "TOO_WET", "message": "cannot paint toy b: not now", "hint": "try again"}
    ]
    assert partial.value.hint == (
        f"go on with `logctl audit resume {report['id']}`, or take back what was done with "
        f"`logctl audit undo {report['id']}`"
    )


def test_names_are_written_for_those_who_asked_for_names(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out(session, toys.painting("a", "b"), ChangeFlags(form=Format.NAME)) == 0
    assert capsys.readouterr().out == "a\nb\n"
