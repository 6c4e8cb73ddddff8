"""Heartbeat (key 12): a member of a classic group is alive; is a rebalance under way?

Sent by consumers and Connect workers to the coordinator, which answers REBALANCE_IN_PROGRESS when they are to
rejoin.

3   static members (KIP-345)
4   flexible
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, field


class HeartbeatRequest(Message, api_key=12, versions="0-4", flexible="4+"):
    group_id: str = field(STRING, "0+")  # group
    generation_id: int = field(INT32, "0+")  # generation of the group, counted up at each rebalance
    member_id: str = field(STRING, "0+")  # member's id within the group
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "3+", nullable="3+", default=None)


class HeartbeatResponse(Message, api_key=12, versions="0-4", flexible="4+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")        # 0, or what went wrong
