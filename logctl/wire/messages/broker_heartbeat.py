"""BrokerHeartbeat (key 63): a registered broker is alive; may it serve, may it stop? (KIP-631)

1   log directories that failed (KIP-858)
2   log directories that take no new replicas (KIP-1066)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, UUID, Message, array, field


class BrokerHeartbeatRequest(Message, api_key=63, versions="0-2", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # broker
    # broker's epoch, given by the controller at registration; fences earlier lives of the process
    broker_epoch: int = field(INT64, "0+", default=-1)
    current_metadata_offset: int = field(INT64, "0+")  # how far it has read the metadata log
    want_fence: bool = field(BOOL, "0+")  # it wants to be fenced
    want_shut_down: bool = field(BOOL, "0+")  # it wants its partitions moved away so that it can stop
    offline_log_dirs: list[bytes] = field(array(UUID), "1+", tagged="1+", tag=0)  # directories that failed
    # directories that take no new replicas; null not told yet
    cordoned_log_dirs: list[bytes] | None = field(array(UUID), "2+", nullable="2+", tagged="2+", tag=1, default=None)


class BrokerHeartbeatResponse(Message, api_key=63, versions="0-2", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")         # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")               # 0, or what went wrong
    is_caught_up: bool = field(BOOL, "0+")             # it has read the metadata log nearly to its end
    is_fenced: bool = field(BOOL, "0+", default=True)  # it may not serve
    should_shut_down: bool = field(BOOL, "0+")         # nothing is left there: it may stop
