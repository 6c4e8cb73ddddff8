"""Groups: listing those of every broker, and describing their members and what these read.

Groups come in types. `classic` groups (consumers of the old protocol, Connect workers, and groups that only commit
offsets) answer DescribeGroups, `consumer` groups (KIP-848) ConsumerGroupDescribe; share and streams groups are listed
and not described here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.coordinators import Answers, Coordinators, Said, newest
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.link import Address
from logctl.admin.routing import Broker, Cluster, refusal
from logctl.admin.topics import is_pattern, near_names
from logctl.errors import LogctlError, OperationFailed
from logctl.wire import errors
from logctl.wire.primitives import MalformedMessage

CLASSIC: Final = "classic"
CONSUMER: Final = "consumer"
DESCRIBED_TYPES: Final = (CLASSIC, CONSUMER)
NOWHERE: Final = Broker(-1, Address("", 0), None)
"""The coordinator of a group until it is known."""

_CONSUMERS: Final = "consumer"
_NEWEST_ASSIGNMENT: Final = 3

Assignment = dict[str, tuple[int, ...]]
"""Topic -> partitions."""


class Listed(NamedTuple):
    """A group as its coordinator lists it. `kind` and `state` are empty where the cluster is too old to tell."""

    name: str
    kind: str
    state: str
    protocol_type: str
    coordinator: int


class Member(NamedTuple):
    """`assignment` is what it reads, `target` what it is to read; None where that is not told or cannot be read.
    `epoch` and `subscribed` are told by consumer groups alone; these may hold members of `kind` classic meanwhile."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    assignment: Assignment | None
    target: Assignment | None = None
    epoch: int | None = None
    kind: str = CLASSIC
    subscribed: tuple[str, ...] = ()


class Group(NamedTuple):
    """`assignor` is empty until there is one; epochs are those of KIP-848."""

    name: str
    kind: str
    state: str
    protocol_type: str
    assignor: str
    coordinator: Broker
    members: tuple[Member, ...]
    epoch: int | None = None
    assignment_epoch: int | None = None


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


class Found(NamedTuple):
    """Groups in the order of their names, and why the answer is not complete: by group, or by `broker N`."""

    groups: list[Any]
    failures: dict[str, LogctlError]
    cluster_id: str | None = None


# -- listing -----------------------------------------------------------------------------------------------------------


def list_groups(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """The groups selected, of every broker; a broker that does not tell is named among the failures."""
    from logctl.wire.messages.list_groups import ListGroupsRequest

    pending = set(cluster.refresh(deadline).brokers)
    groups: dict[str, Listed] = {}
    failures: dict[str, LogctlError] = {}
    backoff = Backoff()
    while pending:
        gathered = cluster.scatter(dict.fromkeys(pending, ListGroupsRequest()), deadline)
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
    """The groups selected, with their members; all classic and consumer groups when none is named.

    Raises OperationFailed, with near names, when none of those named exists.
    """
    cluster = coordinators.cluster
    names, failures = _meant(cluster, selection, deadline)
    groups: dict[str, Group] = {}
    asked: Iterable[str] = names
    if newest(cluster, "ConsumerGroupDescribe", deadline) >= 0:
        new = coordinators.ask(
            names, _consumer_request, _read_consumer_groups, deadline, final=(errors.GROUP_ID_NOT_FOUND,)
        )
        _keep(new, groups, failures, coordinators)
        asked = new.refused
    old = coordinators.ask(
        asked, _classic_request, _read_classic_groups, deadline, final=(errors.GROUP_ID_NOT_FOUND,)
    )
    _keep(old, groups, failures, coordinators)
    if old.refused:
        _explain_unknown(cluster, list(old.refused), groups, failures, deadline)
    return Found([groups[name] for name in sorted(groups)], failures, cluster.cluster_id)


def _meant(cluster: Cluster, selection: Selection, deadline: Deadline) -> tuple[list[str], dict[str, LogctlError]]:
    """The names to ask about; the cluster is asked for its groups only when a pattern or nothing was given."""
    exact = [name for name in selection.names if not is_pattern(name)]
    if selection.names and len(exact) == len(selection.names):
        return exact, {}
    found = list_groups(cluster, selection._replace(kinds=()), deadline)
    names = [group.name for group in found.groups if group.kind.lower() in ("", *DESCRIBED_TYPES)]
    return list(dict.fromkeys([*names, *exact])), dict(found.failures)


def _keep(
    answers: Answers, groups: dict[str, Group], failures: dict[str, LogctlError], coordinators: Coordinators
) -> None:
    for name, group in answers.found.items():
        groups[name] = group._replace(coordinator=coordinators.of[name])
    failures.update(answers.failures)


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
        failures[name] = _unknown(name, existing)
    if not groups and set(failures) == set(unknown):
        raise failures[unknown[0]] if len(unknown) == 1 else OperationFailed(
            f"groups do not exist: {', '.join(unknown)}", failures[unknown[0]].hint
        )


def _unknown(name: str, existing: Mapping[str, Listed]) -> LogctlError:
    if name in existing:
        kind = existing[name].kind
        return OperationFailed(f"group {name} is of type {kind}, which cannot be described yet")
    near = near_names(name, existing)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `logctl group list`"
    return OperationFailed(f"group {name} does not exist", hint)


def _consumer_request(names: list[str]) -> Any:
    from logctl.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest

    return ConsumerGroupDescribeRequest(group_ids=names)


def _read_consumer_groups(request: Any, response: Any) -> Iterable[Said]:
    for group in response.groups:
        yield Said(group.group_id, group.error_code, group.error_message, _consumer_group(group))


def _consumer_group(group: Any) -> Group:
    members = tuple(_consumer_member(member) for member in group.members)
    return Group(
        group.group_id, CONSUMER, group.group_state, _CONSUMERS, group.assignor_name, NOWHERE, members,
        group.group_epoch, group.assignment_epoch,
    )  # fmt: skip


def _consumer_member(member: Any) -> Member:
    regex = member.subscribed_topic_regex
    return Member(
        member.member_id,
        member.instance_id,
        member.client_id,
        member.client_host,
        _assignment(member.assignment),
        _assignment(member.target_assignment),
        member.member_epoch,
        CLASSIC if member.member_type == 0 else CONSUMER,
        (*member.subscribed_topic_names, *([f"/{regex}/"] if regex else [])),
    )


def _assignment(assignment: Any) -> Assignment:
    return {entry.topic_name: tuple(sorted(entry.partitions)) for entry in assignment.topic_partitions}


def _classic_request(names: list[str]) -> Any:
    from logctl.wire.messages.describe_groups import DescribeGroupsRequest

    return DescribeGroupsRequest(groups=names)


def _read_classic_groups(request: Any, response: Any) -> Iterable[Said]:
    """Before version 6 a group that does not exist is described as dead."""
    for group in response.groups:
        dead = group.error_code == errors.NONE and group.group_state == "Dead" and not group.members
        code = errors.GROUP_ID_NOT_FOUND if dead else group.error_code
        yield Said(group.group_id, code, group.error_message, _classic_group(group))


def _classic_group(group: Any) -> Group:
    members = tuple(_classic_member(member, group.protocol_type) for member in group.members)
    state, kind = group.group_state, group.protocol_type
    return Group(group.group_id, CLASSIC, state, kind, group.protocol_data, NOWHERE, members)


def _classic_member(member: Any, protocol_type: str) -> Member:
    held = _read_assignment(bytes(member.member_assignment)) if protocol_type == _CONSUMERS else None
    return Member(member.member_id, member.group_instance_id, member.client_id, member.client_host, held)


def _read_assignment(data: bytes) -> Assignment | None:
    """What consumers write to each other: a version, then the message. None when it is not that."""
    from logctl.wire.stored.consumer_protocol_assignment import ConsumerProtocolAssignment

    if not data:
        return {}
    version = int.from_bytes(data[:2], signed=True)
    if version < 0:
        return None
    try:
        told, _ = ConsumerProtocolAssignment.decode(memoryview(data), min(version, _NEWEST_ASSIGNMENT), 2)
    except MalformedMessage:
        return None
    return {entry.topic: tuple(sorted(entry.partitions)) for entry in told.assigned_partitions}
