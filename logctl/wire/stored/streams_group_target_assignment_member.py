"""StreamsGroupTargetAssignmentMember: tasks that a member is to run, type 21 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT32, STRING, Message, Struct, array, field


class StreamsGroupTargetAssignmentMemberKey(Message, api_key=21, versions="0"):
    group_id: str = field(STRING, "0")   # group
    member_id: str = field(STRING, "0")  # member's id within the group


class TaskIds(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers, one task each


class StreamsGroupTargetAssignmentMemberValue(Message, api_key=21, versions="0", flexible="0+"):
    active_tasks: list[TaskIds] = field(array(TaskIds), "0+")  # tasks processed here
    standby_tasks: list[TaskIds] = field(array(TaskIds), "0+")  # tasks whose state is kept warm here as a spare
    # tasks whose state is being restored here before they move in
    warmup_tasks: list[TaskIds] = field(array(TaskIds), "0+")
