"""RemoveRaftVoter (key 81): take a controller out of the voters of the metadata quorum (KIP-853)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UUID, Message, field


class RemoveRaftVoterRequest(Message, api_key=81, versions="0", flexible="0+"):
    # cluster the sender believes to be in; null skips the check
    cluster_id: str | None = field(STRING, "0+", nullable="0+")
    voter_id: int = field(INT32, "0+")  # node to vote no more
    voter_directory_id: bytes = field(UUID, "0+")  # voter's log directory; zero unknown


class RemoveRaftVoterResponse(Message, api_key=81, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
