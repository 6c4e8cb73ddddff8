"""The types of groups, and how each is described.

`classic` groups (consumers of the old protocol, Connect workers, and groups that only commit offsets) answer
DescribeGroups, `consumer` groups (KIP-848) ConsumerGroupDescribe, `share` groups (KIP-932) ShareGroupDescribe, and
`streams` groups (KIP-1071) StreamsGroupDescribe. Whoever asks about a group of another type is told that there is none,
so a name alone is asked about in the order of `KINDS` until somebody knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.coordinators import Said
from logctl.admin.link import Address
from logctl.admin.routing import Broker
from logctl.wire import errors
from logctl.wire.primitives import MalformedMessage
from logctl.wire.schema import Message

CLASSIC: Final = "classic"
CONSUMER: Final = "consumer"
SHARE: Final = "share"
STREAMS: Final = "streams"
NOWHERE: Final = Broker(-1, Address("", 0), None)
"""The coordinator of a group until it is known."""

IDLE_STATES: Final = ("empty", "dead")
"""States, in small letters, of groups that nobody is in."""

_CONSUMERS: Final = "consumer"
_NEWEST_ASSIGNMENT: Final = 3

Assignment = dict[str, tuple[int, ...]]
"""Topic -> partitions."""


class Member(NamedTuple):
    """`assignment` is what it reads, `target` what it is to read; None where that is not told or cannot be read.
    `epoch` and `subscribed` are not told by classic groups; consumer and streams groups may hold members of `kind`
    classic meanwhile."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    assignment: Assignment | None
    target: Assignment | None = None
    epoch: int | None = None
    kind: str = CLASSIC
    subscribed: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Who that is, to a human."""
        return f"{self.client_id} on {self.host.lstrip('/')}"


class Group(NamedTuple):
    """`assignor` is empty until there is one; epochs are told by every type but classic."""

    name: str
    kind: str
    state: str
    protocol_type: str
    assignor: str
    coordinator: Broker
    members: tuple[Member, ...]
    epoch: int | None = None
    assignment_epoch: int | None = None

    @property
    def idle(self) -> bool:
        """Nobody is in it."""
        return self.state.lower() in IDLE_STATES


class Kind(NamedTuple):
    """How a type of groups is described: the API, its request for some names, and what its response says."""

    name: str
    api: str
    request: Callable[[list[str]], Message]
    read: Callable[[Message, Any], Iterable[Said]]


def _consumer_request(names: list[str]) -> Any:
    from logctl.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest

    return ConsumerGroupDescribeRequest(group_ids=names)


def _classic_request(names: list[str]) -> Any:
    from logctl.wire.messages.describe_groups import DescribeGroupsRequest

    return DescribeGroupsRequest(groups=names)


def _share_request(names: list[str]) -> Any:
    from logctl.wire.messages.share_group_describe import ShareGroupDescribeRequest

    return ShareGroupDescribeRequest(group_ids=names)


def _streams_request(names: list[str]) -> Any:
    from logctl.wire.messages.streams_group_describe import StreamsGroupDescribeRequest

    return StreamsGroupDescribeRequest(group_ids=names)


# -- the new protocol --------------------------------------------------------------------------------------------------


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


# -- the classic protocol ----------------------------------------------------------------------------------------------


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


# -- share groups ------------------------------------------------------------------------------------------------------


def _read_share_groups(request: Any, response: Any) -> Iterable[Said]:
    for group in response.groups:
        yield Said(group.group_id, group.error_code, group.error_message, _share_group(group))


def _share_group(group: Any) -> Group:
    members = tuple(
        Member(
            member.member_id, None, member.client_id, member.client_host, _assignment(member.assignment), None,
            member.member_epoch, SHARE, tuple(member.subscribed_topic_names),
        )
        for member in group.members
    )  # fmt: skip
    return Group(
        group.group_id, SHARE, group.group_state, SHARE, group.assignor_name, NOWHERE, members, group.group_epoch,
        group.assignment_epoch,
    )  # fmt: skip


# -- streams groups ----------------------------------------------------------------------------------------------------


def _read_streams_groups(request: Any, response: Any) -> Iterable[Said]:
    for group in response.groups:
        yield Said(group.group_id, group.error_code, group.error_message, _streams_group(group))


def _streams_group(group: Any) -> Group:
    sources = {}
    for part in (group.topology.subtopologies if group.topology is not None else None) or ():
        repartitioned = [topic.name for topic in part.repartition_source_topics]
        sources[part.subtopology_id] = (*part.source_topics, *repartitioned)
    members = tuple(_streams_member(member, sources) for member in group.members)
    return Group(
        group.group_id, STREAMS, group.group_state, STREAMS, "", NOWHERE, members, group.group_epoch,
        group.assignment_epoch,
    )  # fmt: skip


def _streams_member(member: Any, sources: Mapping[str, tuple[str, ...]]) -> Member:
    subscribed = sorted({topic for topics in sources.values() for topic in topics})
    return Member(
        member.member_id,
        member.instance_id,
        member.client_id,
        member.client_host,
        _tasks(member.assignment, sources),
        _tasks(member.target_assignment, sources),
        member.member_epoch,
        CLASSIC if member.is_classic else STREAMS,
        tuple(subscribed),
    )


def _tasks(assignment: Any, sources: Mapping[str, tuple[str, ...]]) -> Assignment:
    """Active task N of a subtopology reads partition N of each of its topics; a topic may have fewer."""
    held: dict[str, set[int]] = {}
    for task in assignment.active_tasks:
        for topic in sources.get(task.subtopology_id, ()):
            held.setdefault(topic, set()).update(task.partitions)
    return {topic: tuple(sorted(numbers)) for topic, numbers in held.items()}


KINDS: Final = (
    Kind(CONSUMER, "ConsumerGroupDescribe", _consumer_request, _read_consumer_groups),
    Kind(CLASSIC, "DescribeGroups", _classic_request, _read_classic_groups),
    Kind(SHARE, "ShareGroupDescribe", _share_request, _read_share_groups),
    Kind(STREAMS, "StreamsGroupDescribe", _streams_request, _read_streams_groups),
)
