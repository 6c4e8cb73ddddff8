"""QuorumStateData, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, UUID, Message, Struct, array, field


class Voter(Struct):
    voter_id: int = field(INT32, "0")


class QuorumStateData(Message, versions="0-1", flexible="0+"):
    cluster_id: str = field(STRING, "0")
    leader_id: int = field(INT32, "0+", default=-1)
    leader_epoch: int = field(INT32, "0+", default=-1)
    voted_id: int = field(INT32, "0+", default=-1)
    voted_directory_id: bytes = field(UUID, "1+")
    applied_offset: int = field(INT64, "0")
    current_voters: list[Voter] | None = field(array(Voter), "0", nullable="0")
