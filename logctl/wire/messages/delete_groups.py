"""DeleteGroups (key 42): forget groups without members, with their offsets (KIP-229).

Sent by admin tools to the groups' coordinator.

2   flexible
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, Struct, array, field


class DeleteGroupsRequest(Message, api_key=42, versions="0-2", flexible="2+"):
    groups_names: list[str] = field(array(STRING), "0+")  # groups to delete


class DeletableGroupResult(Struct):
    group_id: str = field(STRING, "0+")   # group
    error_code: int = field(INT16, "0+")  # 0, or what went wrong


class DeleteGroupsResponse(Message, api_key=42, versions="0-2", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    results: list[DeletableGroupResult] = field(array(DeletableGroupResult), "0+")  # one per group
