"""The metadata log of one node: deciding, committing, restarting, and every kind of damage on disk."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.controller import numbered_id
from support.metadata import OneNode, running

from logctl.engine.broker.metadata_records import ControlRecord, decode_batches, encode_batch, encode_control_batch
from logctl.engine.broker.metadata_snapshot_keeping import Options, SnapshotTask
from logctl.engine.broker.metadata_snapshots import SnapshotId, decode_snapshot, encode_snapshot
from logctl.engine.controller.decision import Decision
from logctl.engine.controller.image import Image
from logctl.engine.controller.replay import apply
from logctl.engine.controller.topics import delete_topics
from logctl.engine.controller.versions import record_version
from logctl.engine.log.disk import DiskFault
from logctl.errors import OperationFailed
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.delete_topics import DeleteTopicsRequest
from logctl.wire.records import CONTROL_LEADER_CHANGE, CONTROL_SNAPSHOT_FOOTER, CONTROL_SNAPSHOT_HEADER
from logctl.wire.stored.begin_transaction_record import BeginTransactionRecord
from logctl.wire.stored.config_record import ConfigRecord
from logctl.wire.stored.feature_level_record import FeatureLevelRecord
from logctl.wire.stored.framing import UnknownRecord
from logctl.wire.stored.k_raft_version_record import KRaftVersionRecord
from logctl.wire.stored.no_op_record import NoOpRecord
from logctl.wire.stored.snapshot_footer_record import SnapshotFooterRecord
from logctl.wire.stored.snapshot_header_record import SnapshotHeaderRecord
from logctl.wire.stored.topic_record import TopicRecord
from logctl.wire.stored.voters_record import Voter, VotersRecord

SMALL = Options(snapshot_interval_bytes=2_000)


def version_of(kind: int) -> int:
    return record_version(kind, 30)


def segment(node: OneNode, base: int = 0) -> Path:
    return node.log_directory / f"{base:020}.log"


def snapshots(node: OneNode) -> list[str]:
    return sorted(file.name for file in node.log_directory.glob("*.checkpoint"))


# ---- taking office ----


def test_a_new_node_elects_itself_and_begins_with_the_bootstrap_records(tmp_path: Path) -> None:
    node = OneNode(tmp_path)
    node.format()
    metadata = node.open()
    assert metadata.is_leader
    assert (metadata.leader_id, metadata.epoch, metadata.high_watermark) == (1, 1, 3)
    assert metadata.image.features == {"metadata.version": 30, "group.version": 1}

    first, second = decode_batches(segment(node).read_bytes())
    [control] = first.controls
    message: Any = control.message
    assert (control.kind, message.leader_id, first.header.leader_epoch) == (CONTROL_LEADER_CHANGE, 1, 1)
    assert [voter.voter_id for voter in message.granting_voters] == [1]
    assert second.records == [
        FeatureLevelRecord(name="metadata.version", feature_level=30),
        FeatureLevelRecord(name="group.version", feature_level=1),
    ]
    state = json.loads((node.log_directory / "quorum-state").read_bytes())
    assert state == {
        "clusterId": "",
        "leaderId": 1,
        "leaderEpoch": 1,
        "votedId": -1,
        "appliedOffset": 0,
        "currentVoters": [{"voterId": 1}],
        "data_version": 0,
    }


def test_each_start_is_a_new_epoch_and_the_image_is_what_it_was(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.create("orders", partitions=3)
    for epoch, end in ((2, node.stop), (3, node.crash), (4, node.crash)):
        before = node.metadata.image
        end()
        metadata = node.open(clean=end == node.stop)
        assert metadata.epoch == epoch
        assert metadata.image == before
        assert metadata.describe().high_watermark == metadata.log_end


def test_before_it_took_office_a_node_decides_nothing(tmp_path: Path) -> None:
    node = OneNode(tmp_path)
    node.format()
    node.open(start=False)
    with pytest.raises(WireError) as refusal:
        node.create("orders", flush=False)
    assert refusal.value.code == errors.NOT_CONTROLLER


# ---- deciding ----


def test_an_answer_waits_until_its_records_are_on_disk_and_everybody_has_heard(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.answers.clear()
    node.heard.clear()
    node.create("orders", flush=False)
    assert node.dirty[-1] is node.metadata.log
    assert not node.answers
    assert "orders" not in node.metadata.image.topics, "not committed yet"

    node.metadata.log.flush()
    assert not node.answers, "until the owner reports it"
    node.metadata.on_flushed()
    assert node.answers[0].topics[0].error_code == errors.NONE
    [(before, after, records)] = node.heard
    assert "orders" not in before.topics
    assert "orders" in after.topics
    assert after is node.metadata.image
    assert isinstance(records[0], TopicRecord)


def test_the_second_of_two_creations_sees_the_first_and_is_answered_after_it(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.answers.clear()
    node.create("orders", flush=False)
    node.create("orders", flush=False)
    assert not node.answers, "the refusal rests on something that is not committed"
    node.metadata.flush()
    assert [answer.topics[0].error_code for answer in node.answers] == [errors.NONE, errors.TOPIC_ALREADY_EXISTS]


def test_a_decision_that_changes_nothing_is_answered_at_once(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.answers.clear()
    node.decide(lambda controller: delete_topics(controller, DeleteTopicsRequest(topic_names=["gone"])), flush=False)
    assert node.answers[0].responses[0].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION


def test_an_answer_may_lead_to_the_next_decision(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.metadata.decide(
        lambda controller: Decision([ConfigRecord(resource_type=4, name="a", value="1")], None),
        lambda decision: node.create("orders", flush=False),
    )
    node.metadata.flush()
    node.metadata.flush()
    assert "orders" in node.metadata.image.topics


def test_when_the_flush_fails_nobody_is_told_that_it_worked(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.answers.clear()
    node.create("orders", flush=False)
    node.metadata.on_flush_failed(DiskFault("Flushing", "x", 5))
    assert not node.answers
    assert [refusal.code for refusal in node.refusals] == [errors.KAFKA_STORAGE_ERROR]
    assert "orders" not in node.metadata.image.topics
    with pytest.raises(WireError) as refusal:
        node.create("orders", flush=False)
    assert refusal.value.code == errors.KAFKA_STORAGE_ERROR


def test_when_the_write_fails_the_decision_is_refused_and_the_next_one_starts_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = running(tmp_path)

    def full(self: Any, buffers: Any, position: int) -> None:
        raise DiskFault("Writing to", "x", 28)

    with monkeypatch.context() as patch:
        patch.setattr("logctl.engine.log.disk.RealFile.pwritev", full)
        with pytest.raises(WireError) as refusal:
            node.create("orders", flush=False)
        assert refusal.value.code == errors.KAFKA_STORAGE_ERROR
    node.create("orders")
    assert node.answers[-1].topics[0].error_code == errors.NONE


def test_a_decision_too_large_for_the_log_is_refused_as_a_whole(tmp_path: Path) -> None:
    node = running(tmp_path)
    end = node.metadata.log_end
    huge = ConfigRecord(resource_type=4, name="a", value="x" * (9 << 20))
    with pytest.raises(WireError) as refusal:
        node.decide(lambda controller: Decision([*[NoOpRecord()] * 20_000, huge], None))
    assert refusal.value.code == errors.MESSAGE_TOO_LARGE
    assert node.metadata.log_end == end
    node.create("orders")
    assert node.answers[-1].topics[0].error_code == errors.NONE


# ---- snapshots ----


def test_snapshots_bound_what_the_next_start_reads_and_old_ones_go(tmp_path: Path) -> None:
    node = running(tmp_path, SMALL)
    for number in range(100):
        node.create(f"topic-{number}", partitions=2)
        node.decide(
            lambda controller, number=number: delete_topics(
                controller, DeleteTopicsRequest(topic_names=[f"topic-{number}"] if number % 10 else [])
            )
        )
    assert len(snapshots(node)) == 2
    older, newer = snapshots(node)
    bases = sorted(int(file.stem) for file in node.log_directory.glob("*.log"))
    assert bases[0] <= int(older[:20]) < int(newer[:20])
    assert bases[0] > 0, "the history before the older snapshot is gone"
    before = node.metadata.image
    node.crash()
    metadata = node.open()
    assert metadata.image == before
    assert sorted(metadata.image.topics) == sorted(f"topic-{number}" for number in range(0, 100, 10))


def test_a_snapshot_may_be_written_while_decisions_go_on(tmp_path: Path) -> None:
    node = running(tmp_path, SMALL)
    tasks: list[SnapshotTask] = []
    node.metadata.snapshots.run = tasks.append
    while not tasks:
        node.create(f"before-{node.metadata.log_end}")
    node.create("after")
    assert len(tasks) == 1, "one at a time"
    tasks[0].run()
    node.metadata.snapshots.written(tasks[0])
    assert snapshots(node) == [tasks[0].snapshot.file_name]
    before = node.metadata.image
    node.crash()
    assert node.open().image == before


def test_after_an_hour_with_something_new_a_snapshot_is_due(tmp_path: Path) -> None:
    hour_ms = 3_600_000
    node = running(tmp_path)
    node.create("orders")
    begun_ms = node.now_ms
    assert node.metadata.next_deadline_ms() == begun_ms + hour_ms
    node.now_ms = begun_ms + hour_ms - 1
    node.metadata.tick(node.now_ms)
    assert snapshots(node) == []
    node.now_ms += 1
    node.metadata.tick(node.now_ms)
    assert len(snapshots(node)) == 1
    assert node.metadata.next_deadline_ms() is None, "nothing is new"
    node.now_ms += 10 * hour_ms
    node.metadata.tick(node.now_ms)
    assert len(snapshots(node)) == 1
    node.create("payments")
    node.metadata.tick(node.now_ms)
    assert len(snapshots(node)) == 2


def test_the_clock_need_not_count(tmp_path: Path) -> None:
    node = running(tmp_path, Options(snapshot_interval_ms=0))
    node.create("orders")
    assert node.metadata.next_deadline_ms() is None
    node.metadata.tick(node.now_ms + (1 << 50))
    assert snapshots(node) == []


def test_a_snapshot_that_cannot_be_written_costs_nothing_but_a_line_in_the_diary(tmp_path: Path) -> None:
    node = running(tmp_path, SMALL)
    node.metadata.snapshots.run = lambda task: node.metadata.snapshots.failed(task, DiskFault("Writing", "x", 28))
    for number in range(30):
        node.create(f"topic-{number}")
    assert any("could not be written" in note for note in node.metadata.notes)
    before = node.metadata.image
    node.crash()
    assert node.open().image == before


def test_an_orderly_stop_leaves_a_snapshot_when_there_is_much_to_replay(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.create("wide", partitions=5_000)
    before = node.metadata.image
    node.stop()
    assert len(snapshots(node)) == 1
    assert node.open(clean=True).image == before


# ---- damage ----


def test_a_torn_end_is_cut_off_and_what_was_whole_stays(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.create("orders")
    before = node.metadata.image
    node.create("torn")
    node.crash()
    data = segment(node).read_bytes()
    segment(node).write_bytes(data[:-7])
    metadata = node.open()
    assert metadata.image == before
    assert any("cut off" in note for note in metadata.notes)
    node.create("torn")
    assert node.answers[-1].topics[0].error_code == errors.NONE


def test_damage_with_sound_records_behind_it_stops_the_start_and_nothing_is_touched(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.create("orders")
    node.create("events")
    node.crash()
    data = bytearray(segment(node).read_bytes())
    data[data.index(b"orders")] ^= 1
    segment(node).write_bytes(data)
    before = node.files()
    with pytest.raises(OperationFailed, match="is damaged at position") as refusal:
        node.open()
    assert "Nothing was changed" in refusal.value.hint
    assert node.files() == before


def test_a_damaged_snapshot_is_set_aside_and_the_one_before_it_serves(tmp_path: Path) -> None:
    node = running(tmp_path, SMALL)
    for number in range(60):
        node.create(f"topic-{number}")
    before = node.metadata.image
    node.crash()
    newest = node.log_directory / snapshots(node)[-1]
    newest.write_bytes(newest.read_bytes()[:-20])
    metadata = node.open()
    assert metadata.image == before
    assert any(newest.name in note and "set aside" in note for note in metadata.notes)
    assert (node.log_directory / f"{newest.name}.damaged").exists()


def test_without_any_readable_snapshot_the_start_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    node = running(tmp_path, SMALL)
    for number in range(60):
        node.create(f"topic-{number}")
    node.crash()
    for name in snapshots(node):
        (node.log_directory / name).write_bytes(b"not a snapshot at all")
    before = node.files()
    with pytest.raises(OperationFailed, match="no readable snapshot"):
        node.open()
    assert node.files() == before


def test_a_log_that_vanished_goes_on_behind_its_snapshot(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.create("wide", partitions=5_000)
    before = node.metadata.image
    node.stop()
    for file in [*node.log_directory.glob("*.log"), *node.log_directory.glob("*index")]:
        file.unlink()
    metadata = node.open()
    assert metadata.image == before
    node.create("more")
    end = metadata.image
    node.crash()
    assert node.open().image == end


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"data_version":7}', b'{"data_version":0,"leaderId":"me"}'])
def test_a_damaged_election_state_is_set_aside_and_the_epoch_comes_from_the_log(tmp_path: Path, content: bytes) -> None:
    node = running(tmp_path)
    node.crash()
    (node.log_directory / "quorum-state").write_bytes(content)
    metadata = node.open()
    assert metadata.epoch == 2
    assert any("election state cannot be read" in note for note in metadata.notes)
    assert (node.log_directory / "quorum-state.damaged").read_bytes() == content


def test_a_missing_election_state_does_not_repeat_an_epoch(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.crash()
    (node.log_directory / "quorum-state").unlink()
    assert node.open().epoch == 2


def test_an_election_state_older_than_the_log_does_not_repeat_an_epoch(tmp_path: Path) -> None:
    node = running(tmp_path)
    old = (node.log_directory / "quorum-state").read_bytes()
    for _ in range(2):
        node.crash()
        node.open()
    node.crash()
    (node.log_directory / "quorum-state").write_bytes(old)
    assert node.open().epoch == 4


def test_a_torn_end_is_cut_off_also_when_the_stop_claims_to_have_been_orderly(tmp_path: Path) -> None:
    node = running(tmp_path)
    before = node.metadata.image
    node.create("torn")
    node.stop()
    data = segment(node).read_bytes()
    segment(node).write_bytes(data[:-7])
    assert node.open(clean=True).image == before


def test_a_missing_bootstrap_of_a_cluster_that_never_began_stops_the_start(tmp_path: Path) -> None:
    node = OneNode(tmp_path)
    node.format()
    (tmp_path / "bootstrap.checkpoint").unlink()
    with pytest.raises(OperationFailed, match=r"bootstrap\.checkpoint"):
        node.open()


def test_a_damaged_bootstrap_stops_the_start(tmp_path: Path) -> None:
    node = OneNode(tmp_path)
    node.format()
    (tmp_path / "bootstrap.checkpoint").write_bytes(b"?" * 100)
    with pytest.raises(OperationFailed, match=r"bootstrap\.checkpoint cannot be used"):
        node.open()


@pytest.mark.parametrize("seed", range(8))
def test_wherever_a_write_is_torn_the_node_comes_back_to_a_state_it_once_had(tmp_path: Path, seed: int) -> None:
    """Random decisions; then the end of the file is lost or garbled at a random place."""
    chance = random.Random(seed)
    node = running(tmp_path)
    seen = [node.metadata.image]
    for number in range(12):
        if number % 3 == 2:
            name = chance.choice(sorted(node.metadata.image.topics))
            request = DeleteTopicsRequest(topic_names=[name])
            node.decide(lambda controller, request=request: delete_topics(controller, request))
        else:
            node.create(f"topic-{number}", partitions=chance.randrange(1, 9))
        seen.append(node.metadata.image)
    first = node.metadata.epoch
    node.crash()
    data = bytearray(segment(node).read_bytes())
    start = next(batch.header.length for batch in decode_batches(bytes(data)))
    cut = chance.randrange(start, len(data))
    lost = bytes(len(data) - cut) if chance.random() < 0.5 else b""
    segment(node).write_bytes(data[:cut] + lost)
    metadata = node.open()
    assert metadata.epoch == first + 1
    assert metadata.image in [*seen, apply(Image(), seen_features())]
    node.create("life-goes-on")
    end = metadata.image
    node.crash()
    assert node.open().image == end


def seen_features() -> list[Any]:
    """What a cluster begins with, when even the first records were lost."""
    return [FeatureLevelRecord(name="metadata.version", feature_level=30)]


# ---- what newer versions and other engines leave ----


def append_raw(node: OneNode, *records: Any, versions: Callable[[int], int] = version_of) -> None:
    """Write behind the log's end what another engine might have written."""
    end = node.metadata.log_end
    node.crash()
    batch = encode_batch(list(records), versions, now_ms=node.now_ms, base_offset=end, leader_epoch=node.metadata.epoch)
    with segment(node).open("ab") as file:
        file.write(batch)


def test_a_newer_metadata_version_is_refused_untouched(tmp_path: Path) -> None:
    node = running(tmp_path)
    append_raw(node, FeatureLevelRecord(name="metadata.version", feature_level=31))
    before = node.files()
    with pytest.raises(OperationFailed, match=r"metadata\.version is 31, this version reads up to 4\.3-IV0") as refusal:
        node.open()
    assert "Nothing was changed" in refusal.value.hint
    assert node.files() == before


def test_a_newer_metadata_version_in_a_snapshot_is_refused_untouched(tmp_path: Path) -> None:
    node = running(tmp_path)
    end = node.metadata.log_end
    node.crash()
    newer = encode_snapshot(
        [FeatureLevelRecord(name="metadata.version", feature_level=99)],
        version_of,
        epoch=1,
        last_append_ms=0,
        now_ms=node.now_ms,
    )
    (node.log_directory / SnapshotId(end, 1).file_name).write_bytes(newer)
    before = node.files()
    with pytest.raises(OperationFailed, match=r"metadata\.version is 99"):
        node.open()
    assert node.files() == before


def test_a_feature_that_this_engine_does_not_serve_is_carried(tmp_path: Path) -> None:
    node = running(tmp_path)
    append_raw(node, FeatureLevelRecord(name="share.version", feature_level=1))
    assert node.open().image.features["share.version"] == 1


@pytest.mark.parametrize(("name", "level"), [("share.version", 2), ("queues.version", 1)])
def test_a_feature_or_level_from_the_future_is_refused_untouched(tmp_path: Path, name: str, level: int) -> None:
    node = running(tmp_path)
    append_raw(node, FeatureLevelRecord(name=name, feature_level=level))
    before = node.files()
    with pytest.raises(OperationFailed, match=rf"{name} is at level {level}"):
        node.open()
    assert node.files() == before


def snapshot_from_the_future(records: list[Any], controls: list[ControlRecord], now_ms: int) -> bytes:
    """As `encode_snapshot`, with control records behind the header as a quorum with dynamic voters has them."""
    header = ControlRecord(CONTROL_SNAPSHOT_HEADER, SnapshotHeaderRecord())
    footer = ControlRecord(CONTROL_SNAPSHOT_FOOTER, SnapshotFooterRecord())
    parts = [encode_control_batch([header, *controls], now_ms=now_ms)]
    parts.append(encode_batch(records, lambda kind: 9 if kind == 3 else 0, now_ms=now_ms, base_offset=1))
    parts.append(encode_control_batch([footer], now_ms=now_ms, base_offset=1 + len(records)))
    return b"".join(parts)


def named_in_the_log(*voters: int) -> list[ControlRecord]:
    """A quorum of kraft.version 1."""
    named = VotersRecord(voters=[Voter(voter_id=voter) for voter in voters])
    return [ControlRecord(5, KRaftVersionRecord(kraft_version=1)), ControlRecord(6, named)]


def test_a_voter_that_the_log_names_leads_and_stays_named(tmp_path: Path) -> None:
    """As Apache Kafka formats a node that stands alone: a snapshot at offset 0 names it."""
    node = OneNode(tmp_path, options=SMALL)
    node.format()
    node.log_directory.mkdir()
    first = encode_snapshot(
        [], version_of, epoch=0, last_append_ms=0, now_ms=node.now_ms, controls=named_in_the_log(1)
    )
    (node.log_directory / SnapshotId(0, 0).file_name).write_bytes(first)
    node.open()
    node.register()
    state = json.loads((node.log_directory / "quorum-state").read_bytes())
    assert (state["data_version"], state["leaderId"]) == (1, 1)
    [leader, *_] = decode_batches(segment(node).read_bytes())
    assert [control.kind for control in leader.controls] == [CONTROL_LEADER_CHANGE, 5, 6]
    for number in range(60):
        node.create(f"topic-{number}")
    assert SnapshotId(0, 0).file_name not in snapshots(node)
    for name in snapshots(node):
        assert decode_snapshot((node.log_directory / name).read_bytes()).controls[1:-1] == named_in_the_log(1)
    before = node.metadata.image
    node.crash()
    assert node.open().image == before
    assert b"currentVoters" not in (node.log_directory / "quorum-state").read_bytes()


@pytest.mark.parametrize(
    ("record", "controls", "sentence"),
    [
        (UnknownRecord(99, 0, b"?"), [], "of type 99, which this version does not know"),
        (UnknownRecord(3, 9, b"?"), [], "PartitionRecord is written in version 9"),
        (NoOpRecord(), [ControlRecord(5, KRaftVersionRecord(kraft_version=2))], r"kraft\.version is 2"),
        (NoOpRecord(), [ControlRecord(77, UnknownRecord(77, -1, b"\0\0"))], "control record is of kind 77"),
    ],
)
def test_a_snapshot_that_needs_a_newer_version_is_not_taken_for_a_damaged_one(
    tmp_path: Path, record: Any, controls: list[ControlRecord], sentence: str
) -> None:
    node = running(tmp_path)
    end = node.metadata.log_end
    node.crash()
    data = snapshot_from_the_future([record], controls, node.now_ms)
    (node.log_directory / SnapshotId(end, 1).file_name).write_bytes(data)
    before = node.files()
    with pytest.raises(OperationFailed, match=sentence) as refusal:
        node.open()
    assert "Use a version of the engine that can run it" in refusal.value.hint
    assert node.files() == before


def test_a_record_of_unknown_type_is_refused_untouched(tmp_path: Path) -> None:
    node = running(tmp_path)
    append_raw(node, UnknownRecord(99, 0, b""))
    before = node.files()
    with pytest.raises(OperationFailed, match="of type 99, which this version does not know"):
        node.open()
    assert node.files() == before


def test_a_record_that_contradicts_the_others_is_refused(tmp_path: Path) -> None:
    node = running(tmp_path)
    node.create("orders")
    append_raw(node, TopicRecord(name="orders", topic_id=numbered_id(5)))
    with pytest.raises(OperationFailed, match="topic orders is created a second time"):
        node.open()


def test_a_transaction_whose_leader_is_gone_is_aborted(tmp_path: Path) -> None:
    node = running(tmp_path)
    before = node.metadata.image
    append_raw(node, BeginTransactionRecord(name="half"), TopicRecord(name="half", topic_id=numbered_id(5)))
    metadata = node.open()
    assert metadata.image == before
    node.crash()
    assert node.open().image == before
