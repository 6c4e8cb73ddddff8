"""AlterReplicaLogDirs (key 34): move replicas to other log directories of the same broker (KIP-113).

Sent by admin tools to the broker that holds them. Version 2 is flexible.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, Struct, array, field


class AlterReplicaLogDirTopic(Struct):
    name: str = field(STRING, "0+")                    # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class AlterReplicaLogDir(Struct):
    path: str = field(STRING, "0+")  # absolute path of the directory
    topics: list[AlterReplicaLogDirTopic] = field(array(AlterReplicaLogDirTopic), "0+")  # what is to move there


class AlterReplicaLogDirsRequest(Message, api_key=34, versions="1-2", flexible="2+"):
    dirs: list[AlterReplicaLogDir] = field(array(AlterReplicaLogDir), "0+")  # by directory


class AlterReplicaLogDirPartitionResult(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong


class AlterReplicaLogDirTopicResult(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[AlterReplicaLogDirPartitionResult] = field(array(AlterReplicaLogDirPartitionResult), "0+")


class AlterReplicaLogDirsResponse(Message, api_key=34, versions="1-2", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    results: list[AlterReplicaLogDirTopicResult] = field(array(AlterReplicaLogDirTopicResult), "0+")  # by topic
