"""AddRaftVoter (key 80): add a controller to the voters of the metadata quorum (KIP-853).

1   answer before the change is committed, on request (KIP-1186)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, UINT16, UUID, Message, Struct, array, field


class Listener(Struct):
    name: str = field(STRING, "0+")  # listener
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(UINT16, "0+")  # TCP port


class AddRaftVoterRequest(Message, api_key=80, versions="0-1", flexible="0+"):
    # cluster the sender believes to be in; null skips the check
    cluster_id: str | None = field(STRING, "0+", nullable="0+")
    timeout_ms: int = field(INT32, "0+")  # how long the answer may take
    voter_id: int = field(INT32, "0+")  # node to become a voter
    voter_directory_id: bytes = field(UUID, "0+")  # voter's log directory; zero unknown
    listeners: list[Listener] = field(array(Listener), "0+")  # where it can be reached
    # answer once the new set of voters is committed; false: once it is written
    ack_when_committed: bool = field(BOOL, "1+", default=True)


class AddRaftVoterResponse(Message, api_key=80, versions="0-1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
