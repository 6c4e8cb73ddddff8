"""OffsetCommit: how far a group has read in a partition, type 1 (__consumer_offsets).

1   an end of its own; heeded while it lasts
2   no more
3   leader epoch of the last record read
4   flexible; topic identifier
"""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, UUID, Message, field


class OffsetCommitKey(Message, api_key=1, versions="0"):
    group: str = field(STRING, "0")     # group
    topic: str = field(STRING, "0")     # topic
    partition: int = field(INT32, "0")  # partition number


class OffsetCommitValue(Message, api_key=1, versions="0-4", flexible="4+"):
    offset: int = field(INT64, "0+")  # next offset to read
    leader_epoch: int = field(INT32, "3+", default=-1)  # epoch of the last record read; -1 unknown
    metadata: str = field(STRING, "0+")  # a note of the client's own
    commit_timestamp: int = field(INT64, "0+")  # when it was committed, in ms
    # when it is to be forgotten, in ms; -1 by the broker's setting
    expire_timestamp: int = field(INT64, "1", default=-1)
    topic_id: bytes = field(UUID, "4+", tagged="4+", tag=0)  # topic the offset belongs to; zero unknown
