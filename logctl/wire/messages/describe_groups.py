"""DescribeGroups (key 15): state and members of classic groups.

Asked by admin tools of the groups' coordinator. Groups of the new protocol have ConsumerGroupDescribe.

3   authorised operations (KIP-430)
4   static members
5   flexible
6   GROUP_ID_NOT_FOUND for a missing group, which before was described as dead (KIP-1043)
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BOOL, BYTES, INT16, INT32, STRING, Message, Struct, array, field


class DescribeGroupsRequest(Message, api_key=15, versions="0-6", flexible="5+"):
    groups: list[str] = field(array(STRING), "0+")           # groups wanted
    include_authorized_operations: bool = field(BOOL, "3+")  # also say which operations the caller may do


class DescribedGroupMember(Struct):
    member_id: str = field(STRING, "0+")  # member's id within the group
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "4+", nullable="4+", default=None)
    client_id: str = field(STRING, "0+")  # client.id as the member sent it
    client_host: str = field(STRING, "0+")  # address the member connected from
    # what it told at joining; for consumers a ConsumerProtocolSubscription
    member_metadata: Buffer = field(BYTES, "0+")
    member_assignment: Buffer = field(BYTES, "0+")  # what it got; for consumers a ConsumerProtocolAssignment


class DescribedGroup(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "6+", nullable="6+", default=None)
    group_id: str = field(STRING, "0+")  # group
    group_state: str = field(STRING, "0+")  # "Stable", "PreparingRebalance", "CompletingRebalance", "Empty" or "Dead"
    protocol_type: str = field(STRING, "0+")  # kind of group, "consumer" for consumers, "connect" for Connect workers
    protocol_data: str = field(STRING, "0+")  # protocol chosen, for consumers the assignor; empty for none
    members: list[DescribedGroupMember] = field(array(DescribedGroupMember), "0+")  # those in it
    # bit field by operation code; the least integer when not asked for
    authorized_operations: int = field(INT32, "3+", default=-2147483648)


class DescribeGroupsResponse(Message, api_key=15, versions="0-6", flexible="5+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    groups: list[DescribedGroup] = field(array(DescribedGroup), "0+")  # by group
