"""Who may change what: the guard of a context, the risk, the flags and whether somebody can be asked."""

from __future__ import annotations

import itertools

import pytest

from logctl.admin.guard import LEVELS, Facts, Verdict, name_of, rule
from logctl.admin.observe import Resource
from logctl.admin.operation import Change, Plan, Risk, Step

GO, ASK, NAME, NO = Verdict.GO, Verdict.ASK, Verdict.ASK_NAME, Verdict.REFUSE


def plan(risk: Risk, *names: str) -> Plan:
    changes = tuple(Change(Resource("topic", name), None, {}) for name in names or ("orders",))
    return Plan("change topics", changes, (Step("topic.x", "x", {}, risk),), cluster_id="here")


# Per guard: of a safe change and of a risky one, what follows from (-y at a terminal, -y in a script, nothing at a
# terminal, nothing in a script).
TABLE = {
    "none": ((GO, GO, GO, GO), (GO, GO, ASK, NO)),
    "confirm": ((GO, GO, ASK, NO), (GO, GO, ASK, NO)),
    "type-name": ((GO, GO, ASK, NO), (NAME, NO, NAME, NO)),
    "read-only": ((NO, NO, NO, NO), (NO, NO, NO, NO)),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("risk", list(Risk))
def test_each_guard_asks_what_it_promises(level: str, risk: Risk) -> None:
    rulings = [
        rule(plan(risk), Facts(level, "prod", yes=yes, interactive=interactive)).verdict
        for yes, interactive in ((True, True), (True, False), (False, True), (False, False))
    ]
    assert tuple(rulings) == TABLE[level][risk is not Risk.SAFE]


@pytest.mark.parametrize("level", ["none", "confirm", "type-name"])
@pytest.mark.parametrize("risk", list(Risk))
def test_a_name_given_confirms_in_a_script_and_a_wrong_one_refuses(level: str, risk: Risk) -> None:
    assert rule(plan(risk), Facts(level, "prod", confirmed="orders")).verdict is GO
    wrong = rule(plan(risk), Facts(level, "prod", yes=True, confirmed="payments"))
    assert wrong.verdict is NO
    assert wrong.sentence == "cannot change topics: --confirm payments was given, and the name is orders"


def test_the_name_is_the_resource_s_or_of_several_the_context_s() -> None:
    assert name_of(plan(Risk.SAFE, "orders"), "prod") == "orders"
    assert name_of(plan(Risk.SAFE, "orders", "payments"), "prod") == "prod"
    asked = rule(plan(Risk.DESTRUCTIVE, "a", "b"), Facts("type-name", "prod", interactive=True))
    assert (asked.verdict, asked.name) == (NAME, "prod")


def test_a_script_is_told_what_it_lacks() -> None:
    refused = rule(plan(Risk.DESTRUCTIVE), Facts("type-name", "prod", yes=True))
    assert refused.sentence == (
        "cannot change topics unless its name is given, which -y does not do here (context prod, guard type-name)"
    )
    assert refused.hint == "add --confirm orders"
    assert rule(plan(Risk.DESTRUCTIVE), Facts()).hint == "add -y to go ahead"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("risk", list(Risk))
@pytest.mark.parametrize(
    "more", [{"read_only": True}, {"expected_cluster_id": "elsewhere"}], ids=["LOGCTL_READ_ONLY", "another cluster"]
)
def test_no_flag_helps_in_a_read_only_shell_or_on_another_cluster(level: str, risk: Risk, more: dict[str, str]) -> None:
    for yes, confirmed in itertools.product((True, False), (None, "orders")):
        facts = Facts(level, "prod", yes=yes, confirmed=confirmed, interactive=True)._replace(**more)
        assert rule(plan(risk), facts).verdict is NO


def test_refusals_say_which_cluster_was_met_and_which_was_expected() -> None:
    other = rule(plan(Risk.SAFE), Facts(context="prod", expected_cluster_id="there"))
    assert other.sentence == "cannot change topics: context prod expects cluster there, and this is here"
    nameless = rule(plan(Risk.SAFE)._replace(cluster_id=None), Facts(expected_cluster_id="there"))
    assert nameless.sentence == "cannot change topics: the context expects cluster there, and this is one without an id"
    assert rule(plan(Risk.SAFE), Facts(expected_cluster_id="here")).verdict is GO


def test_a_guard_that_is_not_known_is_taken_for_the_strictest() -> None:
    refused = rule(plan(Risk.SAFE), Facts("careful", "prod", yes=True))
    assert refused.verdict is NO
    assert "its guard 'careful' is none that logctl knows" in refused.sentence
