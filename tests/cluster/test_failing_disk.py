"""A node whose disk is full, or takes no more: what lies there is led by others within moments, and nothing is lost."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from support.controller import CLUSTER_ID
from support.node import Node
from support.trio import running_nodes
from support.waiting import wait_until

from logctl import local
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.engine.directory import format_directories
from logctl.engine.log.disk import RealDisk
from logctl.engine.node import new_uuid
from logctl.wire import errors
from logctl.wire.messages.describe_log_dirs import DescribeLogDirsRequest

ROOM_BYTES = 4 << 20
RECORD_BYTES = 100_000
RECORDS = 80
ROUNDS = int(os.environ.get("LOGCTL_CLUSTER_ROUNDS", "1"))


class Trouble(NamedTuple):
    """What is done to node 1, and how it is undone while the node is down."""

    begin: Callable[[Node], None]
    end: Callable[[], None]


@contextmanager
def full_file_system(path: Path) -> Iterator[Trouble]:
    """A file system of four megabytes."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES}", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        with limited_files(path) as other:  # this machine lets nobody mount: what is left to do is less real
            yield other
        return
    more = ["mount", "-o", f"remount,size={16 * ROOM_BYTES}", str(path)]
    try:
        yield Trouble(lambda node: None, lambda: subprocess.run(more, check=True) and None)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@contextmanager
def limited_files(path: Path) -> Iterator[Trouble]:
    """No file of the node may grow beyond four megabytes."""
    limits = ROOM_BYTES, ROOM_BYTES
    yield Trouble(lambda node: resource.prlimit(node.pid, resource.RLIMIT_FSIZE, limits) and None, lambda: None)


def describe(node: Node) -> dict[int, tuple[int, list[int]]]:
    """(leader, in sync) of each partition."""
    admin = KafkaAdminClient(bootstrap_servers=node.address)
    told: Any = admin.describe_topics(["orders"])[0]["partitions"]
    admin.close()
    number, leader, isr = (
        next(one for one in names if one in told[0])
        for names in (("partition", "partition_index"), ("leader", "leader_id"), ("isr", "isr_nodes"))
    )
    return {one[number]: (one[leader], sorted(one[isr])) for one in told}


def has_left(nodes: dict[int, Node], partition: int) -> bool:
    leader, isr = describe(nodes[2])[partition]
    return leader in (2, 3) and isr == [2, 3]


def all_in_sync(nodes: dict[int, Node]) -> bool:
    return all(isr == [1, 2, 3] for _, isr in describe(nodes[2]).values())


def create(nodes: dict[int, Node], partitions: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=nodes[1].address)
    placed = {number: [1, 2, 3] for number in range(partitions)}
    least = {"min.insync.replicas": "2"}
    admin.create_topics([NewTopic("orders", -1, -1, replica_assignments=placed, topic_configs=least)])
    admin.close()


def produce(nodes: dict[int, Node], partition: int) -> None:
    """Every record is acknowledged, by whoever leads."""
    addresses = ",".join(one.address for one in nodes.values())
    producer = Producer({"bootstrap.servers": addresses, "acks": "all", "linger.ms": 0, "batch.num.messages": 1})
    told: list[Any] = []
    for number in range(RECORDS):
        value = b"%d " % number + b"x" * RECORD_BYTES
        producer.produce("orders", value, partition=partition, on_delivery=lambda error, message: told.append(error))
    assert not producer.flush(60)
    assert told == [None] * RECORDS


def read(nodes: dict[int, Node], partition: int) -> list[int]:
    addresses = ",".join(one.address for one in nodes.values())
    consumer = Consumer({"bootstrap.servers": addresses, "group.id": "readers", "enable.auto.commit": False})
    consumer.assign([TopicPartition("orders", partition, 0)])
    values: list[int] = []

    def has_all() -> bool:
        message = consumer.poll(0.2)
        if message is not None and not message.error():
            values.append(int(message.value().split()[0]))
        return len(set(values)) == RECORDS

    wait_until(has_all, "every record")
    consumer.close()
    return sorted(set(values))


def directory_errors(node: Node) -> dict[str, int]:
    with Client(parse_addresses(node.address)) as client:
        answer: Any = client.ask(parse_addresses(node.address)[0], DescribeLogDirsRequest(topics=None), Deadline(10))
    return {one.log_dir: one.error_code for one in answer.results}


@pytest.mark.parametrize("trouble", [full_file_system, limited_files][: 2 if ROUNDS > 1 else 1])
def test_a_directory_that_takes_no_more_gives_its_leaders_away(trouble: Any, tmp_path: Path) -> None:
    log_dir, extra = local.log_dir_of(tmp_path, 1), tmp_path / "extra"
    extra.mkdir()
    with trouble(extra) as given:
        paths = [str(log_dir), str(extra)]
        format_directories(RealDisk(), paths, cluster_id=CLUSTER_ID, node_id=1, new_uuid=new_uuid, now_ms=0)
        with running_nodes(tmp_path, 3, settings_of={1: {"log.dirs": ",".join(paths)}}) as nodes:
            create(nodes, 2)
            wait_until(lambda: any(extra.glob("orders-?")), "a partition to lie in the other directory")
            [hit] = [int(one.name[-1]) for one in extra.glob("orders-?")]
            given.begin(nodes[1])
            produce(nodes, hit)
            wait_until(partial(has_left, nodes, hit), "others to lead and be in sync")
            assert describe(nodes[1])[1 - hit] == (1, [1, 2, 3]), "the other directory is as before"
            assert directory_errors(nodes[1]) == {str(log_dir): errors.NONE, str(extra): errors.KAFKA_STORAGE_ERROR}
            assert f"The log directory {extra} is closed" in nodes[1].diary
            assert read(nodes, hit) == list(range(RECORDS))
            nodes[1].kill()
            given.end()
            nodes[1].start()
            wait_until(partial(all_in_sync, nodes), "node 1 to be in sync again")
            nodes[1].stop()


def test_a_node_whose_only_directory_takes_no_more_stops_and_others_go_on(tmp_path: Path) -> None:
    with running_nodes(tmp_path, 3) as nodes:
        create(nodes, 1)
        resource.prlimit(nodes[1].pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, ROOM_BYTES))
        produce(nodes, 0)
        wait_until(partial(has_left, nodes, 0), "others to lead and be in sync")
        wait_until(lambda: "The metadata log cannot be kept" in nodes[1].diary, "it to say why it stops")
        assert read(nodes, 0) == list(range(RECORDS))
        nodes[1].kill()
        nodes[1].start()
        wait_until(partial(all_in_sync, nodes), "node 1 to be in sync again")
