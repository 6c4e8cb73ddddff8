"""Apache Kafka for tests: the classpath, one node, and what to say when it cannot be had."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.ports import free_port
from support.several import several_up

from logctl.engine import apache

HEAP = "512m"
_QUICK_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_IMPATIENT = {
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "2000",  # until it ends, a killed broker may not register again
    "broker.heartbeat.interval.ms": "500",
}
_DATA_HOME = os.environ.get("XDG_DATA_HOME")
"""As it was when the tests began: a test may point XDG_DATA_HOME elsewhere, the artifacts stay where they are."""


@functools.cache
def classpath() -> str:
    """Apache's jars for `java -cp`; the test is skipped with the reason when they cannot be had."""
    with _original_data_home():
        reason = apache.available()
        if reason:
            pytest.skip(reason)
        return apache.classpath()


@contextlib.contextmanager
def apache_node(
    directory: Path, settings: Mapping[str, str] | None = None, *, heap: str = HEAP, voters_in_log: bool = False
) -> Iterator[apache.ApacheNode]:
    """A running Apache Kafka broker in `directory`, stopped at the end and gone even if the test run is killed."""
    node = new_apache_node(directory, settings, heap=heap)
    node.voters_in_log = voters_in_log
    with _original_data_home():
        node.start()
    try:
        yield node
    finally:
        node.stop()


def new_apache_node(
    directory: Path, settings: Mapping[str, str] | None = None, *, heap: str = HEAP
) -> apache.ApacheNode:
    """The same, not started."""
    classpath()
    return apache.ApacheNode(
        directory,
        free_port(),
        free_port(),
        settings={**_IMPATIENT, **(settings or {})},
        heap=heap,
        jvm_flags=_QUICK_JVM,
        dies_with_parent=True,
    )


@contextlib.contextmanager
def apache_cluster(folder: Path, settings: Mapping[str, str], *, nodes: int, heap: str = HEAP) -> Iterator[str]:
    """A cluster of Apache Kafka, as its user starts it: `logctl up --engine apache --nodes N`. Answers the addresses of
    its brokers."""
    classpath()
    flags = "--engine", "apache", "--heap", heap
    env = {"KAFKA_JVM_PERFORMANCE_OPTS": " ".join(_QUICK_JVM)}
    with _original_data_home(), several_up(folder, {**_IMPATIENT, **settings}, nodes, *flags, env=env) as bootstrap:
        yield bootstrap


@contextlib.contextmanager
def _original_data_home() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if _DATA_HOME is None:
            patch.delenv("XDG_DATA_HOME", raising=False)
        else:
            patch.setenv("XDG_DATA_HOME", _DATA_HOME)
        yield
