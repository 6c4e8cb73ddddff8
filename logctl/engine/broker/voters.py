"""What the metadata log's control records say about its voters, read and written (KIP-853).

A snapshot at offset 0 (as `kafka-storage format --standalone` makes it), the first batch of a log, and every change of
the voters hold a KRaftVersion and a Voters record, or the latter alone. They are repeated at the head of every
snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from logctl.engine.broker.metadata_records import Batch, ControlRecord
from logctl.engine.quorum.voters import Address, Standing, Voter, VoterHistory, VoterSet
from logctl.wire.records import CONTROL_KRAFT_VERSION, CONTROL_KRAFT_VOTERS, CONTROL_LEADER_CHANGE
from logctl.wire.stored.framing import UnknownRecord

KRAFT_VERSION: Final = "kraft.version"
NEWEST_KRAFT_VERSION: Final = 1


def leader_control(leader_id: int, voters: Iterable[int], granting: Iterable[int]) -> ControlRecord:
    """Who leads, who may vote, who of them has: in version 0, also where directories are known, because Apache Kafka
    4.3 reads no other."""
    from logctl.wire.stored.leader_change_message import LeaderChangeMessage, Voter

    message = LeaderChangeMessage(
        leader_id=leader_id,
        voters=[Voter(voter_id=voter) for voter in voters],
        granting_voters=[Voter(voter_id=voter) for voter in granting],
    )
    return ControlRecord(CONTROL_LEADER_CHANGE, message)


def version_control(kraft_version: int) -> ControlRecord:
    from logctl.wire.stored.k_raft_version_record import KRaftVersionRecord

    return ControlRecord(CONTROL_KRAFT_VERSION, KRaftVersionRecord(kraft_version=kraft_version))


def voters_control(voters: VoterSet) -> ControlRecord:
    from logctl.wire.stored import voters_record as stored

    named = [
        stored.Voter(
            voter_id=one.node_id,
            voter_directory_id=one.directory_id,
            endpoints=[stored.Endpoint(*address) for address in one.addresses],
            kraft_version_feature=stored.KRaftVersionFeature(one.lowest, one.highest),
        )
        for one in voters
    ]
    return ControlRecord(CONTROL_KRAFT_VOTERS, stored.VotersRecord(voters=named))


def controls_of(standing: Standing) -> list[ControlRecord]:
    """The records that say the same; none for voters by configuration."""
    if not standing.kraft_version:
        return []
    named = [voters_control(standing.voters)] if standing.voters is not None else []
    return [version_control(standing.kraft_version), *named]


def voters_in(record: Any) -> VoterSet:
    """The set that a VotersRecord names."""
    return VoterSet(
        Voter(
            one.voter_id,
            one.voter_directory_id,
            tuple(Address(at.name, at.host, at.port) for at in one.endpoints),
            one.kraft_version_feature.min_supported_version,
            one.kraft_version_feature.max_supported_version,
        )
        for one in record.voters
    )


def note_controls(history: VoterHistory, first_offset: int, controls: Iterable[ControlRecord]) -> bool:
    """Write down what control records at `first_offset` and behind say; whether it was about voters."""
    noted = False
    for offset, (kind, message) in enumerate(controls, first_offset):
        if kind == CONTROL_KRAFT_VERSION:
            history.add(offset, kraft_version=message.kraft_version)
        elif kind == CONTROL_KRAFT_VOTERS:
            history.add(offset, voters=voters_in(message))
        else:
            continue
        noted = True
    return noted


def note_batch(history: VoterHistory, batch: Batch) -> bool:
    """The same for a batch of the log."""
    return bool(batch.controls) and note_controls(history, batch.header.base_offset, batch.controls)


def note_snapshot(history: VoterHistory, end_offset: int, controls: Iterable[ControlRecord]) -> None:
    """All that is known is what a snapshot says, which reaches up to `end_offset`."""
    found = VoterHistory()
    note_controls(found, end_offset - 1, controls)
    history.begin_from(found.newest._replace(offset=end_offset - 1))


def control_objection(control: ControlRecord) -> str | None:
    """Why a control record needs a newer version; None when it does not."""
    if isinstance(control.message, UnknownRecord):
        return f"a control record is of kind {control.kind}, which this version does not know"
    if control.kind == CONTROL_KRAFT_VERSION and control.message.kraft_version > NEWEST_KRAFT_VERSION:
        return f"its kraft.version is {control.message.kraft_version}, this version reads up to {NEWEST_KRAFT_VERSION}"
    return None
