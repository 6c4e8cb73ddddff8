"""Settings of every kind of resource: the layers they come from, what they mean, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.assembled import Assembled
from support.configs import (
    BROKER,
    GROUP,
    LOGGER,
    METRICS,
    TOPIC,
    config,
    create,
    describe,
    layers,
    put,
)

from logctl.engine import catalogue
from logctl.wire import errors

OWN, THIS_BROKER, ALL_BROKERS, FILE, DEFAULT, OF_LOGGER, OF_METRICS, OF_GROUP = range(1, 9)


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    node = Assembled(tmp_path, {"log.retention.hours": "24", "group.consumer.session.timeout.ms": "50000"})
    create(node, "orders", cleanup_policy="compact")
    return node


@pytest.mark.parametrize("version", range(1, 5))
def test_a_topic_has_all_its_settings_in_every_version(node: Assembled, version: int) -> None:
    answer = describe(node, TOPIC, "orders", version=version)
    assert answer.error_code == errors.NONE
    assert len(answer.configs) == 33
    types = {one.name: one.config_type for one in answer.configs}
    assert types["retention.ms"] == (5 if version >= 3 else 0)
    [shown] = [one for one in answer.configs if one.name == "cleanup.policy"]
    assert (shown.value, shown.config_source, shown.read_only) == ("compact", OWN, False)
    assert bool(shown.documentation) == (version >= 3)


def test_layers_lie_over_one_another(node: Assembled) -> None:
    put(node, BROKER, "", log_retention_ms="3")
    put(node, BROKER, "1", log_retention_ms="2")
    put(node, TOPIC, "orders", retention_ms="1")
    assert layers(node, TOPIC, "orders", "retention.ms") == [
        ("retention.ms", "1", OWN),
        ("log.retention.ms", "2", THIS_BROKER),
        ("log.retention.ms", "3", ALL_BROKERS),
        ("log.retention.hours", "86400000", FILE),
        ("log.retention.ms", "604800000", DEFAULT),
    ]
    assert layers(node, BROKER, "1", "log.retention.ms") == [
        ("log.retention.ms", "2", THIS_BROKER),
        ("log.retention.ms", "3", ALL_BROKERS),
        ("log.retention.hours", "24", FILE),
        ("log.retention.hours", "168", DEFAULT),
    ]
    assert layers(node, BROKER, "", "log.retention.ms") == [("log.retention.ms", "3", ALL_BROKERS)]


def test_a_broker_shows_every_setting_that_apache_shows(node: Assembled) -> None:
    shown = {one.name: one for one in describe(node, BROKER, "1").configs}
    table = catalogue.broker_settings()
    assert {name for name, setting in table.items() if not setting.internal} <= set(shown)
    assert shown["node.id"].read_only
    assert not shown["message.max.bytes"].read_only
    assert (shown["log.retention.hours"].value, shown["log.retention.hours"].config_source) == ("24", FILE)
    assert shown["ssl.keystore.password"].is_sensitive
    assert all(one.documentation and one.documentation.endswith(".") for one in shown.values())


def test_what_has_no_effect_says_so(node: Assembled) -> None:
    remark = "It is accepted, but this node does not act on it."
    documented = {one.name: one.documentation or "" for one in describe(node, BROKER, "1").configs}
    assert documented["log.cleaner.threads"].endswith(remark)
    assert not documented["message.max.bytes"].endswith(remark)
    assert "does not act on it" in (config(node, TOPIC, "orders", "preallocate").documentation or "")
    assert "does not act on it" not in (config(node, TOPIC, "orders", "retention.ms").documentation or "")


def test_only_the_settings_asked_for_come_back(node: Assembled) -> None:
    found = describe(node, TOPIC, "orders", "retention.ms", "no.such", include_documentation=False)
    assert [(one.name, one.documentation) for one in found.configs] == [("retention.ms", None)]
    assert describe(node, BROKER, "", "message.max.bytes").configs == []
    assert describe(node, TOPIC, "orders", "retention.ms", include_synonyms=False).configs[0].synonyms == []


def test_a_setting_that_nobody_knows_may_be_a_secret(node: Assembled) -> None:
    put(node, BROKER, "1", my_plugin_key="hush")
    shown = config(node, BROKER, "1", "my.plugin.key")
    assert (shown.value, shown.is_sensitive, shown.config_source) == (None, True, THIS_BROKER)
    assert layers(node, BROKER, "1", "my.plugin.key") == [("my.plugin.key", None, THIS_BROKER)]
    assert not any("hush" in sentence for _, sentence in node.diary)


def test_a_group_has_settings_before_it_exists(node: Assembled) -> None:
    assert len(describe(node, GROUP, "g").configs) == 17
    put(node, GROUP, "g", consumer_session_timeout_ms="55000")
    assert layers(node, GROUP, "g", "consumer.session.timeout.ms") == [
        ("consumer.session.timeout.ms", "55000", OF_GROUP),
        ("group.consumer.session.timeout.ms", "50000", FILE),
        ("group.consumer.session.timeout.ms", "45000", DEFAULT),
    ]


def test_client_metrics_and_the_diary(node: Assembled) -> None:
    put(node, METRICS, "m", interval_ms="500")
    assert layers(node, METRICS, "m", "interval.ms")[0] == ("interval.ms", "500", OF_METRICS)
    assert config(node, METRICS, "other", "interval.ms").value == "300000"
    root = config(node, LOGGER, "1", "root")
    assert (root.value, root.config_source) == ("INFO", OF_LOGGER)


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (TOPIC, "gone", errors.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "", errors.INVALID_TOPIC_EXCEPTION),
        (TOPIC, "a/b", errors.INVALID_TOPIC_EXCEPTION),
        (BROKER, "7", errors.INVALID_REQUEST),
        (BROKER, "x", errors.INVALID_REQUEST),
        (LOGGER, "7", errors.INVALID_REQUEST),
        (GROUP, "", errors.INVALID_REQUEST),
        (METRICS, "", errors.INVALID_REQUEST),
        (1, "x", errors.INVALID_REQUEST),
        (77, "x", errors.INVALID_REQUEST),
    ],
)
def test_each_mistake_has_its_error(node: Assembled, kind: int, name: str, code: int) -> None:
    answer = describe(node, kind, name)
    assert (answer.error_code, answer.configs) == (code, [])
    assert answer.error_message
