"""Voters that the metadata log itself names (kraft.version 1, KIP-853), as far as a quorum of one needs them.

Apache Kafka formats a single node so by default (`kafka-storage format --standalone`): a snapshot at offset 0, and then
the first batch of the log, hold a KRaftVersion and a Voters record. They are kept as they are and repeated at the head
of every snapshot, so that the directory can be handed back. Voters that come and go are not served: a log that names
others than this node is not for us.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from logctl.engine.broker.metadata_records import ControlRecord
from logctl.wire.records import CONTROL_KRAFT_VERSION, CONTROL_KRAFT_VOTERS
from logctl.wire.stored.framing import UnknownRecord

NEWEST_KRAFT_VERSION: Final = 1


class Voters(NamedTuple):
    """`version` and `named` are the newest KRaftVersionRecord and VotersRecord, None where there is none."""

    version: Any = None
    named: Any = None

    @property
    def are_in_the_log(self) -> bool:
        return self.version is not None and self.version.kraft_version > 0

    def after(self, controls: Iterable[ControlRecord]) -> Voters:
        """What holds behind these control records."""
        voters = self
        for kind, message in controls:
            if kind == CONTROL_KRAFT_VERSION:
                voters = voters._replace(version=message)
            elif kind == CONTROL_KRAFT_VOTERS:
                voters = voters._replace(named=message)
        return voters

    def controls(self) -> list[ControlRecord]:
        """The records that say the same; none for voters by configuration."""
        if not self.are_in_the_log:
            return []
        version = ControlRecord(CONTROL_KRAFT_VERSION, self.version)
        return [version, ControlRecord(CONTROL_KRAFT_VOTERS, self.named)] if self.named is not None else [version]

    def objection(self, node_id: int) -> str | None:
        """Why a node that is alone cannot lead by this; None when it can."""
        if not self.are_in_the_log or self.named is None:
            return None
        ids = sorted(voter.voter_id for voter in self.named.voters)
        if ids == [node_id]:
            return None
        return f"its voters are {', '.join(map(str, ids))}, and this version runs a quorum of node {node_id} alone"


def control_objection(control: ControlRecord) -> str | None:
    """Why a control record needs a newer version; None when it does not."""
    if isinstance(control.message, UnknownRecord):
        return f"a control record is of kind {control.kind}, which this version does not know"
    if control.kind == CONTROL_KRAFT_VERSION and control.message.kraft_version > NEWEST_KRAFT_VERSION:
        return f"its kraft.version is {control.message.kraft_version}, this version reads up to {NEWEST_KRAFT_VERSION}"
    return None
