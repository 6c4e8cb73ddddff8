"""Asking an assembled node about settings, in few words."""

from __future__ import annotations

from typing import Any, Final

from support.assembled import Assembled

from logctl.wire import errors
from logctl.wire.messages import alter_configs as whole
from logctl.wire.messages import incremental_alter_configs as single
from logctl.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from logctl.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResult,
)

TOPIC: Final = 2
BROKER: Final = 4
LOGGER: Final = 8
METRICS: Final = 16
GROUP: Final = 32
SET, DELETE, APPEND, SUBTRACT = range(4)


def create(node: Assembled, name: str, partitions: int = 1, **configs: str) -> None:
    """A topic; dots in config names as underscores."""
    given = [CreatableTopicConfig(key.replace("_", "."), value) for key, value in configs.items()]
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=given)
    [result] = node.ask(CreateTopicsRequest(topics=[topic]), 7).topics
    assert result.error_code == errors.NONE, result.error_message


def change(
    node: Assembled,
    kind: int,
    name: str,
    *changes: tuple[str, int, str | None],
    dry: bool = False,
    version: int = 1,
) -> tuple[int, str | None]:
    """(error, message) of one resource's change by IncrementalAlterConfigs."""
    resource = single.AlterConfigsResource(kind, name, [single.AlterableConfig(*one) for one in changes])
    request = single.IncrementalAlterConfigsRequest(resources=[resource], validate_only=dry)
    [outcome] = node.ask(request, version).responses
    assert (outcome.resource_type, outcome.resource_name) == (kind, name)
    return outcome.error_code, outcome.error_message


def put(node: Assembled, kind: int, name: str, **configs: str) -> None:
    """Set several settings; dots as underscores."""
    changes = [(key.replace("_", "."), SET, value) for key, value in configs.items()]
    assert change(node, kind, name, *changes) == (errors.NONE, None)


def replace(node: Assembled, kind: int, name: str, configs: dict[str, str], version: int = 2) -> int:
    """The error of one resource's change by AlterConfigs."""
    resource = whole.AlterConfigsResource(kind, name, [whole.AlterableConfig(*one) for one in configs.items()])
    [outcome] = node.ask(whole.AlterConfigsRequest(resources=[resource]), version).responses
    return int(outcome.error_code)


def describe(
    node: Assembled, kind: int, name: str, *keys: str, version: int = 4, **asked: Any
) -> DescribeConfigsResult:
    resource = DescribeConfigsResource(kind, name, list(keys) or None)
    given = {"include_synonyms": True, "include_documentation": version >= 3, **asked}
    result: DescribeConfigsResult
    [result] = node.ask(DescribeConfigsRequest(resources=[resource], **given), version).results
    return result


def config(node: Assembled, kind: int, name: str, key: str) -> DescribeConfigsResourceResult:
    """One setting as DescribeConfigs shows it."""
    [found] = describe(node, kind, name, key).configs
    return found


def layers(node: Assembled, kind: int, name: str, key: str) -> list[tuple[str, str | None, int]]:
    """(name, value, source) of each layer, strongest first."""
    return [(one.name, one.value, one.source) for one in config(node, kind, name, key).synonyms]
