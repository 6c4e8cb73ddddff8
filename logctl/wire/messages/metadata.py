"""Metadata (key 3): which brokers there are, and which of them lead and hold each partition.

Asked by every client, of any broker, at the start and whenever a leader seems to have moved. It may create the
topics asked for.

1   racks, the controller, internal topics; an empty list means no topic and null means all (in 0 empty means all)
2   cluster id
4   creation can be declined
5   replicas that are offline
7   leader epochs (KIP-320)
8   authorised operations (KIP-430)
9   flexible
10  topic identifiers in the answer (KIP-516)
11  operations on the cluster have moved to DescribeCluster (KIP-700)
12  topics can be asked for by identifier
13  an error for the answer as a whole
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, UUID, Message, Struct, array, field


class MetadataRequestTopic(Struct):
    topic_id: bytes = field(UUID, "10+")  # topic by identifier, from 12 on; zero when it is given by name
    name: str | None = field(STRING, "0+", nullable="10+")  # topic by name; null when it is given by identifier


class MetadataRequest(Message, api_key=3, versions="0-13", flexible="9+"):
    # topics wanted; null for all
    topics: list[MetadataRequestTopic] | None = field(array(MetadataRequestTopic), "0+", nullable="1+")
    # create those that do not exist, where the broker's settings allow it
    allow_auto_topic_creation: bool = field(BOOL, "4+", default=True)
    include_cluster_authorized_operations: bool = field(BOOL, "8-10")  # also say what the caller may do to the cluster
    include_topic_authorized_operations: bool = field(BOOL, "8+")  # also say what the caller may do to each topic


class MetadataResponseBroker(Struct):
    node_id: int = field(INT32, "0+")  # broker
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(INT32, "0+")  # TCP port
    # rack of the broker; null when none is configured
    rack: str | None = field(STRING, "1+", nullable="1+", default=None)


class MetadataResponsePartition(Struct):
    error_code: int = field(INT16, "0+")                     # 0, or what went wrong
    partition_index: int = field(INT32, "0+")                # partition number
    leader_id: int = field(INT32, "0+")                      # broker that leads; -1 none
    leader_epoch: int = field(INT32, "7+", default=-1)       # epoch of that leader; -1 unknown
    replica_nodes: list[int] = field(array(INT32), "0+")     # brokers that hold it, the preferred leader first
    isr_nodes: list[int] = field(array(INT32), "0+")         # those of them in sync with the leader
    offline_replicas: list[int] = field(array(INT32), "5+")  # those of them that are down, or whose directory is


class MetadataResponseTopic(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # topic; null when an unknown one was asked for by identifier
    name: str | None = field(STRING, "0+", nullable="12+")
    topic_id: bytes = field(UUID, "10+")  # its identifier; zero when an unknown one was asked for by name
    is_internal: bool = field(BOOL, "1+")  # kept by Kafka itself, like __consumer_offsets
    partitions: list[MetadataResponsePartition] = field(array(MetadataResponsePartition), "0+")  # by partition
    # bit field by operation code; the least integer when not asked for
    topic_authorized_operations: int = field(INT32, "8+", default=-2147483648)


class MetadataResponse(Message, api_key=3, versions="0-13", flexible="9+"):
    throttle_time_ms: int = field(INT32, "3+")  # how long the quota delayed, or is to delay, this client
    brokers: list[MetadataResponseBroker] = field(array(MetadataResponseBroker), "0+")  # those alive
    cluster_id: str | None = field(STRING, "2+", nullable="2+", default=None)  # identifier of the cluster
    # broker to send controller requests to (any one, with KRaft); -1 none
    controller_id: int = field(INT32, "1+", default=-1)
    topics: list[MetadataResponseTopic] = field(array(MetadataResponseTopic), "0+")  # by topic
    # bit field by operation code; the least integer when not asked for
    cluster_authorized_operations: int = field(INT32, "8-10", default=-2147483648)
    error_code: int = field(INT16, "13+")  # 0, or what went wrong
