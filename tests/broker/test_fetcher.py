"""Copying very many partitions from one leader: what is asked, and in which portions an answer is obeyed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from logctl.engine.broker.fetcher import Fetcher, Pace
from logctl.wire.messages.fetch import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)

MANY = 120
TOPIC_ID = b"t" * 16


class Copy:
    """A replica that follows, with one record that the leader may not have."""

    def __init__(self, partition: int) -> None:
        self.topic, self.topic_id, self.partition = "orders", TOPIC_ID, partition
        self.leader_epoch, self.told_mark, self.high_watermark, self.own_end = 3, -1, 0, 1
        self.fenced, self.awake, self.outline = False, True, None
        self.looks = 0
        self._log = SimpleNamespace(end_offset=1, leader_epoch=1, start_offset=0)
        self._log.end_offset_for_epoch = lambda epoch: (-1, -1)

    @property
    def log(self) -> Any:
        self.looks += 1
        return self._log

    def cut(self, offset: int) -> None:
        self._log.end_offset = self.own_end = offset
        self._log.leader_epoch = -1

    def leader_told(self, high_watermark: int) -> None:
        self.told_mark = high_watermark


class Here:
    """The node: it keeps what is asked, and which logs were cut by one answer."""

    node_id = 1
    throttle = SimpleNamespace(names=lambda topic, partition: False, is_exceeded=lambda now_ms: False)

    def __init__(self) -> None:
        self.now_ms = 0
        self.asked: list[tuple[FetchRequest, Any]] = []
        self.cuts: list[int] = []

    def clock(self) -> int:
        return self.now_ms

    def broker_epoch(self) -> int:
        return 7

    def ask(self, node_id: int, request: Any, done: Any, *_: Any) -> None:
        self.asked.append((request, done))

    def after_cuts(self, cut: Any) -> None:
        self.cuts.append(len(list(cut)))

    def disk_failed(self, replica: Any, fault: Any) -> None:
        raise fault

    def say(self, sentence: str) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def copying() -> tuple[Fetcher, Here, list[Copy]]:
    here: Any = Here()
    fetcher, copies = Fetcher(2, here, Pace()), [Copy(number) for number in range(MANY)]
    for copy in copies:
        replica: Any = copy
        fetcher.add(replica)
    return fetcher, here, copies


def named(request: FetchRequest) -> list[int]:
    return [one.partition for topic in request.topics for one in topic.partitions]


def told(partitions: list[PartitionData]) -> FetchResponse:
    return FetchResponse(session_id=5, responses=[FetchableTopicResponse("", TOPIC_ID, partitions)])


def test_logs_that_nothing_was_told_of_are_not_looked_at_again() -> None:
    fetcher, here, copies = copying()
    fetcher.advance(0)
    assert named(here.asked[-1][0]) == list(range(MANY))
    here.asked[-1][1](told([PartitionData(number, high_watermark=1, records=b"") for number in range(MANY)]))
    fetcher.advance(0)
    assert named(here.asked[-1][0]) == list(range(MANY)), "each knows another high watermark now"
    here.asked[-1][1](told([]))
    before = [copy.looks for copy in copies]
    for _ in range(5):
        fetcher.advance(0)
        assert named(here.asked[-1][0]) == []
        here.asked[-1][1](told([]))
    assert [copy.looks for copy in copies] == before
    copies[7].leader_epoch += 1
    moved: Any = copies[7]
    fetcher.add(moved)
    fetcher.advance(0)
    assert named(here.asked[-1][0]) == [7]


def test_very_many_logs_that_part_are_cut_a_portion_at_a_time() -> None:
    fetcher, here, copies = copying()
    fetcher.advance(0)
    rounds = 0
    while any(copy._log.end_offset for copy in copies):
        rounds += 1
        parting = [
            PartitionData(number, diverging_epoch=EpochEndOffset(0, 0), records=b"")
            for number, copy in enumerate(copies)
            if copy._log.end_offset
        ]
        here.asked[-1][1](told(parting))
        fetcher.advance(0)
    assert rounds == 3
    assert sum(here.cuts) == MANY
    assert len(here.cuts) == rounds, "what the cuts leave is noted once for an answer"
