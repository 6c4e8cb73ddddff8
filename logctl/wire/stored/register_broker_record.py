"""RegisterBrokerRecord: a broker came, or came again (metadata log).

1   shutting down
2   left over from the migration off ZooKeeper
3   log directories (KIP-858)
4   directories that take no new replicas (KIP-1066)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, UINT16, UUID, Message, Struct, array, field


class BrokerEndpoint(Struct):
    name: str = field(STRING, "0+")              # listener
    host: str = field(STRING, "0+")              # host name or address
    port: int = field(UINT16, "0+")              # TCP port
    security_protocol: int = field(INT16, "0+")  # 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL


class BrokerFeature(Struct):
    name: str = field(STRING, "0+")                  # feature
    min_supported_version: int = field(INT16, "0+")  # lowest level supported
    max_supported_version: int = field(INT16, "0+")  # highest level supported


class RegisterBrokerRecord(Message, api_key=0, versions="0-4", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # broker
    is_migrating_zk_broker: bool = field(BOOL, "2+")  # left over from the migration off ZooKeeper; false
    incarnation_id: bytes = field(UUID, "0+")  # fresh identifier of each start of the process
    # broker's epoch, given by the controller at registration; fences earlier lives of the process
    broker_epoch: int = field(INT64, "0+")
    end_points: list[BrokerEndpoint] = field(array(BrokerEndpoint), "0+")  # where it can be reached
    features: list[BrokerFeature] = field(array(BrokerFeature), "0+")  # what it can run at
    rack: str | None = field(STRING, "0+", nullable="0+")  # rack of the broker; null when none is configured
    fenced: bool = field(BOOL, "0+", default=True)  # it may not serve yet
    in_controlled_shutdown: bool = field(BOOL, "1+")  # it is shutting down
    # identifiers of its usable log directories (KIP-858)
    log_dirs: list[bytes] = field(array(UUID), "3+", tagged="3+", tag=0)
    # directories that take no new replicas; null not told yet
    cordoned_log_dirs: list[bytes] | None = field(array(UUID), "4+", nullable="4+", tagged="4+", tag=1, default=None)
