"""ShareGroupDescribe (key 77): state, members and assignments of share groups (KIP-932).

Asked by admin tools of the groups' coordinator. First stable version is 1.
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, UUID, Message, Struct, array, field


class ShareGroupDescribeRequest(Message, api_key=77, versions="1", flexible="0+"):
    group_ids: list[str] = field(array(STRING), "0+")        # groups wanted
    include_authorized_operations: bool = field(BOOL, "0+")  # also say which operations the caller may do


class TopicPartitions(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    topic_name: str = field(STRING, "0+")              # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class Assignment(Struct):
    topic_partitions: list[TopicPartitions] = field(array(TopicPartitions), "0+")  # by topic


class Member(Struct):
    member_id: str = field(STRING, "0+")  # member's id within the group
    rack_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # rack it told; null for none
    member_epoch: int = field(INT32, "0+")  # member's epoch, raised with each change of its assignment
    client_id: str = field(STRING, "0+")  # client.id as the member sent it
    client_host: str = field(STRING, "0+")  # address the member connected from
    subscribed_topic_names: list[str] = field(array(STRING), "0+")  # topics subscribed to by name
    assignment: Assignment = field(Assignment, "0+")  # what it reads now


class DescribedGroup(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    group_id: str = field(STRING, "0+")  # group
    group_state: str = field(STRING, "0+")  # "Stable", "Empty" or "Dead"
    group_epoch: int = field(INT32, "0+")  # raised with each change that calls for a new assignment
    assignment_epoch: int = field(INT32, "0+")  # group epoch that the current target was made for
    assignor_name: str = field(STRING, "0+")  # assignor in use
    members: list[Member] = field(array(Member), "0+")  # those in it
    # bit field by operation code; the least integer when not asked for
    authorized_operations: int = field(INT32, "0+", default=-2147483648)


class ShareGroupDescribeResponse(Message, api_key=77, versions="1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    groups: list[DescribedGroup] = field(array(DescribedGroup), "0+")  # one per group asked
