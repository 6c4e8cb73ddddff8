"""Building the partitions of new topics: replicas by placement or by hand, and the records that make them."""

from __future__ import annotations

from collections.abc import Sequence

from logctl.engine.controller.image import UNASSIGNED_DIRECTORY, Image, Partition
from logctl.engine.controller.snapshot import partition_record
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.stored.partition_record import PartitionRecord


def new_partition(image: Image, number: int, replicas: Sequence[int], topic_id: bytes) -> PartitionRecord:
    """A partition that starts out with every active replica in sync and the first of them leading.

    Raises WireError INVALID_REPLICA_ASSIGNMENT when none of them is active.
    """
    isr = tuple(broker_id for broker_id in replicas if image.brokers[broker_id].active)
    if not isr:
        raise WireError(
            errors.INVALID_REPLICA_ASSIGNMENT,
            f"All brokers given for partition {number} are fenced or shutting down",
        )
    directories = tuple(default_directory(image, broker_id) for broker_id in replicas)
    return partition_record(topic_id, number, Partition(tuple(replicas), isr, isr[0], 0, 0, directories))


def default_directory(image: Image, broker_id: int) -> bytes:
    """The broker's directory when it has only one; else it is the broker that chooses and tells (KIP-858)."""
    broker = image.brokers[broker_id]
    usable = [directory for directory in broker.log_dirs if directory not in (broker.cordoned_log_dirs or ())]
    return usable[0] if len(usable) == 1 else UNASSIGNED_DIRECTORY


def check_assignment(image: Image, replicas: Sequence[int], replication_factor: int | None) -> None:
    """Refuse a hand-made replica list. Raises WireError INVALID_REPLICA_ASSIGNMENT."""

    def refuse(sentence: str) -> WireError:
        return WireError(errors.INVALID_REPLICA_ASSIGNMENT, sentence)

    if not replicas:
        raise refuse("The replica list of a partition is empty")
    unknown = next((broker_id for broker_id in replicas if broker_id not in image.brokers), None)
    if unknown is not None:
        raise refuse(f"Broker {unknown} is given as a replica, but no such broker is registered")
    if len(set(replicas)) < len(replicas):
        raise refuse(f"The replica list {list(replicas)} names a broker more than once")
    if replication_factor is not None and len(replicas) != replication_factor:
        raise refuse(f"A partition has {len(replicas)} replica(s) where the others have {replication_factor}")
