"""The pytest plugin: a Kafka broker as a fixture.

    def test_orders_are_read(kafka_node, kafka_topic):
        producer = Producer({"bootstrap.servers": kafka_node.bootstrap_servers})
        ...

`kafka_node` (per session; with pytest-xdist one for each worker) is a running `logctl.embedded.Node`. `kafka_topic` is
the name of a topic that nobody else uses, gone after the test; the marker says what it is like:

    @pytest.mark.kafka_topic(partitions=3, configs={"cleanup.policy": "compact"})

Settings of the node come from the ini option `kafka_settings` (one NAME=VALUE a line) and from `--kafka-setting`, where
it runs from `kafka_mode` or `--kafka-mode`. A suite that wants something else overrides the fixture `kafka_node`.

pytest loads this file in every session of an environment that has logctl: nothing of it is imported before a fixture is
used.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from logctl.embedded import Node

_NAME_LENGTH: Final = 200
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kafka", "a Kafka broker for tests (logctl)")
    group.addoption(
        "--kafka-setting", action="append", default=[], metavar="NAME=VALUE", help="a setting of kafka_node, repeatable"
    )
    group.addoption("--kafka-mode", choices=("process", "thread"), help="where kafka_node runs (default: process)")
    parser.addini("kafka_settings", "settings of kafka_node, one NAME=VALUE a line", type="linelist", default=[])
    parser.addini("kafka_mode", "where kafka_node runs: process or thread", default="process")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kafka_topic(partitions=1, configs={}): what the fixture kafka_topic is like")


@pytest.fixture(scope="session")
def kafka_node(pytestconfig: pytest.Config) -> Iterator[Node]:
    """A Kafka broker for the session: `.bootstrap_servers`, `.create_topic()`, `.reset()`."""
    from logctl.embedded import Node

    mode = pytestconfig.getoption("--kafka-mode") or pytestconfig.getini("kafka_mode")
    with Node(mode=mode, settings=_settings(pytestconfig)) as node:
        yield node


@pytest.fixture
def kafka_topic(request: pytest.FixtureRequest, kafka_node: Node) -> Iterator[str]:
    """The name of a topic of the test's own, one partition unless the marker `kafka_topic` says otherwise."""
    marker = request.node.get_closest_marker("kafka_topic")
    wanted = dict(marker.kwargs) if marker is not None else {}
    name = kafka_node.create_topic(_topic_name(request.node.name), **wanted)
    yield name
    _delete(kafka_node, name)


def _delete(node: Node, name: str) -> None:
    """A test may have deleted its topic, or reset or stopped the node."""
    from logctl.errors import OperationFailed

    if not node.is_running:
        return
    try:
        node.delete_topic(name)
    except OperationFailed as failure:
        if "UNKNOWN_TOPIC_OR_PARTITION" not in failure.message:
            raise


def _topic_name(test: str) -> str:
    legal = re.sub(r"[^a-zA-Z0-9_-]+", "-", test)[:_NAME_LENGTH].strip("-")
    return f"{legal or 'test'}-{next(_numbers)}"


def _settings(config: pytest.Config) -> dict[str, str]:
    pairs = [*config.getini("kafka_settings"), *config.getoption("--kafka-setting")]
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise pytest.UsageError(f"kafka setting {pair!r}: it is written as NAME=VALUE")
        settings[name.strip()] = value.strip()
    return settings
