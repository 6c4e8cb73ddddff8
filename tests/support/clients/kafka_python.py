"""kafka-python: pure Python, blocking."""

from __future__ import annotations

import gc
import socket
import time
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
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

_IMPATIENT = {"reconnect_backoff_ms": 20, "reconnect_backoff_max_ms": 200, "retry_backoff_ms": 20}


class KafkaPython:
    name = "kafka-python"
    lacks: frozenset[str] = frozenset({"null headers"})

    def sender(self, bootstrap: str, sending: Sending) -> KafkaPythonSender:
        return KafkaPythonSender(bootstrap, sending)

    def reader(
        self, bootstrap: str, topic: str, partition: int, start: Start | int, *, max_wait_ms: int = 500
    ) -> KafkaPythonReader:
        return KafkaPythonReader(bootstrap, topic, partition, start, max_wait_ms)

    def offset_at(self, bootstrap: str, topic: str, partition: int, timestamp_ms: int) -> int | None:
        consumer = _consumer(bootstrap)
        try:
            where = TopicPartition(topic, partition)
            answer = consumer.offsets_for_times({where: timestamp_ms})[where]
        finally:
            consumer.close()
        return None if answer is None else answer.offset

    def stream(self, bootstrap: str, process: str, topic: str, partitions: int, pause_s: float = 0) -> Stream:
        sender = self.sender(bootstrap, Sending(idempotent=True, linger_ms=1, codec="gzip"))
        return SendingThread(sender, process, topic, partitions, fresh_range(), pause_s)


class KafkaPythonSender:
    def __init__(self, bootstrap: str, sending: Sending) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all" if sending.acks == "all" else int(sending.acks),
            compression_type=None if sending.codec == "none" else sending.codec,
            enable_idempotence=sending.idempotent,
            linger_ms=sending.linger_ms,
            batch_size=sending.batch_bytes,
            max_request_size=sending.max_bytes,
            delivery_timeout_ms=120000,
            request_timeout_ms=20000,
            **_IMPATIENT,
        )

    def send(self, topic: str, partition: int | None, message: Message, done: Done) -> None:
        future = self._producer.send(
            topic,
            value=message.value,
            key=message.key,
            headers=list(message.headers),
            partition=partition,
            timestamp_ms=message.timestamp_ms,
        )
        future.add_callback(lambda record: done(record.offset, None))
        future.add_errback(lambda failure: done(None, _named(failure)))

    def close(self) -> None:
        self._producer.close(timeout=PATIENCE_S * 2)
        close_forgotten_sockets()

    def __enter__(self) -> KafkaPythonSender:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class KafkaPythonReader:
    def __init__(self, bootstrap: str, topic: str, partition: int, start: Start | int, max_wait_ms: int) -> None:
        self._consumer = _consumer(bootstrap, fetch_max_wait_ms=max_wait_ms)
        self._where = where = TopicPartition(topic, partition)
        self._consumer.assign([where])
        if isinstance(start, Start):
            ask = self._consumer.beginning_offsets if start is Start.BEGINNING else self._consumer.end_offsets
            start = ask([where])[where]
        self._consumer.seek(where, start)
        self._waiting: list[Any] = []

    def next(self, timeout_s: float = PATIENCE_S) -> Read | None:
        deadline = time.monotonic() + timeout_s
        while not self._waiting:
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                return None
            self._waiting = self._consumer.poll(timeout_ms=left_ms).get(self._where, [])
        record = self._waiting.pop(0)
        return Read(record.offset, record.value, record.key, tuple(record.headers), record.timestamp)

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> KafkaPythonReader:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def close_forgotten_sockets() -> None:
    """kafka-python neither closes nor lets go of a socket whose connection was refused (seen in 3.0.12)."""
    for thing in gc.get_objects():
        # Not isinstance: it asks a weak reference's proxy for the class of what may be gone.
        if issubclass(type(thing), socket.socket) and thing.fileno() >= 0 and thing.family == socket.AF_INET:
            host, port = thing.getsockname()
            if host == "0.0.0.0" and port:
                thing.close()


def _consumer(bootstrap: str, **more: Any) -> KafkaConsumer:
    settings = {
        "bootstrap_servers": bootstrap,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "max_partition_fetch_bytes": 4 << 20,
    }
    return KafkaConsumer(**(settings | _IMPATIENT | more))


def _named(failure: BaseException) -> str:
    code = getattr(failure, "errno", None)
    return error_name(code) if isinstance(code, int) and code > 0 else f"{type(failure).__name__}: {failure}"
