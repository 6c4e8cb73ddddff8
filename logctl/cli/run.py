"""The single path of every change: plan -> preview -> confirm -> execute -> verify -> exit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.executor import Event, ItemFailed, Verified, execute, rehearse
from logctl.admin.observe import observe
from logctl.admin.operation import Change, Operation, Plan
from logctl.cli import output
from logctl.cli.confirm import confirm
from logctl.cli.exits import Exit
from logctl.cli.output import Format
from logctl.cli.session import Session
from logctl.errors import UsageError


class ChangeFlags(NamedTuple):
    """How a change is to be made and reported."""

    yes: bool = False
    dry_run: bool = False
    exit_code: bool = False
    form: Format = Format.TABLE


def change(session: Session, operation: Operation, flags: ChangeFlags) -> int:
    """Plan the operation and carry it out as the flags say; answers the exit code."""
    operation.check()
    cluster, deadline = session.cluster, session.deadline
    plan = operation.plan(observe(cluster, operation.wants(), deadline))
    for warning in plan.warnings:
        output.warn(warning)
    if flags.dry_run:
        return _preview(session, plan, flags)
    if not plan.steps:
        return _nothing_to_do(plan, flags)
    if confirm(plan, yes=flags.yes):
        deadline = Deadline(session.timeout_s)
    seen = []
    for event in execute(plan, cluster, deadline):
        _tell(event)
        if isinstance(event, Verified):
            seen.append(event)
    _report(plan, seen, flags.form)
    return Exit.DONE


def carry_out_file(session: Session, path: str, flags: ChangeFlags) -> int:
    """Carry out the plan in a file that --dry-run -o json wrote; answers the exit code."""
    raise UsageError(f"--plan {path}: plans in files cannot be carried out yet")


def _preview(session: Session, plan: Plan, flags: ChangeFlags) -> int:
    for event in rehearse(plan, session.cluster, session.deadline):
        if isinstance(event, ItemFailed):
            raise event.error
    if flags.form is Format.JSON:
        output.write(output.as_json(plan.document()))
    elif flags.form is Format.YAML:
        output.write(output.as_yaml(plan.document()))
    else:
        output.write(plan_text(plan))
    output.note("nothing was changed: this was a dry run")
    return Exit.CHANGES if flags.exit_code and plan.steps else Exit.DONE


def plan_text(plan: Plan) -> str:
    """The plan as a human reads it: each step, and below it what will be different."""
    lines = [f"{note}; nothing to do" for note in plan.notes]
    lines += [step.sentence for step in plan.steps]
    for change in plan.changes:
        lines.append(str(change.resource))
        lines.extend(_difference(change))
    return "".join(f"{output.neutral(line)}\n" for line in lines)


def _difference(change: Change) -> Iterator[str]:
    before, after = _flat(change.before or {}), _flat(change.after or {})
    if change.after is None:
        yield from (f"  - {key}: {value}" for key, value in before.items())
        return
    for key, value in after.items():
        if value is None:
            yield f"  - {key}: {before.get(key)}"
        elif before.get(key) is None:
            yield f"  + {key}: {value}"
        elif before[key] != value:
            yield f"  ~ {key}: {before[key]} -> {value}"


def _flat(state: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _nothing_to_do(plan: Plan, flags: ChangeFlags) -> int:
    for sentence in plan.notes:
        output.note(f"{sentence}; nothing to do")
    _report(plan, [], flags.form)
    return Exit.DONE


def _tell(event: Event) -> None:
    if isinstance(event, Verified):
        output.note(_past(event))


def _past(event: Verified) -> str:
    change = event.change
    if change.after is None:
        return f"deleted {change.resource}"
    verb = "created" if change.before is None else "changed"
    seen = event.seen or {}
    said = [f"{key.replace('_', ' ')} {seen[key]}" for key in ("partitions", "replication_factor") if key in seen]
    configs = seen.get("configs", {})
    named = configs if change.before is None else (change.after or {}).get("configs", {})
    said += [f"{key}={configs[key]}" if key in configs else f"{key} back to its default" for key in named]
    return f"{verb} {change.resource}" + (f": {', '.join(said)}" if said else "")


def _report(plan: Plan, seen: list[Verified], form: Format) -> None:
    if form is Format.NAME:
        output.write("".join(f"{event.change.resource.name}\n" for event in seen))
    if form not in (Format.JSON, Format.YAML):
        return
    document = {
        "title": plan.title,
        "changed": bool(seen),
        "changes": [
            {"kind": event.change.resource.kind, "name": event.change.resource.name, "now": event.seen}
            for event in seen
        ],
        "notes": list(plan.notes),
        "warnings": list(plan.warnings),
    }
    output.write(output.as_json(document) if form is Format.JSON else output.as_yaml(document))
