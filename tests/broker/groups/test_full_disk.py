"""Commits whose record did not reach the log, because the disk was full: told at once, and never believed later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.group_node import Asked, GroupNode

from logctl.engine.broker.groups.names import partition_for
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)


class FullDisk(GroupNode):
    def commit(self, offset: int) -> Asked:
        topic = OffsetCommitRequestTopic("orders", partitions=[OffsetCommitRequestPartition(0, offset)])
        return self.send(OffsetCommitRequest(group_id="g", topics=[topic]), 9)

    def write_in_vain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as full:
            full.setattr("logctl.engine.log.log.Log.write", refuse)
            assert self.broker.appends.write(self.now_ms)
        self.settle()

    @property
    def home(self) -> Any:
        return self.broker.groups._homes[partition_for("g", 3)]


def refuse(log: Any) -> None:
    raise DiskFault("Writing to", log.path, 28)


def told(asked: Asked) -> int:
    assert asked.answer is not None, "nothing was said"
    code: int = asked.answer.topics[0].partitions[0].error_code
    return code


@pytest.fixture
def node(tmp_path: Path) -> FullDisk:
    node = FullDisk(tmp_path)
    node.load()
    before = node.commit(3)
    node.settle()
    assert told(before) == errors.NONE
    return node


def test_who_waits_for_a_lost_commit_is_told_at_once(node: FullDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = node.commit(4)
    node.write_in_vain(monkeypatch)
    assert told(lost) == errors.COORDINATOR_NOT_AVAILABLE


def test_housekeeping_does_not_build_on_a_lost_commit(node: FullDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    node.commit(4)
    node.write_in_vain(monkeypatch)
    assert node.home.shard.offsets.get("g", "orders", 0).offset == 4
    node.load()
    assert node.home.shard.offsets.get("g", "orders", 0).offset == 3
    assert not node.home.has_lost_writes
