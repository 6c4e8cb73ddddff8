"""IncrementalAlterConfigs (key 44): change single dynamic settings (KIP-339). Version 1 is flexible."""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, STRING, Message, Struct, array, field


class AlterableConfig(Struct):
    name: str = field(STRING, "0+")  # setting
    config_operation: int = field(INT8, "0+")  # 0 set, 1 delete, 2 append to a list, 3 subtract from a list
    value: str | None = field(STRING, "0+", nullable="0+")  # value, or elements to add or take away; null to delete


class AlterConfigsResource(Struct):
    resource_type: int = field(INT8, "0+")  # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_name: str = field(STRING, "0+")  # topic, broker id, group...; empty for the default of all brokers
    configs: list[AlterableConfig] = field(array(AlterableConfig), "0+")  # changes


class IncrementalAlterConfigsRequest(Message, api_key=44, versions="0-1", flexible="1+"):
    resources: list[AlterConfigsResource] = field(array(AlterConfigsResource), "0+")  # whose settings
    validate_only: bool = field(BOOL, "0+")  # check and answer, but change nothing


class AlterConfigsResourceResponse(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    resource_type: int = field(INT8, "0+")  # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_name: str = field(STRING, "0+")  # topic, broker id, group...; empty for the default of all brokers


class IncrementalAlterConfigsResponse(Message, api_key=44, versions="0-1", flexible="1+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    responses: list[AlterConfigsResourceResponse] = field(array(AlterConfigsResourceResponse), "0+")  # one per resource
