"""UpdateRaftVoter (key 82): a voter tells the quorum's leader its present addresses and abilities (KIP-853)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UINT16, UUID, Message, Struct, array, field


class Listener(Struct):
    name: str = field(STRING, "0+")  # listener
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(UINT16, "0+")  # TCP port


class KRaftVersionFeature(Struct):
    min_supported_version: int = field(INT16, "0+")  # lowest kraft.version it supports
    max_supported_version: int = field(INT16, "0+")  # highest kraft.version it supports


class UpdateRaftVoterRequest(Message, api_key=82, versions="0", flexible="0+"):
    # cluster the sender believes to be in; null skips the check
    cluster_id: str | None = field(STRING, "0+", nullable="0+")
    current_leader_epoch: int = field(INT32, "0+")  # term the voter believes in; -1 unknown
    voter_id: int = field(INT32, "0+")  # voter
    voter_directory_id: bytes = field(UUID, "0+")  # voter's log directory; zero unknown
    listeners: list[Listener] = field(array(Listener), "0+")  # where it can be reached
    kraft_version_feature: KRaftVersionFeature = field(KRaftVersionFeature, "0+")  # range of kraft.version it supports


class CurrentLeader(Struct):
    leader_id: int = field(INT32, "0+", default=-1)     # leader; -1 unknown
    leader_epoch: int = field(INT32, "0+", default=-1)  # its term
    host: str = field(STRING, "0+")                     # host name or address
    port: int = field(INT32, "0+")                      # TCP port


class UpdateRaftVoterResponse(Message, api_key=82, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    current_leader: CurrentLeader = field(CurrentLeader, "0+", tagged="0+", tag=0)  # who leads
