"""Asking before a change. When to ask is decided in `admin/guard`; here is the one prompt."""

from __future__ import annotations

import os
import sys

from logctl.admin.guard import Facts, Verdict, rule
from logctl.admin.operation import Plan
from logctl.cli.output import neutral, note
from logctl.cli.preview import step_line
from logctl.cli.session import Session
from logctl.errors import Declined

_STEPS_SHOWN = 20


def confirm(plan: Plan, session: Session, *, yes: bool, confirmed: str | None = None) -> bool:
    """Settle whether the plan may run; True when a human was asked. Raises Declined when it may not."""
    facts = Facts(
        level=session.guard,
        context=session.context,
        yes=yes,
        confirmed=confirmed,
        interactive=sys.stdin.isatty() and sys.stderr.isatty(),
        read_only=os.environ.get("LOGCTL_READ_ONLY", "") not in ("", "0"),
        expected_cluster_id=session.expected_cluster_id,
    )
    ruling = rule(plan, facts)
    if ruling.verdict is Verdict.REFUSE:
        raise Declined(ruling.sentence, ruling.hint)
    if ruling.verdict is Verdict.GO:
        return False
    _show(plan)
    if ruling.verdict is Verdict.ASK_NAME:
        _ask_name(ruling.name, session.label)
    else:
        _ask(session.label)
    return True


def _show(plan: Plan) -> None:
    for step in plan.steps[:_STEPS_SHOWN]:
        note(f"about to {step_line(step)}")
    if len(plan.steps) > _STEPS_SHOWN:
        note(f"and {len(plan.steps) - _STEPS_SHOWN} steps more; --dry-run shows them all")


def _ask(where: str) -> None:
    if _answer(f"Go ahead{_on(where)}? [y/N] ").lower() not in ("y", "yes"):
        raise Declined("nothing was changed")


def _ask_name(name: str, where: str) -> None:
    if _answer(f"Type {neutral(name)} to go ahead{_on(where)}: ") != name:
        raise Declined("that was not the name; nothing was changed")


def _on(where: str) -> str:
    return f" on {where}" if where else ""


def _answer(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().strip()
