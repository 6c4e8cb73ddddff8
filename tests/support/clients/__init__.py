"""Five Kafka clients that nobody here wrote, behind one small vocabulary, so that one story is told by all of them.

    client.sender(bootstrap, Sending(acks="1", codec="lz4"))      -> Sender: send(...), then close() waits for all
    client.reader(bootstrap, topic, partition, start)             -> Reader: next(timeout_s)
    client.offset_at(bootstrap, topic, partition, timestamp_ms)   -> the first offset at or after a time
    client.stream(bootstrap, process, topic, partitions)          -> Stream: sends numbers until stop(), keeps a history

Failures that a broker answered carry Kafka's name for them (`MESSAGE_TOO_LARGE`), whatever the client calls it;
failures of the client's own carry the client's words. Settings that a client lacks are named in its `lacks`.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from support.history import Outcome, Send

from logctl.wire import errors

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PATIENCE_S = 30.0
"""How long a story waits for what must happen before it calls it a failure."""


@dataclass(frozen=True)
class Message:
    """What goes in; a time of None leaves the time to the client."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None


@dataclass(frozen=True)
class Read:
    """What comes out."""

    offset: int
    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int

    @property
    def message(self) -> Message:
        return Message(self.value, self.key, self.headers, self.timestamp_ms)


class Start(Enum):
    BEGINNING = "beginning"
    END = "end"


@dataclass(frozen=True)
class Sending:
    """How to send. `batch_bytes` and `linger_ms` shape the batches, `max_bytes` is the client's own limit."""

    acks: str = "all"
    codec: str = "none"
    idempotent: bool = False
    linger_ms: int = 20
    batch_bytes: int = 16384
    max_bytes: int = 16 << 20


class Refused(Exception):
    """A message was not taken; `error` is Kafka's name for the reason, or the client's words."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


Done = Callable[[int | None, str | None], None]
"""Called once per message with (offset, None) or (None, error); clients that cannot tell the offset give None."""


class Sender(AbstractContextManager["Sender"], Protocol):
    def send(self, topic: str, partition: int | None, message: Message, done: Done) -> None: ...

    def close(self) -> None:
        """Wait until every message has its answer."""


class Reader(AbstractContextManager["Reader"], Protocol):
    def next(self, timeout_s: float = PATIENCE_S) -> Read | None:
        """The next record, None when none came in time."""

    def close(self) -> None: ...


class Stream(Protocol):
    def acknowledged(self) -> int: ...

    def stop(self) -> list[Send]:
        """Stop sending, wait for what is on its way, and give the history in the order of sending."""


class Client(Protocol):
    name: str
    lacks: frozenset[str]

    def sender(self, bootstrap: str, sending: Sending) -> Sender: ...

    def reader(
        self, bootstrap: str, topic: str, partition: int, start: Start | int, *, max_wait_ms: int = 500
    ) -> Reader: ...

    def offset_at(self, bootstrap: str, topic: str, partition: int, timestamp_ms: int) -> int | None: ...

    def stream(self, bootstrap: str, process: str, topic: str, partitions: int, pause_s: float = 0) -> Stream:
        """`pause_s` between two records, for those who care when and not how many."""
        ...


def produce(
    client: Client,
    bootstrap: str,
    topic: str,
    messages: Sequence[Message],
    *,
    partition: int | None = 0,
    sending: Sending | None = None,
) -> list[int | None]:
    """Send all, wait for all, give their offsets in order; raises `Refused` for the first that was not taken."""
    offsets: dict[int, int | None] = {}
    refusals: list[str] = []

    def note(index: int, offset: int | None, error: str | None) -> None:
        offsets[index] = offset
        if error:
            refusals.append(error)

    with client.sender(bootstrap, sending or Sending()) as sender:
        for index, message in enumerate(messages):
            sender.send(topic, partition, message, lambda offset, error, index=index: note(index, offset, error))
    if refusals:
        raise Refused(refusals[0])
    assert len(offsets) == len(messages), f"{client.name} told the fate of {len(offsets)} of {len(messages)} messages"
    return [offsets[index] for index in range(len(messages))]


def read(
    client: Client, bootstrap: str, topic: str, count: int, *, partition: int = 0, start: Start | int = Start.BEGINNING
) -> list[Read]:
    """The next `count` records from `start`; fewer when no more came."""
    with client.reader(bootstrap, topic, partition, start) as reader:
        records = iter(reader.next, None)
        return list(itertools.islice(records, count))


def error_name(code: int) -> str:
    """Kafka's own name for an error code that a broker answered."""
    return errors.describe(code).name


class SendingThread:
    """A `Stream` for clients that are Python libraries: a thread that keeps a window of sends on their way.

    The values are numbers of this process's own range, in order, dealt round to the partitions.
    """

    window = 100

    def __init__(
        self, sender: Sender, process: str, topic: str, partitions: int, first: int, pause_s: float = 0
    ) -> None:
        self._sender, self._process, self._topic, self._partitions = sender, process, topic, partitions
        self._pause_s = pause_s
        self._values = itertools.count(first)
        self._sends: list[Send] = []
        self._room = threading.Semaphore(self.window)
        self._stopping = threading.Event()
        self._acknowledged = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=process)
        self._thread.start()

    def acknowledged(self) -> int:
        if self._failure:
            raise self._failure
        return self._acknowledged

    def stop(self) -> list[Send]:
        self._stopping.set()
        self._thread.join()
        if self._failure:
            raise self._failure
        return self._sends

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._room.acquire(timeout=0.1):
                    self._send_one(next(self._values))
                    if self._pause_s:
                        self._stopping.wait(self._pause_s)
        except BaseException as failure:
            self._failure = failure
        finally:
            self._sender.close()

    def _send_one(self, value: int) -> None:
        partition, index = value % self._partitions, len(self._sends)
        where = (self._topic, partition)
        began = time.monotonic()
        self._sends.append(Send(self._process, where, value, began, float("inf"), Outcome.INFO))

        def done(offset: int | None, error: str | None) -> None:
            told = Outcome.INFO if error else Outcome.OK
            self._sends[index] = replace(self._sends[index], ended=time.monotonic(), outcome=told, offset=offset)
            self._acknowledged += error is None
            self._room.release()

        self._sender.send(self._topic, partition, Message(b"%d" % value, key=b"%d" % value), done)


_ranges = itertools.count(1)


def fresh_range() -> int:
    """The first number of a range no other stream of this run uses."""
    return next(_ranges) * 100_000_000
