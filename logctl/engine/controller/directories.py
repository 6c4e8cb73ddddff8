"""Where a broker keeps its replicas, and directories that fail (KIP-858, KIP-1066).

The broker chooses a log directory, and the cluster takes note of it. A directory whose disk failed is struck off the
broker's list: what lies there is out of sync and leads nothing, as if its broker were gone, while the rest goes on.
A replica that its broker says is lost leaves the in-sync set even as its last member: nobody is left who has it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from logctl.engine.controller.changes import change, places_of, with_replicas
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import LOST_DIRECTORY, Broker, Partition
from logctl.engine.controller.isr import check_broker
from logctl.engine.controller.terms import CORDONED_SINCE, DIRECTORIES_SINCE, Terms, is_usable
from logctl.wire import errors
from logctl.wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsRequestDirectoryData,
    AssignReplicasToDirsRequestPartitionData,
    AssignReplicasToDirsRequestTopicData,
    AssignReplicasToDirsResponse,
    AssignReplicasToDirsResponseDirectoryData,
    AssignReplicasToDirsResponsePartitionData,
    AssignReplicasToDirsResponseTopicData,
)
from logctl.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord


def assignment(
    broker_id: int, broker_epoch: int, chosen: Mapping[tuple[bytes, int], bytes]
) -> AssignReplicasToDirsRequest:
    """The request that tells where replicas lie. `chosen`: (topic id, partition) -> directory id."""
    directories: dict[bytes, dict[bytes, list[int]]] = {}
    for (topic_id, number), directory in chosen.items():
        directories.setdefault(directory, {}).setdefault(topic_id, []).append(number)
    return AssignReplicasToDirsRequest(
        broker_id=broker_id,
        broker_epoch=broker_epoch,
        directories=[
            AssignReplicasToDirsRequestDirectoryData(
                directory,
                [
                    AssignReplicasToDirsRequestTopicData(
                        topic_id, [AssignReplicasToDirsRequestPartitionData(number) for number in numbers]
                    )
                    for topic_id, numbers in topics.items()
                ],
            )
            for directory, topics in directories.items()
        ],
    )


def assign_replicas(
    controller: Controller, request: AssignReplicasToDirsRequest
) -> Decision[AssignReplicasToDirsResponse]:
    """Each partition for itself; what is known already makes no record. Raises WireError STALE_BROKER_EPOCH."""
    check_broker(controller.image, request.broker_id, request.broker_epoch)
    terms = Terms(controller)
    records: list[Any] = []
    directories = [
        AssignReplicasToDirsResponseDirectoryData(
            asked.id, [_assigned(terms, request.broker_id, asked.id, topic, records) for topic in asked.topics]
        )
        for asked in request.directories
    ]
    return Decision(records, AssignReplicasToDirsResponse(directories=directories))


def _assigned(
    terms: Terms, broker_id: int, directory: bytes, asked: AssignReplicasToDirsRequestTopicData, records: list[Any]
) -> AssignReplicasToDirsResponseTopicData:
    topic = terms.image.topic_by_id(asked.topic_id)
    lines = []
    for one in asked.partitions:
        number, code = one.partition_index, errors.NONE
        partition = topic.partitions.get(number) if topic is not None else None
        if topic is None:
            code = errors.UNKNOWN_TOPIC_ID
        elif partition is None:
            code = errors.UNKNOWN_TOPIC_OR_PARTITION
        elif broker_id not in partition.replicas:
            code = errors.NOT_LEADER_OR_FOLLOWER
        else:
            gone = frozenset((broker_id,)) if directory == LOST_DIRECTORY else frozenset[int]()
            record = change(terms, topic, number, _moved(terms, partition, broker_id, directory), lost=gone)
            records += [] if record is None else [record]
        lines.append(AssignReplicasToDirsResponsePartitionData(number, code))
    return AssignReplicasToDirsResponseTopicData(asked.topic_id, lines)


def _moved(terms: Terms, partition: Partition, broker_id: int, directory: bytes) -> Partition:
    """The partition with this broker's replica in the directory; out of sync where that one has failed."""
    if partition.directory_of(broker_id) == directory or terms.image.metadata_version < DIRECTORIES_SINCE:
        return partition
    directories = tuple(
        directory if replica == broker_id else partition.directory_of(replica) for replica in partition.replicas
    )
    moved = with_replicas(partition, partition.replicas)._replace(directories=directories)
    if is_usable(directory, terms.image.brokers[broker_id].log_dirs):
        return moved
    return moved._replace(isr=tuple(one for one in moved.isr if one != broker_id))


def told_directories(
    terms: Terms, broker: Broker, offline: Iterable[bytes], cordoned: Iterable[bytes] | None
) -> list[Any]:
    """What a heartbeat has to say about its broker's directories, as records.

    When all have failed there is nothing left to name, and the broker must be fenced instead (`all_failed`).
    """
    failed, level = set(offline) & set(broker.log_dirs), terms.image.metadata_version
    news = BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.epoch)
    unchanged = BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.epoch)
    if failed and level >= DIRECTORIES_SINCE:
        news.log_dirs = [one for one in broker.log_dirs if one not in failed]
    if cordoned is not None and level >= CORDONED_SINCE and tuple(cordoned) != (broker.cordoned_log_dirs or ()):
        news.cordoned_log_dirs = list(cordoned)
    if news == unchanged:
        return []
    return [news, *_out_of_sync(terms.after([news]), broker.broker_id, failed)]


def all_failed(broker: Broker, offline: Iterable[bytes]) -> bool:
    """Whether no directory of the broker works any more."""
    return bool(broker.log_dirs) and set(broker.log_dirs) <= set(offline)


def _out_of_sync(terms: Terms, broker_id: int, failed: set[bytes]) -> list[Any]:
    records = []
    for topic, number, partition in places_of(terms.image, broker_id):
        if partition.directory_of(broker_id) in failed:
            isr = tuple(one for one in partition.isr if one != broker_id)
            records.append(change(terms, topic, number, partition._replace(isr=isr)))
    return [record for record in records if record is not None]
