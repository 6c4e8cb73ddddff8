"""A log directory that needs a newer version is refused as it lies: not a byte of it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic
from support.node import Node
from support.ports import free_port

from logctl.engine.broker.metadata_records import encode_batch
from logctl.errors import OperationFailed
from logctl.wire.records import iter_batches, read_header
from logctl.wire.stored.feature_level_record import FeatureLevelRecord
from logctl.wire.stored.framing import UnknownRecord


def files(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file; the lock is the node's own business."""
    found = (path for path in directory.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with a topic, stopped in order."""
    with Node(tmp_path, free_port(), {}) as node:
        admin = KafkaAdminClient(bootstrap_servers=node.address)
        admin.create_topics([NewTopic("orders", 2, 1)])
        admin.close()
        node.stop()
    return node


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (FeatureLevelRecord(name="metadata.version", feature_level=31), r"metadata\.version is 31, this version reads"),
        (FeatureLevelRecord(name="share.version", feature_level=2), r"share\.version is at level 2"),
        (UnknownRecord(40, 0, b"?"), "of type 40, which this version does not know"),
    ],
)
def test_it_is_left_as_it_is(node: Node, record: object, sentence: str) -> None:
    log = node.log_dir / "__cluster_metadata-0" / f"{0:020}.log"
    last = read_header(list(iter_batches(log.read_bytes()))[-1])
    batch = encode_batch(
        [record], lambda kind: 0, now_ms=0, base_offset=last.last_offset + 1, leader_epoch=last.leader_epoch
    )
    with log.open("ab") as file:
        file.write(batch)
    before = files(node.log_dir)
    assert ".kafka_cleanshutdown" in before
    with pytest.raises(OperationFailed, match=sentence) as refusal:
        node.start()
    assert "Nothing was changed" in refusal.value.hint
    assert files(node.log_dir) == before
