"""Several nodes' metadata logs around a table: real logs on disks that forget, one clock, and a wire that can be cut.

They talk in Kafka's messages, encoded and decoded again. What each node writes is flushed at the end of its turn,
unless it crashes before. Everything committed anywhere is kept in `agreed`, and every node is held to it after every
turn.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from random import Random
from typing import Any, NamedTuple

from support.controller import CLUSTER_ID, new_topic, numbered_id, registration

from logctl.engine.broker.exchange import read_request
from logctl.engine.broker.metadata import Metadata
from logctl.engine.broker.metadata_snapshot_keeping import Options
from logctl.engine.broker.quorum_talk import Done, QuorumTalk
from logctl.engine.broker.request import Peer, Request
from logctl.engine.controller.brokers import start_broker
from logctl.engine.controller.decision import Controller, Decision, Rules
from logctl.engine.controller.image import Image
from logctl.engine.controller.topics import create_topics
from logctl.engine.directory import format_directories
from logctl.engine.simulation.disk import SimulatedDisk
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

    def __init__(self, size: int = 3, seed: int = 1, options: Options | None = None) -> None:
        self.random = Random(seed)
        self.options = options or Options()
        self.now_ms = NOW_MS
        self.voters = tuple(range(1, size + 1))
        self.disks = {voter: SimulatedDisk(Random(seed * 100 + voter)) for voter in self.voters}
        self.nodes: dict[int, Metadata] = {}
        self.talks: dict[int, QuorumTalk] = {}
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
            new_uuid=self._new_id,
            now_ms=self.now_ms,
        )

    # ---- life ----

    def start(self, voter: int) -> None:
        self.nodes[voter] = Metadata.open(
            self.disks[voter],
            PATH,
            node_id=voter,
            rules=Rules(cluster_id=CLUSTER_ID),
            clock=lambda: self.now_ms,
            new_uuid=self._new_id,
            mark_dirty=lambda log: None,
            voters=self.voters,
            jitter=self.random.randrange,
            options=self.options,
        )
        self.nodes[voter].start()
        self.talks[voter] = QuorumTalk(
            self.nodes[voter],
            CLUSTER_ID,
            Lines(self, voter),
            clock=lambda: self.now_ms,
            reply=self._reply,
            say=lambda kind, sentence: self.diary.append(sentence),
        )

    def crash(self, voter: int, *, power: bool = True) -> None:
        """The process is gone, and with `power` what was not synced."""
        del self.nodes[voter], self.talks[voter]
        for request, asked in list(self.parked.items()):
            if asked.target == voter:
                del self.parked[request]
                self._finish(asked, None)
        self.disks[voter] = self.disks[voter].crash() if power else self.disks[voter].kill()

    def isolate(self, voter: int) -> None:
        for other in self.voters:
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


class Lines:
    """One node's way to the others."""

    def __init__(self, room: Room, voter: int) -> None:
        self._room = room
        self._voter = voter

    def ask(self, node_id: int, lane: str, request: Message, done: Done) -> None:
        version = API[request.api_key].versions.highest
        frame = request_frame(request.api_key, version, 1, "node", request)
        self._room.wire.append(Asked(self._voter, node_id, frame, done, self._room.nodes[self._voter]))
