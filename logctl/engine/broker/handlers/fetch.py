"""Fetch (1), versions 4 to 18: record batches from an offset on. Topics by name, from 13 on by id.

Theory of operation
-------------------
A `Fetching` reads what its context (`fetch_sessions.py`) wants: ranges of log files, never bytes, up to the high
watermark or, for readers of committed records, the last stable offset. The limits of the request are soft by one batch,
as in Apache: the first batch found is returned however large it is. If that is enough (`min_bytes`), or something is
wrong with a partition, or the client will not wait, it is answered at once. Else it is parked under its replicas and
reads again whenever one of them moves, until its deadline.

Errors: those of a session stand in the response itself (from version 7 on), those of a partition beside it, from
version 16 on with the leader to ask instead (KIP-951). A client that says from which epoch its last record was (from
version 12 on, KIP-595) is told where its history parts from ours.

On the listener between nodes it is the metadata log that is asked for (`quorum_talk.py`), or a follower copies what it
holds: it reads up to the end of what is written, and the offset it asks from tells how far it is (`followers.py`). Its
broker epoch must be the one it is registered with: STALE_BROKER_EPOCH otherwise. Where its offset lies outside of the
log, it is told with the error where the log begins; that the log begins later than before it is told at once. A
follower out of sync is told nothing new of a throttled replica while more was sent than may be (`throttles.py`).

A consumer is told by the leader which replica is nearer to it (`nearest.py`), with no records, and may ask there: a
follower in sync shows what lies below the high watermark that it knows. While it has not heard of that from a leader,
what lies above is OFFSET_NOT_AVAILABLE; a consumer that is ahead of its log gets OFFSET_OUT_OF_RANGE, and asks the
leader.

Not implemented: nothing. Clients that claim to be a replica are answered with NOT_LEADER_OR_FOLLOWER.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logctl.engine.broker.fetch_sessions import Context, Read, Wanted
from logctl.engine.broker.locate import leader_of, replica_of, topic_name
from logctl.engine.broker.metadata_store import TOPIC_ID as METADATA_TOPIC_ID
from logctl.engine.broker.nearest import FOLLOWERS_SINCE, chooses_by_rack, nearest
from logctl.engine.broker.range import Range
from logctl.engine.broker.replica import Replica
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.engine.broker.waiting import Parked
from logctl.engine.log.disk import DiskFault
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    SnapshotId,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 1
VERSIONS = (4, 18)

READ_COMMITTED: Final = 1
_TOPIC_ID_FROM: Final = 13
_LEADER_TOLD_FROM: Final = 16
_LEADER_MOVED: Final = (errors.NOT_LEADER_OR_FOLLOWER, errors.FENCED_LEADER_EPOCH)
_NOT_FOUND: Final = (
    errors.UNKNOWN_TOPIC_OR_PARTITION,
    errors.UNKNOWN_TOPIC_ID,
    errors.TOPIC_AUTHORIZATION_FAILED,
)
"""Refused before anything is read: Apache answers with an empty list of aborted transactions, and else with null."""
_NOT_A_REPLICA: Final = -1
_UNDEFINED: Final = -1
_MOST_TO_COPY: Final = 200
"""Partitions with records in one answer to a follower: it may have to open each log, and must not be long at it."""


def handle(broker: Broker, request: Request[FetchRequest], now_ms: int) -> Answer:
    body = request.body
    if request.peer.is_node:
        if any(topic.topic_id == METADATA_TOPIC_ID for topic in body.topics):
            told = broker.voter.fetch(request, now_ms)
            return PARKED if told is None else told
        _check_broker(broker, body)
    follower = body.replica_state.replica_id if request.peer.is_node else _NOT_A_REPLICA
    by_id = request.version >= _TOPIC_ID_FROM
    context = broker.sessions.begin(body, by_id=by_id, now_ms=now_ms, follower=follower)
    fetching = Fetching(broker, request, context, now_ms)
    fetching.read()
    if body.max_wait_ms <= 0 or fetching.enough:
        return fetching.answer(now_ms)
    parked = ParkedFetch(fetching, now_ms + body.max_wait_ms)
    if context.session is not None:
        context.session.parked = parked
        context.session.tells_marks = chooses_by_rack(broker)
    broker.waiting.park(parked)
    return PARKED


def _check_broker(broker: Broker, body: FetchRequest) -> None:
    """Raises WireError unless the follower is a broker as it is registered now."""
    registered = broker.metadata.image.brokers.get(body.replica_state.replica_id)
    if registered is None or registered.epoch != body.replica_state.replica_epoch:
        raise WireError(errors.STALE_BROKER_EPOCH)


class Fetching:
    """One fetch: `read` may be called again and again, `answer` once."""

    def __init__(self, broker: Broker, request: Request[FetchRequest], context: Context, now_ms: int) -> None:
        self.request = request
        self.follower = request.body.replica_state.replica_id if request.peer.is_node else _NOT_A_REPLICA
        self._now_ms: int | None = now_ms
        self.replicas: list[Replica] = []
        self.broker = broker
        self._context = context
        self._max_bytes = min(request.body.max_bytes, broker.settings.integer("fetch.max.bytes"))
        self._min_bytes = min(request.body.min_bytes, self._max_bytes)
        self._results: list[Read] = []
        self._bytes = 0
        self._throttled_bytes = 0
        self._full = 0
        """Partitions with records for a follower."""
        self._urgent = False

    @property
    def enough(self) -> bool:
        """Whether there is reason to answer now."""
        return self._urgent or self._bytes >= self._min_bytes or self._context.is_empty

    def read(self) -> None:
        """Look anew at every partition of which there may be something to tell."""
        self._results, self.replicas = [], []
        self._bytes = self._throttled_bytes = self._full = 0
        self._urgent = False
        for wanted in self._context.wanted:
            try:
                told = self._read(wanted)
            except WireError as error:
                told = self._failed(wanted, error)
            except DiskFault as fault:
                told = self._failed(wanted, WireError(errors.KAFKA_STORAGE_ERROR, fault.message))
            if told.error_code or told.diverging_epoch.epoch >= 0:
                self._urgent = True
            self._results.append((wanted, told))
        self._now_ms = None

    def answer(self, now_ms: int) -> FetchResponse:
        """The response to what was read last."""
        try:
            session_id, results = self._context.reply(self._results, now_ms)
        except WireError as error:
            return FetchResponse(error_code=error.code)
        if self._throttled_bytes:
            self.broker.throttles.leader.record(self._throttled_bytes, now_ms)
        topics: dict[str | bytes, FetchableTopicResponse] = {}
        for wanted, told in results:
            key = wanted.key[0]
            if key not in topics:
                topics[key] = FetchableTopicResponse(wanted.name, wanted.topic_id, [])
            topics[key].partitions.append(told)
        response = FetchResponse(session_id=session_id, responses=list(topics.values()))
        if self._urgent and self.request.version >= _LEADER_TOLD_FROM:
            response.node_endpoints = self._endpoints(results)
        return response

    def _read(self, wanted: Wanted) -> PartitionData:
        asked = wanted.asked
        replica = self._find(wanted)
        self._check_serving(replica, asked)
        if _replica_id(self.request.body) != self.follower:
            raise WireError(errors.NOT_LEADER_OR_FOLLOWER, "Replicas are copied over the listener between nodes")
        session = self._context.session
        if session is None:
            self.replicas.append(replica)
        else:
            wanted.watch(session, replica)
            if replica.has_nothing_for(asked.fetch_offset, asked.last_fetched_epoch):
                return self._told_by_outline(replica, wanted)
            if replica.outline is not None and replica.has_less_for(asked.fetch_offset, asked.last_fetched_epoch):
                parting = EpochEndOffset(replica.outline.last_epoch, replica.outline.end_offset)
                return PartitionData(asked.partition, diverging_epoch=parting, aborted_transactions=None, records=b"")
        if asked.last_fetched_epoch >= 0:
            diverging = _diverging(replica, asked.last_fetched_epoch, asked.fetch_offset)
            if diverging is not None:
                return _told(replica, asked.partition, replica.last_stable_offset, None, None, diverging)
        if self.follower != _NOT_A_REPLICA:
            return self._read_to_copy(wanted, replica)
        return self._read_to_consume(asked, replica)

    def _read_to_consume(self, asked: FetchPartition, replica: Replica) -> PartitionData:
        stable = replica.last_stable_offset
        committed = self.request.body.isolation_level == READ_COMMITTED
        up_to = stable if committed else replica.high_watermark
        nearer = nearest(self.broker, self.request, replica, asked.fetch_offset)
        found = self._batches(asked, replica, up_to) if nearer is None else None
        if found is None:
            told = _told(replica, asked.partition, stable, [] if committed else None, None)
            if nearer is not None:
                told.preferred_read_replica, self._urgent = nearer, True
            return told
        aborted = _aborted(replica, asked.fetch_offset, up_to) if committed else None
        self._bytes += found.length
        return _told(replica, asked.partition, stable, aborted, found)

    def _read_to_copy(self, wanted: Wanted, replica: Replica) -> PartitionData:
        asked, up_to = wanted.asked, replica.log.written_end
        found = self._batches(asked, replica, up_to) if self._full < _MOST_TO_COPY else None
        self._note_progress(replica, asked)
        if wanted.log_start_offset not in (_UNDEFINED, replica.log.start_offset):
            self._urgent = True
        if wanted.high_watermark < replica.high_watermark and chooses_by_rack(self.broker):
            self._urgent = True
        stable = replica.last_stable_offset
        if found is None or self._is_held_back(replica, found.length):
            told = _told(replica, asked.partition, stable, None, None)
            session = self._context.session
            if session is not None and asked.fetch_offset >= up_to and self._knows(wanted, told, replica):
                session.rest(wanted)
            return told
        self._bytes += found.length
        self._full += 1
        return _told(replica, asked.partition, stable, None, found)

    def _batches(self, asked: FetchPartition, replica: Replica, up_to: int) -> Range | None:
        room = min(asked.partition_max_bytes, max(0, self._max_bytes - self._bytes))
        return replica.read(asked.fetch_offset, room, up_to, not self._bytes)

    def _check_serving(self, replica: Replica, asked: FetchPartition) -> None:
        """Raises WireError unless this node leads, or is a follower that the asker may read from."""
        client = self.follower == _NOT_A_REPLICA and self.request.version >= FOLLOWERS_SINCE
        if not client or not replica.follows_in_sync(self.broker.node_id):
            replica.check_serving(asked.current_leader_epoch)
            return
        replica.check_epoch(asked.current_leader_epoch)
        if replica.told_mark < 0 and asked.fetch_offset > replica.high_watermark:
            raise WireError(errors.OFFSET_NOT_AVAILABLE)

    def _told_by_outline(self, replica: Replica, wanted: Wanted) -> PartitionData:
        """Nothing new, of a log that need not be opened to know that."""
        assert replica.outline is not None
        start_offset, end_offset, _ = replica.outline
        self._note_progress(replica, wanted.asked)
        told = PartitionData(
            wanted.asked.partition,
            high_watermark=end_offset,
            last_stable_offset=end_offset,
            log_start_offset=start_offset,
            aborted_transactions=None,
            records=b"",
        )
        if self._knows(wanted, told, replica) and self._context.session is not None:
            self._context.session.rest(wanted)
        return told

    def _knows(self, wanted: Wanted, told: PartitionData, replica: Replica) -> bool:
        """Whether a follower that is in sync to stay has been told all this."""
        followers = replica.followers
        return (
            told.high_watermark == wanted.high_watermark
            and told.log_start_offset == wanted.log_start_offset
            and followers is not None
            and followers.proposed is None
            and self.follower in followers.isr
        )

    def _is_held_back(self, replica: Replica, length: int) -> bool:
        throttle = self.broker.throttles.leader
        if not throttle.names(replica.topic, replica.partition):
            return False
        if self.follower not in replica.isr and throttle.is_exceeded(self.broker.clock()):
            return True
        self._throttled_bytes += length
        return False

    def _note_progress(self, replica: Replica, asked: FetchPartition) -> None:
        """Once for a question, however often it is tried. Raises WireError for a broker that holds no replica."""
        if self._now_ms is not None:
            epoch = self.request.body.replica_state.replica_epoch
            replica.follower_asked(self.follower, epoch, asked.fetch_offset, asked.log_start_offset, self._now_ms)
            self.broker.note_follower(replica, self.follower)

    def _find(self, wanted: Wanted) -> Replica:
        broker = self.broker
        name = topic_name(broker.metadata.image, wanted.name, wanted.topic_id)
        if not broker.may(self.request, Operation.READ, Resource.TOPIC, name):
            raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
        return replica_of(broker, name, wanted.asked.partition)

    def _failed(self, wanted: Wanted, error: WireError) -> PartitionData:
        aborted: list[AbortedTransaction] | None = [] if error.code in _NOT_FOUND else None
        told = PartitionData(
            wanted.asked.partition, error.code, high_watermark=-1, aborted_transactions=aborted, records=b""
        )
        if self.follower != _NOT_A_REPLICA and error.code == errors.OFFSET_OUT_OF_RANGE:
            told.log_start_offset = self._find(wanted).log.start_offset
        if self.request.version >= _LEADER_TOLD_FROM and error.code in _LEADER_MOVED:
            name = topic_name(self.broker.metadata.image, wanted.name, wanted.topic_id)
            leader = leader_of(self.broker, self.request, name, wanted.asked.partition)
            if leader is not None:
                told.current_leader = LeaderIdAndEpoch(leader.node_id, leader.epoch)
        return told

    def _endpoints(self, results: list[Read]) -> list[NodeEndpoint]:
        """The addresses of the leaders that the answers name."""
        named: dict[int, NodeEndpoint] = {}
        for wanted, told in results:
            if told.current_leader.leader_id >= 0:
                name = topic_name(self.broker.metadata.image, wanted.name, wanted.topic_id)
                leader = leader_of(self.broker, self.request, name, told.partition_index)
                if leader is not None and leader.host:
                    named[leader.node_id] = NodeEndpoint(leader.node_id, leader.host, leader.port, leader.rack)
        return list(named.values())


class ParkedFetch(Parked):
    """A fetch that waits for data."""

    __slots__ = ("_fetching",)

    may_be_hastened = True

    def __init__(self, fetching: Fetching, deadline_ms: int) -> None:
        super().__init__(fetching.request, fetching.replicas, deadline_ms)
        self._fetching = fetching

    def attempt(self, now_ms: int) -> bool:
        self._fetching.read()
        if not self._fetching.enough:
            return False
        self._reply(now_ms)
        return True

    def give_up(self, now_ms: int) -> None:
        self._fetching.read()
        self._reply(now_ms)

    def _reply(self, now_ms: int) -> None:
        self._fetching.broker.reply(self.request, self._fetching.answer(now_ms))


def _replica_id(body: FetchRequest) -> int:
    return body.replica_id if body.replica_id != _NOT_A_REPLICA else body.replica_state.replica_id


_NO_EPOCH: Final = EpochEndOffset()
_NO_LEADER: Final = LeaderIdAndEpoch()
_NO_SNAPSHOT: Final = SnapshotId()


def _told(
    replica: Replica,
    partition: int,
    stable: int,
    aborted: list[AbortedTransaction] | None,
    records: Range | None,
    diverging: EpochEndOffset = _NO_EPOCH,
) -> PartitionData:
    """By position and with shared defaults: this is built for every partition of every fetch."""
    return PartitionData(
        partition,
        errors.NONE,
        replica.high_watermark,
        stable,
        replica.log.start_offset,
        diverging,
        _NO_LEADER,
        _NO_SNAPSHOT,
        aborted,
        -1,
        b"" if records is None else records,
    )


def _diverging(replica: Replica, last_fetched_epoch: int, fetch_offset: int) -> EpochEndOffset | None:
    """Where our history ends for the epoch the client read last, if that is before what it has (KIP-595)."""
    epoch, end = replica.log.end_offset_for_epoch(last_fetched_epoch)
    if epoch == _UNDEFINED or end == _UNDEFINED:
        raise WireError(errors.OFFSET_OUT_OF_RANGE, f"Nothing is known of leader epoch {last_fetched_epoch}")
    if epoch < last_fetched_epoch or end < fetch_offset:
        return EpochEndOffset(epoch, end)
    return None


def _aborted(replica: Replica, first: int, up_to: int) -> list[AbortedTransaction]:
    """The aborted transactions with records among those returned."""
    found = replica.log.aborted_transactions(first, up_to)
    return [AbortedTransaction(one.producer_id, one.first_offset) for one in found]
