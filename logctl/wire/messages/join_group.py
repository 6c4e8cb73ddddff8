"""JoinGroup (key 11): enter a classic group, and wait until everybody has.

Sent by consumers and Connect workers to the coordinator. The answer is held back until the rebalance is complete:
the leader gets all members and assigns them, the others get an empty list and wait in SyncGroup.

1   a time limit for the rebalance, apart from the session's
4   a newcomer is first given its member id by MEMBER_ID_REQUIRED and joins again with it (KIP-394)
5   static members (KIP-345)
6   flexible
7   protocol type in the answer (KIP-559)
8   a reason, for the broker's log (KIP-800)
9   a static leader that comes back may keep the assignment (KIP-814)
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BOOL, BYTES, INT16, INT32, STRING, Message, Struct, array, field


class JoinGroupRequestProtocol(Struct):
    name: str = field(STRING, "0+")  # assignor or protocol, e.g. "range"
    # what the member tells the leader under it: for consumers a ConsumerProtocolSubscription
    metadata: Buffer = field(BYTES, "0+")


class JoinGroupRequest(Message, api_key=11, versions="0-9", flexible="6+"):
    group_id: str = field(STRING, "0+")  # group
    session_timeout_ms: int = field(INT32, "0+")  # silence after which the member is considered dead
    # how long others wait for this member to rejoin; -1 the session's timeout
    rebalance_timeout_ms: int = field(INT32, "1+", default=-1)
    member_id: str = field(STRING, "0+")  # empty at first, then as given by the coordinator
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "5+", nullable="5+", default=None)
    protocol_type: str = field(STRING, "0+")  # kind of group, "consumer" for consumers, "connect" for Connect workers
    # what this member can do, best first; one that all can do is chosen
    protocols: list[JoinGroupRequestProtocol] = field(array(JoinGroupRequestProtocol), "0+")
    reason: str | None = field(STRING, "8+", nullable="8+", default=None)  # why it joins, for people; null for none


class JoinGroupResponseMember(Struct):
    member_id: str = field(STRING, "0+")  # member's id within the group
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "5+", nullable="5+", default=None)
    metadata: Buffer = field(BYTES, "0+")  # what that member told under the chosen protocol


class JoinGroupResponse(Message, api_key=11, versions="0-9", flexible="6+"):
    throttle_time_ms: int = field(INT32, "2+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    generation_id: int = field(INT32, "0+", default=-1)  # generation of the group; -1 on failure
    # kind of group, "consumer" for consumers, "connect" for Connect workers
    protocol_type: str | None = field(STRING, "7+", nullable="7+", default=None)
    protocol_name: str | None = field(STRING, "0+", nullable="7+")  # protocol chosen; null on failure
    leader: str = field(STRING, "0+")  # member id of the leader
    skip_assignment: bool = field(BOOL, "9+")  # the leader leaves the assignment as it is
    member_id: str = field(STRING, "0+")  # the caller's
    # everybody, for the leader only
    members: list[JoinGroupResponseMember] = field(array(JoinGroupResponseMember), "0+")
