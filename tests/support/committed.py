"""What a group has committed, and how it would have it: asked over the wire, a connection for each question.

No client's admin is asked: librdkafka's (2.16) brings the process down when a coordinator is still loading.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from support.live_server import Client
from support.waiting import wait_until

from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from logctl.wire.schema import Message


class Committed:
    def __init__(self, address: str, group: str) -> None:
        self._port = int(address.rpartition(":")[2])
        self._group = group

    def look(self) -> dict[int, int]:
        """By partition, for groups that read one topic. Raises `WireError`, and `OSError` when the node is down."""
        answer = self._ask_coordinator(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(self._group, topics=None)]))
        [group] = answer.groups
        if group.error_code:
            raise WireError(group.error_code)
        return {one.partition_index: one.committed_offset for topic in group.topics for one in topic.partitions}

    def put(self, topic: str, offsets: Mapping[int, int]) -> None:
        """As somebody who is no member; waits until there is a coordinator. Raises `WireError`."""
        wait_until(self._is_coordinated, "a coordinator")
        parts = [OffsetCommitRequestPartition(partition, offset) for partition, offset in offsets.items()]
        topics = [OffsetCommitRequestTopic(topic, partitions=parts)]
        answer = self._ask_coordinator(OffsetCommitRequest(self._group, -1, "", topics=topics))
        for one in answer.topics[0].partitions:
            if one.error_code != errors.NONE:
                raise WireError(one.error_code)

    def _is_coordinated(self) -> bool:
        try:
            self.look()
        except WireError:
            return False
        return True

    def _ask_coordinator(self, body: Message) -> Any:
        """Raises `WireError` while there is none."""
        told = _ask(self._port, FindCoordinatorRequest(coordinator_keys=[self._group]), 6)
        [found] = told.coordinators
        if found.error_code:
            raise WireError(found.error_code)
        return _ask(found.port, body, 9)


def _ask(port: int, body: Message, version: int) -> Any:
    with closing(Client(port)) as client:
        return client.ask(body, version)
