"""The way to other nodes, over real sockets: asked once, told once, whatever becomes of the other end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedBroker

from logctl.engine.peers import Endpoint, Peers
from logctl.engine.poller import TickLoop
from logctl.wire.messages.metadata import MetadataRequest
from logctl.wire.messages.vote import VoteRequest, VoteResponse


class Room:
    """One node with its lines; `told` is what its questions came to."""

    def __init__(self, endpoints: dict[int, Endpoint], timeout_ms: int = 2000) -> None:
        self.loop = TickLoop()
        self.told: list[Any] = []
        self.said: list[str] = []
        self.refused: list[int] = []
        self.endpoints = endpoints
        self.peers = Peers(
            self.loop,
            lambda node_id, lane: self.endpoints.get(node_id),
            client_id="node-1",
            timeout_ms=timeout_ms,
            heard=lambda: None,
            say=lambda kind, sentence: self.said.append(sentence),
        )
        self.peers.refused = self._refused

    def ask(self, request: Any, node_id: int = 2, lane: str = "quorum") -> None:
        self.peers.ask(node_id, lane, request, self._heard)

    def _heard(self, response: Any) -> None:
        self.told.append(response)
        self.loop.stop()

    def _refused(self, node_id: int) -> None:
        self.refused.append(node_id)
        self.loop.stop()

    def answers(self, count: int) -> list[Any]:
        """The first answers, when so many are there."""
        while len(self.told) < count:
            self.loop.run_forever()
        return self.told

    def close(self) -> None:
        self.peers.close()
        self.loop.close()


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    with ScriptedBroker() as scripted:
        scripted.answer("Vote", lambda request, version: VoteResponse(error_code=7))
        yield scripted


@pytest.fixture
def room(broker: ScriptedBroker) -> Iterator[Room]:
    made = Room({2: Endpoint("127.0.0.1", broker.port)}, timeout_ms=300)
    yield made
    made.close()


def test_questions_of_a_line_are_answered_in_their_order(room: Room, broker: ScriptedBroker) -> None:
    answers = iter(range(10, 13))
    broker.answer("Vote", lambda request, version: VoteResponse(error_code=next(answers)))
    for _ in range(3):
        room.ask(VoteRequest())
    assert [one.error_code for one in room.answers(3)] == [10, 11, 12]
    assert broker.count("ApiVersions") == 1, "one line, opened once"


def test_what_may_wait_does_not_hold_up_what_may_not(room: Room, broker: ScriptedBroker) -> None:
    broker.answer("Metadata", lambda request, version: SILENCE)
    room.ask(MetadataRequest(), lane="metadata")
    room.ask(VoteRequest(), lane="quorum")
    assert [type(one) for one in room.answers(1)] == [VoteResponse]


def test_who_does_not_answer_in_time_is_given_up_and_asked_anew(room: Room, broker: ScriptedBroker) -> None:
    broker.answer("Vote", lambda request, version: SILENCE)
    room.ask(VoteRequest())
    assert room.answers(1) == [None]
    broker.answer("Vote", lambda request, version: VoteResponse(error_code=9))
    while room.told[-1] is None:
        room.ask(VoteRequest())
        room.answers(len(room.told) + 1)
    assert room.told[-1].error_code == 9


def test_nobody_at_the_address_and_nobody_known_are_answered_with_nothing() -> None:
    room = Room({2: Endpoint("127.0.0.1", 1)})
    room.ask(VoteRequest())
    room.ask(VoteRequest(), node_id=3)
    assert room.answers(2) == [None, None]
    room.close()


def test_what_the_peer_does_not_know_costs_that_question_alone(room: Room) -> None:
    room.ask(MetadataRequest())
    room.ask(VoteRequest())
    answers = room.answers(2)
    assert sorted(type(one).__name__ for one in answers) == ["NoneType", "VoteResponse"]
    room.ask(MetadataRequest())
    room.ask(VoteRequest())
    assert len(room.answers(4)) == 4, "also when the line is open already"
    assert any("does not serve Metadata" in sentence for sentence in room.said)


def test_a_peer_that_hangs_up_takes_its_questions_along(room: Room, broker: ScriptedBroker) -> None:
    broker.answer("Vote", lambda request, version: None)
    room.ask(VoteRequest())
    room.ask(VoteRequest())
    assert room.answers(2) == [None, None]


def test_a_peer_that_moved_is_found_at_its_new_address(room: Room) -> None:
    room.ask(VoteRequest())
    room.answers(1)
    with ScriptedBroker() as elsewhere:
        elsewhere.answer("Vote", lambda request, version: VoteResponse(error_code=8))
        room.endpoints[2] = Endpoint("127.0.0.1", elsewhere.port)
        room.ask(VoteRequest())
        assert room.answers(2)[-1].error_code == 8


def test_a_process_that_ends_is_noticed_by_whoever_knocked_at_its_door() -> None:
    with ScriptedBroker() as listening:
        room = Room({2: Endpoint("127.0.0.1", listening.port)})
        room.peers.knock(2)
        room.ask(VoteRequest())
        room.answers(1)
        assert not room.refused, "somebody listens"
    room.loop.run_forever()
    assert room.refused[:1] == [2], "nobody was asked anything, and it is known all the same"
    room.close()


def test_a_peer_that_hangs_up_but_listens_is_not_taken_for_gone(room: Room, broker: ScriptedBroker) -> None:
    room.peers.knock(2)
    room.ask(VoteRequest())
    room.answers(1)
    broker.hang_up()
    while len(room.told) < 2 or room.told[-1] is None:
        room.ask(VoteRequest())
        room.answers(len(room.told) + 1)
    assert not room.refused


def test_who_is_no_peer_any_more_is_not_knocked_at(room: Room) -> None:
    room.peers.close()
    room.peers.knock(2)
    room.ask(VoteRequest())
    assert room.answers(1) == [None]
