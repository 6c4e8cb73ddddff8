"""Creating and deleting topics: what is recorded, and how each mistake is answered."""

from __future__ import annotations

import pytest
from support.controller import Cluster, new_topic, numbered_id

from logctl.engine.controller.topics import delete_topics
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.create_topics import CreateTopicsRequest
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState


def test_a_topic_is_created_with_its_partitions_configs_and_an_answer_java_clients_accept() -> None:
    cluster = Cluster()
    [result] = cluster.create(new_topic("orders", partitions=3, configs={"retention.ms": "1000"}))

    assert (result.error_code, result.num_partitions, result.replication_factor) == (errors.NONE, 3, 1)
    topic = cluster.image.topics["orders"]
    assert topic.topic_id == result.topic_id
    assert cluster.image.topic_by_id(result.topic_id) is topic
    assert cluster.image.topic_configs("orders") == {"retention.ms": "1000"}
    assert sorted(topic.partitions) == [0, 1, 2]
    first = topic.partitions[0]
    assert (first.replicas, first.isr, first.leader, first.leader_epoch) == ((1,), (1,), 1, 0)
    assert first.directory_of(1) == numbered_id(201)

    configs = {config.name: config for config in result.configs}
    assert len(configs) == 33
    assert all(config.config_source > 0 and config.value is not None for config in configs.values())
    assert (configs["retention.ms"].value, configs["retention.ms"].config_source) == ("1000", 1)
    assert (configs["cleanup.policy"].value, configs["cleanup.policy"].config_source) == ("delete", 5)


def test_the_answer_names_the_layer_that_a_value_comes_from() -> None:
    cluster = Cluster(server_values={"log.retention.hours": "2"})
    [result] = cluster.create(new_topic("orders"))
    [retention] = [config for config in result.configs if config.name == "retention.ms"]
    assert (retention.value, retention.config_source) == ("7200000", 4)


def test_minus_one_means_the_node_s_defaults() -> None:
    cluster = Cluster(brokers=3, default_partitions=4, default_replication_factor=2)
    [result] = cluster.create(new_topic("orders", partitions=-1, replicas=-1))
    assert (result.num_partitions, result.replication_factor) == (4, 2)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", errors.INVALID_TOPIC_EXCEPTION),
        (".", errors.INVALID_TOPIC_EXCEPTION),
        ("..", errors.INVALID_TOPIC_EXCEPTION),
        ("two words", errors.INVALID_TOPIC_EXCEPTION),
        ("größe", errors.INVALID_TOPIC_EXCEPTION),
        ("line\n", errors.INVALID_TOPIC_EXCEPTION),
        ("x" * 250, errors.INVALID_TOPIC_EXCEPTION),
        ("__cluster_metadata", errors.INVALID_REQUEST),
        ("x" * 249, errors.NONE),
        ("a-b_c.d", errors.NONE),
    ],
)
def test_names_are_held_to_kafka_s_rules(name: str, code: int) -> None:
    [result] = Cluster().create(new_topic(name))
    assert result.error_code == code


def test_names_that_metrics_could_not_tell_apart_collide_also_within_one_request() -> None:
    cluster = Cluster()
    cluster.create(new_topic("a.b"))
    results = cluster.create(new_topic("a_b"), new_topic("x.y"), new_topic("x_y"), new_topic("a.b"))
    assert [result.error_code for result in results] == [
        errors.INVALID_TOPIC_EXCEPTION,
        errors.NONE,
        errors.INVALID_TOPIC_EXCEPTION,
        errors.TOPIC_ALREADY_EXISTS,
    ]
    assert "'a.b'" in results[0].error_message


def test_a_name_given_twice_is_refused_and_the_others_go_on() -> None:
    results = Cluster().create(new_topic("d"), new_topic("d"), new_topic("e"))
    assert [(result.name, result.error_code) for result in results] == [("d", errors.INVALID_REQUEST), ("e", 0)]


@pytest.mark.parametrize(
    ("partitions", "replicas", "code"),
    [
        (0, 1, errors.INVALID_PARTITIONS),
        (-2, 1, errors.INVALID_PARTITIONS),
        (1, 0, errors.INVALID_REPLICATION_FACTOR),
        (1, -2, errors.INVALID_REPLICATION_FACTOR),
        (0, 0, errors.INVALID_REPLICATION_FACTOR),
        (1, 3, errors.INVALID_REPLICATION_FACTOR),
        (10_001, 1, errors.POLICY_VIOLATION),
    ],
)
def test_impossible_counts(partitions: int, replicas: int, code: int) -> None:
    cluster = Cluster()
    [result] = cluster.create(new_topic("orders", partitions, replicas))
    assert result.error_code == code
    assert not cluster.image.topics


@pytest.mark.parametrize(
    ("assignment", "code"),
    [
        ({0: [1, 2], 1: [2, 1]}, errors.NONE),
        ({0: []}, errors.INVALID_REPLICA_ASSIGNMENT),
        ({0: [7]}, errors.INVALID_REPLICA_ASSIGNMENT),
        ({0: [1, 1]}, errors.INVALID_REPLICA_ASSIGNMENT),
        ({1: [1]}, errors.INVALID_REPLICA_ASSIGNMENT),
        ({0: [1], 1: [1, 2]}, errors.INVALID_REPLICA_ASSIGNMENT),
    ],
)
def test_assignments_by_hand(assignment: dict[int, list[int]], code: int) -> None:
    [result] = Cluster(brokers=2).create(new_topic("orders", assignment=assignment))
    assert result.error_code == code


def test_an_assignment_by_hand_leaves_the_counts_at_minus_one() -> None:
    [result] = Cluster().create(new_topic("orders", partitions=1, replicas=-1, assignment={0: [1]}))
    assert result.error_code == errors.INVALID_REQUEST


@pytest.mark.parametrize(
    "configs",
    [
        {"no.such.config": "1"},
        {"retention.ms": None},
        {"retention.ms": "soon"},
        {"retention.ms": "-5"},
        {"retention.ms": "1_000"},
        {"max.message.bytes": "99999999999"},
        {"cleanup.policy": "shred"},
        {"compression.type": "brotli"},
        {"compression.gzip.level": "0"},
        {"unclean.leader.election.enable": "yes"},
        {"min.cleanable.dirty.ratio": "2"},
        {"segment.bytes": "10"},
        {"leader.replication.throttled.replicas": "x"},
        {"remote.storage.enable": "true"},
        {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"},
    ],
)
def test_configs_that_cannot_be_are_refused_before_anything_is_recorded(configs: dict[str, str | None]) -> None:
    cluster = Cluster()
    [result] = cluster.create(new_topic("orders", configs=configs))
    assert result.error_code == errors.INVALID_CONFIG
    assert next(iter(configs)) in result.error_message
    assert not cluster.image.topics


def test_configs_that_look_odd_but_hold() -> None:
    cluster = Cluster()
    odd = {
        "cleanup.policy": "compact, delete",
        "retention.ms": " 5 ",
        "preallocate": "TRUE",
        "min.insync.replicas": "5",
        "follower.replication.throttled.replicas": "0:1,1:1",
        "leader.replication.throttled.replicas": "*",
    }
    [result] = cluster.create(new_topic("orders", configs=odd))
    assert result.error_code == errors.NONE


def test_validate_only_answers_alike_and_records_nothing() -> None:
    cluster = Cluster()
    good, bad = cluster.create(new_topic("orders", partitions=3), new_topic("wide", replicas=9), validate_only=True)
    assert (good.error_code, good.num_partitions) == (errors.NONE, 3)
    assert bad.error_code == errors.INVALID_REPLICATION_FACTOR
    assert not cluster.image.topics


def test_topics_go_by_name_or_by_id_and_take_their_configs_along() -> None:
    cluster = Cluster()
    cluster.create(new_topic("a", configs={"retention.ms": "1"}), new_topic("b"), new_topic("c"))
    b = cluster.image.topics["b"].topic_id
    wanted = [DeleteTopicState(name="a"), DeleteTopicState(topic_id=b)]
    answer = cluster.decide(delete_topics, DeleteTopicsRequest(topics=wanted))
    assert [(result.name, result.error_code) for result in answer.responses] == [("a", 0), ("b", 0)]
    assert list(cluster.image.topics) == ["c"]
    assert not cluster.image.configs

    old_style = cluster.decide(delete_topics, DeleteTopicsRequest(topic_names=["c", "gone"]))
    assert [result.error_code for result in old_style.responses] == [0, errors.UNKNOWN_TOPIC_OR_PARTITION]


def test_unclear_deletions_delete_nothing() -> None:
    cluster = Cluster()
    cluster.create(new_topic("a"))
    a = cluster.image.topics["a"].topic_id
    wanted = [
        DeleteTopicState(name="a"),
        DeleteTopicState(topic_id=a),
        DeleteTopicState(name="a", topic_id=a),
        DeleteTopicState(),
        DeleteTopicState(topic_id=numbered_id(999)),
    ]
    answer = cluster.decide(delete_topics, DeleteTopicsRequest(topics=wanted))
    assert [result.error_code for result in answer.responses] == [
        *[errors.INVALID_REQUEST] * 4,
        errors.UNKNOWN_TOPIC_ID,
    ]
    assert "a" in cluster.image.topics


def test_deletion_can_be_forbidden() -> None:
    cluster = Cluster(delete_topics=False)
    cluster.create(new_topic("a"))
    with pytest.raises(WireError) as refusal:
        cluster.decide(delete_topics, DeleteTopicsRequest(topic_names=["a"]))
    assert refusal.value.code == errors.TOPIC_DELETION_DISABLED


def test_a_decision_sees_what_was_decided_before_it_was_committed() -> None:
    """The caller keeps a working image; two creations of one name in a row must not both succeed."""
    from logctl.engine.controller.topics import create_topics

    cluster = Cluster()
    request = CreateTopicsRequest(topics=[new_topic("orders")])
    first = create_topics(cluster.controller, request)
    cluster.take(first.records)
    second = create_topics(cluster.controller, request)
    assert first.response.topics[0].error_code == errors.NONE
    assert second.response.topics[0].error_code == errors.TOPIC_ALREADY_EXISTS
    assert not second.records
