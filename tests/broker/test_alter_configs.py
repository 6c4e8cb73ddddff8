"""IncrementalAlterConfigs, AlterConfigs and ListConfigResources: who may set what where, and what the diary says."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.assembled import Assembled
from support.configs import (
    APPEND,
    BROKER,
    DELETE,
    GROUP,
    LOGGER,
    METRICS,
    SET,
    TOPIC,
    change,
    config,
    create,
    put,
    replace,
)

from logctl.wire import errors
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.list_config_resources import ListConfigResourcesRequest


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    node = Assembled(tmp_path)
    create(node, "orders")
    return node


@pytest.mark.parametrize("version", range(2))
def test_a_change_is_in_force_when_the_answer_comes(node: Assembled, version: int) -> None:
    assert change(node, TOPIC, "orders", ("retention.ms", SET, "7"), version=version) == (errors.NONE, None)
    replica = node.broker.replicas.get("orders", 0)
    assert replica is not None
    assert replica.log.config.retention_ms == 7
    assert change(node, TOPIC, "orders", ("retention.ms", DELETE, None), version=version) == (errors.NONE, None)
    assert replica.log.config.retention_ms == 604_800_000


def test_validating_changes_nothing(node: Assembled) -> None:
    assert change(node, TOPIC, "orders", ("retention.ms", SET, "7"), dry=True) == (errors.NONE, None)
    assert change(node, TOPIC, "orders", ("retention.ms", SET, "x"), dry=True)[0] == errors.INVALID_CONFIG
    assert config(node, TOPIC, "orders", "retention.ms").value == "604800000"


def test_a_list_grows_from_its_default(node: Assembled) -> None:
    assert change(node, BROKER, "", ("log.cleanup.policy", APPEND, "compact")) == (errors.NONE, None)
    assert config(node, TOPIC, "orders", "cleanup.policy").value == "delete,compact"


@pytest.mark.parametrize("version", range(3))
def test_the_older_request_replaces_the_whole_set(node: Assembled, version: int) -> None:
    put(node, TOPIC, "orders", retention_ms="7", segment_ms="8")
    assert replace(node, TOPIC, "orders", {"segment.ms": "9"}, version) == errors.NONE
    assert config(node, TOPIC, "orders", "retention.ms").value == "604800000"
    assert config(node, TOPIC, "orders", "segment.ms").value == "9"
    assert replace(node, TOPIC, "gone", {}, version) == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert replace(node, LOGGER, "1", {"root": "INFO"}, version) == errors.INVALID_REQUEST


@pytest.mark.parametrize(
    ("broker", "name", "value", "says"),
    [
        ("", "log.retention.ms", "soon", "log.retention.ms is a whole number, not 'soon'"),
        ("", "message.max.bytes", "-1", "message.max.bytes is at least 0, not -1"),
        ("1", "log.dirs", "/x", "log.dirs can be changed in the settings file only, with a restart"),
        ("1", "num.partitions", "2", "num.partitions can be changed in the settings file only, with a restart"),
        ("1", "listeners", "PLAINTEXT://:1", "listeners can be changed in the settings file only, with a restart"),
        ("", "cordoned.log.dirs", "/x", "cordoned.log.dirs is set on one broker at a time; name the broker"),
        ("1", "ssl.keystore.type", "PEM", "set for one listener at a time: listener.name.NAME.ssl.keystore.type"),
        ("7", "message.max.bytes", "5", "This is broker 1; broker 7 changes its own settings"),
        ("x", "message.max.bytes", "5", "A broker is named by its id, not by 'x'"),
    ],
)
def test_what_a_broker_refuses(node: Assembled, broker: str, name: str, value: str, says: str) -> None:
    code, message = change(node, BROKER, broker, (name, SET, value))
    assert code == errors.INVALID_REQUEST
    assert says in (message or "")


def test_a_listener_s_own_setting_is_kept(node: Assembled) -> None:
    name = "listener.name.external.ssl.keystore.type"
    assert change(node, BROKER, "1", (name, SET, "PEM")) == (errors.NONE, None)
    assert change(node, BROKER, "1", ("listener.name.external.num.partitions", SET, "2"))[0] == errors.INVALID_REQUEST


def test_refusals_and_changes_share_an_answer(node: Assembled) -> None:
    from logctl.wire.messages.incremental_alter_configs import (
        AlterableConfig,
        AlterConfigsResource,
        IncrementalAlterConfigsRequest,
    )

    asked = [
        AlterConfigsResource(BROKER, "7", [AlterableConfig("message.max.bytes", SET, "5")]),
        AlterConfigsResource(TOPIC, "orders", [AlterableConfig("retention.ms", SET, "5")]),
        AlterConfigsResource(LOGGER, "1", [AlterableConfig("root", SET, "DEBUG")]),
    ]
    answer = node.ask(IncrementalAlterConfigsRequest(resources=asked), 1)
    assert {(one.resource_type, one.resource_name): one.error_code for one in answer.responses} == {
        (BROKER, "7"): errors.INVALID_REQUEST,
        (TOPIC, "orders"): errors.NONE,
        (LOGGER, "1"): errors.INVALID_REQUEST,
    }


def test_the_diary_names_what_changed_and_what_has_no_effect(node: Assembled) -> None:
    put(node, TOPIC, "orders", retention_ms="7", preallocate="true")
    put(node, BROKER, "", log_cleaner_threads="2")
    put(node, BROKER, "1", my_key="hush")
    change(node, TOPIC, "orders", ("retention.ms", DELETE, None), ("cleanup.policy", SET, "compact"))
    assert node.said("settings") == [
        "Settings of topic orders changed: preallocate=true, retention.ms=7",
        "preallocate is kept, but this node does not act on it (topic orders)",
        "Settings of all brokers changed: log.cleaner.threads=2",
        "log.cleaner.threads is kept, but this node does not act on it (all brokers)",
        "Settings of broker 1 changed: my.key=(not shown)",
        "my.key is no setting that this node knows; it is kept, and has no effect (broker 1)",
        "Settings of topic orders changed: cleanup.policy=compact, retention.ms back to its default",
        "cleanup.policy asks for compaction, which this version does not do: every record is kept until deleted"
        " (topic orders)",
    ]


def test_a_new_or_deleted_topic_is_no_change_of_settings(node: Assembled) -> None:
    create(node, "payments", retention_ms="7", preallocate="true")
    node.ask(DeleteTopicsRequest(topics=[DeleteTopicState(name="payments")]), 6)
    assert node.said("settings") == ["preallocate is kept, but this node does not act on it (topic payments)"]


def test_settings_hold_after_a_restart(node: Assembled) -> None:
    put(node, BROKER, "1", message_max_bytes="5000", max_connections="7")
    node.settings.overlay({})
    node.restart()
    assert node.settings.integer("max.connections") == 7
    assert config(node, TOPIC, "orders", "max.message.bytes").value == "5000"


def resources(node: Assembled, *kinds: int, version: int = 1) -> list[tuple[int, str]]:
    answer = node.ask(ListConfigResourcesRequest(resource_types=list(kinds)), version)
    assert answer.error_code == errors.NONE
    return [(one.resource_type, one.resource_name) for one in answer.config_resources]


def test_resources_with_settings_are_listed(node: Assembled) -> None:
    put(node, GROUP, "g", consumer_session_timeout_ms="50000")
    put(node, METRICS, "m", interval_ms="500")
    assert resources(node) == [(GROUP, "g"), (METRICS, "m"), (LOGGER, "1"), (BROKER, "1"), (TOPIC, "orders")]
    assert resources(node, TOPIC, GROUP) == [(GROUP, "g"), (TOPIC, "orders")]
    assert resources(node, version=0) == [(METRICS, "m")]
    change(node, GROUP, "g", ("consumer.session.timeout.ms", DELETE, None))
    assert resources(node, GROUP) == []


def test_a_type_that_has_no_settings_is_refused(node: Assembled) -> None:
    answer = node.ask(ListConfigResourcesRequest(resource_types=[TOPIC, 99]), 1)
    assert (answer.error_code, answer.config_resources) == (errors.UNSUPPORTED_VERSION, [])


def test_how_late_a_follower_may_be_can_be_changed_while_the_node_runs(node: Assembled) -> None:
    assert change(node, BROKER, "", ("replica.lag.time.max.ms", SET, "5000")) == (errors.NONE, None)
    assert node.broker.settings.integer("replica.lag.time.max.ms") == 5000
