"""AlterReplicaLogDirs (34), versions 1 and 2: move replicas of this node to other log directories of it (KIP-113).

The answer says that the move has begun; DescribeLogDirs shows how far it is. The partition stays in use meanwhile. A
move to the directory that a replica lies in ends one that is under way. A move is limited by
`replica.alter.log.dirs.io.max.bytes.per.second` and is begun anew after a restart.

Refused: a path that is not exactly one of `log.dirs` (LOG_DIR_NOT_FOUND), a partition that this node does not hold
(UNKNOWN_TOPIC_OR_PARTITION), a directory or log that has failed (KAFKA_STORAGE_ERROR). Named twice, the last counts.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Request
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 34
VERSIONS = (1, 2)


def handle(broker: Broker, request: Request[AlterReplicaLogDirsRequest], now_ms: int) -> AlterReplicaLogDirsResponse:
    outcomes: dict[str, dict[int, int]] = {}
    for (topic, number), path in _wanted(request.body).items():
        outcomes.setdefault(topic, {})[number] = _move(broker, topic, number, path, now_ms)
    return _response(outcomes)


def refused(request: Request[AlterReplicaLogDirsRequest], error: WireError) -> AlterReplicaLogDirsResponse:
    """Every partition of the request is answered with the error."""
    outcomes: dict[str, dict[int, int]] = {}
    for topic, number in _wanted(request.body):
        outcomes.setdefault(topic, {})[number] = error.code
    return _response(outcomes)


def _wanted(body: AlterReplicaLogDirsRequest) -> dict[tuple[str, int], str]:
    return {
        (topic.name, number): directory.path
        for directory in body.dirs
        for topic in directory.topics
        for number in topic.partitions
    }


def _move(broker: Broker, topic: str, number: int, path: str, now_ms: int) -> int:
    """The error code; 0 when the move has begun, or there is nothing to move."""
    replicas = broker.replicas
    target = replicas.directory_at(path)
    if target is None:
        return errors.LOG_DIR_NOT_FOUND
    replica = replicas.get(topic, number)
    if replica is None:
        return errors.UNKNOWN_TOPIC_OR_PARTITION
    if target.failed or replica.fenced:
        return errors.KAFKA_STORAGE_ERROR
    try:
        replicas.move(replica, target, now_ms)
    except DiskFault:
        return errors.KAFKA_STORAGE_ERROR
    return errors.NONE


def _response(outcomes: dict[str, dict[int, int]]) -> AlterReplicaLogDirsResponse:
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                topic, [AlterReplicaLogDirPartitionResult(number, code) for number, code in codes.items()]
            )
            for topic, codes in outcomes.items()
        ]
    )
