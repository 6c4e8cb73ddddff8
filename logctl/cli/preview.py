"""A plan before it is carried out, as a human reads it: each step, and below them what will be different.

What a change is about decides how its difference is shown: line by line, or, where there are many of a kind, in a table
of its own (`_TABLES`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.operation import Change, Plan, Risk, Step
from logctl.admin.standing import flat
from logctl.cli import output
from logctl.cli.output import Column


class _Table(NamedTuple):
    """How changes of a kind are shown together. `rows` is empty for a change that the table has no room for."""

    columns: Sequence[Column]
    rows: Callable[[Change], list[dict[str, Any]]]


def plan_text(plan: Plan) -> str:
    """The plan in lines. Of a risky one it is said which steps there is no way back from."""
    lines = [f"{note}; nothing to do" for note in plan.notes]
    lines += [step_line(step) for step in plan.steps]
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for change in plan.changes:
        kind = change.resource.kind
        tabled = _TABLES[kind].rows(change) if kind in _TABLES else []
        if tabled:
            rows.setdefault(kind, []).extend(tabled)
        else:
            lines.append(str(change.resource))
            lines.extend(_difference(change))
    tables = [output.as_table(_TABLES[kind].columns, found, headers=True) for kind, found in rows.items()]
    return "".join([*(f"{output.neutral(line)}\n" for line in lines), *tables])


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


# -- positions of groups -----------------------------------------------------------------------------------------------


def _positions(change: Change) -> list[dict[str, Any]]:
    """A row for each partition that the group gets another position in, or none."""
    before, after = change.before or {}, change.after or {}
    held, offsets = before.get("offsets", {}), after.get("offsets", {})
    return [_position(change.resource.name, name, held.get(name), new) for name, new in offsets.items()]


def _position(group: str, place: str, current: object, new: object) -> dict[str, Any]:
    topic, _, partition = place.rpartition("-")
    both = isinstance(current, int) and isinstance(new, int)
    return {
        "group": group,
        "topic": topic,
        "partition": partition,
        "current": current,
        "new": new,
        "delta": f"{new - current:+}" if both else None,  # type: ignore[operator]
    }


def _columns(titles: Iterable[str], numbers: Iterable[str]) -> list[Column]:
    return [Column(title.upper(), _cell(title), number=title in numbers) for title in titles]


def _cell(field: str) -> Callable[[Mapping[str, Any]], object]:
    return lambda row: "-" if row[field] is None else row[field]


_NUMBERS: Final = ("partition", "current", "new", "delta")
_TABLES: Final = {"group": _Table(_columns(("group", "topic", *_NUMBERS), _NUMBERS), _positions)}
