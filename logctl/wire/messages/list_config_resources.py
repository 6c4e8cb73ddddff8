"""ListConfigResources (key 74): names of the resources that have dynamic settings.

0   client metrics only (KIP-714)
1   any type (KIP-1142)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, STRING, Message, Struct, array, field


class ListConfigResourcesRequest(Message, api_key=74, versions="0-1", flexible="0+"):
    resource_types: list[int] = field(array(INT8), "1+")  # types wanted, by code; empty for all


class ConfigResource(Struct):
    resource_name: str = field(STRING, "0+")  # its name
    # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_type: int = field(INT8, "1+", default=16)


class ListConfigResourcesResponse(Message, api_key=74, versions="0-1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    config_resources: list[ConfigResource] = field(array(ConfigResource), "0+")  # those found
