"""SyncGroup (key 14): the leader of a classic group hands out the assignment, the others wait for theirs.

3   static members (KIP-345)
4   flexible
5   protocol type and name, so that a mismatch is noticed (KIP-559)
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT16, INT32, STRING, Message, Struct, array, field


class SyncGroupRequestAssignment(Struct):
    member_id: str = field(STRING, "0+")     # member's id within the group
    assignment: Buffer = field(BYTES, "0+")  # what it gets; for consumers a ConsumerProtocolAssignment


class SyncGroupRequest(Message, api_key=14, versions="0-5", flexible="4+"):
    group_id: str = field(STRING, "0+")  # group
    generation_id: int = field(INT32, "0+")  # generation of the group, counted up at each rebalance
    member_id: str = field(STRING, "0+")  # member's id within the group
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "3+", nullable="3+", default=None)
    protocol_type: str | None = field(STRING, "5+", nullable="5+", default=None)  # kind of group; null skips the check
    # protocol chosen at joining; null skips the check
    protocol_name: str | None = field(STRING, "5+", nullable="5+", default=None)
    # one per member, from the leader; empty from others
    assignments: list[SyncGroupRequestAssignment] = field(array(SyncGroupRequestAssignment), "0+")


class SyncGroupResponse(Message, api_key=14, versions="0-5", flexible="4+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # kind of group, "consumer" for consumers, "connect" for Connect workers
    protocol_type: str | None = field(STRING, "5+", nullable="5+", default=None)
    protocol_name: str | None = field(STRING, "5+", nullable="5+", default=None)  # protocol in use; null on failure
    assignment: Buffer = field(BYTES, "0+")  # the caller's own part
