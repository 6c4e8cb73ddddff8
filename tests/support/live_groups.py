"""Members of share and streams groups, by the protocol's heartbeats alone: few client libraries have them yet.

    with share_member(bootstrap, group, topic): ...           # in the group, and then no longer
    with streams_member(bootstrap, group, topic) as ready:    # an application of one subtopology that reads the topic
        wait_until(ready, "the member to get its tasks")

A member that does not beat is thrown out after 45 s, which is longer than any story.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from logctl.admin.client import Client, parse_addresses
from logctl.admin.coordinators import Coordinators, Said
from logctl.admin.deadline import Deadline
from logctl.admin.routing import Cluster
from logctl.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from logctl.wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest, Subtopology, Topology

CLIENT_ID = "by-hand"


class _Member:
    """One conversation with a group's coordinator."""

    def __init__(self, client: Client, group: str) -> None:
        self.group = group
        self.member_id = str(uuid.uuid4())
        self._coordinators = Coordinators(Cluster(client))

    def beat(self, request: Any) -> Any:
        """Send a heartbeat; the coordinator is looked up, and a loading one waited for."""

        def read(_: Any, response: Any) -> Iterable[Said]:
            yield Said(self.group, response.error_code, response.error_message, response)

        answers = self._coordinators.ask([self.group], lambda names: request, read, Deadline(20.0))
        for failure in answers.failures.values():
            raise failure
        return answers.found[self.group]


@contextmanager
def share_member(bootstrap: str, group: str, topic: str) -> Iterator[None]:
    with Client(parse_addresses(bootstrap), CLIENT_ID) as client:
        member = _Member(client, group)

        def beat(epoch: int, topics: list[str] | None = None) -> Any:
            return member.beat(
                ShareGroupHeartbeatRequest(
                    group_id=group, member_id=member.member_id, member_epoch=epoch, subscribed_topic_names=topics
                )
            )

        beat(0, [topic])
        try:
            yield
        finally:
            beat(-1)


@contextmanager
def streams_member(bootstrap: str, group: str, topic: str) -> Iterator[Callable[[], bool]]:
    with Client(parse_addresses(bootstrap), CLIENT_ID) as client:
        member = _Member(client, group)
        state: dict[str, Any] = {"epoch": 0, "tasks": None}

        def beat(epoch: int, **more: Any) -> Any:
            return member.beat(
                StreamsGroupHeartbeatRequest(group_id=group, member_id=member.member_id, member_epoch=epoch, **more)
            )

        def ready() -> bool:
            """Beat once more; has it got its tasks?"""
            answer = beat(state["epoch"])
            state["epoch"] = answer.member_epoch
            state["tasks"] = answer.active_tasks if answer.active_tasks is not None else state["tasks"]
            return bool(state["tasks"])

        answer = beat(
            0,
            rebalance_timeout_ms=60_000,
            topology=Topology(epoch=0, subtopologies=[Subtopology(subtopology_id="0", source_topics=[topic])]),
            active_tasks=[],
            standby_tasks=[],
            warmup_tasks=[],
            process_id=member.member_id,
            client_tags=[],
        )
        state.update(epoch=answer.member_epoch, tasks=answer.active_tasks)
        try:
            yield ready
        finally:
            beat(-1)
