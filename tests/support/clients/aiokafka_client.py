"""aiokafka: asyncio, run on one loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
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

Result = TypeVar("Result")


class Aiokafka:
    name = "aiokafka"
    lacks: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aiokafka", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def sender(self, bootstrap: str, sending: Sending) -> AiokafkaSender:
        return AiokafkaSender(self, bootstrap, sending)

    def reader(
        self, bootstrap: str, topic: str, partition: int, start: Start | int, *, max_wait_ms: int = 500
    ) -> AiokafkaReader:
        return AiokafkaReader(self, bootstrap, topic, partition, start, max_wait_ms)

    def offset_at(self, bootstrap: str, topic: str, partition: int, timestamp_ms: int) -> int | None:
        return self.run(_offset_at(bootstrap, TopicPartition(topic, partition), timestamp_ms))

    def stream(self, bootstrap: str, process: str, topic: str, partitions: int, pause_s: float = 0) -> Stream:
        sender = self.sender(bootstrap, Sending(idempotent=True, linger_ms=1, codec="snappy"))
        return SendingThread(sender, process, topic, partitions, fresh_range(), pause_s)


class AiokafkaSender:
    def __init__(self, home: Aiokafka, bootstrap: str, sending: Sending) -> None:
        self._home = home
        self._producer = home.run(_started_producer(bootstrap, sending))
        self._answers: set[asyncio.Future[Any]] = set()

    def send(self, topic: str, partition: int | None, message: Message, done: Done) -> None:
        self._home.run(self._enqueue(topic, partition, message, done))

    def close(self) -> None:
        self._home.run(self._finish())

    async def _enqueue(self, topic: str, partition: int | None, message: Message, done: Done) -> None:
        answer = await self._producer.send(
            topic, message.value, message.key, partition, message.timestamp_ms, headers=list(message.headers)
        )
        self._answers.add(answer)
        answer.add_done_callback(lambda future: self._report(future, done))

    def _report(self, answer: asyncio.Future[Any], done: Done) -> None:
        self._answers.discard(answer)
        failure = answer.exception()
        record = None if failure else answer.result()  # with acks=0 there is none
        done(record and record.offset, _named(failure) if failure else None)

    async def _finish(self) -> None:
        await self._producer.stop()
        if self._answers:
            await asyncio.wait(self._answers)

    def __enter__(self) -> AiokafkaSender:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class AiokafkaReader:
    def __init__(
        self, home: Aiokafka, bootstrap: str, topic: str, partition: int, start: Start | int, max_wait_ms: int
    ) -> None:
        self._home = home
        self._consumer = home.run(_positioned_consumer(bootstrap, TopicPartition(topic, partition), start, max_wait_ms))

    def next(self, timeout_s: float = PATIENCE_S) -> Read | None:
        return self._home.run(self._next(timeout_s))

    async def _next(self, timeout_s: float) -> Read | None:
        try:
            record = await asyncio.wait_for(self._consumer.getone(), timeout_s)
        except TimeoutError:
            return None
        return Read(record.offset, record.value, record.key, tuple(record.headers), record.timestamp)

    def close(self) -> None:
        self._home.run(self._consumer.stop())

    def __enter__(self) -> AiokafkaReader:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


async def _started_producer(bootstrap: str, sending: Sending) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all" if sending.acks == "all" else int(sending.acks),
        compression_type=None if sending.codec == "none" else sending.codec,
        enable_idempotence=sending.idempotent,
        linger_ms=sending.linger_ms,
        max_batch_size=max(sending.batch_bytes, sending.max_bytes if sending.batch_bytes >= 1 << 20 else 0),
        max_request_size=sending.max_bytes,
        request_timeout_ms=120_000,  # a batch that waits longer is dropped, which ends an idempotent producer
        retry_backoff_ms=20,
    )
    await producer.start()
    return producer


async def _positioned_consumer(
    bootstrap: str, where: TopicPartition, start: Start | int, max_wait_ms: int
) -> AIOKafkaConsumer:
    consumer = await _started_consumer(bootstrap, max_wait_ms)
    consumer.assign([where])
    if isinstance(start, Start):
        ask = consumer.beginning_offsets if start is Start.BEGINNING else consumer.end_offsets
        start = (await ask([where]))[where]
    consumer.seek(where, start)
    return consumer


async def _started_consumer(bootstrap: str, max_wait_ms: int = 500) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=max_wait_ms,
        max_partition_fetch_bytes=4 << 20,
        retry_backoff_ms=20,
    )
    await consumer.start()
    return consumer


async def _offset_at(bootstrap: str, where: TopicPartition, timestamp_ms: int) -> int | None:
    consumer = await _started_consumer(bootstrap)
    try:
        answer = (await consumer.offsets_for_times({where: timestamp_ms}))[where]
    finally:
        await consumer.stop()
    return None if answer is None else int(answer.offset)


def _named(failure: BaseException) -> str:
    code = getattr(failure, "errno", None)
    return error_name(code) if isinstance(code, int) and code > 0 else f"{type(failure).__name__}: {failure}"
