"""ListGroups (key 16): every group that a broker coordinates.

Asked by admin tools of all brokers in turn.

3   flexible
4   states (KIP-518)
5   types (KIP-848)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, Struct, array, field


class ListGroupsRequest(Message, api_key=16, versions="0-5", flexible="3+"):
    states_filter: list[str] = field(array(STRING), "4+")  # only groups in these states; empty for any
    types_filter: list[str] = field(array(STRING), "5+")   # only groups of these types; empty for any


class ListedGroup(Struct):
    group_id: str = field(STRING, "0+")       # group
    protocol_type: str = field(STRING, "0+")  # kind of group, "consumer" for consumers, "connect" for Connect workers
    group_state: str = field(STRING, "4+")    # its state
    group_type: str = field(STRING, "5+")     # "classic", "consumer", "share" or "streams"


class ListGroupsResponse(Message, api_key=16, versions="0-5", flexible="3+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    groups: list[ListedGroup] = field(array(ListedGroup), "0+")  # those that match
