"""The short way for the request that a busy broker gets most: Produce with one batch for one partition.

Theory of operation
-------------------
A client that writes to a partition sends requests that differ in the correlation id and in the batch alone:

    api version | correlation id | client id .. acks, timeout .. topic .. partition | length, batch | (empty tags)
    `versions`                     `prefix`, the same every time

So a connection remembers (`learn`) the prefixes that the general handler has answered, each with its replica and the
frame of its answer; `append` finds the replica with one dictionary look-up and hands the batch to the same
`Replica.append` as the general handler: every check is made, only the decoding is saved. A prefix is compared as a
whole, so a request with anything unusual in it (a transactional id, tagged fields, a second topic) simply isn't found.

Where the prefix ends is computed from the one thing that varies in it, the length of the topic's name. A prefix with a
topic id has none; there `varying` points at the header's count of tagged fields, which is 0 in all prefixes learnt.

Where others copy the partition, the answer to acks=all is owed until they have the batch (`acknowledgements.py`): in
its place among the answers stands an `OwedAnswer`, which its replica decides.

Whatever is refused or looks odd is left to the general handler, which finds the same fault again and words the error.
An entry needs no invalidation: it asks its replica each time, and the replica of a deleted topic refuses for good.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.broker.acknowledgements import Owed
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.primitives import MalformedMessage, uvarint

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Lost
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.request import Request
    from logctl.wire.messages.produce import ProduceRequest

GENERAL: Final = 0
"""Not handled here."""
ANSWERED: Final = 1
WAITS: Final = 2
"""Answered, and the answer waits for the flush."""
OWES: Final = 3
"""The answer is owed."""

_VERSIONS: Final = range(7, 14)
"""Before 7 zstd must be refused, which takes a look at more than the prefix."""
_FLEXIBLE_FROM: Final = 9
_TOPIC_ID_FROM: Final = 13
_ENTRIES_MAX: Final = 2000
_NAME_BYTES_MAX: Final = 120

_INT16: Final = Struct(">h")
_INT32: Final = Struct(">i")
_HEADER: Final = Struct(">ii")  # API and version, correlation id; of an answer: size, correlation id
_BATCH_BYTES_MIN: Final = 61
_TRANSACTIONAL: Final = 0x10
_EMPTY_TAGS: Final = b"\0\0\0"  # of the partition, the topic and the request

Refuse = Callable[[int, WireError], bytes]
"""See `AfterCopies`."""


class Entry:
    """One prefix: its replica, and how to answer."""

    __slots__ = ("acks", "flexible", "head", "pack", "refuse", "replica", "size", "tail", "timeout_ms")

    def __init__(self, replica: Replica, acks: int, flexible: bool, head: bytes, tail: bytes) -> None:
        self.timeout_ms = 0
        self.refuse: Refuse | None = None
        """Known once an answer was owed."""
        layout = _layout(len(head), len(tail))
        self.replica = replica
        self.acks = acks
        self.flexible = flexible
        self.head = head
        self.tail = tail
        self.pack = layout.pack
        self.size = layout.size - 4

    def instead(self, answer: bytes, lost: Lost) -> bytes | None:
        """The answer when the append did not survive; None (acks=0) closes the connection."""
        if not lost(self.replica):
            return answer
        if not answer:
            return None
        size, correlation_id = _HEADER.unpack_from(answer)
        return self.pack(size, correlation_id, self.head, errors.KAFKA_STORAGE_ERROR, -1, -1, -1, self.tail)


class OwedAnswer(Owed):
    """What stands in place of an answer until others have the batch: its own only promise."""

    __slots__ = ("_answer", "_correlation_id", "_entry", "_error", "last_offset")

    def __init__(self, entry: Entry, correlation_id: int, answer: bytes, last_offset: int, deadline_ms: int) -> None:
        self.whose = None
        self.decided = False
        self.deadline_ms = deadline_ms
        self.last_offset = last_offset
        self._answer = answer
        self._entry = entry
        self._correlation_id = correlation_id
        self._error: WireError | None = None

    def decide(self, error: WireError | None) -> OwedAnswer:
        self._error = error
        self.decided = True
        return self

    def parts(self) -> list[Any]:
        if self._error is None:
            return [self._answer]
        assert self._entry.refuse is not None
        return [self._entry.refuse(self._correlation_id, self._error)]


@lru_cache
def _layout(head_bytes: int, tail_bytes: int) -> Struct:
    """size, correlation id, head, error code, base offset, append time, log start offset, tail."""
    return Struct(f">ii{head_bytes}shqqq{tail_bytes}s")


class ProducePath:
    """The prefixes one connection has used lately."""

    __slots__ = ("_entries", "_fixed_bytes", "_varying", "_versions")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Send everything through the general handler again: what the connection may do has changed."""
        self._entries: dict[bytes, Entry] = {}
        self._versions = -1
        self._fixed_bytes = self._varying = 0

    def append(
        self, view: memoryview, start: int, stop: int, now_ms: int, answers: list[Any], doubts: list[Any]
    ) -> int:
        """Handle the frame in view[start:stop] if its prefix is known: GENERAL, ANSWERED, WAITS or OWES.

        The answer (nothing for acks=0) and its doubt are added to the lists. One function on purpose: this runs once a
        request, and a call less is several per cent of it.
        """
        versions, correlation_id = _HEADER.unpack_from(view, start)
        if versions != self._versions:
            return GENERAL
        try:
            position = start + self._fixed_bytes + view[start + self._varying]
            entry = self._entries.get(bytes(view[start + 8 : position]))
            if entry is None:
                return GENERAL
            if entry.flexible:
                length = view[position]
                position += 1
                if length > 127:
                    length, position = uvarint(view, position - 1)
                end = position + length - 1
                if end + 3 != stop or bytes(view[end:stop]) != _EMPTY_TAGS:
                    return GENERAL
            else:
                end = position + 4 + _INT32.unpack_from(view, position)[0]
                position += 4
                if end != stop:
                    return GENERAL
            replica = entry.replica
            acks = entry.acks
            owes = acks == -1 and replica.followers is not None
            if (
                end - position < _BATCH_BYTES_MIN
                or view[position + 22] & _TRANSACTIONAL
                or (owes and entry.refuse is None)
            ):
                return GENERAL
            appended = replica.append(view[position:end], acks, now_ms)
        except (IndexError, MalformedMessage, struct.error, WireError):
            return GENERAL
        if appended.duplicate:
            return GENERAL
        if not acks:
            doubts.append(entry)
            answers.append(b"")
            return ANSWERED
        base_offset, last_offset, time_ms, log_start_offset, _ = appended
        answer = entry.pack(
            entry.size, correlation_id, entry.head, 0, base_offset, time_ms, log_start_offset, entry.tail
        )
        if owes:
            owed = OwedAnswer(entry, correlation_id, answer, last_offset, now_ms + entry.timeout_ms)
            replica.promise(owed)
            answers.append(owed)
            doubts.append(None)
            return OWES
        doubts.append(entry)
        answers.append(answer)
        return WAITS if acks == -1 and replica.durable else ANSWERED

    def learn(
        self, frame: memoryview, request: Request[ProduceRequest], replica: Replica, refuse: Refuse | None = None
    ) -> None:
        """Remember the prefix of a request whose one batch the general handler has appended to `replica`; `refuse` from
        its answer where that was owed."""
        version = request.version
        if version not in _VERSIONS or request.body.transactional_id is not None:
            return
        if len(replica.topic) > _NAME_BYTES_MAX:
            return
        before = _before_topic(request)
        head = _topic_and_partition(version, replica)
        if version >= _TOPIC_ID_FROM:
            varying = 10 + len(_client_id(request))
            fixed = 8 + len(before) + len(head)
        elif version >= _FLEXIBLE_FROM:
            varying = 8 + len(before) + 1
            fixed = 8 + len(before) + len(head) - 1 - len(replica.topic)
        else:
            varying = 8 + len(before) + 5
            fixed = 8 + len(before) + len(head) - len(replica.topic)
        prefix = before + head
        if frame[8 : 8 + len(prefix)] != prefix:
            return
        key = _INT16.pack(0) + _INT16.pack(version)
        layout = _INT32.unpack(key)[0], fixed, varying
        if layout != (self._versions, self._fixed_bytes, self._varying) or len(self._entries) >= _ENTRIES_MAX:
            self._entries = {}
            self._versions, self._fixed_bytes, self._varying = layout
        entry = self._entries[prefix] = _entry(version, replica, request.body.acks, head)
        entry.timeout_ms = max(0, request.body.timeout_ms)
        entry.refuse = refuse


def _client_id(request: Request[ProduceRequest]) -> bytes:
    return b"" if request.client_id is None else request.client_id.encode()


def _before_topic(request: Request[ProduceRequest]) -> bytes:
    """What lies between the correlation id and the topics, when nothing unusual does."""
    name = _client_id(request)
    flexible = request.version >= _FLEXIBLE_FROM
    no_transaction = b"\0\0" if flexible else b"\xff\xff"  # with the header's empty tags in front in the first case
    length = _INT16.pack(-1 if request.client_id is None else len(name))
    return length + name + no_transaction + _INT16.pack(request.body.acks) + _INT32.pack(request.body.timeout_ms)


def _topic_and_partition(version: int, replica: Replica) -> bytes:
    """One topic and one partition, the same in request and answer."""
    index = _INT32.pack(replica.partition)
    if version >= _TOPIC_ID_FROM:
        return b"\2" + replica.topic_id + b"\2" + index
    name = replica.topic.encode()
    if version >= _FLEXIBLE_FROM:
        return b"\2" + bytes([len(name) + 1]) + name + b"\2" + index
    return _INT32.pack(1) + _INT16.pack(len(name)) + name + _INT32.pack(1) + index


def _entry(version: int, replica: Replica, acks: int, head: bytes) -> Entry:
    if version >= _FLEXIBLE_FROM:
        # No record errors, no message, end of partition and topic, throttle time, end of the answer.
        return Entry(replica, acks, True, b"\0" + head, b"\1\0\0\0" + _INT32.pack(0) + b"\0")
    without_errors = _INT32.pack(0) + _INT16.pack(-1) if version >= 8 else b""
    return Entry(replica, acks, False, head, without_errors + _INT32.pack(0))
