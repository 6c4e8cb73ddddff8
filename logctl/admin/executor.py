"""Plans become observed change: execute the steps, then look until the cluster shows what was wanted.

The executor neither prints nor asks; it yields what happens. Before the first step it looks once more, and refuses with
StalePlan when a `before` no longer holds. A step whose answer was lost is not a failure yet: verification decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from logctl.admin.configs import HIDDEN, Entity
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.observe import Resource, Snapshot, State, observe
from logctl.admin.operation import Change, Plan, Step
from logctl.admin.routing import Cluster
from logctl.errors import (
    DeadlineExceeded,
    LogctlError,
    OperationFailed,
    PartialFailure,
    StalePlan,
    Unreachable,
    UsageError,
)

Outcomes = Mapping[Resource, LogctlError | None]
"""What became of each resource of a step: None where it was done."""

Action = Callable[[Cluster, Mapping[str, Any], Deadline, bool], Outcomes]
"""(cluster, arguments of the step, deadline, dry): does the step, or with `dry` has the cluster check it only."""


class StepStarted(NamedTuple):
    step: Step


class ItemDone(NamedTuple):
    """The cluster accepted the change of one resource."""

    resource: Resource


class ItemFailed(NamedTuple):
    resource: Resource
    error: LogctlError


class Verified(NamedTuple):
    """The resource was seen in the state that was wanted; `seen` is that state."""

    change: Change
    seen: State


Event = StepStarted | ItemDone | ItemFailed | Verified


MODULES: Final = {
    "topic": "logctl.admin.topic_changes",
    "config": "logctl.admin.config_changes",
    "feature": "logctl.admin.features",
    "partition": "logctl.admin.elections",
    "log": "logctl.admin.trims",
    "group": "logctl.admin.group_changes",
    "user": "logctl.admin.users",
    "acl": "logctl.admin.acls",
    "quota": "logctl.admin.quotas",
    "transaction": "logctl.admin.transactions",
}
"""The first half of an action's name -> the module whose ACTIONS hold the second: 'topic.create'."""


def action_named(name: str) -> Action:
    """The action that a step names. Raises UsageError for a name that there is none for: the plan came from a file."""
    noun, _, verb = name.partition(".")
    module = MODULES.get(noun)
    known: Mapping[str, Action] = import_module(module).ACTIONS if module else {}
    if verb not in known:
        raise UsageError(f"there is no action {name!r}", "the plan was made by another version of logctl, or by hand")
    return known[verb]


def rehearse(plan: Plan, cluster: Cluster, deadline: Deadline) -> Iterator[Event]:
    """Have the cluster check the steps without doing them, where it can; yields what it would refuse."""
    for step in plan.steps:
        for resource, error in action_named(step.action)(cluster, step.arguments, deadline, True).items():
            if error is not None:
                yield ItemFailed(resource, error)


def execute(plan: Plan, cluster: Cluster, deadline: Deadline) -> Iterator[Event]:
    """Carry out the plan, yielding what happens.

    Raises OperationFailed or PartialFailure when the cluster refused (some of) it, StalePlan when the world moved, and
    DeadlineExceeded when what was wanted was not seen in time.
    """
    _refuse_stale(plan, observe(cluster, plan.wants, deadline))
    failed: dict[Resource, LogctlError] = {}
    doubt: DeadlineExceeded | None = None
    for step in plan.steps:
        yield StepStarted(step)
        try:
            outcomes = action_named(step.action)(cluster, step.arguments, deadline, False)
        except DeadlineExceeded as lost:
            doubt = lost
            continue
        for resource, error in outcomes.items():
            if error is None:
                yield ItemDone(resource)
            else:
                failed[resource] = error
                yield ItemFailed(resource, error)
    expected = [change for change in plan.changes if change.resource not in failed]
    yield from _verify(plan, expected, doubt, cluster, deadline)
    _raise_failures(failed, len(plan.changes))


def _refuse_stale(plan: Plan, now: Snapshot) -> None:
    for change in plan.changes:
        seen = state_of(now, change.resource)
        if not agrees(seen, change.before):
            raise StalePlan(
                f"{change.resource} is no longer as it was when this was planned",
                "look at it again, and repeat the command",
            )


def _verify(
    plan: Plan, expected: list[Change], doubt: DeadlineExceeded | None, cluster: Cluster, deadline: Deadline
) -> Iterator[Event]:
    backoff = Backoff()
    while expected:
        try:
            now = observe(cluster, plan.wants, deadline)
        except (Unreachable, DeadlineExceeded):
            now = Snapshot(failures={change.resource.name: _UNSEEN for change in expected})
        open_still = []
        for change in expected:
            seen = state_of(now, change.resource)
            if change.resource.name not in now.failures and agrees(seen, change.after):
                yield Verified(change, seen)
            else:
                open_still.append(change)
        expected = open_still
        if expected and deadline.expired:
            raise doubt or _not_seen(expected, deadline)
        if expected:
            backoff.pause(deadline)


_UNSEEN: Final = OperationFailed("the cluster could not be looked at")


def _not_seen(changes: list[Change], deadline: Deadline) -> DeadlineExceeded:
    names = ", ".join(str(change.resource) for change in changes[:5])
    look = "topic describe" if changes[0].resource.kind == "topic" else "config list"
    return DeadlineExceeded(
        f"accepted, but not yet seen after {deadline.timeout_s:g} s: {names}",
        f"it may still be under way: check with `logctl {look}`, or allow more with --timeout",
    )


def state_of(snapshot: Snapshot, resource: Resource) -> State:
    """The resource as the snapshot shows it; None when it does not exist."""
    if resource in snapshot.states:
        return snapshot.states[resource]
    settings = snapshot.settings.get(Entity(*resource))
    if settings is not None:
        return {"configs": {one.name: one.shown for one in settings if one.is_set}}
    topic = snapshot.topics.get(resource.name) if resource.kind == "topic" else None
    return None if topic is None else topic.state()


def agrees(seen: State, wanted: State) -> bool:
    """Is everything that `wanted` names so in `seen`? Nested dictionaries are compared in the same way. Of a secret it
    can only be told that there is one."""
    if seen is None or wanted is None:
        return seen is wanted
    for key, value in wanted.items():
        found = seen.get(key)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            if not agrees(found, value):
                return False
        elif found != value and found != HIDDEN:
            return False
    return True


def _raise_failures(failed: Mapping[Resource, LogctlError], total: int) -> None:
    if not failed:
        return
    if len(failed) == 1 and total == 1:
        raise next(iter(failed.values()))
    sentences = [str(error) for error in failed.values()]
    if len(failed) == total:
        if len({type(error) for error in failed.values()}) == 1:
            raise type(next(iter(failed.values())))("; ".join(sentences))
        raise OperationFailed("; ".join(sentences))
    raise PartialFailure(f"{len(failed)} of {total} failed", sentences)
