"""librdkafka, by confluent-kafka."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from support.clients import (
    PATIENCE_S,
    Done,
    Message,
    Read,
    Sending,
    SendingThread,
    Start,
    Stream,
    error_name,
    fresh_range,
)

_IMPATIENT = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20}


class Librdkafka:
    name = "librdkafka"
    lacks: frozenset[str] = frozenset()

    def __init__(self, **settings: Any) -> None:
        """`settings` are further ones of its producers (dots in names as underscores)."""
        self._more = {name.replace("_", "."): value for name, value in settings.items()}

    def sender(self, bootstrap: str, sending: Sending) -> LibrdkafkaSender:
        return LibrdkafkaSender(bootstrap, sending, self._more)

    def reader(
        self, bootstrap: str, topic: str, partition: int, start: Start | int, *, max_wait_ms: int = 500
    ) -> LibrdkafkaReader:
        return LibrdkafkaReader(bootstrap, topic, partition, start, max_wait_ms)

    def offset_at(self, bootstrap: str, topic: str, partition: int, timestamp_ms: int) -> int | None:
        consumer = _consumer(bootstrap)
        try:
            question = TopicPartition(topic, partition, timestamp_ms)
            [answer] = consumer.offsets_for_times([question], timeout=PATIENCE_S)
        finally:
            consumer.close()
        assert answer.error is None, answer.error
        return answer.offset if answer.offset >= 0 else None

    def stream(self, bootstrap: str, process: str, topic: str, partitions: int, pause_s: float = 0) -> Stream:
        sender = self.sender(bootstrap, Sending(idempotent=True, linger_ms=1, codec="lz4"))
        return SendingThread(sender, process, topic, partitions, fresh_range(), pause_s)


class LibrdkafkaSender:
    def __init__(self, bootstrap: str, sending: Sending, more: Mapping[str, Any] | None = None) -> None:
        settings = {
            "bootstrap.servers": bootstrap,
            "acks": sending.acks,
            "compression.type": sending.codec,
            "enable.idempotence": sending.idempotent,
            "linger.ms": sending.linger_ms,
            "batch.size": sending.batch_bytes,
            "message.max.bytes": sending.max_bytes,
            "delivery.timeout.ms": 120000,
            "error_cb": lambda error: None,
            "logger": SILENCE,
        }
        self._producer = Producer(settings | _IMPATIENT | dict(more or {}))
        self._closing = threading.Event()
        self._reports = threading.Thread(target=self._collect_reports)
        self._reports.start()

    def send(self, topic: str, partition: int | None, message: Message, done: Done) -> None:
        def report(error: KafkaError | None, record: Any) -> None:
            done(None if error else record.offset(), _named(error) if error else None)

        self._producer.produce(
            topic,
            message.value,
            message.key,
            partition=-1 if partition is None else partition,
            timestamp=message.timestamp_ms or 0,
            headers=list(message.headers) or None,
            on_delivery=report,
        )

    def close(self) -> None:
        self._producer.flush(PATIENCE_S * 2)
        self._closing.set()
        self._reports.join()

    def _collect_reports(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.05)

    def __enter__(self) -> LibrdkafkaSender:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class LibrdkafkaReader:
    def __init__(self, bootstrap: str, topic: str, partition: int, start: Start | int, max_wait_ms: int) -> None:
        self._consumer = _consumer(bootstrap, **{"fetch.wait.max.ms": max_wait_ms})
        if isinstance(start, Start):
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE_S)
            start = low if start is Start.BEGINNING else high
        self._consumer.assign([TopicPartition(topic, partition, start)])

    def next(self, timeout_s: float = PATIENCE_S) -> Read | None:
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            record = self._consumer.poll(left)
            if record is not None and record.error() is None:
                headers = tuple(record.headers() or ())
                return Read(record.offset(), record.value(), record.key(), headers, record.timestamp()[1])
            if record is not None and not record.error().retriable():
                raise AssertionError(record.error())
        return None

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> LibrdkafkaReader:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _consumer(bootstrap: str, **more: Any) -> Consumer:
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": "unused: partitions are assigned",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "check.crcs": True,
        "receive.message.max.bytes": 64 << 20,
        "error_cb": lambda error: None,
        "logger": SILENCE,
    }
    return Consumer(settings | _IMPATIENT | more)


def _named(error: KafkaError) -> str:
    return error_name(error.code()) if error.code() > 0 else str(error.name())


class _Silence:
    """librdkafka reports each lost connection on stderr unless it is given a logger."""

    def log(self, *ignored: object) -> None: ...


SILENCE: Any = _Silence()
