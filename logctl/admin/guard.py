"""Whether a change may go ahead, must be asked about, or is refused: a decision from a few facts, and nothing else.

    guard of the context   a safe change           a risky one (disruptive, destructive)
    none                   goes ahead              -y, or a yes at the terminal
    confirm                -y, or a yes            -y, or a yes
    type-name              -y, or a yes            the name typed at the terminal, or --confirm NAME; -y is not enough
    read-only              refused                 refused

The name is the resource's, or the context's where a plan changes several resources. `--confirm NAME` stands for -y
everywhere, and a wrong NAME is refused everywhere: a script that means another cluster or topic is stopped. With
LOGCTL_READ_ONLY=1, and on a cluster whose id is not the one that the context expects, every change is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from logctl.admin.observe import Resource
from logctl.admin.operation import Plan, Risk

NONE: Final = "none"
CONFIRM: Final = "confirm"
TYPE_NAME: Final = "type-name"
READ_ONLY: Final = "read-only"
LEVELS: Final = (NONE, CONFIRM, TYPE_NAME, READ_ONLY)


class Verdict(Enum):
    GO = "go"
    ASK = "ask"
    ASK_NAME = "ask for the name"
    REFUSE = "refuse"


class Ruling(NamedTuple):
    """The verdict; `sentence` and `hint` of a refusal; `name`: what must be typed where the verdict is ASK_NAME."""

    verdict: Verdict
    sentence: str = ""
    hint: str = ""
    name: str = ""


class Facts(NamedTuple):
    """What the decision rests on.

    `level`: one of LEVELS; an unknown one counts as read-only. `confirmed`: the NAME of --confirm. `interactive`:
    somebody can be asked. `read_only`: LOGCTL_READ_ONLY=1. `expected_cluster_id`: of the context, where it has one.
    """

    level: str = NONE
    context: str | None = None
    yes: bool = False
    confirmed: str | None = None
    interactive: bool = False
    read_only: bool = False
    expected_cluster_id: str | None = None


def rule(plan: Plan, facts: Facts) -> Ruling:
    """Whether the plan may run."""
    refusal = _forbidden(plan, facts)
    if refusal is not None:
        return refusal
    name = name_of(plan, facts.context)
    if facts.confirmed is not None:
        return Ruling(Verdict.GO) if facts.confirmed == name else _wrong_name(plan, facts.confirmed, name)
    risky = plan.risk is not Risk.SAFE
    if facts.level == TYPE_NAME and risky:
        if facts.interactive:
            return Ruling(Verdict.ASK_NAME, name=name)
        sentence = f"cannot {plan.title} unless its name is given, which -y does not do here"
        return Ruling(Verdict.REFUSE, f"{sentence}{_where(facts)}", f"add --confirm {name}")
    if facts.yes or (facts.level == NONE and not risky):
        return Ruling(Verdict.GO)
    if facts.interactive:
        return Ruling(Verdict.ASK)
    sentence = f"cannot {plan.title} without a confirmation, and no terminal to ask at"
    return Ruling(Verdict.REFUSE, f"{sentence}{_where(facts)}", "add -y to go ahead")


def name_of(plan: Plan, context: str | None) -> str:
    """What confirms the plan when it is typed: the name of its resource, or of the context when there are several."""
    resources: Sequence[Resource] = [change.resource for change in plan.changes]
    names = list(dict.fromkeys(one.name for one in resources))
    return names[0] if len(names) == 1 else context or "yes"


def _forbidden(plan: Plan, facts: Facts) -> Ruling | None:
    if facts.read_only:
        sentence = f"cannot {plan.title}: LOGCTL_READ_ONLY=1 refuses every change"
        return Ruling(Verdict.REFUSE, sentence, "unset it to change anything")
    expected, found = facts.expected_cluster_id, plan.cluster_id
    if expected is not None and found != expected:
        here = found or "one without an id"
        return Ruling(
            Verdict.REFUSE,
            f"cannot {plan.title}: {_context(facts)} expects cluster {expected}, and this is {here}",
            "look where its addresses lead: `logctl cluster info`; nothing is changed on another cluster than expected",
        )
    if facts.level not in (NONE, CONFIRM, TYPE_NAME):
        known = "" if facts.level == READ_ONLY else f" (its guard {facts.level!r} is none that logctl knows)"
        return Ruling(
            Verdict.REFUSE,
            f"cannot {plan.title}: {_context(facts)} is read-only{known}",
            "see `logctl context show`",
        )
    return None


def _wrong_name(plan: Plan, given: str, name: str) -> Ruling:
    return Ruling(Verdict.REFUSE, f"cannot {plan.title}: --confirm {given} was given, and the name is {name}")


def _context(facts: Facts) -> str:
    return "the context" if facts.context is None else f"context {facts.context}"


def _where(facts: Facts) -> str:
    return "" if facts.level == NONE else f" ({_context(facts)}, guard {facts.level})"
