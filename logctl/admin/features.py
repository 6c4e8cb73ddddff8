"""Feature levels: what the brokers could run, what the cluster agreed to run, and raising or lowering that.

A level is a promise to everybody about what may be in the metadata log and on the wire (KIP-584, KIP-778). What each
broker supports and what is finalized comes with its ApiVersions; UpdateFeatures changes it. Raising metadata.version
has no way back on most clusters, so a plan has an undo for the other features alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import ask_each, need
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

METADATA_VERSION: Final = "metadata.version"

_LEVELS: Final = (
    *("3.0-IV1", "3.1-IV0", "3.2-IV0", "3.3-IV0", "3.3-IV1", "3.3-IV2", "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1"),
    *("3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0"),
    *("3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0"),
)
"""Names of the levels of metadata.version, from 1 on."""

_SINCE: Final = {
    "kraft.version": ((3, 9), 1),
    "transaction.version": ((4, 0), 2),
    "group.version": ((4, 0), 1),
    "eligible.leader.replicas.version": ((4, 1), 1),
    "share.version": ((4, 2), 1),
    "streams.version": ((4, 2), 1),
}
"""Feature -> release of Apache Kafka from which on a new cluster runs it, and at which level."""

RAISE, LOWER, LOWER_EVEN_SO = 1, 2, 3
"""What a change may do, as the protocol has it; the last may lose what the lower level cannot keep."""


class Feature(NamedTuple):
    """`lowest` and `highest`: what every broker that answered can run, None where they have no level in common;
    `level`: what the cluster runs, 0 for none."""

    name: str
    lowest: int | None
    highest: int | None
    level: int

    @property
    def level_text(self) -> str:
        return level_text(self.name, self.level)


class Features(NamedTuple):
    """All features by name. `epoch` counts changes, None where not told."""

    found: tuple[Feature, ...]
    epoch: int | None
    failures: Mapping[str, LogctlError]
    cluster_id: str | None


def level_text(name: str, level: int) -> str:
    """'30 (4.3-IV0)' for a level of metadata.version, the number alone for others."""
    known = release_of(level) if name == METADATA_VERSION else None
    return str(level) if known is None else f"{level} ({known})"


def release_of(level: int) -> str | None:
    """'4.3-IV0' for level 30 of metadata.version; None for a level that this version does not know."""
    return _LEVELS[level - 1] if 1 <= level <= len(_LEVELS) else None


def levels_of_release(release: str) -> dict[str, int]:
    """The levels that a cluster begun with that release of Apache Kafka ('4.1') runs at. Raises UsageError."""
    found = re.fullmatch(r"(\d+)\.(\d+)(\.\d+)?", release.strip())
    wanted = f"{found[1]}.{found[2]}-" if found else ""
    levels = [number for number, name in enumerate(_LEVELS, 1) if found and name.startswith(wanted)]
    if found is None or not levels:
        known = f"{_LEVELS[0].partition('-')[0]} to {_LEVELS[-1].partition('-')[0]}"
        raise UsageError(f"{release} is not a release that logctl knows the levels of", f"it knows {known}")
    place = int(found[1]), int(found[2])
    others = {name: level if since <= place else 0 for name, (since, level) in _SINCE.items()}
    return {METADATA_VERSION: levels[-1], **others}


def metadata_level(text: str) -> int:
    """'30', '4.3-IV0' or '4.3' as a level of metadata.version. Raises UsageError."""
    if text.isdecimal():
        return int(text)
    if text in _LEVELS:
        return _LEVELS.index(text) + 1
    return levels_of_release(text)[METADATA_VERSION]


# -- looking -----------------------------------------------------------------------------------------------------------


def list_features(cluster: Cluster, deadline: Deadline) -> Features:
    """Ask every broker what it supports, and the newest of the answers what is finalized."""
    metadata = cluster.refresh(deadline)
    gathered = ask_each(cluster, deadline)
    answers = [answer for answer in gathered.answers.values() if not answer.error_code]
    failures = {f"broker {node}": error for node, error in gathered.missing.items()}
    if not answers:
        raise next(iter(gathered.missing.values()))
    newest = max(answers, key=lambda answer: answer.finalized_features_epoch)
    levels = {one.name: one.max_version_level for one in newest.finalized_features}
    supported = [supported_by(answer) for answer in answers]
    names = sorted({name for ranges in supported for name in ranges} | levels.keys())
    found = tuple(Feature(name, *_common(name, supported), levels.get(name, 0)) for name in names)
    epoch = newest.finalized_features_epoch
    return Features(found, epoch if epoch >= 0 else None, failures, metadata.cluster_id)


def supported_by(answer: Any) -> dict[str, tuple[int, int]]:
    """Feature -> the levels a broker can run, of its ApiVersions answer."""
    return {one.name: (one.min_version, one.max_version) for one in answer.supported_features}


def _common(name: str, supported: Iterable[Mapping[str, tuple[int, int]]]) -> tuple[int | None, int | None]:
    ranges = [one.get(name, (0, 0)) for one in supported]
    lowest, highest = max(low for low, _ in ranges), min(high for _, high in ranges)
    return (lowest, highest) if lowest <= highest else (None, None)


def observe_features(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The state of each feature: its level, and what the brokers can run."""
    known = {one.name: one for one in list_features(cluster, deadline).found}
    states: dict[str, State] = {
        name: {"level": known[name].level, "lowest": known[name].lowest, "highest": known[name].highest}
        for name in names
        if name in known
    }
    return Seen(states, {})


# -- changing ----------------------------------------------------------------------------------------------------------


class ChangeFeatures(NamedTuple):
    """Bring features to the levels given; 0 switches one off. `how`: RAISE, LOWER or LOWER_EVEN_SO. With `as_far`
    features that the cluster does not know, or that are further already, are left alone."""

    levels: Mapping[str, int]
    how: int = RAISE
    as_far: bool = False

    def check(self) -> None:
        """Raises UsageError."""
        if not self.levels:
            raise UsageError("no feature was named", "`logctl cluster features` shows them")
        for name, level in self.levels.items():
            if not 0 <= level <= 32767:
                raise UsageError(f"{name}={level}: a level is a number from 0 on")

    def wants(self) -> Wants:
        return Wants(looks=tuple(Resource("feature", name) for name in self.levels))

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        for failure in snapshot.failures.values():
            raise failure
        changes: list[Change] = []
        notes: list[str] = []
        for name, level in self.levels.items():
            resource = Resource("feature", name)
            state = snapshot.states.get(resource)
            if state is not None and self._concerns(name, state, level, notes):
                changes.append(Change(resource, {"level": state["level"]}, {"level": level}))
            elif state is None and not self.as_far:
                raise OperationFailed(f"this cluster knows no feature {name}", "see `logctl cluster features`")
        verb = "raise" if self.how == RAISE else "lower"
        title = f"{verb} feature levels"
        if not changes:
            return Plan(title, (), (), tuple(notes), (), snapshot.cluster_id)
        steps, warnings = (self._step(verb, changes),), self._warnings(changes)
        return Plan(title, tuple(changes), steps, tuple(notes), warnings, snapshot.cluster_id, self.wants())

    def _concerns(self, name: str, state: Mapping[str, Any], level: int, notes: list[str]) -> bool:
        """Is there something to do for the feature? Raises OperationFailed where it cannot be done."""
        now = state["level"]
        if now == level:
            notes.append(f"{name} is at level {level_text(name, level)} already")
            return False
        if (now > level) == (self.how == RAISE):
            if self.as_far:
                return False
            other = "feature-downgrade" if self.how == RAISE else "feature-upgrade"
            raise OperationFailed(
                f"{name} is at level {level_text(name, now)}, which is {'above' if now > level else 'below'} {level}",
                f"use `logctl cluster {other}` if that is meant",
            )
        _check_range(name, state, level)
        return True

    def _step(self, verb: str, changes: list[Change]) -> Step:
        wanted = {change.resource.name: (change.after or {})["level"] for change in changes}
        before = {change.resource.name: (change.before or {})["level"] for change in changes}
        risk = Risk.DESTRUCTIVE if self.how == LOWER_EVEN_SO else Risk.DISRUPTIVE
        return Step(
            "feature.update",
            f"{verb} {_levels(wanted)}",
            {"levels": wanted, "how": self.how},
            risk,
            tuple(change.resource for change in changes),
            None if METADATA_VERSION in wanted or self.how == LOWER_EVEN_SO else self._undo(before),
        )

    def _undo(self, before: Mapping[str, int]) -> Undo:
        back = LOWER if self.how == RAISE else RAISE
        verb = "lower" if back == LOWER else "raise"
        arguments = {"levels": dict(before), "how": back}
        return Undo("feature.update", f"{verb} {_levels(before)}", arguments, Risk.DISRUPTIVE)

    def _warnings(self, changes: list[Change]) -> tuple[str, ...]:
        names = {change.resource.name for change in changes}
        if self.how == RAISE and METADATA_VERSION in names:
            return ("once metadata.version is raised, older brokers cannot join, and it may not be lowered again",)
        if self.how == LOWER_EVEN_SO:
            return ("what the lower level cannot keep will be lost",)
        return ()


def _check_range(name: str, state: Mapping[str, Any], level: int) -> None:
    lowest, highest = state["lowest"], state["highest"]
    if level and (lowest is None or not lowest <= level <= highest):
        can = "the brokers have no level in common" if lowest is None else f"the brokers can run {lowest} to {highest}"
        raise OperationFailed(f"{name} cannot be at level {level}: {can}", "upgrade the brokers that cannot first")


def _levels(levels: Mapping[str, int]) -> str:
    return ", ".join(f"{name} to {level_text(name, level)}" for name, level in levels.items())


def update_features(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Resource, LogctlError | None]:
    """The action of a ChangeFeatures' step. `dry`: the controller validates only, where it can (UpdateFeatures 1)."""
    from logctl.admin.coordinators import newest
    from logctl.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

    need(cluster, "UpdateFeatures", deadline)
    how, levels = arguments["how"], arguments["levels"]
    if dry and newest(cluster, "UpdateFeatures", deadline) < 1:
        return {}
    updates = [
        FeatureUpdateKey(feature=name, max_version_level=level, allow_downgrade=how != RAISE, upgrade_type=how)
        for name, level in levels.items()
    ]
    timeout_ms = max(1, int(deadline.left_s * 1000))
    request = UpdateFeaturesRequest(timeout_ms=timeout_ms, feature_updates=updates, validate_only=dry)
    response = cluster.ask(request, deadline)
    said = {one.feature: (one.error_code, one.error_message) for one in response.results}
    whole = response.error_code, response.error_message
    return {Resource("feature", name): _outcome(name, whole if whole[0] else said.get(name, whole)) for name in levels}


def _outcome(name: str, said: tuple[int, str | None]) -> LogctlError | None:
    return None if said[0] == errors.NONE else refusal(f"cannot change {name}", *said)


ACTIONS: Final = {"update": update_features}
