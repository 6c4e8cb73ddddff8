"""Bugs planted into the nodes of a cluster, to see that the simulation finds them. They live in tests alone.

They break what voters and brokers promise each other about metadata; what replicas promise is in
`planted_in_replicas.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.planted import Plant

from logctl.engine.broker import metadata as metadata_room
from logctl.engine.broker import metadata_copying
from logctl.engine.broker.handlers import broker_heartbeat
from logctl.engine.broker.metadata import Metadata
from logctl.engine.broker.metadata_copying import Copier, LogView
from logctl.engine.controller import heartbeats
from logctl.engine.controller.heartbeats import Sessions
from logctl.engine.quorum import raft
from logctl.engine.quorum.election_state import NOBODY, ElectionState
from logctl.engine.quorum.messages import Vote
from logctl.engine.quorum.raft import RaftNode


def forgets_its_vote_at_restart(patch: pytest.MonkeyPatch) -> None:
    genuine = metadata_room._read_state

    def read(*given: Any) -> ElectionState:
        state = genuine(*given)
        return state._replace(epoch=max(given[2].leader_epoch, 0), leader_id=NOBODY, voted_id=NOBODY)

    patch.setattr(metadata_room, "_read_state", read)


def commits_without_a_majority(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(raft, "committed_offset", max)


def truncates_below_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Whoever restarts cuts its log at what it knows to be committed, which is nothing but its snapshot."""
    genuine = Metadata.start

    def start(self: Metadata) -> None:
        if self.log.end_offset > self.applied_offset > self.log.start_offset:
            self.log.truncate_to(self.applied_offset)
        elif self.log.end_offset > self.applied_offset:
            self.log.truncate_to(self.log.start_offset)
        genuine(self)

    patch.setattr(Metadata, "start", start)


def grants_votes_to_shorter_logs(patch: pytest.MonkeyPatch) -> None:
    genuine = RaftNode._would_grant

    def would_grant(self: RaftNode, source: int, vote: Vote) -> bool:
        return genuine(self, source, vote._replace(last_epoch=1 << 30))

    patch.setattr(RaftNode, "_would_grant", would_grant)


def answers_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    genuine = Metadata.decide

    def decide(self: Metadata, decide: Any, done: Any, failed: Any = lambda refusal: None) -> None:
        def decide_and_tell(controller: Any) -> Any:
            decision = decide(controller)
            done(decision)
            return decision

        genuine(self, decide_and_tell, lambda decision: None, lambda refusal: None)

    patch.setattr(Metadata, "decide", decide)


def ignores_the_epoch_of_a_fetch(patch: pytest.MonkeyPatch) -> None:
    genuine = metadata_copying.answer

    def answer(view: Any, node: Any, question: Any, newest: Any, now_ms: int) -> Any:
        return genuine(view, node, question._replace(epoch=node.epoch), newest, now_ms)

    patch.setattr(metadata_room, "answer", answer)


def counts_a_fetch_before_it_compares_histories(patch: pytest.MonkeyPatch) -> None:
    """What the follower has may not be what the leader has."""
    genuine = metadata_copying.answer

    def answer(view: Any, node: Any, question: Any, newest: Any, now_ms: int) -> Any:
        node.follower_fetched(question.replica_id, question.offset, now_ms)
        return genuine(view, node, question, newest, now_ms)

    patch.setattr(metadata_room, "answer", answer)


def does_not_resign_when_cut_off(patch: pytest.MonkeyPatch) -> None:
    """Every voter counts as heard of, always: the leader leads on, with brokers that it fences one by one."""

    def check(self: RaftNode, leader: Any, now_ms: int) -> None:
        leader.deadline_ms = self._begin_deadline(now_ms)

    patch.setattr(RaftNode, "_check_majority", check)


def ignores_broker_epochs(patch: pytest.MonkeyPatch) -> None:
    """A heartbeat of an earlier life counts, also one that says that the broker stops."""
    genuine = heartbeats.heartbeat

    def heartbeat(controller: Any, request: Any) -> Any:
        broker = controller.image.brokers.get(request.broker_id)
        if broker is not None:
            request.broker_epoch = broker.epoch
        return genuine(controller, request)

    patch.setattr(broker_heartbeat, "heartbeat", heartbeat)


def asks_before_it_has_flushed(patch: pytest.MonkeyPatch) -> None:
    """A follower's next fetch promises what is not on its disk."""
    patch.setattr(LogView, "flushed_end", property(lambda self: self.log.written_end))
    genuine = Copier.question

    def question(self: Copier) -> Any:
        log, self._log = self._log, _Flushed(self._log)  # type: ignore[assignment]
        try:
            return genuine(self)
        finally:
            self._log = log

    patch.setattr(Copier, "question", question)


class _Flushed:
    """A log that says everything is on disk."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return self._log.end_offset if name == "flushed_end" else getattr(self._log, name)


def writes_votes_after_it_has_answered(patch: pytest.MonkeyPatch) -> None:
    """quorum-state is written, and not brought to the disk."""
    genuine = Metadata._do

    def do(self: Metadata, ready: Any) -> None:
        disk = self._disk
        write_file = disk.write_file
        disk.write_file = lambda path, data, durable=True: write_file(path, data, False)  # type: ignore[method-assign]
        try:
            genuine(self, ready)
        finally:
            del disk.write_file

    patch.setattr(Metadata, "_do", do)


def never_fences(patch: pytest.MonkeyPatch) -> None:
    """A broker that is not heard of any more goes on leading."""
    patch.setattr(Sessions, "ended", lambda self, image, now_ms: [])


QUORUM: dict[Plant, int] = {
    answers_before_the_commit: 0,
    asks_before_it_has_flushed: 0,
    commits_without_a_majority: 0,
    counts_a_fetch_before_it_compares_histories: 3,
    does_not_resign_when_cut_off: 1,
    forgets_its_vote_at_restart: 1,
    grants_votes_to_shorter_logs: 3,
    truncates_below_the_commit: 0,
    writes_votes_after_it_has_answered: 0,
}
"""Each with the seed from which on it is looked for."""

FOUND_SOON: tuple[Plant, ...] = (
    asks_before_it_has_flushed,
    commits_without_a_majority,
    truncates_below_the_commit,
    writes_votes_after_it_has_answered,
)
"""Those looked for in every run of the tests."""

HARD: tuple[Plant, ...] = (
    never_fences,
    ignores_broker_epochs,
    ignores_the_epoch_of_a_fetch,
)
"""Those that take many seeds, if they are found at all: docs/reliability.md."""
