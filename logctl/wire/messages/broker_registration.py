"""BrokerRegistration (key 62): a broker announces itself to the controller (KIP-631).

1   left over from the migration off ZooKeeper
2   log directories (KIP-858)
3   the epoch of its last life, when that ended in good order (KIP-966)
4   features whose lowest level is 0 may be listed
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, UINT16, UUID, Message, Struct, array, field


class Listener(Struct):
    name: str = field(STRING, "0+")              # listener
    host: str = field(STRING, "0+")              # host name or address
    port: int = field(UINT16, "0+")              # TCP port
    security_protocol: int = field(INT16, "0+")  # 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL


class Feature(Struct):
    name: str = field(STRING, "0+")                  # feature
    min_supported_version: int = field(INT16, "0+")  # lowest level supported
    max_supported_version: int = field(INT16, "0+")  # highest level supported


class BrokerRegistrationRequest(Message, api_key=62, versions="0-4", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # broker
    cluster_id: str = field(STRING, "0+")  # cluster of the broker
    incarnation_id: bytes = field(UUID, "0+")  # fresh identifier of each start of the process
    listeners: list[Listener] = field(array(Listener), "0+")  # where it can be reached
    features: list[Feature] = field(array(Feature), "0+")  # what this broker can run at
    rack: str | None = field(STRING, "0+", nullable="0+")  # rack of the broker; null when none is configured
    is_migrating_zk_broker: bool = field(BOOL, "1+")  # left over from the migration off ZooKeeper; false
    log_dirs: list[bytes] = field(array(UUID), "2+")  # identifiers of its usable log directories (KIP-858)
    # epoch before a shutdown in good order; -1 unclean or unknown
    previous_broker_epoch: int = field(INT64, "3+", default=-1)


class BrokerRegistrationResponse(Message, api_key=62, versions="0-4", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")          # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")                # 0, or what went wrong
    broker_epoch: int = field(INT64, "0+", default=-1)  # epoch given to the broker; -1 on failure
