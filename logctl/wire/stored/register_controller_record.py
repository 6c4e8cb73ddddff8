"""RegisterControllerRecord: a controller came, or came again (metadata log, KIP-919)."""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, UINT16, UUID, Message, Struct, array, field


class ControllerEndpoint(Struct):
    name: str = field(STRING, "0+")              # listener
    host: str = field(STRING, "0+")              # host name or address
    port: int = field(UINT16, "0+")              # TCP port
    security_protocol: int = field(INT16, "0+")  # 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL


class ControllerFeature(Struct):
    name: str = field(STRING, "0+")                  # feature
    min_supported_version: int = field(INT16, "0+")  # lowest level supported
    max_supported_version: int = field(INT16, "0+")  # highest level supported


class RegisterControllerRecord(Message, api_key=27, versions="0", flexible="0+"):
    controller_id: int = field(INT32, "0+")  # controller
    incarnation_id: bytes = field(UUID, "0+")  # fresh identifier of each start of the process
    zk_migration_ready: bool = field(BOOL, "0+")  # left over from the migration off ZooKeeper; false
    end_points: list[ControllerEndpoint] = field(array(ControllerEndpoint), "0+")  # where it can be reached
    features: list[ControllerFeature] = field(array(ControllerFeature), "0+")  # what it can run at
