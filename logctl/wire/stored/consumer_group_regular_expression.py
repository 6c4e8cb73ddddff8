"""ConsumerGroupRegularExpression, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT64, STRING, Message, array, field


class ConsumerGroupRegularExpressionKey(Message, api_key=16, versions="0"):
    group_id: str = field(STRING, "0")
    regular_expression: str = field(STRING, "0")


class ConsumerGroupRegularExpressionValue(Message, api_key=16, versions="0", flexible="0+"):
    topics: list[str] = field(array(STRING), "0+")
    version: int = field(INT64, "0+")
    timestamp: int = field(INT64, "0+")
