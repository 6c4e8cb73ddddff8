"""LegacyOffsetCommit: a group's offset in the oldest form, type 0 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, field


class LegacyOffsetCommitKey(Message, api_key=0, versions="0"):
    group: str = field(STRING, "0")     # group
    topic: str = field(STRING, "0")     # topic
    partition: int = field(INT32, "0")  # partition number


class LegacyOffsetCommitValue(Message, api_key=0, versions="0"):
    offset: int = field(INT64, "0")            # next offset to read
    metadata: str = field(STRING, "0")         # a note of the client's own
    commit_timestamp: int = field(INT64, "0")  # when it was committed, in ms
