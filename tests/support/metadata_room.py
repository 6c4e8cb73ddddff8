"""Several nodes' metadata logs around a table: real logs on disks that forget, one clock, and a wire that can be cut.

They talk in Kafka's messages, encoded and decoded again. What each node writes is flushed at the end of its turn,
unless it crashes before. Everything committed anywhere is kept in `agreed`, and every node is held to it after every
turn.

With `named` the metadata log names the voters (kraft.version 1): `come` brings a node without a vote, `add` and
`remove` ask the leader to change who votes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any, NamedTuple

from support.controller import CLUSTER_ID, new_topic, numbered_id, registration

from logctl.engine.broker.addresses import Addresses
from logctl.engine.broker.exchange import read_request
from logctl.engine.broker.metadata import Metadata
from logctl.engine.broker.metadata_snapshot_keeping import Options
from logctl.engine.broker.quorum_talk import Done, QuorumTalk
from logctl.engine.broker.request import Peer, Request
from logctl.engine.broker.voter_changes import VoterChanges
from logctl.engine.controller.brokers import start_broker
from logctl.engine.controller.decision import Controller, Decision, Rules
from logctl.engine.controller.image import Image
from logctl.engine.controller.topics import create_topics
from logctl.engine.directory import format_directories
from logctl.engine.quorum.messages import NOBODY
from logctl.engine.quorum.voters import Address, Voter, VoterSet
from logctl.engine.simulation.disk import SimulatedDisk
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.errors import WireError
from logctl.wire.frames import request_frame
from logctl.wire.messages.create_topics import CreateTopicsRequest
from logctl.wire.schema import Message

NOW_MS = 1_700_000_000_000
PATH = "/data"


class Asked(NamedTuple):
    """A request on its way; `life` is the asker's, whose later lives do not want the answer."""

    source: int
    target: int
    frame: bytes
    done: Done
    life: Metadata


class Room:
    """`nodes` are those that are up. `acknowledged` are names of topics whose creation was answered."""

    def __init__(self, size: int = 3, seed: int = 1, options: Options | None = None, *, named: bool = False) -> None:
        self.random = Random(seed)
        self.options = options or Options()
        self.now_ms = NOW_MS
        self.voters = tuple(range(1, size + 1))
        self.named = named
        self.first = VoterSet(voter_of(voter) for voter in self.voters)
        self.disks = {voter: SimulatedDisk(Random(seed * 100 + voter)) for voter in self.voters}
        self.nodes: dict[int, Metadata] = {}
        self.talks: dict[int, QuorumTalk] = {}
        self.changes: dict[int, VoterChanges] = {}
        self.wire: deque[Asked] = deque()
        self.parked: dict[Request[Any], Asked] = {}
        self.cut: set[tuple[int, int]] = set()
        self.acknowledged: list[str] = []
        self.agreed: dict[int, Image] = {}
        self.diary: list[str] = []
        self._ids = count(1000)
        self._names = count(1)
        for voter in self.voters:
            self._format(voter)
            self.start(voter)

    def _new_id(self) -> bytes:
        return numbered_id(next(self._ids))

    def _format(self, voter: int) -> None:
        self.disks[voter].mkdirs(PATH)
        self.disks[voter].sync_dir("")  # the name of the directory itself
        format_directories(
            self.disks[voter],
            [PATH],
            cluster_id=CLUSTER_ID,
            node_id=voter,
            new_uuid=lambda: directory_of(voter),
            now_ms=self.now_ms,
            voters=self.first if self.named and voter in self.first else None,
        )

    # ---- life ----

    def come(self, node_id: int) -> None:
        """A node without a vote, which finds the others."""
        self.disks[node_id] = SimulatedDisk(Random(node_id))
        self._format(node_id)
        self.start(node_id)

    def start(self, voter: int) -> None:
        self.nodes[voter] = Metadata.open(
            self.disks[voter],
            PATH,
            node_id=voter,
            rules=Rules(cluster_id=CLUSTER_ID),
            clock=lambda: self.now_ms,
            new_uuid=self._new_id,
            mark_dirty=lambda log: None,
            voters=() if self.named else self.voters,
            directory_id=directory_of(voter),
            joins=self.named,
            jitter=self.random.randrange,
            options=self.options,
        )
        self.nodes[voter].start()
        seeds = [address_of(node_id) for node_id in self.voters]
        addresses = Addresses(self.nodes[voter], own=(address_of(voter),), seeds=seeds)
        lines = Lines(self, voter)
        self.talks[voter] = QuorumTalk(
            self.nodes[voter],
            CLUSTER_ID,
            lines,
            clock=lambda: self.now_ms,
            reply=self._reply,
            say=self._say,
            addresses=addresses,
        )
        self.changes[voter] = VoterChanges(self.nodes[voter], addresses, lines, CLUSTER_ID, self._say)

    def _say(self, kind: str, sentence: str) -> None:
        self.diary.append(sentence)

    def crash(self, voter: int, *, power: bool = True) -> None:
        """The process is gone, and with `power` what was not synced."""
        del self.nodes[voter], self.talks[voter], self.changes[voter]
        for request, asked in list(self.parked.items()):
            if asked.target == voter:
                del self.parked[request]
                self._finish(asked, None)
        self.disks[voter] = self.disks[voter].crash() if power else self.disks[voter].kill()

    def isolate(self, voter: int) -> None:
        for other in self.disks:
            self.cut |= {(voter, other), (other, voter)}

    def heal(self) -> None:
        self.cut = set()

    def pass_time(self, milliseconds: int, step_ms: int = 50) -> None:
        end = self.now_ms + milliseconds
        while self.now_ms < end:
            self.now_ms += step_ms
            for voter in list(self.nodes):
                if voter in self.nodes:
                    self.turn(voter)

    def turn(self, voter: int) -> None:
        """One node's turn: time, what it has to say and to ask, and the flush."""
        node = self.nodes[voter]
        node.tick(self.now_ms)
        self.talks[voter].advance(self.now_ms)
        self.changes[voter].tick(self.now_ms)
        node.flush()
        self._post()
        self.check()

    def _post(self) -> None:
        """Deliver what is on its way, and what comes of it."""
        while self.wire:
            asked = self.wire.popleft()
            if (asked.source, asked.target) in self.cut or asked.target not in self.nodes:
                self._finish(asked, None)
            else:
                self._serve(asked)
            for voter, node in list(self.nodes.items()):
                node.flush()
                self.talks[voter].advance(self.now_ms)
                self.diary += node.notes
                node.notes.clear()

    def _serve(self, asked: Asked) -> None:
        request = read_request(memoryview(asked.frame)[4:], Peer(asked.source, "peer", 0), self.now_ms)
        talk, body = self.talks[asked.target], request.body
        self.parked[request] = asked
        match API[request.api_key].name:
            case "Vote":
                self._reply(request, talk.vote(body))
            case "BeginQuorumEpoch":
                self._reply(request, talk.begin(body))
            case "EndQuorumEpoch":
                self._reply(request, talk.end(body))
            case "FetchSnapshot":
                self._reply(request, talk.fetch_snapshot(body))
            case "Fetch":
                told = talk.fetch(request, self.now_ms)
                if told is not None:
                    self._reply(request, told)

    def _reply(self, request: Request[Any], response: Message) -> None:
        asked = self.parked.pop(request)
        encoded = response.encode(request.version)
        decoded = API[request.api_key].response.decode(memoryview(encoded), request.version)[0]
        self._finish(asked, None if (asked.target, asked.source) in self.cut else decoded)

    def _finish(self, asked: Asked, response: Any) -> None:
        if self.nodes.get(asked.source) is asked.life:
            asked.done(response)

    # ---- who votes ----

    def add(self, node_id: int, *, at: int | None = None, settle_ms: int = 1_000) -> str | None:
        """What the leader (or node `at`) says to adding a voter: "" done, a refusal's name and words, None nothing
        yet."""
        voter = voter_of(node_id)
        return self.ask_change(
            lambda changes, done: changes.add(CLUSTER_ID, voter, 0, False, done), at=at, settle_ms=settle_ms
        )

    def remove(self, node_id: int, *, at: int | None = None, settle_ms: int = 1_000) -> str | None:
        return self.ask_change(
            lambda changes, done: changes.remove(CLUSTER_ID, node_id, directory_of(node_id), done),
            at=at,
            settle_ms=settle_ms,
        )

    def ask_change(
        self, change: Callable[[VoterChanges, Any], None], *, at: int | None = None, settle_ms: int = 1_000
    ) -> str | None:
        """See `add`."""
        node_id = at if at is not None else self.leader
        assert node_id is not None
        said: list[str] = []

        def done(refusal: WireError | None) -> None:
            said.append("" if refusal is None else f"{errors.describe(refusal.code).name}: {refusal.message}")

        try:
            change(self.changes[node_id], done)
        except WireError as refusal:
            done(refusal)
        self.pass_time(settle_ms)
        return said[0] if said else None

    def voters_known_to(self, node_id: int) -> tuple[int, ...]:
        return self.nodes[node_id].raft.voters

    # ---- work ----

    @property
    def leader(self) -> int | None:
        leading = [voter for voter, node in self.nodes.items() if node.is_leader]
        return max(leading, key=lambda voter: self.nodes[voter].epoch, default=None)

    def elect(self, within_ms: int = 20_000) -> int:
        """Let time pass until somebody leads and has committed something of its epoch; who."""
        end = self.now_ms + within_ms
        while self.now_ms < end:
            self.pass_time(100)
            leader = self.leader
            if leader is not None and self.nodes[leader].image.metadata_version:
                return leader
        raise AssertionError("nobody leads")

    def create_topic(self, at: int | None = None, *, settle: bool = True) -> str:
        """Ask node `at` (the leader if not given) for a topic; its name is in `acknowledged` once that was answered."""
        voter = at if at is not None else self.leader
        assert voter is not None
        node, name = self.nodes[voter], f"topic-{next(self._names)}"
        if not node.image.brokers:
            broker = registration(voter, log_dirs=[numbered_id(voter)])
            node.decide(lambda controller: start_broker(controller, broker), lambda decision: None)
            self.pass_time(500)

        def decide(controller: Controller) -> Decision[Any]:
            return create_topics(controller, CreateTopicsRequest(topics=[new_topic(name)]))

        try:
            node.decide(decide, lambda decision: self.acknowledged.append(name), lambda refusal: None)
        except WireError:
            return name
        if settle:
            self.pass_time(500)
        return name

    # ---- what always holds ----

    def check(self) -> None:
        leaders: dict[int, int] = {}
        for voter, node in self.nodes.items():
            if node.is_leader:
                assert leaders.setdefault(node.epoch, voter) == voter, "two lead one epoch"
            known = self.agreed.setdefault(node.applied_offset, node.image)
            assert known.topics == node.image.topics, f"node {voter} disagrees about offset {node.applied_offset}"
            assert node.applied_offset <= node.log.end_offset

    def check_complete(self) -> None:
        """Everything acknowledged is known to everybody who is up."""
        for voter, node in self.nodes.items():
            missing = [name for name in self.acknowledged if name not in node.image.topics]
            assert not missing, f"node {voter} does not know {missing}"


def directory_of(node_id: int) -> bytes:
    """Where that node keeps its log."""
    return numbered_id(900 + node_id)


def address_of(node_id: int) -> Address:
    return Address("CONTROLLER", "room", node_id)


def voter_of(node_id: int) -> Voter:
    return Voter(node_id, directory_of(node_id), (address_of(node_id),))


class Lines:
    """One node's way to the others."""

    def __init__(self, room: Room, voter: int) -> None:
        self._room = room
        self._voter = voter

    def ask(self, node_id: int, lane: str, request: Message, done: Done, version: int | None = None) -> None:
        room = self._room
        at = room.talks[self._voter].addresses.find(node_id) if room.named else None
        if room.named:
            node_id = at.port if at is not None else NOBODY
        version = API[request.api_key].versions.highest
        frame = request_frame(request.api_key, version, 1, "node", request)
        self._room.wire.append(Asked(self._voter, node_id, frame, done, self._room.nodes[self._voter]))
