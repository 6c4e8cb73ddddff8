"""A plan before it is carried out, as a human reads it: each step, and below them what will be different."""

from __future__ import annotations

from collections.abc import Iterator

from logctl.admin.operation import Change, Plan, Risk, Step
from logctl.admin.standing import flat
from logctl.cli import output


def plan_text(plan: Plan) -> str:
    """The plan in lines. Of a risky one it is said which steps there is no way back from."""
    lines = [f"{note}; nothing to do" for note in plan.notes]
    lines += [step_line(step) for step in plan.steps]
    for change in plan.changes:
        lines.append(str(change.resource))
        lines.extend(_difference(change))
    return "".join(f"{output.neutral(line)}\n" for line in lines)


def step_line(step: Step) -> str:
    """The step's sentence, what it waits for and what it risks."""
    gates = f" (once {' and '.join(step.gates)} find nothing)" if step.gates else ""
    if step.risk is Risk.SAFE:
        return step.sentence + gates
    way_back = "" if step.undo is not None else ", no way back"
    return f"{step.sentence}{gates} [{step.risk.name.lower()}{way_back}]"


def _difference(change: Change) -> Iterator[str]:
    before, after = flat(change.before or {}), flat(change.after or {})
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
