"""AlterClientQuotas (key 49): set or remove quotas (KIP-546). Version 1 is flexible."""

from __future__ import annotations

from logctl.wire.schema import BOOL, FLOAT64, INT16, INT32, STRING, Message, Struct, array, field


class AlterClientQuotasRequestEntityData(Struct):
    entity_type: str = field(STRING, "0+")                        # "user", "client-id" or "ip"
    entity_name: str | None = field(STRING, "0+", nullable="0+")  # its name; null for the default


class OpData(Struct):
    key: str = field(STRING, "0+")       # quota, e.g. "producer_byte_rate"
    value: float = field(FLOAT64, "0+")  # limit to set
    remove: bool = field(BOOL, "0+")     # take the limit away instead


class AlterClientQuotasRequestEntryData(Struct):
    # parts that together name the entity, e.g. user and client-id
    entity: list[AlterClientQuotasRequestEntityData] = field(array(AlterClientQuotasRequestEntityData), "0+")
    ops: list[OpData] = field(array(OpData), "0+")  # changes to the entity


class AlterClientQuotasRequest(Message, api_key=49, versions="0-1", flexible="1+"):
    # one per entity
    entries: list[AlterClientQuotasRequestEntryData] = field(array(AlterClientQuotasRequestEntryData), "0+")
    validate_only: bool = field(BOOL, "0+")  # check and answer, but change nothing


class AlterClientQuotasResponseEntityData(Struct):
    entity_type: str = field(STRING, "0+")                        # "user", "client-id" or "ip"
    entity_name: str | None = field(STRING, "0+", nullable="0+")  # its name; null for the default


class AlterClientQuotasResponseEntryData(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    # parts that together name the entity, e.g. user and client-id
    entity: list[AlterClientQuotasResponseEntityData] = field(array(AlterClientQuotasResponseEntityData), "0+")


class AlterClientQuotasResponse(Message, api_key=49, versions="0-1", flexible="1+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    # one per entity
    entries: list[AlterClientQuotasResponseEntryData] = field(array(AlterClientQuotasResponseEntryData), "0+")
