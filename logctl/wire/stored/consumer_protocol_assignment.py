"""ConsumerProtocolAssignment: what the leader of a classic consumer group gives a member, inside SyncGroup.

It travels behind its version, an int16. Unlike other messages it is read by the newest version known, since unknown
fields come last.
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT32, STRING, Message, Struct, array, field


class TopicPartition(Struct):
    topic: str = field(STRING, "0+")                   # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class ConsumerProtocolAssignment(Message, versions="0-3"):
    assigned_partitions: list[TopicPartition] = field(array(TopicPartition), "0+")  # by topic
    # whatever the assignor adds; null for nothing
    user_data: Buffer | None = field(BYTES, "0+", nullable="0+", default=None)
