"""GroupMetadata: a classic group with its members, type 2 (__consumer_offsets).

1   a time limit for the rebalance
2   time of the last change
3   static members
4   flexible
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT32, INT64, STRING, Message, Struct, array, field


class GroupMetadataKey(Message, api_key=2, versions="0"):
    group: str = field(STRING, "0")  # group


class MemberMetadata(Struct):
    member_id: str = field(STRING, "0+")  # member's id within the group
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "3+", nullable="3+", default=None)
    client_id: str = field(STRING, "0+")  # client.id as the member sent it
    client_host: str = field(STRING, "0+")  # address the member connected from
    # how long others wait for it to rejoin, in ms; -1 its session's timeout
    rebalance_timeout: int = field(INT32, "1+", default=-1)
    session_timeout: int = field(INT32, "0+")  # silence after which it is considered dead, in ms
    subscription: Buffer = field(BYTES, "0+")  # what it told at joining
    assignment: Buffer = field(BYTES, "0+")  # what it got


class GroupMetadataValue(Message, api_key=2, versions="0-4", flexible="4+"):
    protocol_type: str = field(STRING, "0+")  # kind of group, "consumer" for consumers, "connect" for Connect workers
    generation: int = field(INT32, "0+")  # counts rebalances
    protocol: str | None = field(STRING, "0+", nullable="0+")  # protocol chosen; null for none
    leader: str | None = field(STRING, "0+", nullable="0+")  # member id of the leader; null for none
    current_state_timestamp: int = field(INT64, "2+", default=-1)  # when the group last changed, in ms; -1 unknown
    members: list[MemberMetadata] = field(array(MemberMetadata), "0+")  # those in it
