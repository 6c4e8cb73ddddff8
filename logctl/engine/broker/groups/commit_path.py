"""The short way for what groups ask most: OffsetCommit of one partition.

Theory of operation
-------------------
A member that commits sends requests that differ in the correlation id and at their end alone:

    api, version | correlation id | client id, group, generation, member .. topic .. partition | offset, epoch, metadata

So a connection remembers (`learn`) the requests that the general handler has taken, decoded, by all bytes that come
again; `commit` fills in the new offset and goes on as the general handler does: the same rules of `commits.py` look at
group, member and generation every time. Only decoding, looking for topics and permissions, and encoding are saved. What
may change beside the group is the image and the home; an entry that was learnt under another image is forgotten.

The answer is made at once and leaves, as that of a produce request, when the tick's appends are written or flushed: the
connection holds it, and nothing is parked. Metadata that is not empty, and whatever is refused, goes the general way,
which finds the same fault again and words the error.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.broker.exchange import answer_parts
from logctl.engine.broker.groups.reply import caller_of
from logctl.engine.broker.produce_path import ANSWERED, GENERAL, WAITS
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Lost
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.groups.home import Home
    from logctl.engine.broker.request import Request

API_KEY: Final = 8
_EPOCH_FROM: Final = 6
_FLEXIBLE_FROM: Final = 8
_ENTRIES_MAX: Final = 256
_OFFSET: Final = Struct(">q")
_OFFSET_AND_EPOCH: Final = Struct(">qi")
_NO_EPOCH: Final = -1


class Entry:
    """One request that comes again, with another offset each time."""

    __slots__ = ("_broker", "_request", "caller", "home", "image", "partition", "rest", "size")

    def __init__(self, broker: Broker, request: Request[OffsetCommitRequest], home: Home) -> None:
        self._broker = broker
        self._request = request
        self.caller = caller_of(request)
        self.home = home
        self.image = broker.metadata.image
        self.partition = request.body.topics[0].partitions[0]
        answer = self._answer(errors.NONE)
        self.size, self.rest = answer[:4], answer[8:]

    def commit(self, offset: int, leader_epoch: int, now_ms: int) -> bool:
        """Whether it was taken; if not, nothing has changed."""
        if self.image is not self._broker.metadata.image:
            return False
        partition = self.partition
        partition.committed_offset, partition.committed_leader_epoch = offset, leader_epoch
        try:
            self._broker.groups.commit_again(self.home, now_ms, self.caller, self._request.body)
        except WireError:
            return False
        return True

    def instead(self, answer: bytes, lost: Lost) -> bytes:
        """The answer when the append did not survive."""
        if not lost(self.home.replica):
            return answer
        refused = self._answer(errors.NOT_COORDINATOR)
        return refused[:4] + answer[4:8] + refused[8:]

    def _answer(self, code: int) -> bytes:
        topic = self._request.body.topics[0]
        results = [OffsetCommitResponsePartition(self.partition.partition_index, code)]
        response = OffsetCommitResponse(topics=[OffsetCommitResponseTopic(topic.name, topic.topic_id, results)])
        return b"".join(answer_parts(self._request, response))


class CommitPath:
    """The requests one connection has sent lately."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}

    def commit(
        self, view: memoryview, start: int, stop: int, now_ms: int, answers: list[Any], doubts: list[Any]
    ) -> int:
        """Handle the frame in view[start:stop] if it is known: GENERAL, ANSWERED or WAITS."""
        where = _end(view[start + 3], bytes(view[stop - 4 : stop]))
        if not where:
            return GENERAL
        end = stop - where
        key = bytes(view[start : start + 4]) + bytes(view[start + 8 : end])
        entry = self._entries.get(key)
        if entry is None or entry.home.replica.is_shared:
            return GENERAL
        if view[start + 3] >= _EPOCH_FROM:
            offset, leader_epoch = _OFFSET_AND_EPOCH.unpack_from(view, end)
        else:
            offset, leader_epoch = _OFFSET.unpack_from(view, end)[0], _NO_EPOCH
        if not entry.commit(offset, leader_epoch, now_ms):
            del self._entries[key]
            return GENERAL
        answers.append(entry.size + bytes(view[start + 4 : start + 8]) + entry.rest)
        doubts.append(entry)
        return WAITS if entry.home.replica.durable else ANSWERED

    def learn(self, frame: memoryview, request: Request[OffsetCommitRequest], broker: Broker) -> None:
        """Remember a request whose topics the general handler has found and passed on to its group."""
        topics = request.body.topics
        where = _end(request.version, bytes(frame[-4:]))
        if not where or len(topics) != 1 or len(topics[0].partitions) != 1:
            return
        try:
            home = broker.groups.home(request.body.group_id)
        except WireError:
            return
        if home.replica.size > 1:
            return
        if len(self._entries) >= _ENTRIES_MAX:
            self._entries.clear()
        key = bytes(frame[:4]) + bytes(frame[8 : len(frame) - where])
        self._entries[key] = Entry(broker, request, home)


def _end(version: int, last: bytes) -> int:
    """How many bytes from the offset to the end of a request with one partition and no metadata; 0 if it has some."""
    if version >= _FLEXIBLE_FROM:
        return 16 if last[0] <= 1 and last[1:] == b"\0\0\0" else 0
    if last[2:] not in (b"\0\0", b"\xff\xff"):
        return 0
    return 14 if version >= _EPOCH_FROM else 10
