"""CreateTopics (key 19): create topics.

Sent by admin tools, Streams and Connect; brokers pass it to the controller.

2   baseline
4   partitions and replication factor may be left to the broker's settings (KIP-464)
5   flexible; the answer tells what was created (KIP-525)
6   THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599)
7   topic identifier in the answer
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, STRING, UUID, Message, Struct, array, field


class CreatableReplicaAssignment(Struct):
    partition_index: int = field(INT32, "0+")          # partition number
    broker_ids: list[int] = field(array(INT32), "0+")  # brokers that get a replica, the preferred leader first


class CreatableTopicConfig(Struct):
    name: str = field(STRING, "0+")                         # setting, e.g. "cleanup.policy"
    value: str | None = field(STRING, "0+", nullable="0+")  # its value


class CreatableTopic(Struct):
    name: str = field(STRING, "0+")  # topic
    num_partitions: int = field(INT32, "0+")  # how many; -1 the broker's setting, or an assignment is given
    replication_factor: int = field(INT16, "0+")  # replicas of each; -1 the broker's setting, or an assignment is given
    # replicas chosen by hand; empty leaves it to the controller
    assignments: list[CreatableReplicaAssignment] = field(array(CreatableReplicaAssignment), "0+")
    # settings that differ from the broker's
    configs: list[CreatableTopicConfig] = field(array(CreatableTopicConfig), "0+")


class CreateTopicsRequest(Message, api_key=19, versions="2-7", flexible="5+"):
    topics: list[CreatableTopic] = field(array(CreatableTopic), "0+")  # topics to create
    timeout_ms: int = field(INT32, "0+", default=60000)                # how long the answer may take
    validate_only: bool = field(BOOL, "1+")                            # check and answer, but change nothing


class CreatableTopicConfigs(Struct):
    name: str = field(STRING, "5+")                         # setting
    value: str | None = field(STRING, "5+", nullable="5+")  # its value; null when it is sensitive
    read_only: bool = field(BOOL, "5+")                     # cannot be changed
    config_source: int = field(INT8, "5+", default=-1)      # where the value comes from; codes at DescribeConfigs
    is_sensitive: bool = field(BOOL, "5+")                  # its value is never shown


class CreatableTopicResult(Struct):
    name: str = field(STRING, "0+")  # topic
    topic_id: bytes = field(UUID, "7+")  # topic, by identifier
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "1+", nullable="0+")
    # why the settings are not told, e.g. not authorised
    topic_config_error_code: int = field(INT16, "5+", tagged="5+", tag=0)
    num_partitions: int = field(INT32, "5+", default=-1)  # how many it has; -1 not told
    replication_factor: int = field(INT16, "5+", default=-1)  # replicas of each; -1 not told
    # its settings; null when not told, which Java clients cannot bear without an error
    configs: list[CreatableTopicConfigs] | None = field(array(CreatableTopicConfigs), "5+", nullable="5+")


class CreateTopicsResponse(Message, api_key=19, versions="2-7", flexible="5+"):
    throttle_time_ms: int = field(INT32, "2+")  # how long the quota delayed, or is to delay, this client
    topics: list[CreatableTopicResult] = field(array(CreatableTopicResult), "0+")  # one per topic
