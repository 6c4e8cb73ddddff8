"""What somebody wants changed, as data: an operation is planned against a snapshot, and the plan can be shown and kept.

From each change's pair (before, after) come the preview, "already so", the check that the world has not moved, and the
verification. Steps say how to get there; they name an action and its arguments, so that a plan can be kept in a file.
States are plain dictionaries of what can be observed; None stands for "does not exist".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple, Protocol

from logctl.admin.observe import Resource, Snapshot, State, Wants
from logctl.security.secrets import concealed


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
        """The plan as a machine reads it, with everything that it takes to carry it out later (`admin/plan_files`
        reads it). Secrets are left out of it."""
        document: dict[str, Any] = concealed(
            {
                "logctl_plan": PLAN_VERSION,
                "title": self.title,
                "cluster_id": self.cluster_id,
                "changes": [
                    {**change.resource._asdict(), "before": change.before, "after": change.after}
                    for change in self.changes
                ],
                "steps": [_step_document(step) for step in self.steps],
                "notes": self.notes,
                "warnings": self.warnings,
                "wants": _wants_document(self.wants),
            }
        )
        return document


PLAN_VERSION: Final = 1


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "action": step.action,
        "sentence": step.sentence,
        "risk": step.risk.name.lower(),
        "arguments": step.arguments,
        "about": [resource._asdict() for resource in step.about],
        "undo": None if step.undo is None else _undo_document(step.undo),
        "gates": step.gates,
    }


def _undo_document(undo: Undo) -> dict[str, Any]:
    return {
        "action": undo.action,
        "sentence": undo.sentence,
        "risk": undo.risk.name.lower(),
        "arguments": undo.arguments,
    }


def _wants_document(wants: Wants) -> dict[str, Any]:
    return {
        "topics": wants.topics,
        "configs": wants.configs,
        "settings": [entity._asdict() for entity in wants.settings],
        "looks": [resource._asdict() for resource in wants.looks],
    }


class Operation(Protocol):
    """An intention. `check` tells what is wrong without asking anybody (UsageError); `plan` is pure: it may refuse
    (UsageError, OperationFailed) but touches nothing."""

    def check(self) -> None: ...

    def wants(self) -> Wants: ...

    def plan(self, snapshot: Snapshot) -> Plan: ...
