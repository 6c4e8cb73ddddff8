"""The client that looks after partitions: gives them other replicas and takes that back, has leaders elected, deletes
old records, and asks for more or fewer in sync. One request at a time.

Topics whose name begins with `LOOSE` are those that may lose records: it asks for unclean elections there, and nobody
is promised anything about what they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from logctl.engine.simulation.clients import BASE_TOPIC, Client, World
from logctl.engine.simulation.promises import Topic
from logctl.wire import errors
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from logctl.wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions

LOOSE: Final = "u-"
_PREFERRED: Final = 0
_UNCLEAN: Final = 1
_OFTEN: Final = 0.3
"""Of its turns."""
_CHANGES: Final = {"reassign": 5, "cancel": 2, "elect": 4, "elect unclean": 2, "delete records": 3}
_TOLERABLE: Final = frozenset(
    {
        errors.NO_REASSIGNMENT_IN_PROGRESS,
        errors.ELECTION_NOT_NEEDED,
        errors.PREFERRED_LEADER_NOT_AVAILABLE,
        errors.OFFSET_OUT_OF_RANGE,
    }
)


class Caretaker(Client):
    """`node_ids`: where replicas may go."""

    def __init__(self, world: World, name: str, node_ids: list[int]) -> None:
        super().__init__(world, name)
        self._node_ids = node_ids

    def act(self) -> None:
        topic = self.some_topic()
        if self.finishing or self.session.owed or topic is None or self.random.random() > _OFTEN:
            return
        number = self.random.randrange(topic.partitions)
        what = self.random.choices(list(_CHANGES), list(_CHANGES.values()))[0]
        {
            "reassign": self._reassign,
            "cancel": self._cancel,
            "elect": self._elect,
            "elect unclean": self._elect_unclean,
            "delete records": self._delete_records,
        }[what](topic, number)

    def _told(self, what: str, details: str, codes: Callable[[Any], list[int]]) -> Callable[[Any], None]:
        def answered(response: Any) -> None:
            refused = [code for code in codes(response) if code]
            for code in refused:
                self.session.astray(code)
            words = " ".join(errors.describe(code).name for code in refused)
            self.note(f"not {what}" if refused else what, f"{details} {words}".strip())
            if all(code in _TOLERABLE for code in refused):
                self.progress += 1

        return answered

    def _reassign(self, topic: Topic, number: int) -> None:
        """The base topic is always on at least two."""
        least = 2 if topic.name == BASE_TOPIC and len(self._node_ids) > 1 else 1
        count = self.random.randint(least, min(3, len(self._node_ids)))
        self._assign(topic, number, self.random.sample(self._node_ids, count))

    def _cancel(self, topic: Topic, number: int) -> None:
        self._assign(topic, number, None)

    def _assign(self, topic: Topic, number: int, replicas: list[int] | None) -> None:
        self.world.promises.spread(topic)
        wanted = ReassignableTopic(topic.name, [ReassignablePartition(number, replicas)])
        told = self._told(
            "reassigned" if replicas else "cancelled",
            f"{topic.name}-{number} {replicas or ''}",
            lambda response: [response.error_code]
            + [one.error_code for each in response.responses for one in each.partitions],
        )
        self.session.ask(AlterPartitionReassignmentsRequest(topics=[wanted]), 1, told)

    def _elect(self, topic: Topic, number: int, kind: int = _PREFERRED) -> None:
        request = ElectLeadersRequest(election_type=kind, topic_partitions=[TopicPartitions(topic.name, [number])])
        told = self._told(
            "elected" if kind == _PREFERRED else "elected unclean",
            f"{topic.name}-{number}",
            lambda response: [response.error_code]
            + [one.error_code for each in response.replica_election_results for one in each.partition_result],
        )
        self.session.ask(request, 2, told)

    def elect(self, name: str, number: int) -> None:
        """Let the preferred replica lead, if anybody can be asked now."""
        topic = self.world.promises.topics.get(name)
        if topic is not None and self.session.connected and not self.session.owed:
            self._elect(topic, number)

    def _elect_unclean(self, topic: Topic, number: int) -> None:
        if topic.name.startswith(LOOSE):
            self.world.promises.loosen(topic)
            self._elect(topic, number, _UNCLEAN)

    def _delete_records(self, topic: Topic, number: int) -> None:
        partition = topic.topic_id, number
        shown = self.world.promises.shown_end.get(partition, 0)
        if not shown or not self.session.leads_to(partition):
            return
        offset = self.random.randint(0, shown)
        cut_at_most = self.world.promises.cut_at_most
        cut_at_most[partition] = max(offset, cut_at_most.get(partition, 0))
        told = self._told("deleted", f"{topic.name}-{number} below {offset}", _codes_of_deletion)

        def answered(response: Any) -> None:
            if not any(_codes_of_deletion(response)):
                cut_at_least = self.world.promises.cut_at_least
                cut_at_least[partition] = max(offset, cut_at_least.get(partition, 0))
            told(response)

        wanted = DeleteRecordsTopic(topic.name, [DeleteRecordsPartition(number, offset)])
        self.session.ask_leader(partition, DeleteRecordsRequest(topics=[wanted], timeout_ms=2000), 2, answered)


def _codes_of_deletion(response: Any) -> list[int]:
    return [one.error_code for topic in response.topics for one in topic.partitions]
