"""How a change stands against what is seen: already so, as it was, on the way, or moved by somebody else.

From that follows what is left to do of a plan that was begun, or that lay in a file: `remaining`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from logctl.admin.configs import HIDDEN, Entity
from logctl.admin.observe import Resource, Snapshot, State
from logctl.admin.operation import Change, Plan, Step
from logctl.errors import StalePlan, UsageError

MISSING: Final = "(not there)"


class Standing(Enum):
    DONE = "as wanted"
    OPEN = "as it was"
    EITHER = "as it was and as wanted"
    """The two cannot be told apart by looking: secrets, and acts that leave no trace."""
    BETWEEN = "partly as wanted"
    """Each field is either as it was or as wanted."""
    MOVED = "neither"


class Remaining(NamedTuple):
    """What is left of a plan: `steps` by their index; `settled` resources are as wanted already and are not looked
    after again. `done` are the steps that were known to be done when this was found out."""

    steps: tuple[int, ...]
    settled: frozenset[Resource] = frozenset()
    done: frozenset[int] = frozenset()


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
        elif found not in (value, HIDDEN):
            return False
    return True


def standing_of(change: Change, seen: State) -> Standing:
    done, as_before = agrees(seen, change.after), agrees(seen, change.before)
    if done and as_before:
        return Standing.EITHER
    if done:
        return Standing.DONE
    if as_before:
        return Standing.OPEN
    return Standing.BETWEEN if _between(seen, change.before, change.after) else Standing.MOVED


def _between(seen: State, before: State, after: State) -> bool:
    if seen is None or before is None or after is None:
        return False
    for key, wanted in after.items():
        found, was = seen.get(key), before.get(key)
        if isinstance(wanted, Mapping) and isinstance(found, Mapping) and isinstance(was, Mapping):
            if not _between(found, was, wanted):
                return False
        elif found not in (wanted, was):
            return False
    return True


def standings(plan: Plan, snapshot: Snapshot) -> dict[Resource, Standing]:
    """How each change stands. Raises the failure of a resource that could not be looked at, and StalePlan, telling
    what is seen and what was expected, when one is neither as it was nor as wanted."""
    found: dict[Resource, Standing] = {}
    moved = []
    for change in plan.changes:
        if change.resource.name in snapshot.failures:
            raise snapshot.failures[change.resource.name]
        seen = state_of(snapshot, change.resource)
        found[change.resource] = standing_of(change, seen)
        if found[change.resource] is Standing.MOVED:
            moved.append((change, seen))
    if moved:
        raise stale(moved)
    return found


def stale(moved: Iterable[tuple[Change, State]]) -> StalePlan:
    """The refusal for changes that no longer stand as they were seen, with both sides of each difference."""
    sentences = [
        f"{change.resource} is no longer as it was when this was planned: {_told(change.before, seen)}"
        for change, seen in moved
    ]
    return StalePlan("; ".join(sentences), "look at it again, and repeat the command")


def _told(before: State, seen: State) -> str:
    if before is None:
        return "it did not exist, and now it does"
    if seen is None:
        return "it has gone"
    was, now = flat(before), flat(seen)
    return ", ".join(
        f"{key} was {_shown(value)} and is {_shown(now.get(key))}"
        for key, value in was.items()
        if now.get(key) not in (value, HIDDEN)
    )


def _shown(value: Any) -> str:
    return MISSING if value is None else str(value)


def flat(state: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, the keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def about(plan: Plan, step: Step) -> tuple[Resource, ...]:
    """The resources that a step of the plan changes."""
    return step.about or tuple(change.resource for change in plan.changes)


def remaining(plan: Plan, done: Iterable[int], snapshot: Snapshot) -> Remaining:
    """What is left to do of the plan, of which the steps `done` are known to be done. Raises as `standings`."""
    known = frozenset(done)
    found = standings(plan, snapshot)

    def is_open(index: int) -> bool:
        resources = about(plan, plan.steps[index])
        if any(found.get(resource) is Standing.OPEN for resource in resources):
            return True
        doubtful = (Standing.EITHER, Standing.BETWEEN)
        return index not in known and (not resources or any(found.get(one) in doubtful for one in resources))

    steps = tuple(index for index in range(len(plan.steps)) if is_open(index))
    unsettled = {resource for index in steps for resource in about(plan, plan.steps[index])}
    settled = {one for one, standing in found.items() if standing is Standing.DONE or one not in unsettled}
    return Remaining(steps, frozenset(settled), known)


def refuse_other_cluster(planned: str | None, found: str | None, whose: str) -> None:
    """Raises UsageError when a plan was made for another cluster than the one that answers."""
    if planned is not None and found is not None and planned != found:
        raise UsageError(
            f"{whose} was made for cluster {planned}, and this is {found}", "name the cluster it is for with -b or -C"
        )
