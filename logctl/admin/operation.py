"""What somebody wants changed, as data: an operation is planned against a snapshot, and the plan can be shown and kept.

From each change's pair (before, after) come the preview, "already so", the check that the world has not moved, and the
verification. Steps say how to get there; they name an action and its arguments, so that a plan can be kept in a file.
States are plain dictionaries of what can be observed; None stands for "does not exist".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from logctl.admin.observe import Resource, Snapshot, State, Wants


class Risk(IntEnum):
    """What a step can cost: nothing, an interruption, or data."""

    SAFE = 0
    DISRUPTIVE = 1
    DESTRUCTIVE = 2


class Change(NamedTuple):
    """One resource, as it is and as it shall be. `after` names only what the operation decides."""

    resource: Resource
    before: State
    after: State


class Undo(NamedTuple):
    """The act that takes a step back, known when the step is planned because `before` is known then."""

    action: str
    sentence: str
    arguments: Mapping[str, Any]
    risk: Risk = Risk.SAFE


class Step(NamedTuple):
    """One act. `action` is looked up among the executor's actions; `sentence` says it to a human.

    `about`: the resources it changes; all of the plan's when empty. `undo` is None where there is no honest way back.
    `gates` name the health checks (admin/checks) that must find nothing before the step begins.
    """

    action: str
    sentence: str
    arguments: Mapping[str, Any]
    risk: Risk = Risk.SAFE
    about: tuple[Resource, ...] = ()
    undo: Undo | None = None
    gates: tuple[str, ...] = ()


class Plan(NamedTuple):
    """Changes and the steps that bring them about. No steps: it is already so, and `notes` say why."""

    title: str
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cluster_id: str | None = None
    wants: Wants = Wants()

    @property
    def risk(self) -> Risk:
        return max((step.risk for step in self.steps), default=Risk.SAFE)

    def document(self) -> dict[str, Any]:
        """The plan as a machine reads it."""
        return {
            "title": self.title,
            "cluster_id": self.cluster_id,
            "changes": [
                {
                    "kind": change.resource.kind,
                    "name": change.resource.name,
                    "before": _plain(change.before),
                    "after": _plain(change.after),
                }
                for change in self.changes
            ],
            "steps": [
                {
                    "action": step.action,
                    "sentence": step.sentence,
                    "risk": step.risk.name.lower(),
                    "arguments": dict(step.arguments),
                }
                for step in self.steps
            ],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def _plain(state: State) -> dict[str, Any] | None:
    return None if state is None else dict(state)


class Operation(Protocol):
    """An intention. `check` tells what is wrong without asking anybody (UsageError); `plan` is pure: it may refuse
    (UsageError, OperationFailed) but touches nothing."""

    def check(self) -> None: ...

    def wants(self) -> Wants: ...

    def plan(self, snapshot: Snapshot) -> Plan: ...
