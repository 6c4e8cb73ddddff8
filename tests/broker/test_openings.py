"""Logs are opened late: what a node with many partitions leaves alone, and that nobody can tell."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from support.assembled import Assembled
from support.topics import alter, create, end, produce

from logctl.engine.broker.replica import Replica
from logctl.engine.log.disk import DiskFault, File, RealDisk
from logctl.wire import errors
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest


class WeakDisk(RealDisk):
    """Fails to open whatever has one of these words in its path."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    def open(self, path: str, create: bool = False) -> File:
        if any(word in path for word in self.refused):
            raise DiskFault("Opening", path, errno.EIO)
        return super().open(path, create)


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    node = Assembled(tmp_path)
    create(node, "orders", 3)
    produce(node, b"a", b"b", b"c")
    return node


def replica(node: Assembled, partition: int = 0, name: str = "orders") -> Replica:
    found = node.broker.replicas.get(name, partition)
    assert found is not None
    return found


def awake(node: Assembled, name: str = "orders") -> list[int]:
    return [one.partition for one in node.broker.replicas if one.topic == name and one.awake]


def test_a_log_is_opened_when_somebody_first_asks_for_it(node: Assembled) -> None:
    assert awake(node) == [0]
    node.restart()
    assert awake(node) == []
    assert produce(node, b"d", partition=0) == errors.NONE
    assert awake(node) == [0]
    assert end(node) == 4


def test_a_log_nobody_asked_for_keeps_its_checkpoints_through_restarts_and_a_crash(node: Assembled) -> None:
    for _ in range(2):
        node.restart()
        node.pass_time(60_000)
        assert "orders 0 3\n" in (node.log_dir / "recovery-point-offset-checkpoint").read_text()
        assert "orders 0 3\n" in (node.log_dir / "replication-offset-checkpoint").read_text()
    assert awake(node) == []
    node.crash()
    assert end(node) == 3


def test_after_a_crash_only_what_was_never_written_to_stays_closed(node: Assembled) -> None:
    node.crash()
    assert awake(node) == [0]
    assert end(node) == 3
    assert end(node, partition=1) == 0


def test_a_log_whose_checkpoint_is_lost_is_opened_at_once(node: Assembled) -> None:
    """Without it nobody knows where the log ends."""
    node.parts.close()
    (node.log_dir / "recovery-point-offset-checkpoint").unlink()
    node.crash()
    assert awake(node) == [0, 1, 2]
    assert end(node) == 3


def test_settings_that_changed_meanwhile_hold_for_a_log_that_is_opened_later(node: Assembled) -> None:
    node.restart()
    alter(node, 2, "orders", "max.message.bytes", "100")
    assert produce(node, b"x" * 200) == errors.MESSAGE_TOO_LARGE


def test_retention_opens_what_holds_records_and_nothing_else(tmp_path: Path) -> None:
    node = Assembled(tmp_path)
    create(node, "orders", 2, retention_ms="60000", file_delete_delay_ms="0")
    produce(node, b"a")
    node.restart()
    node.pass_time(300_000)
    assert awake(node) == [0]
    assert replica(node).log.start_offset == 1


def test_a_disk_that_fails_at_the_first_use_of_a_log_is_closed_then(tmp_path: Path) -> None:
    disk = WeakDisk()
    node = Assembled(tmp_path, disk=disk)
    create(node, "orders", 2)
    produce(node, b"a")
    node.restart()
    disk.refused.add("orders-0")
    assert produce(node, b"b") == errors.KAFKA_STORAGE_ERROR
    assert produce(node, b"b", partition=1) == errors.KAFKA_STORAGE_ERROR
    assert any("orders-0 is not served" in sentence for sentence in node.said("disk"))
    assert any("is closed, and 2 partitions with it" in sentence for sentence in node.said("disk"))


class CountingDisk(RealDisk):
    """Notes which folders are synced, and which files are replaced durably."""

    def __init__(self) -> None:
        self.synced: list[str] = []

    def write_file(self, path: str, data: bytes, durable: bool = True) -> None:
        self.synced += [path] if durable else []
        super().write_file(path, data, durable)

    def sync_dir(self, path: str) -> None:
        self.synced.append(path)
        super().sync_dir(path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs syncfs")
def test_many_logs_are_made_durable_together_at_a_stop_and_after_a_crash(tmp_path: Path) -> None:
    disk = CountingDisk()
    node = Assembled(tmp_path, disk=disk)
    create(node, "wide", 100)
    for partition in range(100):
        produce(node, b"a", name="wide", partition=partition)
    disk.synced.clear()
    node.crash()
    assert awake(node, "wide") == list(range(100))
    assert all(end(node, partition=number, name="wide") == 1 for number in range(100))
    node.parts.close()
    assert not [path for path in disk.synced if "wide-" in path]
    node.crash()
    assert all(end(node, partition=number, name="wide") == 1 for number in range(100))


def test_a_topic_that_was_never_opened_is_deleted_like_any_other(node: Assembled) -> None:
    node.restart()
    [result] = node.ask(DeleteTopicsRequest(topics=[DeleteTopicState("orders")]), 6).responses
    assert result.error_code == errors.NONE
    assert len(list(node.log_dir.glob("orders-*-delete"))) == 3
    node.pass_time(60_000)
    assert not list(node.log_dir.glob("orders-*"))


def test_a_topic_of_the_same_name_does_not_begin_where_the_old_one_ended(node: Assembled) -> None:
    node.restart()
    node.ask(DeleteTopicsRequest(topics=[DeleteTopicState("orders")]), 6)
    create(node, "orders", 1)
    node.pass_time(60_000)
    assert "orders 0 0\n" in (node.log_dir / "recovery-point-offset-checkpoint").read_text()
    node.restart()
    assert end(node) == 0


def test_sizes_are_told_without_opening_anything(node: Assembled) -> None:
    before = sizes(node)
    node.restart()
    assert sizes(node) == before
    assert before[0] > 0
    assert awake(node) == []


def sizes(node: Assembled) -> list[int]:
    asked = DescribeLogDirsRequest(topics=[DescribableLogDirTopic("orders", [0, 1, 2])])
    [directory] = node.ask(asked, 4).results
    return [one.partition_size for topic in directory.topics for one in topic.partitions]


def test_many_folders_are_made_in_portions_and_a_crash_in_between_loses_nothing(tmp_path: Path) -> None:
    node = Assembled(tmp_path)
    create(node, "wide", 500)
    assert 0 < len(list(node.log_dir.glob("wide-*"))) < 500
    assert node.broker.next_deadline_ms() == 0
    assert produce(node, b"a", name="wide", partition=499) == errors.NONE
    node.crash()
    assert end(node, partition=499, name="wide") == 1
    while node.broker.next_deadline_ms() == 0:
        node.pass_time(1)
    assert len(list(node.log_dir.glob("wide-*/partition.metadata"))) == 500


def test_a_topic_deleted_before_its_folders_were_made_leaves_none(tmp_path: Path) -> None:
    node = Assembled(tmp_path)
    create(node, "wide", 500)
    node.ask(DeleteTopicsRequest(topics=[DeleteTopicState("wide")]), 6)
    for _ in range(20):
        node.pass_time(10_000)
    assert not list(node.log_dir.glob("wide-*"))
