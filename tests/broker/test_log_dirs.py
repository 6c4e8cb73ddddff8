"""Several log directories on one node: where partitions go, what is told of them, and moving between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.assembled import Assembled
from support.broker_room import values
from support.configs import BROKER, create, put
from support.logs import batch, numbered

from logctl.engine.broker.replica import Replica
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from logctl.wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData


@pytest.fixture
def dirs(tmp_path: Path) -> list[str]:
    return [str(tmp_path / name) for name in ("a", "b", "c")]


@pytest.fixture
def node(tmp_path: Path, dirs: list[str]) -> Assembled:
    return Assembled(tmp_path, {"log.dirs": ",".join(dirs), "log.segment.bytes": str(1 << 20)})


def produce(node: Assembled, *batches: Any, topic: str = "orders", partition: int = 0) -> None:
    for one in batches:
        data = [TopicProduceData(topic, partition_data=[PartitionProduceData(partition, one)])]
        answer = node.ask(ProduceRequest(acks=-1, topic_data=data), 9)
        assert answer.responses[0].partition_responses[0].error_code == errors.NONE


def described(node: Assembled, topics: Any = None, version: int = 5) -> dict[str, dict[str, Any]]:
    """Directory -> topic-partition -> (size, lag, future)."""
    answer = node.ask(DescribeLogDirsRequest(topics=topics), version)
    assert answer.error_code == errors.NONE
    return {
        Path(result.log_dir).name: {
            f"{topic.name}-{one.partition_index}": (one.partition_size, one.offset_lag, one.is_future_key)
            for topic in result.topics
            for one in topic.partitions
        }
        for result in answer.results
    }


def move(node: Assembled, path: str, *partitions: int, topic: str = "orders", version: int = 2) -> list[int]:
    wanted = [AlterReplicaLogDir(path, [AlterReplicaLogDirTopic(topic, list(partitions))])]
    answer = node.ask(AlterReplicaLogDirsRequest(dirs=wanted), version)
    return [one.error_code for result in answer.results for one in result.partitions]


def replica(node: Assembled, partition: int = 0) -> Replica:
    found = node.broker.replicas.get("orders", partition)
    assert found is not None
    return found


def arrive(node: Assembled) -> None:
    """Let time pass until nothing moves any more."""
    for _ in range(1000):
        if not len(node.broker.replicas.moves):
            return
        node.pass_time(5)
    raise AssertionError(node.said("move"))


def records(node: Assembled, partition: int = 0) -> list[bytes | None]:
    log = replica(node, partition).log
    found: list[bytes | None] = []
    offset = log.start_offset
    while offset < log.end_offset:
        part = log.read(offset, 1 << 20, log.end_offset)
        assert part.file is not None
        data = part.file.pread(part.length, part.position)
        found += values(data)
        offset = part.first_offset + len(values(data))
    return found


def test_new_partitions_go_where_there_are_fewest(node: Assembled) -> None:
    create(node, "orders", partitions=4)
    create(node, "payments", partitions=2)
    assert [len(held) for held in described(node).values()] == [2, 2, 2]


def test_a_directory_may_be_closed_to_new_partitions(node: Assembled, dirs: list[str]) -> None:
    put(node, BROKER, "1", cordoned_log_dirs=dirs[0])
    create(node, "orders", partitions=2)
    assert [len(held) for held in described(node).values()] == [0, 1, 1]
    answer = node.ask(DescribeLogDirsRequest(topics=None), 5)
    assert [one.is_cordoned for one in answer.results] == [True, False, False]


def test_the_cluster_knows_where_replicas_lie(node: Assembled) -> None:
    create(node, "orders", partitions=3)
    node.pass_time(1)
    ids = [one.directory_id for one in node.broker.replicas.directories]
    topic = node.broker.metadata.image.topics["orders"]
    assert [partition.directories for partition in topic.partitions.values()] == [(one,) for one in ids]


@pytest.mark.parametrize("version", range(1, 6))
def test_sizes_and_space_are_told(node: Assembled, version: int) -> None:
    create(node, "orders")
    payload = batch(10)
    size = len(payload)
    produce(node, payload)
    assert described(node, version=version)["a"] == {"orders-0": (size, 0, False)}
    answer = node.ask(DescribeLogDirsRequest(topics=None), version)
    assert (answer.results[0].total_bytes > answer.results[0].usable_bytes > 0) == (version >= 4)


def test_only_what_is_asked_for_is_listed(node: Assembled) -> None:
    create(node, "orders", partitions=2)
    some = described(node, [DescribableLogDirTopic("orders", [1, 9]), DescribableLogDirTopic("gone", [0])])
    assert [list(held) for held in some.values()] == [[], ["orders-1"], []]
    assert not any(described(node, []).values())


@pytest.mark.parametrize("version", [1, 2])
def test_a_replica_moves_with_everything_it_has(node: Assembled, dirs: list[str], version: int) -> None:
    create(node, "orders")
    produce(node, numbered(7, 0, 5, timestamp=node.now_ms), *[batch(3, size=200_000) for _ in range(4)])
    before = records(node)
    assert move(node, dirs[1], 0, version=version) == [errors.NONE]
    future = described(node)["b"]["orders-0"]
    assert future[1:] == (17, True)
    arrive(node)
    assert described(node)["a"] == {}
    assert described(node)["b"]["orders-0"][1:] == (0, False)
    assert records(node) == before
    assert replica(node).high_watermark == 17
    assert replica(node).log.producers.get(7) is not None
    assert node.said("move")[-1] == f"orders-0 has moved from {dirs[0]} to {dirs[1]}"
    produce(node, numbered(7, 5, 1, timestamp=node.now_ms))
    assert replica(node).log.end_offset == 18


def test_records_that_come_during_the_move_are_there_after_it(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, *[batch(2, size=300_000) for _ in range(6)])
    move(node, dirs[2], 0)
    for _ in range(3):
        node.pass_time(3)
        produce(node, batch(1))
    arrive(node)
    assert len(records(node)) == 15


def test_the_old_folder_goes_after_its_delay(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, batch(3))
    move(node, dirs[1], 0)
    arrive(node)
    assert [path.name for path in Path(dirs[0]).glob("orders-0*") if not path.name.endswith("-delete")] == []
    node.pass_time(60_000)
    assert list(Path(dirs[0]).glob("orders-0*")) == []
    assert [path.name for path in Path(dirs[1]).glob("orders-0*")] == ["orders-0"]


def test_a_log_that_begins_in_the_middle_of_a_batch_begins_there_afterwards(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, batch(4), batch(4))
    asked = DeleteRecordsTopic("orders", [DeleteRecordsPartition(0, 6)])
    node.ask(DeleteRecordsRequest(topics=[asked]), 2)
    move(node, dirs[1], 0)
    arrive(node)
    assert (replica(node).log.start_offset, replica(node).log.end_offset) == (6, 8)
    node.crash()
    assert (replica(node).log.start_offset, replica(node).log.end_offset) == (6, 8)


def test_an_empty_log_moves_too(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    move(node, dirs[1], 0)
    arrive(node)
    assert described(node)["b"] == {"orders-0": (0, 0, False)}
    produce(node, batch(1))


def test_to_stay_ends_a_move(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, batch(3))
    assert move(node, dirs[1], 0) == [errors.NONE]
    assert move(node, dirs[0], 0) == [errors.NONE]
    assert described(node)["b"] == {}
    assert list(Path(dirs[1]).glob("orders-0*")) == []


def test_another_target_replaces_the_first(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, batch(3))
    move(node, dirs[1], 0)
    move(node, dirs[2], 0)
    arrive(node)
    assert [list(held) for held in described(node).values()] == [[], [], ["orders-0"]]


def test_a_topic_deleted_on_its_way_leaves_nothing(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, batch(3))
    move(node, dirs[1], 0)
    node.ask(DeleteTopicsRequest(topics=[DeleteTopicState(name="orders")]), 6)
    node.pass_time(60_000)
    assert [list(Path(path).glob("orders-0*")) for path in dirs] == [[], [], []]


def test_a_move_is_begun_anew_after_a_stop(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, *[batch(2, size=300_000) for _ in range(4)])
    for again in (node.restart, node.crash):
        move(node, dirs[1], 0)
        node.pass_time(3)
        again()
        assert described(node)["b"]["orders-0"][2]
        arrive(node)
        assert len(records(node)) == 8
        move(node, dirs[0], 0)
        arrive(node)


def test_two_folders_of_one_name_are_what_a_crash_left(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders")
    produce(node, batch(3))
    node.pass_time(1)
    node.restart()
    move(node, dirs[1], 0)
    Path(dirs[2], "orders-0").mkdir()
    arrive(node)
    node.pass_time(1)
    Path(dirs[0], "orders-0").mkdir()
    node.restart()
    assert [list(held) for held in described(node).values()] == [[], ["orders-0"], []]
    assert len(records(node)) == 3
    assert len(list(Path(dirs[0]).glob("orders-0.*-stray"))) == 1


def test_the_limit_holds_a_move_back(node: Assembled, dirs: list[str]) -> None:
    put(node, BROKER, "", replica_alter_log_dirs_io_max_bytes_per_second="100000")
    create(node, "orders")
    produce(node, *[batch(1, size=200_000) for _ in range(5)])
    begun_ms = node.now_ms
    move(node, dirs[1], 0)
    for _ in range(100):
        node.pass_time(200)
        if not len(node.broker.replicas.moves):
            break
    took_s = (node.now_ms - begun_ms) / 1000
    assert 3 <= took_s <= 12, "a million bytes, of which half a million may go ahead"


@pytest.mark.parametrize(
    ("path", "topic", "partition", "code"),
    [
        ("/nowhere", "orders", 0, errors.LOG_DIR_NOT_FOUND),
        ("{b}/", "orders", 0, errors.LOG_DIR_NOT_FOUND),
        ("b", "orders", 0, errors.LOG_DIR_NOT_FOUND),
        ("{b}", "orders", 9, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("{b}", "gone", 0, errors.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_what_cannot_move(node: Assembled, dirs: list[str], path: str, topic: str, partition: int, code: int) -> None:
    create(node, "orders")
    assert move(node, path.format(b=dirs[1]), partition, topic=topic) == [code]


def test_a_disk_that_fails_under_the_copy_ends_the_move_alone(
    node: Assembled, dirs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create(node, "orders")
    produce(node, batch(3))
    move(node, dirs[1], 0)
    future = node.broker.replicas.moves.all()[0].log

    def fail() -> None:
        raise DiskFault("Writing to", future.path, 28)

    monkeypatch.setattr(future, "write", fail)
    arrive(node)
    assert "does not move" in node.said("move")[-1]
    assert len(records(node)) == 3
    produce(node, batch(1))


def test_a_failed_directory_takes_part_in_nothing(node: Assembled, dirs: list[str]) -> None:
    create(node, "orders", partitions=2)
    failed = node.broker.replicas.directories[1]
    move(node, dirs[1], 0)
    node.broker.replicas.fail(failed, DiskFault("Flushing", dirs[1], 5))
    assert not len(node.broker.replicas.moves)
    answer = node.ask(DescribeLogDirsRequest(topics=None), 5)
    assert [one.error_code for one in answer.results] == [errors.NONE, errors.KAFKA_STORAGE_ERROR, errors.NONE]
    assert [len(one.topics) for one in answer.results] == [1, 0, 0]
    assert move(node, dirs[1], 0) == [errors.KAFKA_STORAGE_ERROR]
    assert move(node, dirs[2], 1) == [errors.KAFKA_STORAGE_ERROR]
