"""LeaveGroup (key 13): members leave a classic group, or are removed from it.

Sent by a member that closes, and by tools that remove members (KIP-345), to the coordinator.

3   several members at once, also by static name
4   flexible
5   a reason, for the broker's log (KIP-800)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, Struct, array, field


class MemberIdentity(Struct):
    member_id: str = field(STRING, "3+")  # member to remove; empty when the static name says enough
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "3+", nullable="3+", default=None)
    reason: str | None = field(STRING, "5+", nullable="5+", default=None)  # why, for people; null for none


class LeaveGroupRequest(Message, api_key=13, versions="0-5", flexible="4+"):
    group_id: str = field(STRING, "0+")                                 # group
    member_id: str = field(STRING, "0-2")                               # member that leaves, up to 2
    members: list[MemberIdentity] = field(array(MemberIdentity), "3+")  # members that leave, from 3 on


class MemberResponse(Struct):
    member_id: str = field(STRING, "3+")  # member's id within the group
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "3+", nullable="3+")
    error_code: int = field(INT16, "3+")  # 0, or what went wrong


class LeaveGroupResponse(Message, api_key=13, versions="0-5", flexible="4+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    members: list[MemberResponse] = field(array(MemberResponse), "3+")  # one per member, from 3 on
