"""Consuming: from where to where, in order, over gaps and aborted transactions, through moved leaders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from crc32c import crc32c
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.consumer import ConsumeOptions, Consumer, Delivered, Notice
from logctl.admin.deadline import Deadline
from logctl.admin.positions import END, Kind, Position
from logctl.admin.routing import Cluster
from logctl.errors import DeadlineExceeded, OperationFailed, Unreachable, UsageError
from logctl.wire import errors
from logctl.wire.messages.fetch import AbortedTransaction, FetchableTopicResponse, FetchResponse, PartitionData
from logctl.wire.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from logctl.wire.records import NewRecord, build_batch, end_txn_marker, read_header


class ScriptedPartition:
    """Batches as they lie in a log. `first` and `stable` are the log start and the last stable offset."""

    def __init__(self) -> None:
        self.batches: list[bytearray] = []
        self.aborted: list[AbortedTransaction] = []
        self.end = 0
        self.first = 0
        self.stable: int | None = None

    def add(self, *values: bytes, producer_id: int = -1, timestamp: int = 0, **options: Any) -> None:
        records = [NewRecord(None, value, (), timestamp) for value in values]
        self._append(build_batch(records, base_offset=self.end, producer_id=producer_id, producer_epoch=0, **options))

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        marker = end_txn_marker(commit=commit, coordinator_epoch=0, timestamp=0)
        batch = build_batch(
            [marker], base_offset=self.end, producer_id=producer_id, producer_epoch=0, transactional=True, control=True
        )
        self._append(batch)

    def _append(self, batch: bytearray) -> None:
        self.batches.append(batch)
        self.end = read_header(batch).last_offset + 1


class ScriptedLogs:
    """The partitions of topic t; `troubles` is consumed one per Fetch before it is answered."""

    def __init__(self, cluster: ScriptedCluster) -> None:
        self.cluster = cluster
        self.partitions = [ScriptedPartition() for _ in cluster.topics["t"]]
        self.troubles: list[Any] = []
        cluster.answer("ListOffsets", self.list_offsets)
        cluster.answer("Fetch", self.fetch)

    def list_offsets(self, request: Any, version: int) -> ListOffsetsResponse:
        [topic] = request.topics
        rows = []
        for asked in topic.partitions:
            held = self.partitions[asked.partition_index]
            offset = {-1: held.end, -2: held.first}.get(asked.timestamp)
            if offset is None:
                offset = _at_time(held, asked.timestamp)
            elif asked.timestamp == -1 and request.isolation_level and held.stable is not None:
                offset = held.stable
            rows.append(ListOffsetsPartitionResponse(partition_index=asked.partition_index, offset=offset))
        return ListOffsetsResponse(topics=[ListOffsetsTopicResponse(name="t", partitions=rows)])

    def fetch(self, request: Any, version: int) -> Any:
        trouble = self.troubles.pop(0) if self.troubles else None
        if callable(trouble):
            return trouble()
        [topic] = request.topics
        answers = [self._one(asked, trouble) for asked in topic.partitions]
        answered = FetchableTopicResponse(topic=topic.topic, topic_id=topic.topic_id, partitions=answers)
        return FetchResponse(responses=[answered])

    def _one(self, asked: Any, trouble: int | None) -> PartitionData:
        held = self.partitions[asked.partition]
        if trouble is not None:
            return PartitionData(partition_index=asked.partition, error_code=trouble)
        if not held.first <= asked.fetch_offset <= held.end:
            return PartitionData(partition_index=asked.partition, error_code=errors.OFFSET_OUT_OF_RANGE)
        records = b"".join(batch for batch in held.batches if read_header(batch).last_offset >= asked.fetch_offset)
        return PartitionData(
            partition_index=asked.partition,
            high_watermark=held.end,
            aborted_transactions=held.aborted,
            records=records[: asked.partition_max_bytes],
        )


def _at_time(held: ScriptedPartition, timestamp: int) -> int:
    headers = map(read_header, held.batches)
    return next((header.base_offset for header in headers if header.max_timestamp >= timestamp), -1)


@pytest.fixture
def cluster() -> Iterator[ScriptedCluster]:
    with ScriptedCluster(1, 2, topics={"t": [1, 2]}) as made:
        yield made


@pytest.fixture
def logs(cluster: ScriptedCluster) -> ScriptedLogs:
    return ScriptedLogs(cluster)


@contextmanager
def consuming(logs: ScriptedLogs, topic: str = "t", **options: Any) -> Iterator[Iterator[Any]]:
    with Client(parse_addresses(logs.cluster.bootstrap)) as client:
        consumer = Consumer(Cluster(client), [topic], ConsumeOptions(**{"timeout_s": 10.0, **options}))
        consumer.open(Deadline(10))
        yield consumer.read()


def read(logs: ScriptedLogs, **options: Any) -> tuple[list[tuple[int, int, bytes]], list[str]]:
    """(partition, offset, value) of every record in the order of arrival, and the notices."""
    records, notices = [], []
    with consuming(logs, **options) as events:
        for event in events:
            if isinstance(event, Notice):
                notices.append(event.sentence)
            else:
                assert isinstance(event, Delivered)
                records += [(event.partition, record.offset, record.value) for record in event.records]
    return records, notices


def values(logs: ScriptedLogs, **options: Any) -> list[bytes]:
    return [value for _, _, value in read(logs, **options)[0]]


# -- from where to where ---------------------------------------------------------------------------------------------


def test_everything_that_is_there_now_is_read_in_the_order_of_each_partition(logs: ScriptedLogs) -> None:
    logs.partitions[0].add(b"a", b"b")
    logs.partitions[0].add(b"c", compression="zstd")
    logs.partitions[1].add(b"x")
    records, notices = read(logs)
    assert [row for row in records if row[0] == 0] == [(0, 0, b"a"), (0, 1, b"b"), (0, 2, b"c")]
    assert [row for row in records if row[0] == 1] == [(1, 0, b"x")]
    assert not notices


def test_an_empty_topic_is_read_to_its_end_at_once(logs: ScriptedLogs) -> None:
    assert read(logs) == ([], [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"start": Position(Kind.OFFSET, 1)}, [b"b", b"c", b"d"]),
        ({"start": Position(Kind.BEFORE_END, 1)}, [b"d"]),
        ({"start": Position(Kind.BEFORE_END, 99)}, [b"a", b"b", b"c", b"d"]),
        ({"start": Position(Kind.TIME, 20)}, [b"d"]),
        ({"start": Position(Kind.TIME, 99)}, []),
        ({"start": END}, []),
        ({"stop": Position(Kind.OFFSET, 1)}, [b"a"]),
        ({"stop": Position(Kind.OFFSET, 99)}, [b"a", b"b", b"c", b"d"]),
        ({"stop": Position(Kind.TIME, 20)}, [b"a", b"b", b"c"]),
        ({"start": Position(Kind.OFFSET, 1), "stop": Position(Kind.OFFSET, 3)}, [b"b", b"c"]),
        ({"at_most": 2}, [b"a", b"b"]),
        ({"at_most": 0}, []),
    ],
)
def test_reading_begins_and_ends_where_it_was_told(logs: ScriptedLogs, options: Any, expected: list[bytes]) -> None:
    logs.partitions[0].add(b"a", b"b", b"c", timestamp=10)
    logs.partitions[0].add(b"d", timestamp=20)
    assert values(logs, partitions=(0,), **options) == expected


def test_an_offset_that_is_gone_is_said_to_be_gone_and_reading_begins_with_what_is_left(logs: ScriptedLogs) -> None:
    logs.partitions[0].end = logs.partitions[0].first = 5
    logs.partitions[0].add(b"f")
    records, notices = read(logs, partitions=(0,), start=Position(Kind.OFFSET, 2))
    assert records == [(0, 5, b"f")]
    assert notices == ["partition 0 of t begins at 5: offsets 2 to 4 are no longer there"]


def test_an_offset_behind_the_end_is_refused_with_where_the_end_is(logs: ScriptedLogs) -> None:
    with pytest.raises(OperationFailed, match="offset 7 is behind the end: partition 0 of t at 0"):
        read(logs, partitions=(0,), start=Position(Kind.OFFSET, 7))


def test_a_partition_or_topic_that_does_not_exist_is_refused(logs: ScriptedLogs) -> None:
    with pytest.raises(UsageError, match="partitions 0 to 1; 2 is not one"):
        read(logs, partitions=(2,))
    with pytest.raises(OperationFailed, match="topic u does not exist"):
        read(logs, topic="u")


def test_what_is_written_after_reading_began_is_left_to_those_who_follow(logs: ScriptedLogs) -> None:
    logs.partitions[0].add(b"a")
    with consuming(logs, partitions=(0,), stop=None) as events:
        assert [record.value for record in next(events).records] == [b"a"]
        logs.partitions[0].add(b"b")
        assert [record.value for record in next(events).records] == [b"b"]


def test_filters_pick_what_is_delivered_and_counted(logs: ScriptedLogs) -> None:
    logs.partitions[0].add(*(b"%d" % number for number in range(10)))
    assert values(logs, keep=lambda record: int(record.value) % 3 == 0) == [b"0", b"3", b"6", b"9"]
    assert values(logs, keep=lambda record: int(record.value) % 3 == 0, at_most=2) == [b"0", b"3"]
    assert values(logs, keep=lambda record: False) == []


def test_who_follows_may_leave_when_nothing_comes(logs: ScriptedLogs) -> None:
    logs.partitions[0].add(b"a")
    assert values(logs, stop=None, idle_s=0.05) == [b"a"]


# -- what lies in the log --------------------------------------------------------------------------------------------


def test_gaps_that_compaction_left_are_walked_over(logs: ScriptedLogs) -> None:
    held = logs.partitions[0]
    held.add(b"a")
    held.end = 10
    held.add(b"k")
    assert read(logs, partitions=(0,))[0] == [(0, 0, b"a"), (0, 10, b"k")]


def test_a_batch_whose_last_records_were_compacted_away_is_left_behind_as_a_whole(logs: ScriptedLogs) -> None:
    held = logs.partitions[0]
    held.add(b"a")
    batch = held.batches[0]
    batch[23:27] = (4).to_bytes(4, "big")  # it once held offsets 0 to 4
    batch[17:21] = crc32c(memoryview(batch)[21:]).to_bytes(4, "big")
    held.end = 5
    assert read(logs, partitions=(0,))[0] == [(0, 0, b"a")]
    assert [broker.count("Fetch") for broker in logs.cluster.brokers.values()] == [1, 0]


def test_an_aborted_transaction_is_left_out_for_those_who_want_committed_records(logs: ScriptedLogs) -> None:
    held = logs.partitions[0]
    held.add(b"aborted", producer_id=7, transactional=True)
    held.add(b"plain")
    held.add(b"committed", producer_id=8, transactional=True)
    held.end_transaction(7, commit=False)
    held.end_transaction(8, commit=True)
    held.add(b"second", producer_id=7, transactional=True)
    held.end_transaction(7, commit=True)
    everything = [b"aborted", b"plain", b"committed", b"second"]
    assert values(logs, partitions=(0,)) == everything
    held.aborted = [AbortedTransaction(producer_id=7, first_offset=0)]
    assert values(logs, partitions=(0,), committed=True) == everything[1:]


def test_reading_committed_records_ends_before_an_open_transaction(logs: ScriptedLogs) -> None:
    held = logs.partitions[0]
    held.add(b"a")
    held.stable = held.end
    held.add(b"open", producer_id=7, transactional=True)
    assert values(logs, partitions=(0,), committed=True) == [b"a"]


@pytest.mark.parametrize("damage", ["checksum", "magic", "length"])
def test_a_batch_that_cannot_be_read_is_named_with_its_place(logs: ScriptedLogs, damage: str) -> None:
    held = logs.partitions[0]
    held.add(b"a")
    held.add(b"broken")
    batch = held.batches[1]
    if damage == "checksum":
        batch[-1] ^= 1
    elif damage == "magic":
        batch[16] = 1
    else:
        batch[8:12] = (20).to_bytes(4, "big")
    with pytest.raises(OperationFailed, match="partition 0 of t, offset 1: the batch cannot be read"):
        read(logs, partitions=(0,))


# -- trouble ---------------------------------------------------------------------------------------------------------


def test_a_leader_that_moved_is_followed(logs: ScriptedLogs) -> None:
    def move() -> FetchResponse:
        logs.cluster.topics["t"] = [2, 2]
        row = PartitionData(partition_index=0, error_code=errors.NOT_LEADER_OR_FOLLOWER)
        answered = FetchableTopicResponse(topic="t", topic_id=b"t".ljust(16, b"\0"), partitions=[row])
        return FetchResponse(responses=[answered])

    logs.partitions[0].add(b"a")
    logs.troubles = [move]
    assert values(logs, partitions=(0,)) == [b"a"]
    assert logs.cluster.brokers[2].count("Fetch") >= 1


def test_a_connection_that_breaks_is_made_again(logs: ScriptedLogs) -> None:
    logs.partitions[0].add(b"a")
    logs.troubles = [lambda: None, lambda: None]
    assert values(logs, partitions=(0,)) == [b"a"]


def test_what_retention_took_while_we_read_is_said_to_be_gone(logs: ScriptedLogs) -> None:
    held = logs.partitions[0]
    held.add(b"a")
    with consuming(logs, partitions=(0,), stop=None) as events:
        next(events)
        held.batches.clear()
        held.first = held.end = 9
        held.add(b"j")
        assert next(events) == Notice("partition 0 of t begins at 9: offsets 1 to 8 are no longer there")
        assert next(events).records[0].value == b"j"


def test_trouble_that_does_not_pass_ends_the_reading(logs: ScriptedLogs) -> None:
    logs.partitions[0].add(b"a")
    logs.troubles = [errors.NOT_LEADER_OR_FOLLOWER] * 100
    with pytest.raises(OperationFailed, match="partition 0 of t: NOT_LEADER_OR_FOLLOWER"):
        read(logs, partitions=(0,), timeout_s=0.4)


def test_a_silent_leader_ends_the_reading_when_time_is_over(logs: ScriptedLogs) -> None:
    logs.partitions[0].add(b"a")
    logs.troubles = [lambda: SILENCE] * 3
    with pytest.raises((DeadlineExceeded, Unreachable), match="did not answer"):
        read(logs, partitions=(0,), timeout_s=0.4)
