"""librdkafka (by confluent-kafka), kafka-python and aiokafka as members of groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import aiokafka
import aiokafka.coordinator.assignors.range
import confluent_kafka
import kafka
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from support.clients.kafka_python import close_forgotten_sockets
from support.clients.librdkafka import SILENCE
from support.members import ASSIGNED, CONSUMER, COOPERATIVE, EAGER, REVOKED, Consumer, Joining

Note = Callable[[str, Iterable[int]], None]
HEARTBEAT_MS: Final = 300
_MOST_AT_ONCE: Final = 100


class LibrdkafkaConsumer:
    _protocols: Final[Mapping[str, Mapping[str, Any]]] = {
        EAGER: {"partition.assignment.strategy": "range"},
        COOPERATIVE: {"partition.assignment.strategy": "cooperative-sticky"},
        CONSUMER: {"group.protocol": "consumer"},
    }

    def __init__(self, protocol: str, joining: Joining, note: Note) -> None:
        self._topic = joining.topic
        settings: dict[str, Any] = {
            "bootstrap.servers": joining.bootstrap,
            "group.id": joining.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "retry.backoff.ms": 20,
            "fetch.wait.max.ms": 100,
            "topic.metadata.refresh.interval.ms": 1000,
            "error_cb": lambda error: None,
            "logger": SILENCE,
        }
        if joining.instance:
            settings["group.instance.id"] = joining.instance
        if protocol != CONSUMER:
            settings |= {"session.timeout.ms": joining.session_timeout_ms, "heartbeat.interval.ms": HEARTBEAT_MS}
        self._consumer = confluent_kafka.Consumer(settings | self._protocols[protocol])

        def told(what: str) -> Callable[..., None]:
            return lambda _, partitions: note(what, [one.partition for one in partitions])

        self._consumer.subscribe(
            [joining.topic], on_assign=told(ASSIGNED), on_revoke=told(REVOKED), on_lost=told(REVOKED)
        )

    def poll(self, timeout_s: float) -> list[tuple[int, int, bytes | None]]:
        records: list[tuple[int, int, bytes | None]] = []
        record = self._consumer.poll(timeout_s)
        while record is not None and len(records) < _MOST_AT_ONCE:
            if record.error() is None:
                records.append((record.partition(), record.offset(), record.value()))
            record = self._consumer.poll(0)
        if record is not None and record.error() is None:
            records.append((record.partition(), record.offset(), record.value()))
        return records

    def commit(self, positions: Mapping[int, int]) -> None:
        wanted = [confluent_kafka.TopicPartition(self._topic, *one) for one in positions.items()]
        for one in self._consumer.commit(offsets=wanted, asynchronous=False):
            if one.error is not None:
                raise confluent_kafka.KafkaException(one.error)

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(confluent_kafka.TopicPartition(self._topic, partition, offset))

    def close(self) -> None:
        self._consumer.close()


class KafkaPythonConsumer:
    """A poll that ends between JoinGroup and SyncGroup's answer forgets, if new metadata was why it joined again, that
    there is an answer to come (seen in 3.0.12): the member never learns what it was assigned. `poll` reminds it."""

    _assignors: Final = {EAGER: RangePartitionAssignor, COOPERATIVE: CooperativeStickyAssignor}

    def __init__(self, protocol: str, joining: Joining, note: Note) -> None:
        self._topic = joining.topic
        self._consumer = kafka.KafkaConsumer(
            bootstrap_servers=joining.bootstrap,
            group_id=joining.group,
            group_instance_id=joining.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=joining.session_timeout_ms,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_records=_MOST_AT_ONCE,
            reconnect_backoff_ms=20,
            reconnect_backoff_max_ms=200,
            retry_backoff_ms=20,
            partition_assignment_strategy=[self._assignors[protocol]],
        )
        self._consumer.subscribe([joining.topic], listener=_KafkaPythonListener(note))

    def poll(self, timeout_s: float) -> list[tuple[int, int, bytes | None]]:
        coordinator = self._consumer._coordinator
        if coordinator.rejoining:
            coordinator.request_rejoin()
        found = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        return [(one.partition, one.offset, one.value) for records in found.values() for one in records]

    def commit(self, positions: Mapping[int, int]) -> None:
        self._consumer.commit(
            {
                kafka.TopicPartition(self._topic, partition): kafka.OffsetAndMetadata(offset, "", -1)
                for partition, offset in positions.items()
            }
        )

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(kafka.TopicPartition(self._topic, partition), offset)

    def close(self) -> None:
        self._consumer.close()
        close_forgotten_sockets()


class _KafkaPythonListener(kafka.ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, note: Note) -> None:
        self._note = note

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._note(REVOKED, [one.partition for one in revoked])

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._note(ASSIGNED, [one.partition for one in assigned])

    def on_partitions_lost(self, lost: Any) -> None:
        self._note(REVOKED, [one.partition for one in lost])


class AiokafkaConsumer:
    """Its loop runs in the member's own thread, only while the member polls or asks for something."""

    def __init__(self, protocol: str, joining: Joining, note: Note) -> None:
        assert protocol == EAGER
        self._topic = joining.topic
        self._loop = asyncio.new_event_loop()
        self._consumer = self._loop.run_until_complete(self._started(joining, note))

    async def _started(self, joining: Joining, note: Note) -> aiokafka.AIOKafkaConsumer:
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=joining.bootstrap,
            group_id=joining.group,
            group_instance_id=joining.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=joining.session_timeout_ms,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_records=_MOST_AT_ONCE,
            retry_backoff_ms=20,
            partition_assignment_strategy=[aiokafka.coordinator.assignors.range.RangePartitionAssignor],
        )
        consumer.subscribe([joining.topic], listener=_AiokafkaListener(note))
        await consumer.start()
        return consumer

    def poll(self, timeout_s: float) -> list[tuple[int, int, bytes | None]]:
        found = self._loop.run_until_complete(self._consumer.getmany(timeout_ms=int(timeout_s * 1000)))
        return [(one.partition, one.offset, one.value) for records in found.values() for one in records]

    def commit(self, positions: Mapping[int, int]) -> None:
        wanted = {aiokafka.TopicPartition(self._topic, partition): offset for partition, offset in positions.items()}
        self._loop.run_until_complete(self._consumer.commit(wanted))

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(aiokafka.TopicPartition(self._topic, partition), offset)

    def close(self) -> None:
        self._loop.run_until_complete(self._consumer.stop())
        self._loop.close()


class _AiokafkaListener(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, note: Note) -> None:
        self._note = note

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self._note(REVOKED, [one.partition for one in revoked])

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._note(ASSIGNED, [one.partition for one in assigned])


Opening = Callable[[str, Joining, Note], Consumer]
CONSUMERS: Final[Mapping[str, Opening]] = {
    "librdkafka": LibrdkafkaConsumer,
    "kafka-python": KafkaPythonConsumer,
    "aiokafka": AiokafkaConsumer,
}
