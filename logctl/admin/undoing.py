"""Taking a plan back: the way back of each step that was done, the last one first, against the cluster as it is now.

Each change turns round: its `before` is what is seen now of what it decided, its `after` what was there. What somebody
changed since is not touched, nor is a topic that was deleted and made again under the same name meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from logctl.admin.history import FAILED, Record
from logctl.admin.observe import Resource, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.plan_files import secrets_missing
from logctl.admin.standing import Standing, about, refuse_other_cluster, stale, standings, state_of
from logctl.errors import OperationFailed


class TakeBack(NamedTuple):
    """Undo what was done of a plan in the journal."""

    record: Record

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        self.record.plan()

    def wants(self) -> Wants:
        return self.record.plan().wants

    def plan(self, snapshot: Snapshot) -> Plan:
        """Raises StalePlan when something is neither as it was nor as the plan left it, and OperationFailed when
        there is no way back for anything that was done, UsageError on another cluster."""
        plan = self.record.plan()
        refuse_other_cluster(plan.cluster_id, snapshot.cluster_id, f"plan {self.record.plan_id}")
        sent = [
            number for number in range(len(plan.steps)) if self.record.step(number).state not in ("not begun", FAILED)
        ]
        there = self._to_take_back(plan, sent, snapshot)
        steps = [plan.steps[number] for number in reversed(sent) if there.intersection(about(plan, plan.steps[number]))]
        hopeless = [step for step in steps if _no_way_back(step)]
        lost = {resource for step in hopeless for resource in about(plan, step)}
        kept = [step for step in steps if not lost.intersection(about(plan, step))]
        reasons = tuple(dict.fromkeys(f"{step.sentence}: {_no_way_back(step)}" for step in hopeless))
        if reasons and not kept:
            raise OperationFailed(f"{self.record.plan_id} cannot be undone: {'; '.join(reasons)}")
        changes = [one for one in reversed(plan.changes) if one.resource in there - lost]
        return Plan(
            f"undo {self.record.plan_id}: {plan.title}",
            tuple(_turned_round(one, state_of(snapshot, one.resource), self.record) for one in changes),
            tuple(_way_back(plan, step) for step in kept),
            () if steps else (f"nothing of {self.record.plan_id} is there to undo",),
            tuple(f"this stays as it is: {reason}" for reason in reasons),
            snapshot.cluster_id,
            plan.wants,
        )

    def _to_take_back(self, plan: Plan, sent: list[int], snapshot: Snapshot) -> set[Resource]:
        touched = {resource for number in sent for resource in about(plan, plan.steps[number])}
        there = plan._replace(changes=tuple(one for one in plan.changes if one.resource in touched))
        found = standings(there, snapshot)
        self._refuse_made_again(there, snapshot)
        return {resource for resource, standing in found.items() if standing is not Standing.OPEN}

    def _refuse_made_again(self, plan: Plan, snapshot: Snapshot) -> None:
        """Something that had an id when it was verified and has another one now only looks like what the plan left."""
        moved = []
        for change in plan.changes:
            seen, left = state_of(snapshot, change.resource), self.record.verified.get(change.resource)
            if seen is not None and left is not None and "id" in left and seen.get("id") != left["id"]:
                moved.append((change._replace(before=left), seen))
        if moved:
            raise stale(moved)


def _no_way_back(step: Step) -> str:
    """Why the step cannot be taken back; empty when it can."""
    if step.undo is None:
        return "there is no way back"
    return "the value that was there is a secret, which is not kept" if secrets_missing(step.undo.arguments) else ""


def _way_back(plan: Plan, step: Step) -> Step:
    assert step.undo is not None
    back = step.undo
    again = back.risk is not Risk.DESTRUCTIVE and not secrets_missing(step.arguments)
    redo = Undo(step.action, step.sentence, step.arguments, step.risk) if again else None
    return Step(back.action, back.sentence, back.arguments, back.risk, about(plan, step), redo, step.gates)


def _turned_round(change: Change, seen: State, record: Record) -> Change:
    if seen is None or change.after is None:
        return Change(change.resource, seen, change.before)
    now = _only(seen, change.after)
    if "id" in seen:
        now["id"] = seen["id"]
    return Change(change.resource, now, change.before)


def _only(seen: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is seen, only what `named` names."""
    return {
        key: _only(seen.get(key) or {}, value) if isinstance(value, Mapping) else seen.get(key)
        for key, value in named.items()
    }
