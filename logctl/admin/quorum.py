"""The quorum that keeps the metadata log: who leads, who votes, who only follows, and how far each of them is.

DescribeQuorum (KIP-595, KIP-836) is answered by the leader alone; a broker passes the question on. While the lead
changes hands nobody can answer, so it is asked again for a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.routing import Cluster, refusal
from logctl.errors import DeadlineExceeded, Unreachable
from logctl.wire import errors
from logctl.wire.primitives import ZERO_UUID, uuid_text

TOPIC: Final = "__cluster_metadata"

_NOBODY_LEADS: Final = frozenset(
    (
        errors.NOT_LEADER_OR_FOLLOWER,
        errors.LEADER_NOT_AVAILABLE,
        errors.NOT_CONTROLLER,
        errors.BROKER_NOT_AVAILABLE,
        errors.FENCED_LEADER_EPOCH,
        errors.REQUEST_TIMED_OUT,  # whoever was asked has waited for a leader in vain
    )
)


class Replica(NamedTuple):
    """A node's copy of the metadata log. None where the leader does not know it, or its version does not tell.

    `caught_up_ms`: the time, by the leader's clock, up to which it has everything; `behind_records` and `behind_ms`
    are measured from the leader.
    """

    node_id: int
    directory_id: str | None
    end_offset: int | None
    fetched_ms: int | None
    caught_up_ms: int | None
    behind_records: int | None = None
    behind_ms: int | None = None


class Quorum(NamedTuple):
    """The quorum as its leader describes it; `leader_id` is None while it has none. `addresses`: of the voters."""

    leader_id: int | None
    leader_epoch: int
    high_watermark: int
    voters: tuple[Replica, ...]
    observers: tuple[Replica, ...]
    addresses: dict[int, str]


def describe_quorum(cluster: Cluster, deadline: Deadline) -> Quorum:
    """Raises NotOffered, and OperationFailed when nobody has taken the lead by the deadline."""
    from logctl.wire.messages.describe_quorum import (
        DescribeQuorumRequest,
        DescribeQuorumRequestPartitionData,
        DescribeQuorumRequestTopicData,
    )

    need(cluster, "DescribeQuorum", deadline)
    partition = DescribeQuorumRequestPartitionData(partition_index=0)
    request = DescribeQuorumRequest(topics=[DescribeQuorumRequestTopicData(topic_name=TOPIC, partitions=[partition])])
    backoff, refused = Backoff(), None
    while True:
        try:
            response = cluster.ask(request, deadline)
        except (Unreachable, DeadlineExceeded):
            if refused is None:
                raise
            raise refused from None
        code = next((code for code in _codes(response) if code), errors.NONE)
        if code == errors.NONE:
            return quorum_from(response)
        hint = "a majority of the controllers must be running" if code in _NOBODY_LEADS else ""
        refused = refusal("the quorum of controllers", code, _said(response), hint)
        if code not in _NOBODY_LEADS or deadline.expired:
            raise refused
        backoff.pause(deadline)


def _codes(response: Any) -> Iterable[int]:
    yield response.error_code
    for topic in response.topics:
        for partition in topic.partitions:
            yield partition.error_code


def _said(response: Any) -> str | None:
    inside = (partition.error_message for topic in response.topics for partition in topic.partitions)
    return response.error_message or next((said for said in inside if said), None)


def quorum_from(response: Any) -> Quorum:
    """What a DescribeQuorumResponse without errors says."""
    [partition] = response.topics[0].partitions
    leader = next((one for one in partition.current_voters if one.replica_id == partition.leader_id), None)
    return Quorum(
        leader_id=partition.leader_id if partition.leader_id >= 0 else None,
        leader_epoch=partition.leader_epoch,
        high_watermark=partition.high_watermark,
        voters=tuple(_replica(one, leader) for one in partition.current_voters),
        observers=tuple(_replica(one, leader) for one in partition.observers),
        addresses={
            node.node_id: ", ".join(f"{one.name}://{one.host}:{one.port}" for one in node.listeners)
            for node in response.nodes
        },
    )


def _replica(one: Any, leader: Any) -> Replica:
    end, caught_up_ms = _known(one.log_end_offset), _known(one.last_caught_up_timestamp)
    leader_end = None if leader is None else _known(leader.log_end_offset)
    leader_ms = None if leader is None else _known(leader.last_caught_up_timestamp)
    return Replica(
        node_id=one.replica_id,
        directory_id=None if one.replica_directory_id == ZERO_UUID else uuid_text(one.replica_directory_id),
        end_offset=end,
        fetched_ms=_known(one.last_fetch_timestamp),
        caught_up_ms=caught_up_ms,
        behind_records=_behind(leader_end, end),
        behind_ms=_behind(leader_ms, caught_up_ms),
    )


def _known(number: int) -> int | None:
    return number if number >= 0 else None


def _behind(leader: int | None, follower: int | None) -> int | None:
    return None if leader is None or follower is None else max(0, leader - follower)
