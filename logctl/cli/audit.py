"""logctl audit: list, show, resume, undo. What was changed from this machine, and the way on or back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

import typer

from logctl.cli import output
from logctl.cli.command import Call, following, required, telling
from logctl.cli.output import Column, Listing, Nested, View
from logctl.errors import Declined, UsageError

if TYPE_CHECKING:
    from logctl.admin.history import History, Record
    from logctl.cli.session import Target

PlanId = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="As `logctl audit list` shows it, or its beginning; 'last' for the newest."),
]

_UNNAMED: Final = "no plan was named"


def register(app: typer.Typer) -> None:
    """Add `logctl audit`."""
    audit = typer.Typer(no_args_is_help=True, help="See what was changed from here, go on with it, or take it back.")
    audit.command("list")(list_command)
    audit.command("ls", hidden=True)(list_command)
    audit.command("show")(show_command)
    audit.command("resume")(resume_command)
    audit.command("undo")(undo_command)
    app.add_typer(audit, name="audit")


class ListedPlan(TypedDict):
    name: Annotated[str, "the plan's id; later ones sort after earlier ones"]
    at: Annotated[str, "when it was planned: ISO 8601, UTC"]
    state: Annotated[str, "done, partly done, failed, unknown, interrupted, running, undone or partly undone"]
    by: Annotated[str, "user@host"]
    command: str
    title: str
    context: Annotated[str | None, "the context it was made in; null without one"]
    bootstrap: Annotated[str, "the addresses it was made with"]
    cluster_id: str | None
    undoes: Annotated[str | None, "the id of the plan that this one takes back"]
    undone_by: Annotated[str | None, "the id of the plan that took this one back"]


class ShownStep(TypedDict):
    step: Annotated[int, "from 1"]
    state: Annotated[str, "not begun, begun (no answer was written down), done, partly done, failed or unknown"]
    risk: str
    sentence: str
    undo: Annotated[str | None, "how it is taken back; null where there is no way back"]
    errors: list[str]


class ShownChange(TypedDict):
    kind: str
    name: str
    before: Annotated[dict[str, Any] | None, "what was there; null: nothing"]
    after: Annotated[dict[str, Any] | None, "what was wanted; null: nothing"]
    seen: Annotated[dict[str, Any] | None, "what was seen when it was verified"]
    verified: bool


class ShownPlan(ListedPlan):
    pid: Annotated[int, "of the process that began it"]
    error: Annotated[str, "how it failed; empty when it did not"]
    changed_at: Annotated[str, "when something of it was last written down: ISO 8601, UTC"]
    resumed_by: Annotated[list[str], "user@host of each later run"]
    warnings: list[str]
    changes: list[ShownChange]
    steps: list[ShownStep]


class OfJournal(TypedDict):
    journal: Annotated[str, "the file"]
    damaged_lines: Annotated[int, "lines of it that cannot be read, which is what a crash leaves"]


LISTED = Listing(
    "plans",
    ListedPlan,
    (
        Column("ID", lambda plan: plan["name"]),
        Column("WHEN", lambda plan: _when(plan["at"])),
        Column("STATE", lambda plan: plan["state"]),
        Column("BY", lambda plan: plan["by"]),
        Column("WHERE", lambda plan: plan["context"] or plan["bootstrap"]),
        Column("WHAT", lambda plan: plan["title"]),
        Column("COMMAND", lambda plan: plan["command"], wide=True),
        Column("CLUSTER", lambda plan: plan["cluster_id"] or "-", wide=True),
        Column("UNDOES", lambda plan: plan["undoes"] or "-", wide=True),
        Column("UNDONE-BY", lambda plan: plan["undone_by"] or "-", wide=True),
    ),
    also=OfJournal,
)

SHOWN = Listing(
    "plans",
    ShownPlan,
    (
        Column("STEP", lambda step: step["step"], number=True),
        Column("STATE", lambda step: step["state"]),
        Column("RISK", lambda step: step["risk"]),
        Column("UNDO", lambda step: "yes" if step["undo"] else "no"),
        Column("WHAT", lambda step: step["sentence"]),
        Column("WAY-BACK", lambda step: step["undo"] or "-", wide=True),
        Column("ERROR", lambda step: "; ".join(step["errors"]) or "-", wide=True),
    ),
    Nested("steps", "ID", lambda plan: _headline(plan)),
    OfJournal,
)


@telling(LISTED)
def list_command(
    session: None,
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Only plans in this state. May be repeated.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", metavar="N", help="Only the newest so many.", min=1)
    ] = None,
) -> View:
    """List what was changed from here, the newest last.

    Replaces nothing: Apache's tools keep no account of what they change.

    \b
    Example:
      logctl audit list --state interrupted
    """
    history = _history()
    wanted = _states(state)
    records = [one for one in history.records if not wanted or one.state in wanted]
    items = [_listed(one) for one in records[-limit if limit else 0 :]]
    return LISTED.view(items, **_of_journal(history))


@telling(SHOWN)
def show_command(session: None, plan_id: PlanId = None) -> View:
    """Show a change: who made it, what became of each step, and what was there before.

    \b
    Example:
      logctl audit show last
    """
    history = _history()
    return SHOWN.view([_shown(history.find(required(plan_id, _UNNAMED)))], **_of_journal(history))


@following
def resume_command(call: Call, plan_id: PlanId = None) -> int:
    """Do what is left of a change that was interrupted or partly done.

    Each resource is looked at first: what is as wanted counts as done, what is as it was is still to do, and what
    somebody changed since stops everything. The cluster is the one that the change was made on.

    \b
    Example:
      logctl audit resume last --dry-run
    """
    from logctl.cli.run import resume
    from logctl.cli.session import connected

    record = _settled(_history().find(required(plan_id, _UNNAMED)), "resumed")
    with connected(_target(call.target, record), call.timeout) as session:
        return resume(session, record, call.flags)


@following
def undo_command(call: Call, plan_id: PlanId = None) -> int:
    """Take back what a change did, step by step, the last one first.

    It is a change of its own, planned against the cluster as it is now, asked about and verified like any other. What
    cannot be taken back is named.

    \b
    Example:
      logctl audit undo last --dry-run
    """
    from logctl.admin.undoing import TakeBack
    from logctl.cli.run import Way, change
    from logctl.cli.session import connected

    record = _settled(_history().find(required(plan_id, _UNNAMED)), "undone")
    with connected(_target(call.target, record), call.timeout) as session:
        return change(session, TakeBack(record), call.flags, Way(undoes=record.plan_id))


# -- how it is done ----------------------------------------------------------------------------------------------------


def _history() -> History:
    from logctl.admin.history import read_history
    from logctl.admin.journal import Journal

    history = read_history(Journal())
    if history.damaged:
        told = "a line of it" if history.damaged == 1 else f"{history.damaged} lines of it"
        output.warn(f"{Journal().path}: {told} cannot be read, as a crash leaves it; the others are shown")
    return history


def _states(given: list[str] | None) -> set[str]:
    from logctl.admin.history import STATES

    for state in given or ():
        if state not in STATES:
            raise UsageError(f"there is no state {state!r}", f"there are {', '.join(STATES)}")
    return set(given or ())


def _settled(record: Record, verb: str) -> Record:
    """The record, unless another process carries it out or it was taken back already. Raises Declined."""
    if record.running:
        raise Declined(
            f"{record.plan_id} cannot be {verb}: process {record.pid} of {record.by} carries it out",
            "wait for its end, or end that process",
        )
    if record.undone_by is not None and record.undone_whole:
        raise Declined(
            f"{record.plan_id} cannot be {verb}: it was undone by {record.undone_by}",
            f"take that back with `logctl audit undo {record.undone_by}`, where there is a way",
        )
    return record


def _target(given: Target, record: Record) -> Target:
    """What the flags say; where they name no cluster, the one that the change was made on."""
    if given.bootstrap is not None or given.context is not None:
        return given
    config = given.command_config or record.command_config
    if record.context is not None:
        return given._replace(context=record.context, command_config=config)
    return given._replace(bootstrap=record.bootstrap or None, command_config=config)


def _of_journal(history: History) -> dict[str, Any]:
    from logctl.admin.journal import Journal

    return {"journal": str(Journal().path), "damaged_lines": history.damaged}


def _listed(record: Record) -> ListedPlan:
    return {
        "name": record.plan_id,
        "at": record.at,
        "state": record.state,
        "by": record.by,
        "command": record.command,
        "title": record.title,
        "context": record.context,
        "bootstrap": record.bootstrap,
        "cluster_id": record.cluster_id,
        "undoes": record.undoes,
        "undone_by": record.undone_by,
    }


def _shown(record: Record) -> ShownPlan:
    plan = record.plan()
    return {
        **_listed(record),
        "pid": record.pid,
        "error": record.error,
        "changed_at": record.changed_at,
        "resumed_by": list(record.resumed_by),
        "warnings": list(plan.warnings),
        "changes": [
            {
                "kind": change.resource.kind,
                "name": change.resource.name,
                "before": None if change.before is None else dict(change.before),
                "after": None if change.after is None else dict(change.after),
                "seen": dict(record.verified.get(change.resource) or {}) or None,
                "verified": change.resource in record.verified,
            }
            for change in plan.changes
        ],
        "steps": [
            {
                "step": number + 1,
                "state": record.step(number).state,
                "risk": step.risk.name.lower(),
                "sentence": step.sentence,
                "undo": None if step.undo is None else step.undo.sentence,
                "errors": list(record.step(number).errors),
            }
            for number, step in enumerate(plan.steps)
        ],
    }


def _headline(plan: Any) -> str:
    """Who, when, where and how it ended, and each difference."""
    from logctl.admin.observe import Resource
    from logctl.admin.operation import Change, Plan
    from logctl.cli.preview import plan_text

    changes = tuple(Change(Resource(one["kind"], one["name"]), one["before"], one["after"]) for one in plan["changes"])
    lines = [
        f"{plan['name']}  {plan['title']}: {plan['state']}",
        f"{plan['command'] or 'planned'} by {plan['by']} at {_when(plan['at'])} "
        f"on {plan['context'] or plan['bootstrap']}, cluster {plan['cluster_id'] or '(unknown)'}",
        *(f"resumed by {one}" for one in plan["resumed_by"]),
        *([f"undoes {plan['undoes']}"] if plan["undoes"] else []),
        *([f"undone by {plan['undone_by']}"] if plan["undone_by"] else []),
        *([f"error: {plan['error']}"] if plan["error"] else []),
    ]
    return "".join(f"{output.neutral(line)}\n" for line in lines) + plan_text(Plan("", changes))


def _when(at: str) -> str:
    """'2026-11-24T23:43:01.250Z' as '2026-11-24 23:43:01Z'."""
    return at.replace("T", " ").partition(".")[0] + "Z" if "." in at else at
