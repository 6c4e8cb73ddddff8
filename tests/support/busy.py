"""A broker's busy life in short, on either engine: topics of all kinds, every codec, groups, transactions.

`live_through(address, prefix)` is what our node serves today; `run_transactions` what only Apache Kafka does so far.
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)
from support.clients import CODECS, PATIENCE_S, Message, Sending, produce
from support.clients.librdkafka import SILENCE, Librdkafka

CLASSIC: Final = "classic readers"
MODERN: Final = "modern readers"
PAYMENTS: Final = "payments"
GROUPS: Final = (CLASSIC, MODERN, PAYMENTS)
NOW_MS: Final = 1_790_000_000_000


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
