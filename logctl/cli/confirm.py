"""When to ask before a change, how, and what -y may skip. The decision is pure; `ask` is the one prompt."""

from __future__ import annotations

import os
import sys
from enum import Enum

from logctl.admin.operation import Plan, Risk
from logctl.errors import Declined


class Verdict(Enum):
    GO = "go"
    ASK = "ask"
    REFUSE = "refuse"


def decide(risk: Risk, *, yes: bool, interactive: bool) -> Verdict:
    """A safe step goes ahead; a risky one needs -y, or a human at a terminal."""
    if risk is Risk.SAFE or yes:
        return Verdict.GO
    return Verdict.ASK if interactive else Verdict.REFUSE


def confirm(plan: Plan, *, yes: bool) -> bool:
    """Settle whether the plan may run; True when a human was asked. Raises Declined when it may not."""
    if os.environ.get("LOGCTL_READ_ONLY") == "1":
        raise Declined(f"cannot {plan.title}: LOGCTL_READ_ONLY=1 refuses every change", "unset it to change anything")
    verdict = decide(plan.risk, yes=yes, interactive=sys.stdin.isatty() and sys.stderr.isatty())
    if verdict is Verdict.REFUSE:
        raise Declined(f"cannot {plan.title} without a confirmation, and no terminal to ask at", "add -y to go ahead")
    if verdict is Verdict.ASK:
        ask(plan)
    return verdict is Verdict.ASK


def ask(plan: Plan) -> None:
    """Show what is about to happen and read the answer. Raises Declined unless it is yes."""
    from logctl.cli.output import note

    for step in plan.steps:
        note(f"about to {step.sentence}")
    sys.stderr.write("Go ahead? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    if answer not in ("y", "yes"):
        raise Declined("nothing was changed")
