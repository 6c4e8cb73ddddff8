"""StreamsGroupDescribe (key 89): state, topology, members and tasks of Streams groups (KIP-1071).

Asked by admin tools of the groups' coordinator.
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, UINT16, Message, Struct, array, field


class StreamsGroupDescribeRequest(Message, api_key=89, versions="0", flexible="0+"):
    group_ids: list[str] = field(array(STRING), "0+")        # groups wanted
    include_authorized_operations: bool = field(BOOL, "0+")  # also say which operations the caller may do


class KeyValue(Struct):
    key: str = field(STRING, "0+")    # label or configuration key
    value: str = field(STRING, "0+")  # its value


class TopicInfo(Struct):
    name: str = field(STRING, "0+")                               # internal topic
    partitions: int = field(INT32, "0+")                          # how many; 0 was left to the coordinator
    replication_factor: int = field(INT16, "0+")                  # how many replicas; 0 for the broker's default
    topic_configs: list[KeyValue] = field(array(KeyValue), "0+")  # settings it is created with


class Subtopology(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    source_topics: list[str] = field(array(STRING), "0+")  # topics it reads, patterns resolved
    repartition_sink_topics: list[str] = field(array(STRING), "0+")  # internal topics it writes for others
    # internal topics that back its state stores
    state_changelog_topics: list[TopicInfo] = field(array(TopicInfo), "0+")
    repartition_source_topics: list[TopicInfo] = field(array(TopicInfo), "0+")  # internal topics it reads


class Topology(Struct):
    epoch: int = field(INT32, "0+")  # raised when the application's topology changes
    # its connected parts; null while it is not valid yet
    subtopologies: list[Subtopology] | None = field(array(Subtopology), "0+", nullable="0+", default=None)


class Endpoint(Struct):
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(UINT16, "0+")  # TCP port


class TaskOffset(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    partition: int = field(INT32, "0+")        # partition number
    offset: int = field(INT64, "0+")           # place reached in the task's changelogs, summed up


class TaskIds(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers, one task each


class Assignment(Struct):
    active_tasks: list[TaskIds] = field(array(TaskIds), "0+")  # tasks processed here
    standby_tasks: list[TaskIds] = field(array(TaskIds), "0+")  # tasks whose state is kept warm here as a spare
    # tasks whose state is being restored here before they move in
    warmup_tasks: list[TaskIds] = field(array(TaskIds), "0+")


class Member(Struct):
    member_id: str = field(STRING, "0+")  # member's id within the group
    member_epoch: int = field(INT32, "0+")  # member's epoch, raised with each change of its assignment
    # name of a static member; null for a dynamic one
    instance_id: str | None = field(STRING, "0+", nullable="0+", default=None)
    rack_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # rack it told; null for none
    client_id: str = field(STRING, "0+")  # client.id as the member sent it
    client_host: str = field(STRING, "0+")  # address the member connected from
    topology_epoch: int = field(INT32, "0+")  # topology the member runs
    process_id: str = field(STRING, "0+")  # process that the member lives in; one may hold several members
    # where the process answers interactive queries; null for none
    user_endpoint: Endpoint | None = field(Endpoint, "0+", nullable="0+", default=None)
    client_tags: list[KeyValue] = field(array(KeyValue), "0+")  # labels for rack-aware standby placement
    task_offsets: list[TaskOffset] = field(array(TaskOffset), "0+")  # how far its warm-up tasks have got
    task_end_offsets: list[TaskOffset] = field(array(TaskOffset), "0+")  # where their changelogs end
    assignment: Assignment = field(Assignment, "0+")  # what it runs now
    target_assignment: Assignment = field(Assignment, "0+")  # what it is to run
    is_classic: bool = field(BOOL, "0+")  # still speaks the classic protocol


class DescribedGroup(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    group_id: str = field(STRING, "0+")  # group
    group_state: str = field(STRING, "0+")  # "Stable", "Assigning", "Reconciling", "NotReady", "Empty" or "Dead"
    group_epoch: int = field(INT32, "0+")  # raised with each change that calls for a new assignment
    assignment_epoch: int = field(INT32, "0+")  # group epoch that the current target was made for
    # what the application computes; null when there is none yet
    topology: Topology | None = field(Topology, "0+", nullable="0+", default=None)
    members: list[Member] = field(array(Member), "0+")  # those in it
    # bit field by operation code; the least integer when not asked for
    authorized_operations: int = field(INT32, "0+", default=-2147483648)


class StreamsGroupDescribeResponse(Message, api_key=89, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    groups: list[DescribedGroup] = field(array(DescribedGroup), "0+")  # one per group asked
