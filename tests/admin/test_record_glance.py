"""A look at the first records of many partitions: who is asked again, and what is told when nothing can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.scripted import ScriptedCluster, topic_id

from logctl.admin import record_glance
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.record_glance import Glanced, Span, glance
from logctl.admin.routing import Cluster
from logctl.errors import AccessDenied, OperationFailed
from logctl.wire import errors
from logctl.wire.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from logctl.wire.records import NewRecord, build_batch


def batch(offset: int, count: int = 1) -> bytes:
    records = [NewRecord(None, b"v%d" % (offset + number), (), 1000 + number) for number in range(count)]
    return bytes(build_batch(records, base_offset=offset))


Answer = Callable[[int, int], PartitionData]
"""(partition, limit in bytes) -> what the leader says of it."""


@contextmanager
def leader(answer: Answer) -> Iterator[tuple[Cluster, list[list[int]]]]:
    """A cluster of one leader of three partitions, and in which order it was asked for them."""
    asked: list[list[int]] = []

    def fetch(request: Any, version: int) -> Any:
        [topic] = request.topics
        asked.append([entry.partition for entry in topic.partitions])
        told = [answer(entry.partition, entry.partition_max_bytes) for entry in topic.partitions]
        return FetchResponse(responses=[FetchableTopicResponse(topic="t", topic_id=topic_id("t"), partitions=told)])

    with ScriptedCluster(1, topics={"t": [1, 1, 1]}) as scripted:
        scripted.answer("Fetch", fetch)
        with Client(parse_addresses(scripted.bootstrap)) as client:
            cluster = Cluster(client)
            cluster.refresh(Deadline(10.0), ["t"])
            yield cluster, asked


def told(partition: int, records: bytes = b"", code: int = 0) -> PartitionData:
    return PartitionData(
        partition_index=partition, error_code=code, high_watermark=50, last_stable_offset=50, records=records
    )


def test_what_did_not_fit_is_asked_again_in_front_and_with_more_room() -> None:
    def answer(partition: int, limit: int) -> PartitionData:
        return told(partition, batch(10) if partition != 2 or limit > 64 << 10 else b"")

    with leader(answer) as (cluster, asked):
        seen = glance(cluster, {("t", number): Span(10, 50) for number in range(3)}, Deadline(10.0))
    assert asked == [[0, 1, 2], [2]]
    assert [seen.found["t", number].records[0].value for number in range(3)] == [b"v10"] * 3


def test_a_leader_that_is_none_any_more_is_found_again() -> None:
    codes = [errors.NOT_LEADER_OR_FOLLOWER]

    def answer(partition: int, limit: int) -> PartitionData:
        return told(partition, code=codes.pop()) if codes else told(partition, batch(10, 3))

    with leader(answer) as (cluster, asked):
        seen = glance(cluster, {("t", 0): Span(11, 13, 5)}, Deadline(10.0))
        assert [record.offset for record in seen.found["t", 0].records] == [11, 12]
    assert asked[:2] == [[0], [0]]


def test_a_leader_that_never_sends_what_it_should_have_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_glance, "_PATIENCE_S", 0.3)
    with leader(lambda partition, limit: told(partition)) as (cluster, asked):
        seen = glance(cluster, {("t", 0): Span(11, 50)}, Deadline(10.0))
    assert str(seen.failures["t", 0]) == "partition 0 of t: its leader sends nothing"
    assert len(asked) < 20


def test_what_is_refused_leaves_the_rest_standing() -> None:
    codes = {0: errors.TOPIC_AUTHORIZATION_FAILED, 1: errors.OFFSET_OUT_OF_RANGE}

    def answer(partition: int, limit: int) -> PartitionData:
        return told(partition, b"" if partition in codes else batch(10), codes.get(partition, 0))

    with leader(answer) as (cluster, _):
        seen = glance(cluster, {("t", number): Span(10, 11) for number in range(3)}, Deadline(10.0))
    assert list(seen.found) == [("t", 2)]
    assert isinstance(seen.failures["t", 0], AccessDenied)
    assert isinstance(seen.failures["t", 1], OperationFailed)


def test_an_end_without_records_is_an_answer() -> None:
    with leader(lambda partition, limit: told(partition)) as (cluster, _):
        seen = glance(cluster, {("t", 0): Span(50, 52)}, Deadline(10.0))
    assert seen.found["t", 0] == Glanced((), 52)


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + b"!", lambda data: data[:16] + b"\x07" + data[17:]])
def test_a_damaged_batch_is_told_by_partition_and_offset(damage: Callable[[bytes], bytes]) -> None:
    with leader(lambda partition, limit: told(partition, damage(batch(10)))) as (cluster, _):
        seen = glance(cluster, {("t", 0): Span(10, 11)}, Deadline(10.0))
    assert str(seen.failures["t", 0]).startswith("partition 0 of t, offset 10: cannot be read: ")
