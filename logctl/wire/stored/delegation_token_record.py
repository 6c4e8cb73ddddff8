"""DelegationTokenRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT64, STRING, Message, array, field


class DelegationTokenRecord(Message, api_key=10, versions="0", flexible="0+"):
    owner: str = field(STRING, "0+")
    requester: str = field(STRING, "0+")
    renewers: list[str] = field(array(STRING), "0+")
    issue_timestamp: int = field(INT64, "0+")
    max_timestamp: int = field(INT64, "0+")
    expiration_timestamp: int = field(INT64, "0+")
    token_id: str = field(STRING, "0+")
