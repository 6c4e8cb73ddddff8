"""The short way of a commit: same bytes in the log, same answer, and off it whenever anything has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.group_node import GroupNode

from logctl.engine.broker.exchange import answer_parts
from logctl.engine.broker.groups import records
from logctl.engine.broker.groups.commit_path import CommitPath
from logctl.engine.broker.groups.home import Home
from logctl.engine.broker.groups.shard import difference
from logctl.engine.broker.groups.turn import Entry
from logctl.engine.broker.produce_path import GENERAL, WAITS
from logctl.wire import errors
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from logctl.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from logctl.wire.records import NewRecord, build_batch
from logctl.wire.stored.framing import coordinator_record_bytes
from logctl.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue


@pytest.mark.parametrize(
    "value",
    [
        OffsetCommitValue(7, 3, "", 1_000, topic_id=bytes(range(16))),
        OffsetCommitValue(1 << 40, -1, "é" * 200, 1_700_000_000_000),
        OffsetCommitValue(7, 3, "kept until", 1_000, expire_timestamp=5_000),
    ],
)
def test_a_record_by_hand_is_the_record_of_the_codec(value: OffsetCommitValue) -> None:
    key = OffsetCommitKey("group", "größe", 1 << 20)
    version = 4 if value.expire_timestamp < 0 else 1
    record = records.encode(Entry(key, value), 99)
    assert (record.key, record.value) == coordinator_record_bytes(key, value, version)
    assert records.batch_of_one(record) == build_batch([record])


def test_a_batch_by_hand_has_long_lengths_too() -> None:
    record = NewRecord(b"k" * 70, b"v" * 20_000, (), 5)
    assert records.batch_of_one(record) == build_batch([record])


class Committer:
    """A connection that commits for a group without members."""

    def __init__(self, folder: Path, version: int) -> None:
        self.node = GroupNode(folder)
        self.path = CommitPath()
        self.version = version
        self.answers: list[Any] = []
        self.doubts: list[Any] = []

    def body(self, offset: int) -> OffsetCommitRequest:
        topic_id = self.node.broker.metadata.image.topics["orders"].topic_id
        partition = OffsetCommitRequestPartition(2, offset)
        return OffsetCommitRequest("g", topics=[OffsetCommitRequestTopic("orders", topic_id, [partition])])

    def learn(self) -> bytes:
        """Commit 1 by the general way; the answer's bytes."""
        asked = self.node.send(self.body(1), self.version)
        self.node.settle()
        self.path.learn(memoryview(self.frame(1)), asked.request, self.node.broker)
        return b"".join(answer_parts(asked.request, asked.answer))

    def frame(self, offset: int) -> bytes:
        return self.node.frame(self.body(offset), self.version)[4:]

    def commit(self, offset: int) -> int:
        frame = b"...." + self.frame(offset)
        return self.path.commit(memoryview(frame), 4, len(frame), self.node.now_ms, self.answers, self.doubts)

    def committed(self) -> int:
        asked = OffsetFetchRequestGroup("g", topics=[OffsetFetchRequestTopics("orders", partition_indexes=[2])])
        [group] = self.node.say(OffsetFetchRequest(groups=[asked]), 8).groups
        return -group.error_code if group.error_code else int(group.topics[0].partitions[0].committed_offset)

    def home(self) -> Home:
        return self.node.broker.groups.home("g")


@pytest.mark.parametrize("version", range(2, 11))
def test_the_second_commit_is_known_and_answered_alike(tmp_path: Path, version: int) -> None:
    client = Committer(tmp_path, version)
    assert client.commit(1) == GENERAL
    told = client.learn()
    assert client.commit(5) == WAITS
    [answer] = client.answers
    assert answer[8:] == told[8:]
    client.node.settle()
    assert client.committed() == 5
    live = client.home().shard
    client.node.restart()
    client.node.load()
    assert difference(live, client.home().shard) == []
    assert client.committed() == 5


def test_a_lost_append_is_told_as_such_and_the_shard_is_loaded_again(tmp_path: Path) -> None:
    client = Committer(tmp_path, 9)
    client.learn()
    client.commit(5)
    replica = client.home().replica
    client.node.broker.appends.staged.remove(replica)
    replica.discarded()
    instead = client.doubts[0].instead(client.answers[0], lambda lost: lost is replica)
    response, _ = OffsetCommitResponse.decode(memoryview(instead), 9, 9)
    assert response.topics[0].partitions[0].error_code == errors.NOT_COORDINATOR
    assert client.commit(6) == GENERAL
    assert client.committed() == -errors.COORDINATOR_LOAD_IN_PROGRESS
    client.node.load()
    assert client.committed() == 1


def test_what_has_changed_goes_the_general_way(tmp_path: Path) -> None:
    client = Committer(tmp_path, 7)
    client.learn()
    client.node.create("others")
    assert client.commit(5) == GENERAL, "the image is another one"
    client.learn()
    assert client.commit(5) == WAITS
    client.node.say(DeleteTopicsRequest(topics=[DeleteTopicState("orders")]), 6)
    frame = b"...." + client.node.frame(OffsetCommitRequest("g"), 7)[4:]
    assert client.path.commit(memoryview(frame), 4, len(frame), client.node.now_ms, [], []) == GENERAL
