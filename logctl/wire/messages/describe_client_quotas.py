"""DescribeClientQuotas (key 48): quotas that match a filter (KIP-546). Version 1 is flexible."""

from __future__ import annotations

from logctl.wire.schema import BOOL, FLOAT64, INT8, INT16, INT32, STRING, Message, Struct, array, field


class ComponentData(Struct):
    entity_type: str = field(STRING, "0+")                  # "user", "client-id" or "ip"
    match_type: int = field(INT8, "0+")                     # 0 the name in `match`, 1 the default, 2 anything specified
    match: str | None = field(STRING, "0+", nullable="0+")  # name; null unless the match is by name


class DescribeClientQuotasRequest(Message, api_key=48, versions="0-1", flexible="1+"):
    components: list[ComponentData] = field(array(ComponentData), "0+")  # filters, all of which must match
    strict: bool = field(BOOL, "0+")  # leave out entities with parts that no filter names


class EntityData(Struct):
    entity_type: str = field(STRING, "0+")                        # "user", "client-id" or "ip"
    entity_name: str | None = field(STRING, "0+", nullable="0+")  # its name; null for the default


class ValueData(Struct):
    key: str = field(STRING, "0+")       # quota, e.g. "producer_byte_rate"
    value: float = field(FLOAT64, "0+")  # its limit


class EntryData(Struct):
    # parts that together name the entity, e.g. user and client-id
    entity: list[EntityData] = field(array(EntityData), "0+")
    values: list[ValueData] = field(array(ValueData), "0+")  # limits of the entity


class DescribeClientQuotasResponse(Message, api_key=48, versions="0-1", flexible="1+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    entries: list[EntryData] | None = field(array(EntryData), "0+", nullable="0+")  # one per entity; null on failure
