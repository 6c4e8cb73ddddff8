"""kcat, the binary: what a shell user has. It is told no offsets, sets no times, looks for the
end when it likes, and says refusals on stderr."""

from __future__ import annotations

import itertools
import os
import re
import selectors
import shutil
import subprocess
import time

import pytest
from support.clients import PATIENCE_S, Done, Message, Read, Sending, Start, Stream

_REFUSALS = {"Broker: Message size too large": "MESSAGE_TOO_LARGE"}
_RECORD_FORMAT = "%o %T %K %S|%k%s|%h\\n"
_RECORD = re.compile(rb"(-?\d+) (-?\d+) (-?\d+) (-?\d+)\|")


class Kcat:
    name = "kcat"
    lacks = frozenset({"timestamps", "offsets", "position", "binary", "null headers", "stream"})

    def sender(self, bootstrap: str, sending: Sending) -> KcatSender:
        return KcatSender(bootstrap, sending)

    def reader(
        self, bootstrap: str, topic: str, partition: int, start: Start | int, *, max_wait_ms: int = 500
    ) -> KcatReader:
        return KcatReader(bootstrap, topic, partition, start, max_wait_ms)

    def offset_at(self, bootstrap: str, topic: str, partition: int, timestamp_ms: int) -> int | None:
        answer = _run("-b", bootstrap, "-Q", "-t", f"{topic}:{partition}:{timestamp_ms}")
        match = re.search(r"offset (-?\d+)", answer.stdout)
        assert match, answer
        return int(match[1]) if int(match[1]) >= 0 else None

    def stream(self, bootstrap: str, process: str, topic: str, partitions: int) -> Stream:
        raise NotImplementedError("kcat does not say which of its messages were acknowledged")


class KcatSender:
    """Gathers, and sends on close: one run of kcat for each stretch of messages with the same headers and shape."""

    def __init__(self, bootstrap: str, sending: Sending) -> None:
        self._bootstrap, self._sending = bootstrap, sending
        self._gathered: list[tuple[str, int | None, Message, Done]] = []

    def send(self, topic: str, partition: int | None, message: Message, done: Done) -> None:
        self._gathered.append((topic, partition, message, done))

    def close(self) -> None:
        for (topic, partition, headers, keyed, empty), stretch in itertools.groupby(self._gathered, key=_shape):
            several = list(stretch)
            flags = [flag for name, value in headers for flag in ("-H", f"{name}={(value or b'').decode()}")]
            flags += ["-K", "\x1f"] if keyed else []
            flags += ["-Z"] if empty else []
            flags += ["-p", str(partition)] if partition is not None else []
            text = b"".join(_line(message, keyed) for _, _, message, _ in several)
            refusal = self._produce(topic, flags, text)
            for *_, done in several:
                done(None, refusal)

    def _produce(self, topic: str, flags: list[str], text: bytes) -> str | None:
        how = self._sending
        settings = {
            "acks": how.acks, "linger.ms": how.linger_ms, "batch.size": how.batch_bytes,
            "message.max.bytes": how.max_bytes, "enable.idempotence": str(how.idempotent).lower(),
        }  # fmt: skip
        wanted = [flag for name, value in settings.items() for flag in ("-X", f"{name}={value}")]
        codec = ["-z", how.codec] if how.codec != "none" else []
        command = ["-b", self._bootstrap, "-P", "-t", topic, "-D", "\x1e", *codec, *wanted, *flags]
        done = _run(*command, stdin=text)
        if done.returncode == 0 and "Delivery failed" not in done.stderr:
            return None
        return next((name for words, name in _REFUSALS.items() if words in done.stderr), done.stderr.strip())

    def __enter__(self) -> KcatSender:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class KcatReader:
    def __init__(self, bootstrap: str, topic: str, partition: int, start: Start | int, max_wait_ms: int) -> None:
        begin = start.value if isinstance(start, Start) else str(start)
        command = ["-b", bootstrap, "-C", "-t", topic, "-p", str(partition), "-o", begin, "-u", "-q"]
        command += ["-f", _RECORD_FORMAT, "-X", f"fetch.wait.max.ms={max_wait_ms}", "-X", "check.crcs=true"]
        self._process = subprocess.Popen(
            [binary(), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        self._said, self._taken = b"", 0
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._pipe, selectors.EVENT_READ)

    def next(self, timeout_s: float = PATIENCE_S) -> Read | None:
        deadline = time.monotonic() + timeout_s
        while (record := self._take()) is None:
            left = deadline - time.monotonic()
            if left <= 0 or not self._ready.select(left):
                return None
            piece = os.read(self._pipe, 1 << 16)
            assert piece, "kcat ended"
            self._said, self._taken = self._said[self._taken :] + piece, 0
        return record

    def _take(self) -> Read | None:
        head = _RECORD.match(self._said, self._taken)
        if head is None:
            return None
        offset, timestamp_ms, key_size, value_size = map(int, head.groups())
        middle = head.end() + max(key_size, 0)
        end = middle + max(value_size, 0)
        stop = self._said.find(b"\n", end)
        if stop < 0:
            return None
        key = self._said[head.end() : middle] if key_size >= 0 else None
        value = self._said[middle:end] if value_size >= 0 else None
        headers = _headers(self._said[end + 1 : stop].decode())
        self._taken = stop + 1
        return Read(offset, value, key, headers, timestamp_ms)

    def close(self) -> None:
        self._ready.close()
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> KcatReader:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def binary() -> str:
    found = shutil.which("kcat")
    if found is None:
        pytest.skip("there is no kcat on PATH")
    return found


def _run(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([binary(), *args], input=stdin, capture_output=True, timeout=PATIENCE_S * 2, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _shape(gathered: tuple[str, int | None, Message, Done]) -> tuple[object, ...]:
    topic, partition, message, _ = gathered
    return topic, partition, message.headers, message.key is not None, message.value is None


def _line(message: Message, keyed: bool) -> bytes:
    key = (message.key or b"") + b"\x1f" if keyed else b""
    return key + (message.value or b"") + b"\x1e"


def _headers(text: str) -> tuple[tuple[str, bytes | None], ...]:
    pairs = (pair.split("=", 1) for pair in text.split(",") if pair)
    return tuple((name, None if value == "NULL" else value.encode()) for name, value in pairs)
