"""ConsumerProtocolSubscription: what a member of a classic consumer group tells its leader, inside JoinGroup.

It travels behind its version, an int16. Unlike other messages it is read by the newest version known, since unknown
fields come last.

1   what the member owns, for cooperative rebalancing (KIP-429)
2   generation it owned that in (KIP-792)
3   rack (KIP-881)
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT32, STRING, Message, Struct, array, field


class TopicPartition(Struct):
    topic: str = field(STRING, "1+")                   # topic
    partitions: list[int] = field(array(INT32), "1+")  # partition numbers


class ConsumerProtocolSubscription(Message, versions="0-3"):
    topics: list[str] = field(array(STRING), "0+")  # topics subscribed to
    # whatever the assignor adds; null for nothing
    user_data: Buffer | None = field(BYTES, "0+", nullable="0+", default=None)
    owned_partitions: list[TopicPartition] = field(array(TopicPartition), "1+")  # what it owns now, by topic
    generation_id: int = field(INT32, "2+", default=-1)  # generation it owned that in; -1 unknown
    rack_id: str | None = field(STRING, "3+", nullable="3+", default=None)  # its rack; null unknown
