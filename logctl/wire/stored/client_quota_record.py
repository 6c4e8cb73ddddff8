"""ClientQuotaRecord: a quota was set or removed (metadata log)."""

from __future__ import annotations

from logctl.wire.schema import BOOL, FLOAT64, STRING, Message, Struct, array, field


class EntityData(Struct):
    entity_type: str = field(STRING, "0+")                        # "user", "client-id" or "ip"
    entity_name: str | None = field(STRING, "0+", nullable="0+")  # its name; null for the default


class ClientQuotaRecord(Message, api_key=14, versions="0", flexible="0+"):
    # parts that together name the entity, e.g. user and client-id
    entity: list[EntityData] = field(array(EntityData), "0+")
    key: str = field(STRING, "0+")  # quota, e.g. "producer_byte_rate"
    value: float = field(FLOAT64, "0+")  # its limit
    remove: bool = field(BOOL, "0+")  # it was removed instead
