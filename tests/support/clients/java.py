"""The Java producer and consumer of Apache Kafka, driven through tests/clients/java/Clients.java."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from support.clients import PATIENCE_S, Done, Message, Read, Sending, Start, Stream, fresh_range
from support.history import Outcome, Send
from support.java import JavaProgram, compile_java

_FOLDER = Path(__file__).parents[2] / "clients" / "java"
SOURCES = [_FOLDER / "Clients.java", _FOLDER / "GroupMember.java"]
_IMPATIENT = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20}


class Java:
    name = "java"
    lacks: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._program = JavaProgram("Clients", compile_java(SOURCES))

    def close(self) -> None:
        self._program.close()

    def ask(self, do: str, **question: Any) -> dict[str, Any]:
        answer = self._program.ask({"do": do, **question})
        assert "error" not in answer, answer["error"]
        return answer

    def sender(self, bootstrap: str, sending: Sending) -> JavaSender:
        return JavaSender(self, bootstrap, sending)

    def reader(
        self, bootstrap: str, topic: str, partition: int, start: Start | int, *, max_wait_ms: int = 500
    ) -> JavaReader:
        return JavaReader(self, bootstrap, topic, partition, start, max_wait_ms)

    def offset_at(self, bootstrap: str, topic: str, partition: int, timestamp_ms: int) -> int | None:
        question = {"topic": topic, "partition": partition, "timestamp_ms": timestamp_ms}
        offset: int | None = self.ask("offset_at", settings=_consumer(bootstrap), **question)["offset"]
        return offset

    def stream(self, bootstrap: str, process: str, topic: str, partitions: int, pause_s: float = 0) -> Stream:
        return JavaStream(self, bootstrap, process, topic, partitions, pause_s)


class JavaSender:
    """Gathers, and sends all on close."""

    def __init__(self, home: Java, bootstrap: str, sending: Sending) -> None:
        self._home = home
        self._settings = _producer(bootstrap, sending)
        self._messages: list[dict[str, Any]] = []
        self._dones: list[Done] = []

    def send(self, topic: str, partition: int | None, message: Message, done: Done) -> None:
        self._messages.append(
            {
                "topic": topic,
                "partition": partition,
                "key": _text(message.key),
                "value": _text(message.value),
                "headers": [[name, _text(value)] for name, value in message.headers],
                "timestamp_ms": message.timestamp_ms,
            }
        )
        self._dones.append(done)

    def close(self) -> None:
        results = self._home.ask("send", settings=self._settings, messages=self._messages)["results"]
        for done, result in zip(self._dones, results, strict=True):
            done(result.get("offset"), result.get("error"))

    def __enter__(self) -> JavaSender:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class JavaReader:
    def __init__(
        self, home: Java, bootstrap: str, topic: str, partition: int, start: Start | int, max_wait_ms: int
    ) -> None:
        self._home = home
        begin = start.value if isinstance(start, Start) else start
        settings = _consumer(bootstrap) | {"fetch.max.wait.ms": max_wait_ms}
        self._handle = home.ask("open", settings=settings, topic=topic, partition=partition, start=begin)["handle"]

    def next(self, timeout_s: float = PATIENCE_S) -> Read | None:
        said = self._home.ask("next", handle=self._handle, timeout_ms=int(timeout_s * 1000)).get("record")
        if said is None:
            return None
        headers = tuple((name, _bytes(value)) for name, value in said["headers"])
        return Read(said["offset"], _bytes(said["value"]), _bytes(said["key"]), headers, said["timestamp_ms"])

    def close(self) -> None:
        self._home.ask("close", handle=self._handle)

    def __enter__(self) -> JavaReader:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class JavaStream:
    def __init__(
        self, home: Java, bootstrap: str, process: str, topic: str, partitions: int, pause_s: float
    ) -> None:
        self._home, self._process, self._topic = home, process, topic
        settings = _producer(bootstrap, Sending(idempotent=True, linger_ms=1, codec="zstd"))
        question = {"topic": topic, "partitions": partitions, "first": fresh_range(), "pause_ms": int(pause_s * 1000)}
        self._handle = home.ask("stream", settings=settings, **question)["handle"]

    def acknowledged(self) -> int:
        count: int = self._home.ask("acknowledged", handle=self._handle)["count"]
        return count

    def stop(self) -> list[Send]:
        return [self._send(*row) for row in self._home.ask("stop", handle=self._handle)["sends"]]

    def _send(
        self, partition: int, value: int, began_ns: int, ended_ns: int | None, offset: int | None, error: str | None
    ) -> Send:
        """Java's nanoTime and Python's monotonic clock are the same clock on Linux."""
        told = Outcome.OK if ended_ns and error is None else Outcome.INFO
        ended = ended_ns / 1e9 if ended_ns else float("inf")
        return Send(self._process, (self._topic, partition), value, began_ns / 1e9, ended, told, offset)


def _producer(bootstrap: str, sending: Sending) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "acks": sending.acks,
        "compression.type": sending.codec,
        "enable.idempotence": str(sending.idempotent).lower(),
        "linger.ms": sending.linger_ms,
        "batch.size": sending.batch_bytes,
        "max.request.size": sending.max_bytes,
        "buffer.memory": 64 << 20,
        "delivery.timeout.ms": 120000,
        "request.timeout.ms": 20000,
        **_IMPATIENT,
    }


def _consumer(bootstrap: str) -> dict[str, Any]:
    return {"bootstrap.servers": bootstrap, "enable.auto.commit": "false", "auto.offset.reset": "none", **_IMPATIENT}


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
