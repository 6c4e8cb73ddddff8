"""AssignReplicasToDirs (key 73): a broker tells the controller in which log directories its replicas are (KIP-858)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, UUID, Message, Struct, array, field


class AssignReplicasToDirsRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number


class AssignReplicasToDirsRequestTopicData(Struct):
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
    # by partition
    partitions: list[AssignReplicasToDirsRequestPartitionData] = field(
        array(AssignReplicasToDirsRequestPartitionData), "0+"
    )


class AssignReplicasToDirsRequestDirectoryData(Struct):
    id: bytes = field(UUID, "0+")  # directory
    # by topic
    topics: list[AssignReplicasToDirsRequestTopicData] = field(array(AssignReplicasToDirsRequestTopicData), "0+")


class AssignReplicasToDirsRequest(Message, api_key=73, versions="0", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # broker
    # broker's epoch, given by the controller at registration; fences earlier lives of the process
    broker_epoch: int = field(INT64, "0+", default=-1)
    # by directory
    directories: list[AssignReplicasToDirsRequestDirectoryData] = field(
        array(AssignReplicasToDirsRequestDirectoryData), "0+"
    )


class AssignReplicasToDirsResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong


class AssignReplicasToDirsResponseTopicData(Struct):
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
    # by partition
    partitions: list[AssignReplicasToDirsResponsePartitionData] = field(
        array(AssignReplicasToDirsResponsePartitionData), "0+"
    )


class AssignReplicasToDirsResponseDirectoryData(Struct):
    id: bytes = field(UUID, "0+")  # directory
    # by topic
    topics: list[AssignReplicasToDirsResponseTopicData] = field(array(AssignReplicasToDirsResponseTopicData), "0+")


class AssignReplicasToDirsResponse(Message, api_key=73, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # by directory
    directories: list[AssignReplicasToDirsResponseDirectoryData] = field(
        array(AssignReplicasToDirsResponseDirectoryData), "0+"
    )
