"""DescribeConfigs: every value with the layer it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.assembled import NODE, Assembled

from logctl.wire import errors
from logctl.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from logctl.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

TOPIC, BROKER, LOGGER = 2, 4, 8
OWN, FILE, DEFAULT = 1, 4, 5


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    node = Assembled(
        tmp_path, {"log.retention.hours": "2", "num.partitions": "3", "ssl.keystore.password": "hunter2"}
    )
    topic = CreatableTopic("orders", 1, 1, [], [CreatableTopicConfig("max.message.bytes", "2000000")])
    node.ask(CreateTopicsRequest(topics=[topic]), 7)
    return node


def describe(node: Assembled, kind: int, name: str, *keys: str, version: int = 4, **how: Any) -> Any:
    resource = DescribeConfigsResource(kind, name, list(keys) or None)
    [result] = node.ask(DescribeConfigsRequest([resource], **how), version).results
    assert (result.resource_type, result.resource_name) == (kind, name)
    return result


def by_name(result: Any) -> dict[str, Any]:
    assert (result.error_code, result.error_message) == (errors.NONE, None)
    return {config.name: config for config in result.configs}


@pytest.mark.parametrize("version", range(1, 5))
def test_a_topics_values_and_where_they_come_from(node: Assembled, version: int) -> None:
    configs = by_name(describe(node, TOPIC, "orders", version=version))
    assert (configs["max.message.bytes"].value, configs["max.message.bytes"].config_source) == ("2000000", OWN)
    assert (configs["retention.ms"].value, configs["retention.ms"].config_source) == ("7200000", FILE)
    assert (configs["segment.bytes"].value, configs["segment.bytes"].config_source) == ("1073741824", DEFAULT)
    assert not any(config.read_only or config.is_sensitive for config in configs.values())
    if version >= 3:
        assert configs["max.message.bytes"].config_type == 3


def test_synonyms_name_every_layer_strongest_first(node: Assembled) -> None:
    configs = by_name(describe(node, TOPIC, "orders", include_synonyms=True))
    layers = [(one.name, one.value, one.source) for one in configs["max.message.bytes"].synonyms]
    assert layers == [("max.message.bytes", "2000000", OWN), ("message.max.bytes", "1048588", DEFAULT)]
    assert by_name(describe(node, TOPIC, "orders"))["max.message.bytes"].synonyms == []


def test_only_the_keys_asked_for(node: Assembled) -> None:
    assert set(by_name(describe(node, TOPIC, "orders", "retention.ms", "no.such.key"))) == {"retention.ms"}


def test_documentation_comes_on_demand(node: Assembled) -> None:
    assert by_name(describe(node, TOPIC, "orders"))["retention.ms"].documentation is None
    told = by_name(describe(node, TOPIC, "orders", include_documentation=True))
    assert all(config.documentation for config in told.values())


def test_a_brokers_values(node: Assembled) -> None:
    configs = by_name(describe(node, BROKER, str(NODE), include_synonyms=True, include_documentation=True))
    assert (configs["num.partitions"].value, configs["num.partitions"].config_source) == ("3", FILE)
    assert (configs["num.io.threads"].value, configs["num.io.threads"].config_source) == ("8", DEFAULT)
    assert configs["node.id"].read_only
    assert not configs["log.segment.bytes"].read_only
    assert all(config.documentation for config in configs.values())


def test_settings_that_stand_in_for_one_another_are_synonyms(node: Assembled) -> None:
    configs = by_name(describe(node, BROKER, str(NODE), include_synonyms=True))
    layers = [(one.name, one.value, one.source) for one in configs["log.retention.ms"].synonyms]
    assert layers == [("log.retention.hours", "2", FILE), ("log.retention.hours", "168", DEFAULT)]
    assert configs["log.retention.ms"].value is None
    assert configs["log.retention.hours"].value == "2"


def test_a_password_is_never_told(node: Assembled) -> None:
    secret = by_name(describe(node, BROKER, str(NODE), include_synonyms=True))["ssl.keystore.password"]
    assert (secret.value, secret.is_sensitive) == (None, True)
    assert [synonym.value for synonym in secret.synonyms] == [None]


def test_all_brokers_have_what_was_set_for_all(node: Assembled) -> None:
    assert by_name(describe(node, BROKER, "")) == {}


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (TOPIC, "nothing", errors.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "not/possible", errors.INVALID_TOPIC_EXCEPTION),
        (BROKER, "7", errors.INVALID_REQUEST),
        (BROKER, "one", errors.INVALID_REQUEST),
        (LOGGER, "7", errors.INVALID_REQUEST),
        (99, "orders", errors.INVALID_REQUEST),
    ],
)
def test_what_has_no_settings_here(node: Assembled, kind: int, name: str, code: int) -> None:
    result = describe(node, kind, name)
    assert (result.error_code, result.configs) == (code, [])
    assert result.error_message
