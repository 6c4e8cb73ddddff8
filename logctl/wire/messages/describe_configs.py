"""DescribeConfigs (key 32): settings of topics, brokers, groups and client metrics.

Questions about one broker go to that broker, all others to any. Sources of a value: 1 topic, 2 this broker
dynamically, 3 all brokers dynamically, 4 the broker's file, 5 built in, 6 a broker logger, 7 client metrics, 8
group.

1   sources and synonyms; baseline
3   types and documentation (KIP-569)
4   flexible
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, STRING, Message, Struct, array, field


class DescribeConfigsResource(Struct):
    resource_type: int = field(INT8, "0+")  # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_name: str = field(STRING, "0+")  # topic, broker id, group...; empty for the default of all brokers
    configuration_keys: list[str] | None = field(array(STRING), "0+", nullable="0+")  # settings wanted; null for all


class DescribeConfigsRequest(Message, api_key=32, versions="1-4", flexible="4+"):
    resources: list[DescribeConfigsResource] = field(array(DescribeConfigsResource), "0+")  # whose settings
    include_synonyms: bool = field(BOOL, "1+")  # also the values that are overridden, by precedence
    include_documentation: bool = field(BOOL, "3+")  # also a sentence on each


class DescribeConfigsSynonym(Struct):
    name: str = field(STRING, "1+")                         # setting it comes from, which may have another name
    value: str | None = field(STRING, "1+", nullable="0+")  # value there; null when sensitive or unset
    source: int = field(INT8, "1+")                         # where it comes from, by code


class DescribeConfigsResourceResult(Struct):
    name: str = field(STRING, "0+")  # setting
    value: str | None = field(STRING, "0+", nullable="0+")  # its value; null when sensitive or unset
    read_only: bool = field(BOOL, "0+")  # cannot be changed while running
    config_source: int = field(INT8, "1+", default=-1)  # where the value comes from, by code; -1 unknown
    is_sensitive: bool = field(BOOL, "0+")  # its value is never shown
    # where else it is set, the winner first
    synonyms: list[DescribeConfigsSynonym] = field(array(DescribeConfigsSynonym), "1+")
    # 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password; 0 unknown
    config_type: int = field(INT8, "3+")
    documentation: str | None = field(STRING, "3+", nullable="0+")  # a sentence on it; null when not asked for


class DescribeConfigsResult(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    resource_type: int = field(INT8, "0+")  # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_name: str = field(STRING, "0+")  # topic, broker id, group...; empty for the default of all brokers
    configs: list[DescribeConfigsResourceResult] = field(array(DescribeConfigsResourceResult), "0+")  # its settings


class DescribeConfigsResponse(Message, api_key=32, versions="1-4", flexible="4+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    results: list[DescribeConfigsResult] = field(array(DescribeConfigsResult), "0+")  # one per resource
