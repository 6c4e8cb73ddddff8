"""FindCoordinator (key 10): which broker takes care of a group, a transaction or a share partition?

Asked by clients and brokers, of any broker.

1   transactions, not only groups
3   flexible
4   several at once (KIP-699)
5   TRANSACTION_ABORTABLE may be answered (KIP-890)
6   share partitions (KIP-932)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, STRING, Message, Struct, array, field


class FindCoordinatorRequest(Message, api_key=10, versions="0-6", flexible="3+"):
    key: str = field(STRING, "0-3")  # group or transactional.id, up to 3
    key_type: int = field(INT8, "1+")  # 0 group, 1 transaction, 2 share partition
    # what is looked for, from 4 on; a share partition as "group:topic id:partition"
    coordinator_keys: list[str] = field(array(STRING), "4+")


class Coordinator(Struct):
    key: str = field(STRING, "4+")  # what was looked for
    node_id: int = field(INT32, "4+")  # broker that takes care of it; -1 on failure
    host: str = field(STRING, "4+")  # host name or address
    port: int = field(INT32, "4+")  # TCP port
    error_code: int = field(INT16, "4+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "4+", nullable="4+")


class FindCoordinatorResponse(Message, api_key=10, versions="0-6", flexible="3+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0-3")  # up to 3
    error_message: str | None = field(STRING, "1-3", nullable="1-3")  # up to 3
    node_id: int = field(INT32, "0-3")  # broker, up to 3; -1 on failure
    host: str = field(STRING, "0-3")  # up to 3
    port: int = field(INT32, "0-3")  # up to 3
    coordinators: list[Coordinator] = field(array(Coordinator), "4+")  # one per key, from 4 on
