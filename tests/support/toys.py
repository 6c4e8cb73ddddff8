"""Things to change that are no part of a cluster: for what the executor does around its steps.

`toys.wall(monkeypatch)` puts the kind 'toy' among the kinds that there are; the action `toy.paint` paints one, or fails
as `faults` say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from logctl.admin import executor, observe
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Seen, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.errors import LogctlError

painted: dict[str, State] = {}
faults: dict[str, LogctlError | Callable[[], None]] = {}
"""Name -> the error that the cluster answers, or what is called instead: it may raise."""


def wall(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Toys of these names, all of them white."""
    painted.clear()
    faults.clear()
    painted.update({name: {"colour": "white"} for name in names})
    monkeypatch.setitem(executor.MODULES, "toy", __name__)  # type: ignore[arg-type]
    monkeypatch.setitem(observe.OBSERVERS, "toy", f"{__name__}:look")  # type: ignore[arg-type]


def look(cluster: Any, names: tuple[str, ...], deadline: Deadline) -> Seen:
    return Seen({name: painted.get(name) for name in names}, {})


def paint(cluster: Any, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    name = arguments["name"]
    fault = faults.get(name)
    if isinstance(fault, LogctlError):
        return {Resource("toy", name): fault}
    if fault is not None:
        fault()
    if not dry:
        painted[name] = {"colour": arguments["colour"]}
    return {Resource("toy", name): None}


ACTIONS = {"paint": paint}


def painting(*names: str, risk: Risk = Risk.SAFE, gates: tuple[str, ...] = (), colour: Any = "red") -> Plan:
    """A plan that paints each, one step for each."""
    resources = [Resource("toy", name) for name in names]
    return Plan(
        "paint the toys",
        tuple(Change(one, {"colour": "white"}, {"colour": colour}) for one in resources),
        tuple(_step(one, risk, gates, colour) for one in resources),
        cluster_id="scripted",
        wants=Wants((), looks=tuple(resources)),
    )


def _step(toy: Resource, risk: Risk, gates: tuple[str, ...], colour: Any) -> Step:
    back = Undo("toy.paint", f"paint {toy.name} white", {"name": toy.name, "colour": "white"})
    return Step(
        "toy.paint", f"paint {toy.name} {colour}", {"name": toy.name, "colour": colour}, risk, (toy,), back, gates
    )
