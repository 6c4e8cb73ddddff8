"""One directory, two engines: what one of them wrote, the other serves, adds to, and hands back.

Apache Kafka 4.3.1 as one combined node with static voters, under the node id that our node has. Whoever takes over
must show its clients exactly what the other one showed (`support.inventory`), and after an orderly stop it must find
nothing to recover or to complain of.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from support.clients import CODECS, PATIENCE_S, Message, Sending, produce
from support.clients.librdkafka import SILENCE, Librdkafka
from support.inventory import Inventory, take
from support.two_engines import Shared

from logctl.engine import apache

pytestmark = [pytest.mark.java, pytest.mark.timeout(300)]

CLASSIC, MODERN, PAYMENTS = "classic readers", "modern readers", "payments"
GROUPS = (CLASSIC, MODERN, PAYMENTS)
NOW_MS = 1_790_000_000_000


def admin_of(address: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": address, "logger": SILENCE})


def create(address: str, name: str, partitions: int, **configs: str) -> None:
    given = {key.replace("_", "."): value for key, value in configs.items()}
    admin = admin_of(address)
    [made] = admin.create_topics([NewTopic(name, partitions, 1, config=given)]).values()
    made.result()


def fill(address: str, topic: str, partition: int, *, size: int = 300, count: int = 200) -> None:
    """Every codec, with and without keys, headers, values; times that go back and forth."""
    for number, codec in enumerate(CODECS):
        messages = [
            Message(
                b"%d %d " % (number, one) + b"x" * (size * (one % 3)) if one % 7 else None,
                b"key %d" % (one % 50) if one % 5 or not one % 7 else None,
                (("trace", b"%d" % one), ("trace", None), ("\N{SNOWMAN}", b"")) if one % 4 == 0 else (),
                NOW_MS + (one * 37) % 1000,
            )
            for one in range(count)
        ]
        produce(Librdkafka(), address, topic, messages, partition=partition,
                sending=Sending(codec=codec, idempotent=number % 2 == 0, linger_ms=1, batch_bytes=4096))  # fmt: skip


def commit(address: str, group: str, topic: str, offset: int, protocol: str = "classic") -> None:
    """Join the group, get partitions, commit, leave."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "group.protocol": protocol,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "logger": SILENCE,
        }
    )
    try:
        consumer.subscribe([topic])
        record = consumer.poll(PATIENCE_S)
        assert record is not None, f"{group} got nothing"
        assert record.error() is None, record.error()
        place = TopicPartition(topic, record.partition(), offset, metadata=f"by {group}")
        consumer.commit(offsets=[place], asynchronous=False)
    finally:
        consumer.close()


def run_transactions(address: str, topic: str, source: str) -> None:
    """One that commits records and offsets, one that aborts both."""
    settings = {"bootstrap.servers": address, "transactional.id": "mover", "logger": SILENCE}
    producer = Producer(settings)
    reader = Consumer({"bootstrap.servers": address, "group.id": PAYMENTS, "logger": SILENCE})
    try:
        producer.init_transactions(PATIENCE_S)
        for offset, decide in ((7, producer.commit_transaction), (9, producer.abort_transaction)):
            producer.begin_transaction()
            for number in range(20):
                producer.produce(topic, b"%d of transaction %d" % (number, offset), partition=0)
            producer.send_offsets_to_transaction([TopicPartition(source, 0, offset)], reader.consumer_group_metadata())
            decide(PATIENCE_S)
    finally:
        reader.close()


def set_topic_config(address: str, topic: str, name: str, value: str | None) -> None:
    operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
    entry = ConfigEntry(name, value, incremental_operation=operation)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = admin_of(address)
    [done] = admin.incremental_alter_configs([resource]).values()
    done.result()


def live_through(address: str, prefix: str) -> None:
    """What happens on a broker in a few months, in short."""
    create(address, f"{prefix}.orders", 2, retention_ms="-1", segment_bytes="1048576")
    create(address, f"{prefix}.rare", 1, cleanup_policy="compact", min_compaction_lag_ms="3600000")
    create(address, f"{prefix}.gone", 3)
    fill(address, f"{prefix}.orders", 0, size=4000)
    fill(address, f"{prefix}.orders", 1, count=20)
    keyed = [Message(b"%d" % number, b"key %d" % (number % 10), (), NOW_MS) for number in range(100)]
    produce(Librdkafka(), address, f"{prefix}.rare", keyed, sending=Sending(idempotent=True))
    commit(address, CLASSIC, f"{prefix}.orders", 11)
    commit(address, MODERN, f"{prefix}.orders", 12, "consumer")
    admin = admin_of(address)
    [grown] = admin.create_partitions([NewPartitions(f"{prefix}.orders", 3)]).values()
    grown.result()
    set_topic_config(address, f"{prefix}.orders", "retention.bytes", "100000000")
    [trimmed] = admin.delete_records([TopicPartition(f"{prefix}.orders", 1, 17)]).values()
    assert trimmed.result().low_watermark == 17
    [deleted] = admin.delete_topics([f"{prefix}.gone"]).values()
    deleted.result()


def test_a_directory_goes_from_our_node_to_apache_kafka_and_back_and_back_again(tmp_path: Path) -> None:
    shared = Shared(tmp_path)
    with shared.ours() as ours:
        live_through(ours.address, "first")
        before = take(ours.address, GROUPS)
    assert len(before.records["read_uncommitted", ("first.orders", 0)]) == 1000

    with shared.apache() as peer:
        same(take(peer.address, GROUPS), before)
        live_through(peer.address, "second")
        run_transactions(peer.address, "second.orders", "first.orders")
        set_topic_config(peer.address, "first.orders", "retention.bytes", None)
        fill(peer.address, "first.orders", 0, count=30)
        after = take(peer.address, GROUPS)
    nothing_was_recovered(shared)
    assert len(after.records["read_uncommitted", ("first.orders", 0)]) == 1150
    assert len(after.records["read_committed", ("second.orders", 0)]) == 1020

    with shared.ours() as ours:
        same(take(ours.address, GROUPS), after)
        assert "recovery" not in ours.diary, ours.diary
        fill(ours.address, "first.orders", 0, count=10)
        fill(ours.address, "second.orders", 0, count=10)
        commit(ours.address, MODERN, "second.orders", 99, "consumer")
        last = take(ours.address, GROUPS)

    with shared.apache() as peer:
        same(take(peer.address, GROUPS), last)
        run_transactions(peer.address, "second.orders", "first.orders")
    nothing_was_recovered(shared)


def same(found: Inventory, expected: Inventory) -> None:
    assert found.topics == expected.topics
    assert found.bounds == expected.bounds
    assert found.committed == expected.committed
    for where, records in expected.records.items():
        assert found.records[where] == records, where


def nothing_was_recovered(shared: Shared) -> None:
    assert not shared.apache_complaints()
    assert any("since clean shutdown file was found" in line for line in shared.apache_said())
