"""AlterConfigs (key 33): replace all dynamic settings of a resource.

What is not named goes back to its default, so IncrementalAlterConfigs has taken its place. Version 2 is flexible.
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, STRING, Message, Struct, array, field


class AlterableConfig(Struct):
    name: str = field(STRING, "0+")                         # setting
    value: str | None = field(STRING, "0+", nullable="0+")  # its value; null for the default


class AlterConfigsResource(Struct):
    resource_type: int = field(INT8, "0+")  # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_name: str = field(STRING, "0+")  # topic, broker id, group...; empty for the default of all brokers
    configs: list[AlterableConfig] = field(array(AlterableConfig), "0+")  # all that is to be set


class AlterConfigsRequest(Message, api_key=33, versions="0-2", flexible="2+"):
    resources: list[AlterConfigsResource] = field(array(AlterConfigsResource), "0+")  # whose settings
    validate_only: bool = field(BOOL, "0+")  # check and answer, but change nothing


class AlterConfigsResourceResponse(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    resource_type: int = field(INT8, "0+")  # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_name: str = field(STRING, "0+")  # topic, broker id, group...; empty for the default of all brokers


class AlterConfigsResponse(Message, api_key=33, versions="0-2", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    responses: list[AlterConfigsResourceResponse] = field(array(AlterConfigsResourceResponse), "0+")  # one per resource
