"""Changing who votes, at the leader of the quorum (KIP-853).

Theory of operation
-------------------
The voters change one at a time, so that any majority of the old set and any of the new one have a node in common. A
change is a VotersRecord in the metadata log: it counts as soon as it stands there, and whoever asked is answered when
it is committed. Nothing is begun before the leader has committed something in its own epoch (it might not know the
newest set), nor while another change is under way.

Who is to be added must have copied the log up to its end before, or the quorum might come to a halt while it does. It
is asked under the address that was given whether it is who it is said to be: BeginQuorumEpoch names cluster, node and
directory, and whoever is another refuses. Apache Kafka asks ApiVersions there, for its kraft.version.

A set of fixed voters (kraft.version 0) says nothing of addresses and directories. Each of its voters tells the leader
its own with UpdateRaftVoter; when all have, `raise_version` can write the first set into the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.broker import quorum_wire as wire
from logctl.engine.broker.addresses import CANDIDATE
from logctl.engine.broker.voters import NEWEST_KRAFT_VERSION, version_control, voters_control
from logctl.engine.quorum.voters import ANY_DIRECTORY, Address, Voter, VoterSet
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.primitives import uuid_text

if TYPE_CHECKING:
    from logctl.engine.broker.addresses import Addresses
    from logctl.engine.broker.metadata import Metadata
    from logctl.engine.broker.metadata_records import ControlRecord
    from logctl.engine.broker.quorum_talk import Transport

Done = Callable[[WireError | None], None]
"""Is told that a change is committed, or why not."""

_OBSERVED_MS: Final = 3_600_000
_OTHERS: Final = {
    errors.INCONSISTENT_CLUSTER_ID: "it belongs to another cluster",
    errors.INVALID_VOTER_KEY: "it has another id or another log directory",
}


class VoterChanges:
    """`own`: what this node may say of itself as a voter."""

    def __init__(
        self,
        metadata: Metadata,
        addresses: Addresses,
        transport: Transport,
        cluster_id: str,
        say: Callable[[str, str], None],
    ) -> None:
        self._metadata = metadata
        self._addresses = addresses
        self._transport = transport
        self._cluster_id = cluster_id
        self._say = say
        self._asking = False
        self._told: dict[int, Voter] = {}
        self._told_epoch = -1
        self._waiting: tuple[int, Done] | None = None

    def where(self, node_id: int) -> Address | None:
        """Where a voter is reached whose addresses the metadata log does not name; None where that is not known."""
        own = self._addresses.own
        found = self._addresses.of_controller(node_id)
        return None if found is None or not own else found._replace(name=found.name or own[0].name)

    # ---- what is asked ----

    def add(self, cluster_id: str | None, voter: Voter, timeout_ms: int, at_once: bool, done: Done) -> None:
        """Let a node vote. `at_once`: `done` need not wait for the commit. Raises WireError."""
        self._check(cluster_id)
        self._check_version()
        known = self._metadata.raft.voter_set.get(voter.node_id)
        if known is not None:
            raise WireError(errors.DUPLICATE_VOTER, f"Node {voter.node_id} votes already{_from(known)}")
        if voter.node_id < 0 or voter.directory_id == ANY_DIRECTORY:
            raise WireError(errors.INVALID_REQUEST, "A voter is named by its node id and its log directory's id")
        at = self._door_of(voter)
        self._asking = True
        self._addresses.candidate = at
        raft = self._metadata.raft
        request = wire.begin_request(
            self._cluster_id, raft.node_id, voter.node_id, raft.epoch, voter.directory_id, self._addresses.own
        )

        def heard(response: Any) -> None:
            self._asking = False
            self._addresses.candidate = None
            try:
                self._check_who_answers(voter, at, response)
                self._check_has_copied(voter)
                self._check(cluster_id)
            except WireError as refusal:
                done(refusal)
                return
            self._write([voters_control(raft.voter_set.with_(voter))], timeout_ms, at_once, done)

        self._transport.ask(CANDIDATE, "voter", request, heard)

    def remove(self, cluster_id: str | None, node_id: int, directory_id: bytes, done: Done) -> None:
        """Let a node vote no more; it may be this one. Raises WireError."""
        self._check(cluster_id)
        self._check_version()
        voters = self._metadata.raft.voter_set
        known = voters.get(node_id)
        if known is None or known.directory_id != directory_id:
            where = f" from directory {uuid_text(directory_id)}" if known is not None else ""
            raise WireError(
                errors.VOTER_NOT_FOUND,
                f"Node {node_id} does not vote{where}" + (f"; it does{_from(known)}" if known is not None else ""),
            )
        if len(voters) == 1:
            raise WireError(errors.INVALID_REQUEST, f"Node {node_id} is the only voter; add another one first")
        self._write([voters_control(voters.without(node_id))], 0, False, done)

    def update(self, cluster_id: str | None, epoch: int, voter: Voter, done: Done) -> None:
        """A voter says where it is reached and what it can run. Raises WireError."""
        metadata, raft = self._metadata, self._metadata.raft
        self._check_leader(cluster_id)
        if epoch != raft.epoch:
            code = errors.FENCED_LEADER_EPOCH if epoch < raft.epoch else errors.UNKNOWN_LEADER_EPOCH
            raise WireError(code, f"The epoch is {raft.epoch}")
        if not raft.voter_set.has(voter.node_id, voter.directory_id):
            raise WireError(errors.VOTER_NOT_FOUND, f"Node {voter.node_id} does not vote")
        self._door_of(voter)
        if not voter.lowest <= metadata.voters.newest.kraft_version <= voter.highest:
            raise WireError(errors.INVALID_REQUEST, f"Node {voter.node_id} cannot run this kraft.version")
        if not metadata.voters.are_in_the_log:
            self._note(voter)
            done(None)
        elif raft.voter_set.get(voter.node_id) == voter:
            done(None)
        else:
            self._check(cluster_id)
            self._write([voters_control(raft.voter_set.with_(voter))], 0, False, done)

    def raise_version(self, level: int, *, validate_only: bool, done: Done) -> None:
        """Let the log name the voters from now on (kraft.version 1). Raises WireError."""
        metadata = self._metadata
        self._check_leader(None)
        now = metadata.voters.newest.kraft_version
        if not 0 <= level <= NEWEST_KRAFT_VERSION:
            raise WireError(errors.INVALID_UPDATE_VERSION, f"There is no kraft.version {level}, only 0 and 1")
        if level < now:
            raise WireError(errors.INVALID_UPDATE_VERSION, "kraft.version does not fall: the log names the voters")
        if level == now:
            done(None)
            return
        self._check(None)
        voters = self._all_told(level)
        if validate_only:
            done(None)
        else:
            self._write([version_control(level), voters_control(voters)], 0, False, done)

    # ---- what must hold ----

    def _check_leader(self, cluster_id: str | None) -> None:
        if cluster_id is not None and cluster_id != self._cluster_id:
            raise WireError(
                errors.INCONSISTENT_CLUSTER_ID, f"This is cluster {self._cluster_id}, the request is for {cluster_id}"
            )
        if not self._metadata.is_leader:
            raise WireError(errors.NOT_LEADER_OR_FOLLOWER, "This node does not lead the metadata quorum")

    def _check(self, cluster_id: str | None) -> None:
        """Whether a change may begin now."""
        self._check_leader(cluster_id)
        metadata = self._metadata
        if not metadata.raft.has_committed:
            raise WireError(errors.REQUEST_TIMED_OUT, "The leader has not committed anything yet; try again")
        if self._asking or metadata.voters.newest.offset >= metadata.high_watermark:
            raise WireError(errors.REQUEST_TIMED_OUT, "Another change of the voters is under way; try again")

    def _check_version(self) -> None:
        if not self._metadata.voters.are_in_the_log:
            raise WireError(
                errors.UNSUPPORTED_VERSION,
                "The voters of this cluster are fixed by the nodes' settings: raise kraft.version to 1 first",
            )

    def _door_of(self, voter: Voter) -> Address:
        names = [one.name for one in self._addresses.own]
        found = next((one for one in voter.addresses if one.name in names), None)
        if found is None:
            raise WireError(
                errors.INVALID_REQUEST,
                f"Node {voter.node_id} names no listener {' or '.join(names)}, on which voters are reached",
            )
        return found

    def _check_who_answers(self, voter: Voter, at: Address, response: Any) -> None:
        who = f"Node {voter.node_id} cannot be added: at {at.host}:{at.port}"
        if response is None:
            raise WireError(errors.REQUEST_TIMED_OUT, f"{who} nobody answers who can vote")
        code = response.error_code or next((one.partitions[0].error_code for one in response.topics), errors.NONE)
        if code in _OTHERS:
            raise WireError(code, f"{who} is somebody else: {_OTHERS[code]}")

    def _check_has_copied(self, voter: Voter) -> None:
        metadata = self._metadata
        who = (voter.node_id, voter.directory_id)
        seen = metadata.raft.observers(metadata.clock(), _OBSERVED_MS).get(who)
        if seen is None or seen.caught_up_ms <= 0:
            raise WireError(
                errors.REQUEST_TIMED_OUT,
                f"Node {voter.node_id} has not copied the metadata log up to its end from that directory yet; let it "
                "run until it has, and try again",
            )

    def _note(self, voter: Voter) -> None:
        """What one of the fixed voters says of itself, while this office lasts."""
        if self._told_epoch != self._metadata.epoch:
            self._told_epoch, self._told = self._metadata.epoch, {}
        self._told[voter.node_id] = voter

    def _all_told(self, level: int) -> VoterSet:
        raft = self._metadata.raft
        self._note(Voter(raft.node_id, raft.directory_id, self._addresses.own, 0, NEWEST_KRAFT_VERSION))
        silent = [voter for voter in raft.voters if voter not in self._told]
        if silent:
            raise WireError(
                errors.INVALID_UPDATE_VERSION,
                f"kraft.version cannot be set to {level}: voter {', '.join(map(str, silent))} has not told its "
                "directory and addresses yet; every voter must run",
            )
        unable = [one.node_id for one in self._told.values() if not one.lowest <= level <= one.highest]
        if unable:
            raise WireError(errors.INVALID_UPDATE_VERSION, f"Voter {unable[0]} cannot run kraft.version {level}")
        return VoterSet(self._told[voter] for voter in raft.voters)

    # ---- doing it ----

    def _write(self, controls: list[ControlRecord], timeout_ms: int, at_once: bool, done: Done) -> None:
        metadata = self._metadata
        self._waiting = (metadata.clock() + timeout_ms, done) if timeout_ms > 0 and not at_once else None

        def committed() -> None:
            self._say("quorum", f"The voters are now {', '.join(map(str, metadata.raft.voters))}")
            finish(None)

        def finish(refusal: WireError | None) -> None:
            waits, self._waiting = self._waiting, None
            if not at_once and (timeout_ms <= 0 or waits is not None):
                done(refusal)

        try:
            metadata.change_voters(controls, committed, finish)
        except WireError as refusal:
            finish(refusal)
            return
        if at_once:
            done(None)

    def tick(self, now_ms: int) -> None:
        """Whoever cannot wait for the commit any longer is told so; the change may still come to hold."""
        if self._waiting is not None and now_ms >= self._waiting[0]:
            (_, done), self._waiting = self._waiting, None
            done(WireError(errors.REQUEST_TIMED_OUT, "The change is written, but not committed yet"))

    def next_deadline_ms(self) -> int | None:
        return self._waiting[0] if self._waiting is not None else None


def _from(voter: Voter) -> str:
    known = voter.directory_id != ANY_DIRECTORY
    return f" from directory {uuid_text(voter.directory_id)}" if known else ""
