"""DescribeLogDirs (35), versions 1 to 5: the log directories of this node, what lies in them and how large it is.

Version 3 adds an error for the whole, version 4 size and free space of the volume (KIP-827), version 5 directories that
get no new partitions (KIP-1066). A size is that of the segments, without indexes. A copy on its way into a directory
(AlterReplicaLogDirs) is listed there as future, with the records it still lacks. A directory that failed answers
KAFKA_STORAGE_ERROR and lists nothing. Who may not describe the cluster gets an empty answer.

Not implemented: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from logctl.engine.broker.log_dirs import LogDir
from logctl.engine.broker.request import Request
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.replica import Replica

API_KEY = 35
VERSIONS = (1, 5)

Wanted = set[tuple[str, int]]


class _Held(NamedTuple):
    """A log, or a copy in the making, in one directory."""

    directory: LogDir
    topic: str
    described: DescribeLogDirsPartition


def handle(broker: Broker, request: Request[DescribeLogDirsRequest], now_ms: int) -> DescribeLogDirsResponse:
    asked = request.body.topics
    wanted = None if asked is None else {(topic.topic, number) for topic in asked for number in topic.partitions}
    held: dict[LogDir, dict[str, list[DescribeLogDirsPartition]]] = {}
    for one in _held(broker):
        if wanted is None or (one.topic, one.described.partition_index) in wanted:
            held.setdefault(one.directory, {}).setdefault(one.topic, []).append(one.described)
    return DescribeLogDirsResponse(
        results=[_result(directory, held.get(directory, {})) for directory in broker.replicas.directories]
    )


def refused(request: Request[DescribeLogDirsRequest], error: WireError) -> DescribeLogDirsResponse:
    return DescribeLogDirsResponse(error_code=error.code)


def _held(broker: Broker) -> Iterator[_Held]:
    for replica in broker.replicas:
        described = DescribeLogDirsPartition(replica.partition, _size_bytes(broker, replica), 0, False)
        yield _Held(broker.replicas.home_of(replica), replica.topic, described)
    for move in broker.replicas.moves.all():
        described = DescribeLogDirsPartition(move.replica.partition, move.log.size_bytes, move.lag, True)
        yield _Held(move.target, move.replica.topic, described)


def _size_bytes(broker: Broker, replica: Replica) -> int:
    """Not worth a refusal: a directory that cannot be read lists nothing once it has failed."""
    try:
        return broker.replicas.size_bytes(replica)
    except DiskFault:
        return 0


def _result(directory: LogDir, topics: dict[str, list[DescribeLogDirsPartition]]) -> DescribeLogDirsResult:
    result = DescribeLogDirsResult(log_dir=directory.path, is_cordoned=directory.cordoned)
    if directory.failed:
        result.error_code = errors.KAFKA_STORAGE_ERROR
        return result
    result.topics = [DescribeLogDirsTopic(name, partitions) for name, partitions in topics.items()]
    try:
        result.total_bytes, result.usable_bytes = directory.disk.space(directory.path)
    except DiskFault:
        result.total_bytes = result.usable_bytes = -1
    return result
