"""Groups: listing those of every broker, and describing their members and what these read."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.coordinators import Coordinators, newest
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.group_kinds import KINDS, Group
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import is_pattern, near_names
from logctl.errors import LogctlError, OperationFailed
from logctl.wire import errors


class Listed(NamedTuple):
    """A group as its coordinator lists it. `kind` and `state` are empty where the cluster is too old to tell."""

    name: str
    kind: str
    state: str
    protocol_type: str
    coordinator: int


class Selection(NamedTuple):
    """Which groups are meant: names and shell patterns, all when there are none; of these states and types only."""

    names: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def includes(self, group: Listed) -> bool:
        if self.states and group.state.lower() not in self.states:
            return False
        if self.kinds and group.kind.lower() not in self.kinds:
            return False
        return not self.names or any(
            group.name == pattern or fnmatch.fnmatchcase(group.name, pattern) for pattern in self.names
        )

    @property
    def only_names(self) -> bool:
        """Nothing but names that must exist: the cluster need not be asked which groups it has."""
        return bool(self.names) and not (self.states or self.kinds or any(map(is_pattern, self.names)))


class Found(NamedTuple):
    """Groups in the order of their names, and why the answer is not complete: by group, or by `broker N`."""

    groups: list[Any]
    failures: dict[str, LogctlError]
    cluster_id: str | None = None


# -- listing -----------------------------------------------------------------------------------------------------------


def list_groups(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """The groups selected, of every broker; a broker that does not tell is named among the failures. Raises when none
    does."""
    from logctl.wire.messages.list_groups import ListGroupsRequest

    pending = set(cluster.refresh(deadline).brokers)
    groups: dict[str, Listed] = {}
    failures: dict[str, LogctlError] = {}
    backoff = Backoff()
    while pending:
        gathered = cluster.scatter(dict.fromkeys(pending, ListGroupsRequest()), deadline.at_most(deadline.left_s / 2))
        if not (groups or failures):
            gathered.some()
        loading = set()
        for node_id, response in gathered.answers.items():
            if response.error_code == errors.COORDINATOR_LOAD_IN_PROGRESS and not deadline.expired:
                loading.add(node_id)
            elif response.error_code:
                failures[f"broker {node_id}"] = refusal(f"groups of broker {node_id}", response.error_code)
            else:
                found = (_listed(entry, node_id) for entry in response.groups)
                groups.update((group.name, group) for group in found if selection.includes(group))
        failures.update(_silent(gathered.missing))
        pending = loading
        if pending:
            backoff.pause(deadline)
    return Found([groups[name] for name in sorted(groups)], failures, cluster.cluster_id)


def _listed(entry: Any, node_id: int) -> Listed:
    return Listed(entry.group_id, entry.group_type, entry.group_state, entry.protocol_type, node_id)


def _silent(missing: Mapping[int, LogctlError]) -> dict[str, LogctlError]:
    return {
        f"broker {node_id}": type(error)(f"groups of broker {node_id}: {error.message}", error.hint)
        for node_id, error in missing.items()
    }


# -- describing --------------------------------------------------------------------------------------------------------


def describe_groups(coordinators: Coordinators, selection: Selection, deadline: Deadline) -> Found:
    """The groups selected, with their members; all groups of every type when none is named.

    Raises OperationFailed, with near names, when none of those named exists.
    """
    cluster = coordinators.cluster
    kinds, failures = meant(coordinators, selection, deadline)
    groups, refused, unknown = describe(coordinators, kinds, deadline)
    failures.update(refused)
    if unknown:
        _explain_unknown(cluster, unknown, groups, failures, deadline)
    return Found([groups[name] for name in sorted(groups)], failures, cluster.cluster_id)


def meant(
    coordinators: Coordinators, selection: Selection, deadline: Deadline
) -> tuple[dict[str, Listed | None], dict[str, LogctlError]]:
    """The names to ask about, each as it was listed, or None for a name that must exist and was not looked for. The
    cluster is asked for its groups only when a pattern, a state, a type or nothing was given."""
    exact = [name for name in selection.names if not is_pattern(name)]
    if selection.only_names:
        return dict.fromkeys(exact), {}
    found = list_groups(coordinators.cluster, selection, deadline)
    listed: dict[str, Listed | None] = {}
    for group in found.groups:
        listed[group.name] = group
        coordinators.of[group.name] = coordinators.cluster.brokers[group.coordinator]
    if not (selection.states or selection.kinds):
        listed.update({name: None for name in exact if name not in listed})
    return listed, dict(found.failures)


_NOT_OF_THIS_KIND: Final = (errors.GROUP_ID_NOT_FOUND, errors.UNSUPPORTED_VERSION)
"""The second is the answer of a cluster whose finalized features do not have the type yet: it has no such groups."""


class Described(NamedTuple):
    """By name: what was described, why not, and the names that no coordinator knows."""

    groups: dict[str, Group]
    failures: dict[str, LogctlError]
    unknown: list[str]


def describe(
    coordinators: Coordinators, wanted: Mapping[str, Listed | None], deadline: Deadline
) -> Described:
    """Ask the coordinators about each name by the API of its type; by one after the other where that is not known."""
    groups: dict[str, Group] = {}
    failures: dict[str, LogctlError] = {}
    missed: list[str] = []
    open_still = [name for name, listed in wanted.items() if listed is None or not listed.kind]
    for kind in KINDS:
        of_kind = [name for name, listed in wanted.items() if listed is not None and listed.kind.lower() == kind.name]
        if not (of_kind or open_still) or newest(coordinators.cluster, kind.api, deadline) < 0:
            missed += of_kind
            continue
        answers = coordinators.ask([*of_kind, *open_still], kind.request, kind.read, deadline, final=_NOT_OF_THIS_KIND)
        for name, group in answers.found.items():
            groups[name] = group._replace(coordinator=coordinators.of[name])
        failures.update(answers.failures)
        # A group listed a moment ago may have changed its type since: then the other types are asked about it too.
        open_still = list(answers.refused)
    return Described(groups, failures, [*open_still, *missed])


def _explain_unknown(
    cluster: Cluster,
    unknown: Sequence[str],
    groups: Mapping[str, Group],
    failures: dict[str, LogctlError],
    deadline: Deadline,
) -> None:
    """Say what is the matter with names that no coordinator could describe. Raises when that is all there is to say."""
    existing = {group.name: group for group in list_groups(cluster, Selection(), deadline).groups}
    for name in unknown:
        failures[name] = unknown_group(name, existing)
    if not groups and set(failures) == set(unknown):
        raise failures[unknown[0]] if len(unknown) == 1 else OperationFailed(
            f"groups do not exist: {', '.join(unknown)}", failures[unknown[0]].hint
        )


def unknown_group(name: str, existing: Mapping[str, Listed] | Iterable[str]) -> LogctlError:
    """The refusal for a group that does not exist, with names that look alike."""
    listed = existing.get(name) if isinstance(existing, Mapping) else None
    if listed is not None:
        return OperationFailed(f"group {name} is of type {listed.kind}, which this cluster does not describe to logctl")
    near = near_names(name, existing)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `logctl group list`"
    return OperationFailed(f"group {name} does not exist", hint)
