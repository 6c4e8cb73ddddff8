"""A partition moves to another log directory under a producer that never stops, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from clients.conftest import create_topic
from clients.test_kill import final_read, make_progress
from kafka.admin import KafkaAdminClient
from kafka.errors import NoError
from support.clients import Client
from support.engines import Node, started
from support.history import check
from support.waiting import wait_until

from logctl import local

pytestmark = pytest.mark.on_both


def home(admin: KafkaAdminClient) -> dict[str, bool]:
    """Directories that hold partition 0 of the topic, and whether it is on its way into them."""
    [answer] = admin.describe_log_dirs({"orders": [0]})
    return {
        result["log_dir"]: partition["is_future_key"]
        for result in answer["log_dirs"]
        for topic in result["topics"]
        for partition in topic["partitions"]
    }


def move(admin: KafkaAdminClient, target: str) -> None:
    [outcome] = admin.alter_replica_log_dirs({("orders", 0, 1): target}).values()
    assert outcome is NoError
    wait_until(lambda: home(admin) == {target: False}, f"the partition to arrive in {target}")


def test_there_and_back_again(engine: str, tmp_path: Path, cast: Callable[[str], Client]) -> None:
    writer = cast("librdkafka")
    usual = local.log_dir_of(tmp_path, 1) if engine == "logctl" else tmp_path / "data"
    dirs = [str(usual), str(tmp_path / "second")]
    with started(engine, tmp_path, {"log.dirs": ",".join(dirs)}) as node:
        create_topic(node.address, "orders", 1)
        stream = writer.stream(node.address, "librdkafka", "orders", 1)
        try:
            moves_there_and_back(node, dirs, lambda: make_progress([stream]))
        finally:
            sends = stream.stop()
        node.stop()
        node.start()
        assert check(sends, [final_read(node, cast("kafka-python"), 0)]) == []


def moves_there_and_back(node: Node, dirs: list[str], progress: Callable[[], None]) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=node.address)) as admin:
        wait_until(lambda: len(home(admin)) == 1, "the partition to be listed")
        [first] = home(admin)
        [other] = [path for path in dirs if path != first]
        for target in (other, first, other):
            progress()
            move(admin, target)
        progress()
