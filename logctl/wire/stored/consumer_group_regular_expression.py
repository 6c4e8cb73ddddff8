"""ConsumerGroupRegularExpression: topics that a pattern of the group matched, type 16 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT64, STRING, Message, array, field


class ConsumerGroupRegularExpressionKey(Message, api_key=16, versions="0"):
    group_id: str = field(STRING, "0")            # group
    regular_expression: str = field(STRING, "0")  # RE2 pattern


class ConsumerGroupRegularExpressionValue(Message, api_key=16, versions="0", flexible="0+"):
    topics: list[str] = field(array(STRING), "0+")  # topics it matched
    version: int = field(INT64, "0+")               # offset of the metadata log it was matched at
    timestamp: int = field(INT64, "0+")             # when, in ms
