"""Changing configs: one change at a time, or the whole set."""

from __future__ import annotations

from typing import Any

import pytest
from support.controller import Cluster, new_topic

from logctl.engine.controller.config_types import Source
from logctl.engine.controller.configs import Operation, alter_configs, incremental_alter_configs
from logctl.engine.controller.image import ResourceType
from logctl.engine.controller.topic_configs import (
    CATALOGUE,
    Layers,
    effective,
    parse,
    resolve,
    typed_configs,
)
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages import alter_configs as whole
from logctl.wire.messages import incremental_alter_configs as single

TOPIC, BROKER, METRICS, GROUP = (
    ResourceType.TOPIC,
    ResourceType.BROKER,
    ResourceType.CLIENT_METRICS,
    ResourceType.GROUP,
)
LIMITS = {
    "group.consumer.min.session.timeout.ms": 45_000,
    "group.consumer.max.session.timeout.ms": 60_000,
    "group.consumer.session.timeout.ms": 45_000,
}
NOTHING = Layers({}, {}, {})


def change(cluster: Cluster, kind: int, name: str, *changes: tuple[str, int, str | None], dry: bool = False) -> int:
    configs = [single.AlterableConfig(key, operation, value) for key, operation, value in changes]
    request = single.IncrementalAlterConfigsRequest(
        resources=[single.AlterConfigsResource(kind, name, configs)], validate_only=dry
    )
    [outcome] = cluster.decide(incremental_alter_configs, request).responses
    assert (outcome.error_message is None) == (outcome.error_code == errors.NONE)
    return int(outcome.error_code)


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(limit=LIMITS.get)
    cluster.create(new_topic("orders", configs={"retention.ms": "5"}))
    return cluster


def test_set_append_subtract_and_delete(cluster: Cluster) -> None:
    assert change(cluster, TOPIC, "orders", ("retention.ms", Operation.SET, "7")) == errors.NONE
    assert change(cluster, TOPIC, "orders", ("cleanup.policy", Operation.APPEND, "compact")) == errors.NONE
    assert cluster.image.topic_configs("orders") == {"retention.ms": "7", "cleanup.policy": "delete,compact"}
    assert change(cluster, TOPIC, "orders", ("cleanup.policy", Operation.SUBTRACT, "delete")) == errors.NONE
    assert change(cluster, TOPIC, "orders", ("retention.ms", Operation.DELETE, None)) == errors.NONE
    assert change(cluster, TOPIC, "orders", ("never.set", Operation.DELETE, None)) == errors.NONE
    assert cluster.image.topic_configs("orders") == {"cleanup.policy": "compact"}


def test_a_change_that_changes_nothing_records_nothing(cluster: Cluster) -> None:
    before = len(cluster.log)
    assert change(cluster, TOPIC, "orders", ("retention.ms", Operation.SET, "5")) == errors.NONE
    assert change(cluster, TOPIC, "orders", ("retention.ms", Operation.SET, "6"), dry=True) == errors.NONE
    assert len(cluster.log) == before


@pytest.mark.parametrize(
    ("kind", "name", "change_wanted", "code"),
    [
        (TOPIC, "gone", ("retention.ms", 0, "7"), errors.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "", ("retention.ms", 0, "7"), errors.INVALID_REQUEST),
        (TOPIC, "orders", ("no.such", 0, "7"), errors.INVALID_CONFIG),
        (TOPIC, "orders", ("retention.ms", 0, None), errors.INVALID_REQUEST),
        (TOPIC, "orders", ("retention.ms", 0, ""), errors.INVALID_CONFIG),
        (TOPIC, "orders", ("retention.ms", 2, "7"), errors.INVALID_CONFIG),
        (TOPIC, "orders", ("retention.ms", 9, "7"), errors.INVALID_REQUEST),
        (TOPIC, "orders", ("cleanup.policy", 2, "shred"), errors.INVALID_CONFIG),
        (BROKER, "x", ("log.cleaner.threads", 0, "2"), errors.INVALID_REQUEST),
        (BROKER, "7", ("log.cleaner.threads", 0, "2"), errors.INVALID_REQUEST),
        (BROKER, "1", ("log.cleaner.threads", 0, "2"), errors.NONE),
        (BROKER, "", ("min.insync.replicas", 0, "1"), errors.NONE),
        (BROKER, "", ("log.cleanup.policy", 2, "compact"), errors.INVALID_CONFIG),
        (GROUP, "g", ("consumer.session.timeout.ms", 0, "50000"), errors.NONE),
        (GROUP, "g", ("consumer.session.timeout.ms", 0, "44999"), errors.INVALID_CONFIG),
        (GROUP, "g", ("consumer.session.timeout.ms", 0, "60001"), errors.INVALID_CONFIG),
        (GROUP, "g", ("consumer.session.timeout.ms", 0, "soon"), errors.INVALID_CONFIG),
        (GROUP, "g", ("consumer.heartbeat.interval.ms", 0, "45000"), errors.INVALID_CONFIG),
        (GROUP, "g", ("share.auto.offset.reset", 0, "by_duration:PT1H"), errors.NONE),
        (GROUP, "g", ("share.auto.offset.reset", 0, "by_duration:P"), errors.INVALID_CONFIG),
        (GROUP, "g", ("no.such", 0, "1"), errors.INVALID_CONFIG),
        (GROUP, "", ("consumer.session.timeout.ms", 0, "50000"), errors.INVALID_REQUEST),
        (METRICS, "m", ("interval.ms", 0, "500"), errors.NONE),
        (METRICS, "m", ("metrics", 2, "org.apache"), errors.NONE),
        (METRICS, "m", ("interval.ms", 0, "1"), errors.INVALID_REQUEST),
        (METRICS, "m", ("no.such", 0, "1"), errors.INVALID_REQUEST),
        (METRICS, "", ("interval.ms", 0, "500"), errors.INVALID_REQUEST),
        (ResourceType.BROKER_LOGGER, "1", ("root", 0, "INFO"), errors.INVALID_REQUEST),
    ],
)
def test_each_mistake_has_its_error(
    cluster: Cluster, kind: int, name: str, change_wanted: tuple[str, int, str | None], code: int
) -> None:
    assert change(cluster, kind, name, change_wanted) == code


def test_a_config_or_a_resource_named_twice_is_refused(cluster: Cluster) -> None:
    twice = (("retention.ms", Operation.SET, "7"), ("retention.ms", Operation.SET, "8"))
    assert change(cluster, TOPIC, "orders", *twice) == errors.INVALID_REQUEST
    resource = single.AlterConfigsResource(TOPIC, "orders", [])
    request = single.IncrementalAlterConfigsRequest(resources=[resource, resource])
    answer = cluster.decide(incremental_alter_configs, request)
    assert [outcome.error_code for outcome in answer.responses] == [errors.INVALID_REQUEST] * 2


def test_the_node_may_refuse_a_broker_config() -> None:
    def check(broker: str, name: str, value: str) -> None:
        if name == "log.dirs":
            raise WireError(errors.INVALID_REQUEST, "log.dirs is read at the start only")

    cluster = Cluster(check_broker_config=check)
    assert change(cluster, BROKER, "1", ("log.dirs", Operation.SET, "/x")) == errors.INVALID_REQUEST


def test_the_older_request_replaces_the_whole_set(cluster: Cluster) -> None:
    def replace(name: str, configs: dict[str, str | None]) -> int:
        given = [whole.AlterableConfig(key, value) for key, value in configs.items()]
        request = whole.AlterConfigsRequest(resources=[whole.AlterConfigsResource(TOPIC, name, given)])
        return int(cluster.decide(alter_configs, request).responses[0].error_code)

    assert replace("orders", {"segment.ms": "1000"}) == errors.NONE
    assert cluster.image.topic_configs("orders") == {"segment.ms": "1000"}
    assert replace("orders", {"segment.ms": None}) == errors.INVALID_REQUEST
    assert replace("gone", {}) == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert replace("orders", {}) == errors.NONE
    assert not cluster.image.topic_configs("orders")


def test_every_default_in_the_catalogue_is_allowed_by_its_own_rule() -> None:
    for config, settings in effective({}, NOTHING):
        assert parse(config.name, settings[0].value or "") is not None
        assert settings[0].source is Source.DEFAULT
    assert len(CATALOGUE) == 34


def test_layers_are_listed_strongest_first() -> None:
    layers = Layers(
        broker={"log.retention.ms": "3"},
        all_brokers={"log.retention.ms": "2"},
        settings_file={"log.retention.minutes": "1"},
    )
    found = resolve(CATALOGUE["retention.ms"], {"retention.ms": "4"}, layers)
    assert [(setting.name, setting.value, setting.source) for setting in found] == [
        ("retention.ms", "4", Source.TOPIC),
        ("log.retention.ms", "3", Source.BROKER),
        ("log.retention.ms", "2", Source.ALL_BROKERS),
        ("log.retention.minutes", "60000", Source.SETTINGS_FILE),
        ("log.retention.ms", "604800000", Source.DEFAULT),
    ]


def test_a_layer_whose_value_makes_no_sense_is_passed_over() -> None:
    broken = Layers({}, {"log.retention.ms": "never"}, {"log.retention.minutes": "soon"})
    assert typed_configs({}, broken)["retention.ms"] == 604_800_000


def test_typed_values() -> None:
    typed: dict[str, Any] = typed_configs({"cleanup.policy": "compact,delete", "preallocate": "True"}, NOTHING)
    assert typed["cleanup.policy"] == ["compact", "delete"]
    assert typed["preallocate"] is True
    assert typed["min.cleanable.dirty.ratio"] == 0.5
    assert "internal.segment.bytes" not in typed, "shown only when it was set"
