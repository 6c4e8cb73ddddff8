"""Changing groups: what is observed of them, and the actions: set positions, forget them, delete a group.

The state of a group, as plans see it: its type, its state, who is in it, what is read and subscribed to, and `offsets`:
`topic-partition` -> the next offset to read. Setting a position and forgetting it are one action, so that every change
of positions can be taken back by the same means: the offset before, or None where there was none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from logctl.admin.coordinators import Coordinators, Said
from logctl.admin.deadline import Deadline
from logctl.admin.group_kinds import SHARE, Group
from logctl.admin.group_lag import positions_of
from logctl.admin.groups import describe
from logctl.admin.observe import Resource, Seen, State
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, Unreachable
from logctl.wire import errors

Offsets = Mapping[Place, int | None]
"""Place -> offset, None for no position."""


def key(place: Place) -> str:
    """How a state names a partition: 'orders-0'."""
    return f"{place[0]}-{place[1]}"


def place(name: str) -> Place:
    """The partition that a state names so."""
    topic, _, number = name.rpartition("-")
    return topic, int(number)


def observe_groups(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """Each group's state; one that does not exist is in neither part of the answer."""
    coordinators = Coordinators(cluster)
    described = describe(coordinators, dict.fromkeys(names), deadline)
    failures = dict(described.failures)
    positions = positions_of(coordinators, described.groups, failures, deadline)
    states: dict[str, State] = {
        name: _state(group, positions[name]) for name, group in described.groups.items() if name in positions
    }
    return Seen(states, failures)


def _state(group: Group, topics: Mapping[str, Iterable[Any]]) -> dict[str, Any]:
    offsets = {
        key((topic, entry.partition_index)): entry.start_offset if group.kind == SHARE else entry.committed_offset
        for topic, entries in topics.items()
        for entry in entries
    }
    reads = {
        key((topic, number)): member.sentence
        for member in group.members
        for topic, numbers in (member.assignment or {}).items()
        for number in numbers
    }
    return {
        "type": group.kind,
        "state": group.state,
        "members": [member.sentence for member in group.members],
        "reads": reads,
        "offsets": {name: offset for name, offset in sorted(offsets.items()) if offset >= 0},
    }


# -- the actions -------------------------------------------------------------------------------------------------------


def set_offsets(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """Arguments: `group`, its `type`, and `offsets`: [[topic, partition, offset or null], ...]. Kafka cannot rehearse
    it."""
    if dry:
        return {}
    group = arguments["group"]
    offsets = {(topic, number): offset for topic, number, offset in arguments["offsets"]}
    set_to = {at: offset for at, offset in offsets.items() if offset is not None}
    forgotten = [at for at, offset in offsets.items() if offset is None]
    coordinators = Coordinators(cluster)
    error = None
    if set_to:
        cluster.refresh(deadline, sorted({topic for topic, _ in set_to}))
        send = _alter_share if arguments.get("type") == SHARE else _commit
        error = send(coordinators, group, set_to, deadline)
    if forgotten and error is None:
        drop = _forget_share if arguments.get("type") == SHARE else _forget
        error = drop(coordinators, group, forgotten, deadline)
    return {Resource("group", group): error}


def delete(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """Arguments: `group`. Kafka cannot rehearse it."""
    from logctl.wire.messages.delete_groups import DeleteGroupsRequest

    if dry:
        return {}

    def read(request: Any, response: Any) -> Iterable[Said]:
        return (Said(result.group_id, result.error_code, None, True) for result in response.results)

    def request(names: list[str]) -> Any:
        return DeleteGroupsRequest(groups_names=names)

    group = arguments["group"]
    answers = Coordinators(cluster).ask(
        [group], request, read, deadline, final=(errors.GROUP_ID_NOT_FOUND, errors.NON_EMPTY_GROUP)
    )
    if answers.refused.get(group) == errors.NON_EMPTY_GROUP:
        return {Resource("group", group): OperationFailed(f"group {group} has members again: nothing was deleted")}
    return {Resource("group", group): _lost_or(answers.failures.get(group))}


def _lost_or(failure: LogctlError | None) -> LogctlError | None:
    """A request whose answer never came may have been carried out: looking will tell."""
    if isinstance(failure, Unreachable | DeadlineExceeded):
        raise DeadlineExceeded(f"{failure.message}; whether it was carried out is unknown", failure.hint) from failure
    return failure


def _ask(coordinators: Coordinators, group: str, request: Any, deadline: Deadline) -> LogctlError | None:
    """Send a request that is answered by topic and partition."""

    def read(_: Any, response: Any) -> Iterable[Said]:
        yield Said(group, _worst(response), getattr(response, "error_message", None), response)

    answers = coordinators.ask([group], lambda names: request, read, deadline, final=tuple(errors.ERRORS))
    code = answers.refused.get(group, errors.NONE)
    if code == errors.GROUP_SUBSCRIBED_TO_TOPIC:
        return OperationFailed(f"group {group} is subscribed to the topic: stop its members first")
    if code:
        return refusal(f"positions of group {group}", code)
    return _lost_or(answers.failures.get(group))


def _worst(response: Any) -> int:
    """The first error of the response: the whole's, a topic's or a partition's."""
    codes = [getattr(response, "error_code", errors.NONE)]
    topics: Any = getattr(response, "responses", None) or getattr(response, "topics", ())
    for topic in topics:
        codes.append(getattr(topic, "error_code", errors.NONE))
        codes += [entry.error_code for entry in getattr(topic, "partitions", ())]
    return next((code for code in codes if code), errors.NONE)


def _by_topic(places: Iterable[Place]) -> dict[str, list[int]]:
    topics: dict[str, list[int]] = {}
    for topic, number in places:
        topics.setdefault(topic, []).append(number)
    return topics


def _commit(
    coordinators: Coordinators, group: str, offsets: Mapping[Place, int], deadline: Deadline
) -> LogctlError | None:
    """As somebody outside the group, which the coordinator allows while nobody is in it."""
    from logctl.wire.messages.offset_commit import (
        OffsetCommitRequest,
        OffsetCommitRequestPartition,
        OffsetCommitRequestTopic,
    )

    ids = coordinators.cluster.topic_ids
    topics = [
        OffsetCommitRequestTopic(
            name=topic,
            topic_id=ids.get(topic, bytes(16)),
            partitions=[
                OffsetCommitRequestPartition(
                    partition_index=number, committed_offset=offsets[topic, number], committed_metadata=""
                )
                for number in numbers
            ],
        )
        for topic, numbers in _by_topic(offsets).items()
    ]
    return _ask(coordinators, group, OffsetCommitRequest(group_id=group, topics=topics), deadline)


def _forget(
    coordinators: Coordinators, group: str, places: Sequence[Place], deadline: Deadline
) -> LogctlError | None:
    from logctl.wire.messages.offset_delete import (
        OffsetDeleteRequest,
        OffsetDeleteRequestPartition,
        OffsetDeleteRequestTopic,
    )

    topics = [
        OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(number) for number in numbers])
        for topic, numbers in _by_topic(places).items()
    ]
    return _ask(coordinators, group, OffsetDeleteRequest(group_id=group, topics=topics), deadline)


def _alter_share(
    coordinators: Coordinators, group: str, offsets: Mapping[Place, int], deadline: Deadline
) -> LogctlError | None:
    from logctl.wire.messages.alter_share_group_offsets import (
        AlterShareGroupOffsetsRequest,
        AlterShareGroupOffsetsRequestPartition,
        AlterShareGroupOffsetsRequestTopic,
    )

    topics = [
        AlterShareGroupOffsetsRequestTopic(
            topic, [AlterShareGroupOffsetsRequestPartition(number, offsets[topic, number]) for number in numbers]
        )
        for topic, numbers in _by_topic(offsets).items()
    ]
    return _ask(coordinators, group, AlterShareGroupOffsetsRequest(group_id=group, topics=topics), deadline)


def _forget_share(
    coordinators: Coordinators, group: str, places: Sequence[Place], deadline: Deadline
) -> LogctlError | None:
    """Share groups forget whole topics; the plan has seen to it that all of their partitions are named."""
    from logctl.wire.messages.delete_share_group_offsets import (
        DeleteShareGroupOffsetsRequest,
        DeleteShareGroupOffsetsRequestTopic,
    )

    topics = [DeleteShareGroupOffsetsRequestTopic(topic) for topic in _by_topic(places)]
    return _ask(coordinators, group, DeleteShareGroupOffsetsRequest(group_id=group, topics=topics), deadline)


ACTIONS: Final = {"set_offsets": set_offsets, "delete": delete}
