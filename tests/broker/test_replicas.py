"""The partitions a node holds: through restarts, crashes and changed settings, beside strangers, on disks that fail."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from support.assembled import NODE, Assembled
from support.topics import alter, create, end, produce

from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    node = Assembled(tmp_path)
    create(node, "orders", 2)
    return node


def test_an_orderly_stop_leaves_the_mark_and_the_checkpoints(node: Assembled) -> None:
    produce(node, b"a", b"b", b"c")
    node.parts.close()
    assert (node.log_dir / ".kafka_cleanshutdown").exists()
    assert (node.log_dir / "recovery-point-offset-checkpoint").read_text() == "0\n2\norders 0 3\norders 1 0\n"
    assert (node.log_dir / "replication-offset-checkpoint").read_text() == "0\n2\norders 0 3\norders 1 0\n"


def test_what_was_acknowledged_is_there_after_a_restart_and_after_a_crash(node: Assembled) -> None:
    produce(node, b"a", b"b", b"c")
    node.restart()
    assert not (node.log_dir / ".kafka_cleanshutdown").exists()
    assert end(node) == 3
    produce(node, b"d")
    node.crash()
    assert end(node) == 4


def test_leader_epochs_go_on_after_an_orderly_stop_and_move_after_a_crash(node: Assembled) -> None:
    """A client that was ahead of what survived must notice (KIP-320)."""
    node.restart()
    assert node.broker.replicas.get("orders", 0).leader_epoch == 0
    node.crash()
    assert node.broker.replicas.get("orders", 0).leader_epoch == 1


def test_checkpoints_are_written_while_the_node_runs(node: Assembled) -> None:
    """A recovery point covers the indexes below it as well: those are flushed in one round and noted in the next."""
    produce(node, b"a")
    node.pass_time(60_000)
    node.pass_time(60_000)
    assert "orders 0 1\n" in (node.log_dir / "recovery-point-offset-checkpoint").read_text()


def test_before_the_logs_are_taken_up_nothing_is_noted_of_them(node: Assembled) -> None:
    """Neither while the node waits for others, nor by a stop meanwhile: what a crash left is recovered another time."""
    produce(node, b"a")
    node.pass_time(60_000)
    node.pass_time(60_000)
    noted = node.log_dir / "recovery-point-offset-checkpoint"
    before = noted.read_text()
    produce(node, b"b")
    parts = node.assemble()
    taking_up = parts.replicas.starting(node.broker.image, node.now_ms)
    next(taking_up)
    parts.replicas.tick(node.now_ms + 3_600_000)
    assert parts.replicas.next_deadline_ms() is None
    parts.close()
    assert noted.read_text() == before
    assert not (node.log_dir / ".kafka_cleanshutdown").exists()
    node.crash()
    assert end(node) == 2


def test_a_directory_left_in_order_stays_so_when_its_logs_were_not_taken_up(node: Assembled) -> None:
    produce(node, b"a")
    node.parts.close()
    node.assemble().close()
    assert (node.log_dir / ".kafka_cleanshutdown").exists()
    assert "orders 0 1\n" in (node.log_dir / "recovery-point-offset-checkpoint").read_text()


def test_old_segments_go_when_their_time_has_come(tmp_path: Path) -> None:
    node = Assembled(tmp_path, {"log.retention.check.interval.ms": "1000"})
    create(node, "orders", 1, retention_ms="60000", segment_ms="1000", file_delete_delay_ms="0")
    produce(node, b"a")
    node.now_ms += 50_000
    produce(node, b"b")
    node.pass_time(100_000)
    assert node.broker.replicas.get("orders", 0).log.start_offset == 2
    assert any("it begins at offset 2 now" in sentence for sentence in node.said("retention")), node.diary


def test_a_setting_that_changes_reaches_the_logs_that_run(node: Assembled) -> None:
    alter(node, 2, "orders", "max.message.bytes", "100")
    assert produce(node, b"x" * 200) == errors.MESSAGE_TOO_LARGE
    assert node.said("settings")[-1] == "Settings of topic orders changed: max.message.bytes=100"
    alter(node, 2, "orders", "max.message.bytes", "1000")
    assert produce(node, b"x" * 200) == errors.NONE


def test_a_setting_of_all_brokers_reaches_every_log_that_has_none_of_its_own(node: Assembled) -> None:
    create(node, "payments", 1, max_message_bytes="5000")
    alter(node, 4, "", "message.max.bytes", "100")
    assert produce(node, b"x" * 200) == errors.MESSAGE_TOO_LARGE
    assert produce(node, b"x" * 200, name="payments") == errors.NONE


# -- strangers -------------------------------------------------------------------------------------------------------


def test_a_folder_that_belongs_to_no_topic_is_set_aside_whole(node: Assembled) -> None:
    node.parts.close()
    stranger = node.log_dir / "invoices-0"
    stranger.mkdir()
    (stranger / "00000000000000000000.log").write_bytes(b"precious")
    node.crash()
    assert not stranger.exists()
    [kept] = node.log_dir.glob("invoices-0.*-stray")
    assert (kept / "00000000000000000000.log").read_bytes() == b"precious"
    assert any(kept.name in sentence for sentence in node.said("recovery"))


def test_a_folder_of_another_topic_of_the_name_is_set_aside(node: Assembled) -> None:
    produce(node, b"a")
    node.parts.close()
    (node.log_dir / "orders-0" / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAQQ\n")
    node.crash()
    assert end(node) == 0
    assert len(list(node.log_dir.glob("orders-0.*-stray"))) == 1


@pytest.mark.parametrize("name", ["recovery-point-offset-checkpoint", "log-start-offset-checkpoint"])
def test_a_damaged_checkpoint_is_set_aside_and_done_without(node: Assembled, name: str) -> None:
    produce(node, b"a")
    node.parts.close()
    (node.log_dir / name).write_text("nonsense")
    node.crash()
    assert end(node) == 1
    assert (node.log_dir / f"{name}.damaged").read_text() == "nonsense"
    assert any(f"{name}.damaged" in sentence for sentence in node.said("recovery"))


# -- several directories, and disks that fail ------------------------------------------------------------------------


def test_new_partitions_go_where_the_fewest_are(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    node = Assembled(tmp_path, {"log.dirs": ",".join(map(str, paths))})
    create(node, "orders", 4)
    assert [len(list(path.glob("orders-*"))) for path in paths] == [2, 2]
    node.restart()
    assert [len(list(path.glob("orders-*"))) for path in paths] == [2, 2]


def test_a_disk_that_fails_takes_its_partitions_and_no_others(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    node = Assembled(tmp_path, {"log.dirs": ",".join(map(str, paths))})
    create(node, "orders", 2)
    lost = next(one for one in node.broker.replicas if one.log.path.startswith(str(paths[1])))
    node.broker.log_dir_failed(lost.log, DiskFault("Flushing", lost.log.path, errno.EIO))
    codes = {number: produce(node, b"a", partition=number) for number in range(2)}
    assert codes[lost.partition] == errors.KAFKA_STORAGE_ERROR
    assert codes[1 - lost.partition] == errors.NONE
    [sentence] = node.said("disk")
    assert f"The log directory {paths[1]} is closed, and 1 partition with it" in sentence
    node.parts.close()
    assert [(path / ".kafka_cleanshutdown").exists() for path in paths] == [True, False]


def test_the_controller_stops_deciding_when_its_disk_fails(node: Assembled) -> None:
    replica = node.broker.replicas.get("orders", 0)
    node.broker.log_dir_failed(replica.log, DiskFault("Flushing", replica.log.path, errno.EIO))
    topic = CreatableTopic("payments", 1, 1)
    [result] = node.ask(CreateTopicsRequest(topics=[topic]), 7).topics
    assert result.error_code == errors.KAFKA_STORAGE_ERROR
    assert NODE in node.broker.metadata.image.brokers


def test_a_node_whose_only_disk_failed_stops_without_the_mark_and_recovers(node: Assembled) -> None:
    produce(node, b"a")
    replica = node.broker.replicas.get("orders", 0)
    node.broker.log_dir_failed(replica.log, DiskFault("Flushing", replica.log.path, errno.EIO))
    assert produce(node, b"b") == errors.KAFKA_STORAGE_ERROR
    node.parts.close()
    assert not (node.log_dir / ".kafka_cleanshutdown").exists()
    node.crash()
    assert end(node) == 1


def test_the_metadata_log_may_have_a_directory_of_its_own(tmp_path: Path) -> None:
    node = Assembled(tmp_path, {"log.dirs": str(tmp_path / "data"), "metadata.log.dir": str(tmp_path / "meta")})
    create(node, "orders")
    assert [path.name for path in (tmp_path / "data").glob("*-0")] == ["orders-0"]
    assert [path.name for path in (tmp_path / "meta").glob("*-0")] == ["__cluster_metadata-0"]
    node.restart()
    assert node.broker.replicas.get("orders", 0) is not None


def test_what_the_metadata_log_has_to_say_reaches_the_diary(node: Assembled) -> None:
    node.broker.metadata.notes.append("The snapshot could not be written")
    create(node, "payments")
    assert "The snapshot could not be written" in node.said("metadata")
