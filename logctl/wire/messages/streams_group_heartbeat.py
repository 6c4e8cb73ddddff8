"""StreamsGroupHeartbeat (key 88): the one conversation of the Streams protocol (KIP-1071).

A Streams client joins with its topology, tells which tasks it runs and learns which it is to run. Fields that did
not change since the last exchange are left null.
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, INT64, STRING, UINT16, Message, Struct, array, field


class KeyValue(Struct):
    key: str = field(STRING, "0+")    # label or configuration key
    value: str = field(STRING, "0+")  # its value


class TopicInfo(Struct):
    name: str = field(STRING, "0+")                               # internal topic
    partitions: int = field(INT32, "0+")                          # how many; 0 leaves it to the coordinator
    replication_factor: int = field(INT16, "0+")                  # how many replicas; 0 for the broker's default
    topic_configs: list[KeyValue] = field(array(KeyValue), "0+")  # settings to create it with


class CopartitionGroup(Struct):
    source_topics: list[int] = field(array(INT16), "0+")              # places in the subtopology's source_topics
    source_topic_regex: list[int] = field(array(INT16), "0+")         # places in its source_topic_regex
    repartition_source_topics: list[int] = field(array(INT16), "0+")  # places in its repartition_source_topics


class Subtopology(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    source_topics: list[str] = field(array(STRING), "0+")  # topics it reads
    source_topic_regex: list[str] = field(array(STRING), "0+")  # patterns of topics it reads
    # internal topics that back its state stores
    state_changelog_topics: list[TopicInfo] = field(array(TopicInfo), "0+")
    repartition_sink_topics: list[str] = field(array(STRING), "0+")  # internal topics it writes for others
    repartition_source_topics: list[TopicInfo] = field(array(TopicInfo), "0+")  # internal topics it reads
    # source topics that need the same number of partitions
    copartition_groups: list[CopartitionGroup] = field(array(CopartitionGroup), "0+")


class Topology(Struct):
    epoch: int = field(INT32, "0+")                                     # raised when the application's topology changes
    subtopologies: list[Subtopology] = field(array(Subtopology), "0+")  # its connected parts


class StreamsGroupHeartbeatRequestTaskIds(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers, one task each


class StreamsGroupHeartbeatRequestEndpoint(Struct):
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(UINT16, "0+")  # TCP port


class TaskOffset(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    partition: int = field(INT32, "0+")        # partition number
    offset: int = field(INT64, "0+")           # place reached in the task's changelogs, summed up


class StreamsGroupHeartbeatRequest(Message, api_key=88, versions="0", flexible="0+"):
    group_id: str = field(STRING, "0+")  # group
    member_id: str = field(STRING, "0+")  # made by the client, kept as long as it lives
    # 0 joins, -1 leaves, -2 a static member leaves for a while; else as last told
    member_epoch: int = field(INT32, "0+")
    endpoint_information_epoch: int = field(INT32, "0+")  # last epoch of the endpoint table the client has seen
    # name of a static member; null dynamic or unchanged
    instance_id: str | None = field(STRING, "0+", nullable="0+", default=None)
    rack_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # client's rack; null unchanged
    rebalance_timeout_ms: int = field(INT32, "0+", default=-1)  # how long it may take to give up tasks; -1 unchanged
    # what the application computes; when joining, else null
    topology: Topology | None = field(Topology, "0+", nullable="0+", default=None)
    # tasks processed here now; null unchanged
    active_tasks: list[StreamsGroupHeartbeatRequestTaskIds] | None = field(
        array(StreamsGroupHeartbeatRequestTaskIds), "0+", nullable="0+", default=None
    )
    # tasks kept warm here now; null unchanged
    standby_tasks: list[StreamsGroupHeartbeatRequestTaskIds] | None = field(
        array(StreamsGroupHeartbeatRequestTaskIds), "0+", nullable="0+", default=None
    )
    # tasks being restored here now; null unchanged
    warmup_tasks: list[StreamsGroupHeartbeatRequestTaskIds] | None = field(
        array(StreamsGroupHeartbeatRequestTaskIds), "0+", nullable="0+", default=None
    )
    # process that the client lives in; null unchanged
    process_id: str | None = field(STRING, "0+", nullable="0+", default=None)
    # where the process answers interactive queries; null unchanged or none
    user_endpoint: StreamsGroupHeartbeatRequestEndpoint | None = field(
        StreamsGroupHeartbeatRequestEndpoint, "0+", nullable="0+", default=None
    )
    # labels for rack-aware standby placement; null unchanged
    client_tags: list[KeyValue] | None = field(array(KeyValue), "0+", nullable="0+", default=None)
    # how far warm-up tasks have got; null unchanged
    task_offsets: list[TaskOffset] | None = field(array(TaskOffset), "0+", nullable="0+", default=None)
    # where their changelogs end; null unchanged
    task_end_offsets: list[TaskOffset] | None = field(array(TaskOffset), "0+", nullable="0+", default=None)
    shutdown_application: bool = field(BOOL, "0+")  # ask all clients of the group to stop


class Status(Struct):
    status_code: int = field(INT8, "0+")      # what the group lacks, e.g. missing source topics, or that it is to stop
    status_detail: str = field(STRING, "0+")  # in words


class StreamsGroupHeartbeatResponseTaskIds(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers, one task each


class StreamsGroupHeartbeatResponseEndpoint(Struct):
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(UINT16, "0+")  # TCP port


class TopicPartition(Struct):
    topic: str = field(STRING, "0+")                   # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class EndpointToPartitions(Struct):
    # where a process answers interactive queries
    user_endpoint: StreamsGroupHeartbeatResponseEndpoint = field(StreamsGroupHeartbeatResponseEndpoint, "0+")
    # partitions whose state is processed there
    active_partitions: list[TopicPartition] = field(array(TopicPartition), "0+")
    # partitions whose state is kept warm there
    standby_partitions: list[TopicPartition] = field(array(TopicPartition), "0+")


class StreamsGroupHeartbeatResponse(Message, api_key=88, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    member_id: str = field(STRING, "0+")  # the member's
    member_epoch: int = field(INT32, "0+")  # epoch to say next time
    heartbeat_interval_ms: int = field(INT32, "0+")  # how often to send the next ones
    # records that a warm-up task may lag behind and count as caught up
    acceptable_recovery_lag: int = field(INT32, "0+")
    task_offset_interval_ms: int = field(INT32, "0+")  # how often to report task offsets
    status: list[Status] | None = field(array(Status), "0+", nullable="0+")  # what stands in the way; null unchanged
    # tasks to process; null unchanged
    active_tasks: list[StreamsGroupHeartbeatResponseTaskIds] | None = field(
        array(StreamsGroupHeartbeatResponseTaskIds), "0+", nullable="0+", default=None
    )
    # tasks to keep warm; null unchanged
    standby_tasks: list[StreamsGroupHeartbeatResponseTaskIds] | None = field(
        array(StreamsGroupHeartbeatResponseTaskIds), "0+", nullable="0+", default=None
    )
    # tasks to restore; null unchanged
    warmup_tasks: list[StreamsGroupHeartbeatResponseTaskIds] | None = field(
        array(StreamsGroupHeartbeatResponseTaskIds), "0+", nullable="0+", default=None
    )
    endpoint_information_epoch: int = field(INT32, "0+")  # epoch of the endpoint table
    # the endpoint table, for interactive queries; null unchanged
    partitions_by_user_endpoint: list[EndpointToPartitions] | None = field(
        array(EndpointToPartitions), "0+", nullable="0+", default=None
    )
