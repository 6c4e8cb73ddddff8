"""LeaderChangeMessage: first record of every term of the metadata log, a control record (KIP-595).

1   directories of the voters (KIP-853)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, UUID, Message, Struct, array, field


class Voter(Struct):
    voter_id: int = field(INT32, "0+")             # voter
    voter_directory_id: bytes = field(UUID, "1+")  # voter's log directory; zero unknown


class LeaderChangeMessage(Message, versions="0-1", flexible="0+"):
    version: int = field(INT16, "0+")                         # of this record
    leader_id: int = field(INT32, "0+")                       # the new leader
    voters: list[Voter] = field(array(Voter), "0+")           # those of this term
    granting_voters: list[Voter] = field(array(Voter), "0+")  # those who voted for it
