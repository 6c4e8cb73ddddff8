"""Apache Kafka for tests: the classpath, one node, and what to say when it cannot be had."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.ports import free_port
from support.waiting import wait_until

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
    directory: Path, settings: Mapping[str, str] | None = None, *, heap: str = HEAP
) -> Iterator[apache.ApacheNode]:
    """A running Apache Kafka broker in `directory`, stopped at the end and gone even if the test run is killed."""
    node = new_apache_node(directory, settings, heap=heap)
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
    its brokers. It is gone at the end, and also when the test run is killed: the command is told then, and stops it."""
    classpath()
    first, diary = free_ports_in_a_row(nodes), folder / "diary"
    guard = shutil.which("setpriv")
    command = [*([guard, "--pdeathsig", "TERM"] if guard else []), sys.executable, "-m", "logctl", "up"]
    command += ["--engine", "apache", "--nodes", str(nodes), "--data", str(folder), "--port", str(first)]
    command += ["--heap", heap]
    for name, value in {**_IMPATIENT, **settings}.items():
        command += ["-c", f"{name}={value}"]
    with _original_data_home(), diary.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env={**os.environ, "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(_QUICK_JVM)},
        )  # fmt: skip
    try:
        wait_until(lambda: _is_ready(process, diary), "the cluster to be ready", timeout_s=120)
        yield ",".join(f"127.0.0.1:{first + index}" for index in range(nodes))
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()  # the second time means at once: its data is thrown away
        process.wait(60)


def free_ports_in_a_row(count: int) -> int:
    """The first of so many ports in a row that are ours."""
    taken = [free_port()]
    while len(taken) < count or taken[-1] - taken[-count] != count - 1:
        taken.append(free_port())
    return taken[-count]


def _is_ready(process: subprocess.Popen[bytes], diary: Path) -> bool:
    assert process.poll() is None, diary.read_text()
    return " ready " in diary.read_text()


@contextlib.contextmanager
def _original_data_home() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if _DATA_HOME is None:
            patch.delenv("XDG_DATA_HOME", raising=False)
        else:
            patch.setenv("XDG_DATA_HOME", _DATA_HOME)
        yield
