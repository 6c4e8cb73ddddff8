"""Where a broker keeps its replicas (KIP-858): the broker chooses a log directory, and the cluster takes note of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from logctl.engine.controller.decision import Controller, Decision
from logctl.wire.stored.partition_change_record import PartitionChangeRecord

_SINCE_LEVEL: Final = 17
"""metadata.version 3.7-IV2: before it there is no place for directories in the records."""


def assign_directories(
    controller: Controller, broker_id: int, chosen: Mapping[tuple[bytes, int], bytes]
) -> Decision[None]:
    """`chosen`: (topic id, partition) -> directory id. What is known already, or gone since, is passed over."""
    records: list[Any] = []
    image = controller.image
    for (topic_id, number), directory in chosen.items():
        topic = image.topic_by_id(topic_id)
        partition = topic.partitions.get(number) if topic is not None else None
        if partition is None or broker_id not in partition.replicas or image.metadata_version < _SINCE_LEVEL:
            continue
        if partition.directory_of(broker_id) != directory:
            directories = [
                directory if replica == broker_id else partition.directory_of(replica) for replica in partition.replicas
            ]
            records.append(PartitionChangeRecord(partition_id=number, topic_id=topic_id, directories=directories))
    return Decision(records, None)
