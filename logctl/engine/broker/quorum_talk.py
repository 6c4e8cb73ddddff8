"""What the voters of the metadata quorum say to each other, in Kafka's messages.

Theory of operation
-------------------
The machine in `quorum.raft` speaks in envelopes, the log is copied in questions and replies. Here they become requests
and responses: Vote, BeginQuorumEpoch and EndQuorumEpoch for the envelopes, Fetch and FetchSnapshot on
`__cluster_metadata` for the log.

Going out: `advance` is called at the end of every tick. It sends what the machine has to say, asks the leader for more
of its log when nothing is asked already, and answers those whose questions were waiting for news. One question is on
its way at a time, on a lane of its own, so that a vote never waits behind a long poll; an answer that never comes is
as good as a refusal, and is asked again a moment later.

Coming in: `vote`, `begin`, `end`, `fetch` and `fetch_snapshot` are the handlers' doors. A request of another cluster,
or about another log, is refused before the machine hears of it.

An observer that does not know who leads asks one after the other of those who may (`Addresses.to_ask`); whoever is
asked for the log and does not lead says who does, and where.

Versions are the newest both ends know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from logctl.engine.broker import quorum_wire as wire
from logctl.engine.broker.addresses import Addresses
from logctl.engine.broker.metadata_copying import DivergedBelowCommit, Question, Reply
from logctl.engine.broker.metadata_snapshots import SnapshotId, SnapshotReading
from logctl.engine.broker.metadata_store import TOPIC
from logctl.engine.log.disk import DiskFault
from logctl.engine.quorum.messages import NOBODY, BeginEpoch, BeginEpochAnswer, EndEpoch, Envelope, Vote, VoteAnswer
from logctl.engine.quorum.voters import ANY_DIRECTORY, Address
from logctl.wire import errors
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.metadata import Metadata
    from logctl.engine.broker.request import Request

_AGAIN_MS: Final = 50
_NOTHING_YET: Final = -1
_SILENCE_MS: Final = 5_000
_NOT_UNDERSTOOD: Final = (errors.INVALID_VOTER_KEY, errors.INCONSISTENT_VOTER_SET)
_DISAGREEMENTS: Final = {
    errors.INCONSISTENT_CLUSTER_ID: "{who} belongs to another cluster: it does not take part in this quorum. "
    "Compare cluster.id in meta.properties and the addresses of the voters",
    errors.INCONSISTENT_VOTER_SET: "This node and {who} disagree about who votes: controller.quorum.voters "
    "must be the same on every node",
    errors.INVALID_VOTER_KEY: "{who} does not have the directory it votes from: it was formatted anew. Take "
    "it out of the voters with its old directory id and add it with the new one",
}
"""What two nodes can be at odds about, for the diary."""

Done = Callable[[Any], None]
"""Is given the response, or None when none came."""


class Transport(Protocol):
    """The way to other nodes. Requests of one lane are answered in order; lanes do not wait for each other. Without a
    `version` the newest that both ends know is spoken."""

    def ask(
        self, node_id: int, lane: str, request: Message, done: Done, version: int | None = None
    ) -> None: ...

    refused: Callable[[int], None]
    """To be set by whoever wants to know of nodes at whose address nobody listens."""

    def knock(self, node_id: int) -> None:
        """Keep a line to that node, to be told at once when nobody listens there any more."""


class _Waiting(NamedTuple):
    """Somebody who copies the log and has all of it."""

    request: Request[Any]
    question: Question
    deadline_ms: int


class QuorumTalk:
    """One node's conversations. `reply(request, response)` answers a request that was parked, `hopeless` is told why
    this node will never find its quorum."""

    def __init__(
        self,
        metadata: Metadata,
        cluster_id: str,
        transport: Transport,
        *,
        clock: Callable[[], int],
        reply: Callable[[Request[Any], Message], None],
        say: Callable[[str, str], None],
        addresses: Addresses | None = None,
        hopeless: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._metadata = metadata
        self.addresses = addresses or Addresses(metadata)
        self._cluster_id = cluster_id
        self._transport = transport
        self._clock = clock
        self._reply = reply
        self._say = say
        self._asked: tuple[int, int] | None = None
        self._ask_from_ms = 0
        self._snapshot: _Download | None = None
        self._waiting: list[_Waiting] = []
        self._stopped = False
        self._next_seed = 0
        self._complained = ""
        self._lost_since_ms = 0
        self._hopeless = hopeless

    # ---- going out ----

    def advance(self, now_ms: int) -> None:
        """Say what there is to say. Called when anything may have happened."""
        metadata = self._metadata
        outbox, metadata.outbox = metadata.outbox, []
        for envelope in outbox:
            self._send(envelope)
        for note in metadata.notes:
            self._say("metadata", note)
        metadata.notes.clear()
        self._answer_waiting(now_ms)
        self._ask_for_more(now_ms)

    def next_deadline_ms(self) -> int | None:
        deadlines = [one.deadline_ms for one in self._waiting]
        if self._asked is None and self._metadata.question() is not None:
            deadlines.append(self._ask_from_ms)
        return min(deadlines, default=None)

    def _send(self, envelope: Envelope) -> None:
        target, message = envelope.target, envelope.message
        request = self._request(target, message)
        if request is not None:
            self._transport.ask(target, "quorum", request, lambda response: self._heard(envelope, response))

    def _request(self, target: int, message: Any) -> Message | None:
        cluster_id, source, own = self._cluster_id, self._metadata.raft.node_id, self.addresses.own
        match message:
            case Vote():
                return wire.vote_request(cluster_id, source, target, message, self._directory_of(target))
            case BeginEpoch(epoch):
                return wire.begin_request(cluster_id, source, target, epoch, self._directory_of(target), own)
            case EndEpoch(epoch, successors):
                return wire.end_request(cluster_id, source, epoch, successors, self._directory_of, own)
            case _:
                return None

    def _directory_of(self, node_id: int) -> bytes:
        voter = self._metadata.raft.voter_set.get(node_id)
        return ANY_DIRECTORY if voter is None else voter.directory_id

    def _heard(self, envelope: Envelope, response: Any) -> None:
        """The answer to an envelope becomes an envelope back. Who refuses has not understood."""
        if response is None or response.error_code or not response.topics:
            self._note_refusal(envelope.target, NOBODY if response is None else response.error_code)
            return
        told = response.topics[0].partitions[0]
        self._learn(response)
        self._note_refusal(envelope.target, told.error_code)
        if told.error_code in _NOT_UNDERSTOOD:
            return
        answer: Any
        match envelope.message:
            case Vote(pre_vote=pre_vote):
                answer = VoteAnswer(told.leader_epoch, told.leader_id, told.vote_granted, pre_vote)
            case BeginEpoch():
                answer = BeginEpochAnswer(told.leader_epoch, told.leader_id)
            case _:
                return
        self._metadata.deliver(Envelope(envelope.target, envelope.source, answer))

    def _refused(self, node_id: int, code: int) -> None:
        """Nothing was said about the log. Who has never followed anybody there has come to the wrong house."""
        self._note_refusal(node_id, code)
        at = self.addresses.find(node_id)
        if code == NOBODY:
            self._note_silence()
        if code == errors.INCONSISTENT_CLUSTER_ID and not self._metadata.raft.is_voter and at is not None:
            self._hopeless(
                f"{at.host}:{at.port} belongs to another cluster than this node, whose directories were formatted "
                f"for {self._cluster_id}. Nothing was changed: give the address of this cluster's voters, or format "
                "an empty directory with that cluster's id"
            )

    def _note_silence(self) -> None:
        """Nobody has been found for a while: say whom this node asks."""
        now_ms, nobody = self._clock(), self._metadata.leader_id == NOBODY
        if not nobody or not self._lost_since_ms:
            self._lost_since_ms = now_ms if nobody else 0
        elif now_ms - self._lost_since_ms > _SILENCE_MS:
            found = (self.addresses.find(node_id) for node_id in self.addresses.to_ask())
            named = dict.fromkeys(f"{at.host}:{at.port}" for at in found if at is not None)
            self._complain(f"Nobody who knows the leader of the quorum answers at {', '.join(named)}; asking on")

    def _complain(self, sentence: str) -> None:
        if sentence and sentence != self._complained:
            self._complained = sentence
            self._say("quorum", sentence)

    def _note_refusal(self, node_id: int, code: int) -> None:
        """Who does not belong to this quorum is told of in the diary, once."""
        who = f"node {node_id}"
        if node_id < NOBODY and (at := self.addresses.find(node_id)) is not None:
            who = f"the node at {at.host}:{at.port}"
        sentence = _DISAGREEMENTS.get(code, "").format(who=who)
        self._complain(sentence[:1].upper() + sentence[1:])

    def _learn(self, response: Any) -> None:
        """Where nodes are that a response speaks of."""
        for one in response.node_endpoints:
            self.addresses.learn(one.node_id, one.host, one.port)

    # ---- copying the log ----

    def _ask_for_more(self, now_ms: int) -> None:
        question = self._metadata.question()
        if question is None or now_ms < self._ask_from_ms or self._stopped:
            return
        leader = self._metadata.leader_id
        if leader == NOBODY:
            if self._asked is not None or (somebody := self._next_to_ask()) is None:
                return
            leader = somebody
        if self._asked == (leader, question.epoch):
            return
        self._asked = asked = (leader, question.epoch)
        request = wire.fetch_request(self._cluster_id, question)
        self._transport.ask(leader, "metadata", request, lambda response: self._told(asked, response))

    def _next_to_ask(self) -> int | None:
        """Whoever may know the leader, in turn."""
        candidates = self.addresses.to_ask()
        self._next_seed += 1
        return candidates[self._next_seed % len(candidates)] if candidates else None

    def _told(self, asked: tuple[int, int], response: Any) -> None:
        if self._asked != asked:
            return
        self._asked = None
        reply = None if response is None else wire.reply_in(response)
        if reply is None or reply.error:
            self._ask_from_ms = self._clock() + _AGAIN_MS
        if reply is None:
            self._refused(asked[0], NOBODY if response is None else response.error_code)
            return
        self._learn(response)
        lost = self._metadata.leader_id == NOBODY
        if lost or (reply.error and reply.epoch > self._metadata.epoch and reply.leader_id != NOBODY):
            self._metadata.told(reply.leader_id, reply.epoch)
        elif reply.snapshot is not None:
            self._asked = asked
            self._snapshot = _Download(reply.snapshot, asked)
            self._download()
        else:
            self._take(asked[0], reply)

    def _take(self, leader: int, reply: Reply) -> None:
        try:
            self._metadata.take(leader, reply)
        except DivergedBelowCommit as contradiction:
            self._stopped = True
            self._say("metadata", f"The metadata log is not followed any more: {contradiction}")
        except DiskFault as fault:
            self._ask_from_ms = self._clock() + _AGAIN_MS
            self._say("disk", f"What the leader has sent of the metadata log was not kept: {fault.message}")
            self._metadata.on_flush_failed(fault)

    def _download(self) -> None:
        download = self._snapshot
        assert download is not None
        request = wire.snapshot_request(
            self._cluster_id, self._metadata.raft.node_id, download.snapshot, download.asked[1], len(download.data)
        )
        self._transport.ask(download.asked[0], "metadata", request, self._downloaded)

    def _downloaded(self, response: Any) -> None:
        download = self._snapshot
        part = None if response is None else wire.part_in(response)
        if download is None or part is None or part.error_code or self._metadata.epoch != download.asked[1]:
            self._snapshot = self._asked = None
            self._ask_from_ms = self._clock() + _AGAIN_MS
            return
        download.data += bytes(part.unaligned_records)
        if len(download.data) < part.size:
            self._download()
            return
        self._snapshot = self._asked = None
        self._metadata.install(download.snapshot, bytes(download.data))
        self._say("metadata", f"Begins from the leader's snapshot {download.snapshot.file_name}")

    # ---- coming in ----

    def vote(self, body: Any) -> Message:
        """Answer a VoteRequest."""
        code, asked = self._checked(body)
        if asked is None:
            return wire.vote_response(code)
        code = self._voter_error(body.voter_id, asked.voter_directory_id) or self._candidate_error(asked.replica_id)
        if code:
            return wire.vote_response(code, self._leading, False, self._leader_at)
        vote = Vote(
            asked.replica_epoch,
            asked.last_offset_epoch,
            asked.last_offset,
            asked.pre_vote,
            asked.replica_directory_id,
        )
        answer = self._converse(asked.replica_id, vote)
        granted = isinstance(answer, VoteAnswer) and answer.granted
        return wire.vote_response(errors.NONE, self._leading, granted, self._leader_at)

    @property
    def _leading(self) -> tuple[int, int]:
        return self._metadata.leader_id, self._metadata.epoch

    @property
    def _leader_at(self) -> Address | None:
        """Where the leader is reached."""
        leader = self._metadata.leader_id
        return None if leader == NOBODY else self.addresses.of_controller(leader)

    def _voter_error(self, node_id: int, directory_id: bytes) -> int:
        """Whether somebody else is meant: another node, or this one with a directory it does not have (any more)."""
        raft = self._metadata.raft
        same = node_id in (NOBODY, raft.node_id) and directory_id in (ANY_DIRECTORY, raft.directory_id)
        return errors.NONE if same or raft.directory_id == ANY_DIRECTORY else errors.INVALID_VOTER_KEY

    def _candidate_error(self, node_id: int) -> int:
        """Where the settings name the voters, those of all must say the same."""
        metadata = self._metadata
        if metadata.voters.are_in_the_log or not len(metadata.raft.voter_set) or node_id in metadata.raft.voter_set:
            return errors.NONE
        self._note_refusal(node_id, errors.INCONSISTENT_VOTER_SET)
        return errors.INCONSISTENT_VOTER_SET

    def begin(self, body: Any) -> Message:
        """Answer a BeginQuorumEpochRequest."""
        code, asked = self._checked(body)
        if asked is None:
            return wire.begin_response(code)
        code = self._voter_error(body.voter_id, asked.voter_directory_id) or self._epoch_error(asked.leader_epoch)
        if not code:
            if body.leader_endpoints:
                self.addresses.learn(asked.leader_id, body.leader_endpoints[0].host, body.leader_endpoints[0].port)
            self._converse(asked.leader_id, BeginEpoch(asked.leader_epoch))
        return wire.begin_response(code, self._leading, self._leader_at)

    def end(self, body: Any) -> Message:
        """Answer an EndQuorumEpochRequest."""
        code, asked = self._checked(body)
        if asked is None:
            return wire.end_response(code)
        code = self._epoch_error(asked.leader_epoch)
        if not code:
            named = [one.candidate_id for one in asked.preferred_candidates] or asked.preferred_successors
            self._converse(asked.leader_id, EndEpoch(asked.leader_epoch, tuple(named)))
        return wire.end_response(code, self._leading, self._leader_at)

    def _checked(self, body: Any) -> tuple[int, Any]:
        """What is asked of the one log there is; or an error code and None."""
        if body.cluster_id is not None and body.cluster_id != self._cluster_id:
            return errors.INCONSISTENT_CLUSTER_ID, None
        if len(body.topics) != 1 or body.topics[0].topic_name != TOPIC or len(body.topics[0].partitions) != 1:
            return errors.INVALID_REQUEST, None
        asked = body.topics[0].partitions[0]
        return (errors.NONE, asked) if asked.partition_index == 0 else (errors.INVALID_REQUEST, None)

    def _epoch_error(self, epoch: int) -> int:
        return errors.FENCED_LEADER_EPOCH if epoch < self._metadata.epoch else errors.NONE

    def _converse(self, source: int, message: Any) -> Any:
        """Hand a message to the machine; what it says back to the sender, which does not go out by itself."""
        metadata = self._metadata
        metadata.deliver(Envelope(source, metadata.raft.node_id, message))
        for place, envelope in enumerate(metadata.outbox):
            if envelope.target == source and isinstance(envelope.message, VoteAnswer | BeginEpochAnswer):
                return metadata.outbox.pop(place).message
        return None

    def fetch(self, request: Request[Any], now_ms: int) -> Message | None:
        """Answer a Fetch of the metadata log; None: it waits for news."""
        body = request.body
        if body.cluster_id is not None and body.cluster_id != self._cluster_id:
            return wire.fetch_response(Reply(errors.INCONSISTENT_CLUSTER_ID, NOBODY, -1))
        asked = body.topics[0].partitions[0]
        question = Question(
            body.replica_state.replica_id if body.replica_state.replica_id >= 0 else body.replica_id,
            asked.current_leader_epoch,
            asked.fetch_offset,
            asked.last_fetched_epoch,
            asked.high_watermark if 0 <= asked.high_watermark < 1 << 62 else _NOTHING_YET,
            asked.replica_directory_id,
        )
        reply = self._metadata.answer(question)
        if _is_news(reply, question) or body.max_wait_ms <= 0:
            return wire.fetch_response(reply, self._leader_at)
        self._waiting.append(_Waiting(request, question, now_ms + body.max_wait_ms))
        return None

    def _answer_waiting(self, now_ms: int) -> None:
        """Those whose questions can be answered now, or have waited long enough."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not self._has_news_for(one.question) and now_ms < one.deadline_ms:
                self._waiting.append(one)
            else:
                answer = self._metadata.answer(one.question)
                self._reply(one.request, wire.fetch_response(answer, self._leader_at))

    def _has_news_for(self, question: Question) -> bool:
        metadata = self._metadata
        more = metadata.log.written_end > question.offset or metadata.high_watermark > question.high_watermark
        return more or not metadata.is_leader or metadata.epoch != question.epoch

    def forget(self, request: Request[Any]) -> None:
        """The connection of a waiting request is gone."""
        self._waiting = [one for one in self._waiting if one.request is not request]

    def fetch_snapshot(self, body: Any) -> Message:
        """Answer a FetchSnapshotRequest with one piece of the file."""
        if body.cluster_id is not None and body.cluster_id != self._cluster_id:
            return wire.snapshot_response(errors.INCONSISTENT_CLUSTER_ID)
        asked = body.topics[0].partitions[0]
        wanted = SnapshotId(asked.snapshot_id.end_offset, asked.snapshot_id.epoch)
        code, reading = self._reading(wanted, asked.position, min(body.max_bytes, wire.SNAPSHOT_PORTION_BYTES))
        return wire.snapshot_response(code, wanted, asked.position, reading)

    def _reading(self, wanted: SnapshotId, position: int, limit_bytes: int) -> tuple[int, SnapshotReading | None]:
        if not self._metadata.is_leader:
            return errors.NOT_LEADER_OR_FOLLOWER, None
        reading = self._metadata.read_snapshot(wanted, position, limit_bytes)
        return (errors.SNAPSHOT_NOT_FOUND if reading is None else errors.NONE), reading


class _Download:
    """A snapshot on its way here, piece by piece."""

    __slots__ = ("asked", "data", "snapshot")

    def __init__(self, snapshot: SnapshotId, asked: tuple[int, int]) -> None:
        self.snapshot = snapshot
        self.asked = asked
        self.data = bytearray()


def _is_news(reply: Reply, question: Question) -> bool:
    return not reply.is_empty or reply.high_watermark > question.high_watermark
