"""Users as data: what is created, altered and deleted, and that no password is ever told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from logctl.admin.observe import Resource, Snapshot
from logctl.admin.operation import Risk
from logctl.admin.users import EVERY, AlterUser, CreateUser, Credential, DeleteUser, salted_password, set_password
from logctl.errors import OperationFailed, UsageError
from logctl.security.secrets import Secret

CANARY = "canary-in-the-mine"
HIDDEN = Credential(Secret(CANARY))


def seen(**mechanisms: list[str]) -> Snapshot:
    states: dict[str, Any] = {
        name: {"mechanisms": dict.fromkeys(theirs, 4096)} for name, theirs in mechanisms.items()
    }
    one_by_one = {Resource("user", name): state for name, state in states.items()}
    return Snapshot("cluster", states={EVERY: {"users": states}, **one_by_one})


def test_a_user_is_created_and_can_be_taken_back() -> None:
    plan = CreateUser("alice", HIDDEN).plan(seen())
    [change], [step] = plan.changes, plan.steps
    assert (change.before, change.after) == (None, {"mechanisms": {"SCRAM-SHA-256": 8192}})
    assert (step.action, step.risk) == ("user.set", Risk.SAFE)
    assert step.undo is not None
    assert step.undo.action == "user.delete"


def test_a_password_is_in_no_plan() -> None:
    for plan in (CreateUser("alice", HIDDEN).plan(seen()), AlterUser("bob", HIDDEN).plan(seen(bob=["SCRAM-SHA-256"]))):
        assert CANARY not in json.dumps(plan.document())
        assert CANARY not in repr(plan)


def test_a_plan_may_hold_where_the_password_is_found() -> None:
    plan = CreateUser("alice", Credential("env:ALICE")).plan(seen())
    assert plan.document()["steps"][0]["arguments"]["password_from"] == "env:ALICE"


def test_a_password_that_a_file_cannot_hold_is_missed_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logctl.admin.users.need", lambda *_: None)
    arguments = {"name": "alice", "mechanism": "SCRAM-SHA-256", "iterations": 4096, "password": "(not shown)"}
    nobody: Any = None
    with pytest.raises(UsageError, match="is not in the plan") as refused:
        set_password(nobody, arguments, nobody, False)
    assert "env:NAME" in refused.value.hint


def test_what_exists_is_not_created_again_and_what_does_not_is_not_altered() -> None:
    with pytest.raises(OperationFailed, match="user alice exists already"):
        CreateUser("alice", HIDDEN).plan(seen(alice=["SCRAM-SHA-256"]))
    with pytest.raises(OperationFailed, match="user alcie does not exist") as refused:
        AlterUser("alcie", HIDDEN).plan(seen(alice=["SCRAM-SHA-256"]))
    assert refused.value.hint == "did you mean alice?"


def test_another_password_disturbs_and_has_no_way_back() -> None:
    plan = AlterUser("alice", HIDDEN).plan(seen(alice=["SCRAM-SHA-256"]))
    assert (plan.risk, plan.steps[0].undo) == (Risk.DISRUPTIVE, None)
    assert plan.warnings


def test_a_password_for_another_mechanism_disturbs_nobody() -> None:
    plan = AlterUser("alice", HIDDEN._replace(mechanism="SCRAM-SHA-512")).plan(seen(alice=["SCRAM-SHA-256"]))
    assert plan.risk is Risk.SAFE
    assert plan.steps[0].undo is not None
    assert plan.changes[0].before == {"mechanisms": {"SCRAM-SHA-512": None}}


def test_deleting_takes_all_or_one_of_the_ways_in() -> None:
    both = seen(alice=["SCRAM-SHA-256", "SCRAM-SHA-512"])
    whole = DeleteUser("alice").plan(both)
    assert (whole.risk, whole.changes[0].after) == (Risk.DESTRUCTIVE, None)
    one = DeleteUser("alice", ("SCRAM-SHA-256",)).plan(both)
    assert one.changes[0].after == {"mechanisms": {"SCRAM-SHA-256": None}}
    none = DeleteUser("alice", ("SCRAM-SHA-512",)).plan(seen(alice=["SCRAM-SHA-256"]))
    assert none.notes == ("user alice has no SCRAM-SHA-512",)
    assert DeleteUser("bob", if_exists=True).plan(both).notes == ("user bob does not exist",)
    with pytest.raises(OperationFailed, match="user bob does not exist"):
        DeleteUser("bob").plan(both)


@pytest.mark.parametrize(
    "operation",
    [
        CreateUser("", HIDDEN),
        CreateUser("*", HIDDEN),
        CreateUser("a\x1b[2J", HIDDEN),
        CreateUser("a", HIDDEN._replace(iterations=4095)),
        CreateUser("a", HIDDEN._replace(iterations=16385)),
        CreateUser("a", HIDDEN._replace(mechanism="PLAIN")),
        CreateUser("a", Credential(Secret(""))),
        CreateUser("a", Credential("written-down")),
        DeleteUser("a", ("SCRAM-SHA-1",)),
    ],
)
def test_what_kafka_would_refuse_is_found_before_asking(operation: CreateUser | DeleteUser) -> None:
    with pytest.raises(UsageError) as refused:
        operation.check()
    assert "written-down" not in str(refused.value)


def test_the_salted_password_is_that_of_the_standard() -> None:
    """RFC 7677, section 3: what the server signs with it."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    salted = salted_password("SCRAM-SHA-256", "pencil", salt, 4096)
    server_key = hmac.digest(salted, b"Server Key", hashlib.sha256)
    signature = hmac.digest(server_key, message.encode(), hashlib.sha256)
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
