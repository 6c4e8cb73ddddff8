"""DescribeCluster (key 60): brokers (or controllers) of the cluster (KIP-700).

1   controllers can be asked for their own addresses (KIP-919)
2   fenced brokers on request (KIP-1073)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, STRING, Message, Struct, array, field


class DescribeClusterRequest(Message, api_key=60, versions="0-2", flexible="0+"):
    include_cluster_authorized_operations: bool = field(BOOL, "0+")  # also say what the caller may do to the cluster
    endpoint_type: int = field(INT8, "1+", default=1)                # 1 brokers, 2 controllers
    include_fenced_brokers: bool = field(BOOL, "2+")                 # also those that the controller has fenced


class DescribeClusterBroker(Struct):
    broker_id: int = field(INT32, "0+")  # broker
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(INT32, "0+")  # TCP port
    # rack of the broker; null when none is configured
    rack: str | None = field(STRING, "0+", nullable="0+", default=None)
    is_fenced: bool = field(BOOL, "2+")  # registered, but not serving


class DescribeClusterResponse(Message, api_key=60, versions="0-2", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    endpoint_type: int = field(INT8, "1+", default=1)  # 1 brokers, 2 controllers
    cluster_id: str = field(STRING, "0+")  # identifier of the cluster
    # broker to send controller requests to, or the quorum's leader; -1 none
    controller_id: int = field(INT32, "0+", default=-1)
    brokers: list[DescribeClusterBroker] = field(array(DescribeClusterBroker), "0+")  # those found
    # bit field by operation code; the least integer when not asked for
    cluster_authorized_operations: int = field(INT32, "0+", default=-2147483648)
