"""QuorumStateData: what a voter must not forget, kept as JSON in `quorum-state` beside the metadata log (KIP-595).

The file carries the version as `data_version`. It is written and synced before a vote or a new term is spoken of.

1   directory of the voter chosen; no more of the fields that the log itself tells (KIP-853)
"""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, UUID, Message, Struct, array, field


class Voter(Struct):
    voter_id: int = field(INT32, "0")  # voter


class QuorumStateData(Message, versions="0-1", flexible="0+"):
    cluster_id: str = field(STRING, "0")  # cluster, version 0
    leader_id: int = field(INT32, "0+", default=-1)  # leader of this term; -1 none known
    leader_epoch: int = field(INT32, "0+", default=-1)  # the term
    voted_id: int = field(INT32, "0+", default=-1)  # whom this node voted for in it; -1 nobody
    voted_directory_id: bytes = field(UUID, "1+")  # log directory of that voter
    applied_offset: int = field(INT64, "0")  # kept at 0, version 0
    current_voters: list[Voter] | None = field(array(Voter), "0", nullable="0")  # voters by configuration, version 0
