"""ControllerRegistration (key 70): a controller announces itself to the quorum's leader (KIP-919)."""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, UINT16, UUID, Message, Struct, array, field


class Listener(Struct):
    name: str = field(STRING, "0+")              # listener
    host: str = field(STRING, "0+")              # host name or address
    port: int = field(UINT16, "0+")              # TCP port
    security_protocol: int = field(INT16, "0+")  # 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL


class Feature(Struct):
    name: str = field(STRING, "0+")                  # feature
    min_supported_version: int = field(INT16, "0+")  # lowest level supported
    max_supported_version: int = field(INT16, "0+")  # highest level supported


class ControllerRegistrationRequest(Message, api_key=70, versions="0", flexible="0+"):
    controller_id: int = field(INT32, "0+")                   # controller
    incarnation_id: bytes = field(UUID, "0+")                 # fresh identifier of each start of the process
    zk_migration_ready: bool = field(BOOL, "0+")              # left over from the migration off ZooKeeper; false
    listeners: list[Listener] = field(array(Listener), "0+")  # where it can be reached
    features: list[Feature] = field(array(Feature), "0+")     # what this controller can run at


class ControllerRegistrationResponse(Message, api_key=70, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
