"""The disk under the metadata log fails while requests wait for what was decided: each is answered at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.group_node import GroupNode

from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.alter_configs import AlterableConfig as OldConfig
from logctl.wire.messages.alter_configs import AlterConfigsRequest, AlterConfigsResource
from logctl.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from logctl.wire.messages.delete_topics import DeleteTopicsRequest
from logctl.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    IncrementalAlterConfigsRequest,
)
from logctl.wire.messages.incremental_alter_configs import (
    AlterConfigsResource as ChangedResource,
)
from logctl.wire.messages.init_producer_id import InitProducerIdRequest
from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from logctl.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from logctl.wire.schema import Message

ASKED: list[tuple[Message, int]] = [
    (CreateTopicsRequest(topics=[CreatableTopic("new", 1, 1)]), 7),
    (DeleteTopicsRequest(topic_names=["orders"]), 5),
    (CreatePartitionsRequest(topics=[CreatePartitionsTopic("orders", 9, None)]), 3),
    (IncrementalAlterConfigsRequest([ChangedResource(2, "orders", [AlterableConfig("retention.ms", 0, "1")])]), 1),
    (AlterConfigsRequest([AlterConfigsResource(2, "orders", [OldConfig("retention.ms", "1")])]), 2),
    (InitProducerIdRequest(transactional_id=None), 5),
    (MetadataRequest([MetadataRequestTopic(name="made-when-asked-for")], True), 9),
    (UpdateFeaturesRequest(feature_updates=[FeatureUpdateKey("group.version", 0, upgrade_type=2)]), 1),
]


@pytest.mark.parametrize(("body", "version"), ASKED, ids=[type(body).__name__ for body, _ in ASKED])
def test_nobody_waits_for_a_timeout(tmp_path: Path, body: Any, version: int) -> None:
    node = GroupNode(tmp_path)
    asked = node.send(body, version)
    assert asked.answer is None, "it waits for the disk"
    log = node.parts.metadata.log
    node.broker.log_dir_failed(log, DiskFault("Flushing", log.path, 5))
    node.deliver()
    assert asked.answer is not None
    assert codes(asked.answer) & {errors.KAFKA_STORAGE_ERROR, errors.LEADER_NOT_AVAILABLE}


def codes(answer: Any) -> set[int]:
    """Every error code in an answer."""
    found = {getattr(answer, "error_code", 0)}
    for field in answer.fields:
        value = getattr(answer, field.name)
        if isinstance(value, list):
            found |= {code for one in value if hasattr(one, "fields") for code in codes(one)}
    return found
