"""StreamsGroupCurrentMemberAssignment: tasks that a member runs now, type 22 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT8, INT32, STRING, Message, Struct, array, field


class StreamsGroupCurrentMemberAssignmentKey(Message, api_key=22, versions="0"):
    group_id: str = field(STRING, "0")   # group
    member_id: str = field(STRING, "0")  # member's id within the group


class TaskIds(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers, one task each
    # member epoch at which it got each of them: older commits are fenced
    assignment_epochs: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=0)


class StreamsGroupCurrentMemberAssignmentValue(Message, api_key=22, versions="0", flexible="0+"):
    member_epoch: int = field(INT32, "0+")  # member's epoch, raised with each change of its assignment
    # epoch before the last bump: accepted too, as the answer with the new one may be lost
    previous_member_epoch: int = field(INT32, "0+")
    state: int = field(INT8, "0+")  # 0 stable, 1 unrevoked tasks, 2 unreleased tasks, 127 unknown
    active_tasks: list[TaskIds] = field(array(TaskIds), "0+")  # tasks processed here
    standby_tasks: list[TaskIds] = field(array(TaskIds), "0+")  # tasks whose state is kept warm here as a spare
    # tasks whose state is being restored here before they move in
    warmup_tasks: list[TaskIds] = field(array(TaskIds), "0+")
    active_tasks_pending_revocation: list[TaskIds] = field(array(TaskIds), "0+")  # to be given up first
    standby_tasks_pending_revocation: list[TaskIds] = field(array(TaskIds), "0+")  # to be given up first
    warmup_tasks_pending_revocation: list[TaskIds] = field(array(TaskIds), "0+")  # to be given up first
