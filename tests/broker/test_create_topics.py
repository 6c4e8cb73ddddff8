"""CreateTopics and DeleteTopics: from the request to the files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.assembled import NODE, Assembled

from logctl.wire import errors
from logctl.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.metadata import MetadataRequest


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    return Assembled(tmp_path)


def create(node: Assembled, *topics: CreatableTopic, version: int = 7, **how: Any) -> dict[str, Any]:
    answer = node.ask(CreateTopicsRequest(topics=list(topics), **how), version)
    return {result.name: result for result in answer.topics}


def orders(partitions: int = 1, replication_factor: int = 1, **configs: str) -> CreatableTopic:
    given = [CreatableTopicConfig(name.replace("_", "."), value) for name, value in configs.items()]
    return CreatableTopic("orders", partitions, replication_factor, [], given)


def delete(node: Assembled, *names: str, version: int = 6) -> list[Any]:
    states = [DeleteTopicState(name=name) for name in names]
    request = DeleteTopicsRequest(topics=states) if version >= 6 else DeleteTopicsRequest(topic_names=list(names))
    results: list[Any] = node.ask(request, version).responses
    return results


# -- creating --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(2, 8))
def test_a_topic_in_every_version(node: Assembled, version: int) -> None:
    result = create(node, orders(3), version=version)["orders"]
    assert (result.error_code, result.error_message) == (errors.NONE, None)
    if version >= 5:
        assert (result.num_partitions, result.replication_factor) == (3, 1)
    assert [node.broker.replicas.get("orders", number) is not None for number in range(4)] == [True] * 3 + [False]
    assert sorted(path.name for path in node.log_dir.glob("orders-*")) == ["orders-0", "orders-1", "orders-2"]


def test_java_finds_a_list_of_configs_with_real_sources(node: Assembled) -> None:
    """Java's admin client fails on a null list and on a source that is not positive."""
    result = create(node, orders(retention_ms="1000"))["orders"]
    configs = {config.name: config for config in result.configs}
    assert (configs["retention.ms"].value, configs["retention.ms"].config_source) == ("1000", 1)
    assert (configs["segment.bytes"].value, configs["segment.bytes"].config_source) == ("1073741824", 5)
    assert all(config.config_source > 0 for config in result.configs)


def test_minus_one_stands_for_the_defaults(tmp_path: Path) -> None:
    node = Assembled(tmp_path, {"num.partitions": "6"})
    assert create(node, orders(-1, -1))["orders"].num_partitions == 6


def test_partitions_by_hand(node: Assembled) -> None:
    by_hand = [CreatableReplicaAssignment(number, [NODE]) for number in range(2)]
    assert create(node, CreatableTopic("orders", -1, -1, by_hand))["orders"].num_partitions == 2


def test_validating_creates_nothing(node: Assembled) -> None:
    assert create(node, orders(), validate_only=True)["orders"].error_code == errors.NONE
    assert node.ask(MetadataRequest(topics=None), 12).topics == []
    assert list(node.log_dir.glob("orders-*")) == []


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        (CreatableTopic("", 1, 1), errors.INVALID_TOPIC_EXCEPTION),
        (CreatableTopic("a/b", 1, 1), errors.INVALID_TOPIC_EXCEPTION),
        (CreatableTopic("x" * 250, 1, 1), errors.INVALID_TOPIC_EXCEPTION),
        (orders(0), errors.INVALID_PARTITIONS),
        (orders(1, 2), errors.INVALID_REPLICATION_FACTOR),
        (orders(retention_ms="soon"), errors.INVALID_CONFIG),
        (orders(no_such_config="1"), errors.INVALID_CONFIG),
        (CreatableTopic("orders", -1, -1, [CreatableReplicaAssignment(0, [7])]), errors.INVALID_REPLICA_ASSIGNMENT),
    ],
    ids=lambda value: value.name[:8] if isinstance(value, CreatableTopic) else str(value),
)
def test_what_cannot_be_is_refused_and_the_others_are_created(
    node: Assembled, topic: CreatableTopic, code: int
) -> None:
    results = create(node, topic, CreatableTopic("payments", 1, 1))
    assert results[topic.name].error_code == code
    assert results[topic.name].error_message
    assert results["payments"].error_code == errors.NONE


def test_a_name_twice_or_taken(node: Assembled) -> None:
    assert create(node, orders(), orders())["orders"].error_code == errors.INVALID_REQUEST
    assert create(node, orders())["orders"].error_code == errors.NONE
    assert create(node, orders())["orders"].error_code == errors.TOPIC_ALREADY_EXISTS


# -- deleting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(1, 7))
def test_deleting_in_every_version(node: Assembled, version: int) -> None:
    create(node, orders(2))
    [result] = delete(node, "orders", version=version)
    assert (result.name, result.error_code) == ("orders", errors.NONE)
    assert node.broker.replicas.get("orders", 0) is None
    assert node.ask(MetadataRequest(topics=None), 12).topics == []


def test_the_files_go_after_the_delay(node: Assembled) -> None:
    create(node, orders(2, file_delete_delay_ms="5000"))
    delete(node, "orders")
    leaving = sorted(path.name.partition(".")[0] for path in node.log_dir.glob("orders-*-delete"))
    assert leaving == ["orders-0", "orders-1"]
    node.pass_time(4_999)
    assert len(list(node.log_dir.glob("orders-*"))) == 2
    node.pass_time(1)
    assert list(node.log_dir.glob("orders-*")) == []


def test_a_removal_that_a_restart_interrupted_is_finished(node: Assembled) -> None:
    create(node, orders(2))
    delete(node, "orders")
    node.restart()
    node.pass_time(0)
    assert list(node.log_dir.glob("orders-*")) == []


def test_a_topic_may_come_back_under_its_name(node: Assembled) -> None:
    first = create(node, orders())["orders"].topic_id
    delete(node, "orders")
    second = create(node, orders())["orders"].topic_id
    assert first != second
    assert node.broker.replicas.get_by_id(first, 0) is None
    assert node.broker.replicas.get_by_id(second, 0) is node.broker.replicas.get("orders", 0)


def test_deleting_by_id(node: Assembled) -> None:
    topic_id = create(node, orders())["orders"].topic_id
    request = DeleteTopicsRequest(topics=[DeleteTopicState(topic_id=topic_id)])
    [result] = node.ask(request, 6).responses
    assert (result.name, result.topic_id, result.error_code) == ("orders", topic_id, errors.NONE)


def test_what_is_not_there_cannot_be_deleted(node: Assembled) -> None:
    assert delete(node, "orders")[0].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    request = DeleteTopicsRequest(topics=[DeleteTopicState(topic_id=b"x" * 16)])
    assert node.ask(request, 6).responses[0].error_code == errors.UNKNOWN_TOPIC_ID


@pytest.mark.parametrize(("version", "code"), [(2, errors.INVALID_REQUEST), (6, errors.TOPIC_DELETION_DISABLED)])
def test_the_operator_may_forbid_it(tmp_path: Path, version: int, code: int) -> None:
    node = Assembled(tmp_path, {"delete.topic.enable": "false"})
    create(node, orders())
    [result] = delete(node, "orders", version=version)
    assert (result.name, result.error_code) == ("orders", code)
    assert node.broker.replicas.get("orders", 0) is not None
