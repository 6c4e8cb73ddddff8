"""Replicas whose data is gone: the node is back, what its disk held is not.

Theory of operation
-------------------
Such a replica must not lead, however much it was the last in-sync member: the others would cut down to the nothing it
has. So before the broker asks to be let in it tells the controller that the replica lies in no directory any more
(LOST). The controller takes it out of the in-sync set, and a replica in a lost directory is never elected, not even
uncleanly. Once another replica leads there is something to copy: the broker tells where the replica lies now, and it
follows like any that has come late.

Certain is a loss when the image names a directory that this node does not have, or the checkpoint of the directory
tells of records while there is no folder, or of more than recovery found sound. A folder that was never flushed leaves
no such trace, and held nothing that was promised. Where somebody else leads, and this one is neither in sync nor an
eligible leader, nothing needs to be said; nor where there is no other replica.

Sources: KIP-858 (reserved directory ids), KIP-966 (who may be elected).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from logctl.engine.broker.log_dirs import LogDir, Place
from logctl.engine.controller.image import (
    LOST_DIRECTORY,
    MIGRATING_DIRECTORY,
    NO_LEADER,
    UNASSIGNED_DIRECTORY,
    Image,
    Partition,
)
from logctl.engine.controller.terms import DIRECTORIES_SINCE

_NAMES_NONE: Final = (MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY)

Key = tuple[bytes, int]
"""(topic id, partition)."""


class Losses:
    """What one broker has lost and nobody replaces yet."""

    def __init__(self, node_id: int) -> None:
        self._node_id = node_id
        self._keys: dict[Key, None] = {}
        self._can_be_told = False

    def begin(self, image: Image) -> None:
        """A node that is alone has nobody who could lead instead."""
        self._can_be_told = len(image.brokers) > 1 and image.metadata_version >= DIRECTORIES_SINCE

    def is_certain(self, place: Place, partition: Partition, home: LogDir, directories: Iterable[LogDir]) -> bool:
        """Whether a replica without a folder had something, and might be elected without it."""
        if not self._matters(partition):
            return False
        named = partition.directory_of(self._node_id)
        is_elsewhere = named not in _NAMES_NONE and all(one.directory_id != named for one in directories)
        return is_elsewhere or home.recovery_point(place) > 0 or home.high_watermark(place) > 0

    def is_cut(self, place: Place, partition: Partition, home: LogDir, end_offset: int) -> bool:
        """Whether a log ends before what its directory has noted as flushed, and might be elected so."""
        return end_offset < home.recovery_point(place) and self._matters(partition)

    def _matters(self, partition: Partition) -> bool:
        if not self._can_be_told or len(partition.replicas) < 2:
            return False
        return not self._is_led_by_another(partition) or self._counts(partition)

    def _counts(self, partition: Partition) -> bool:
        """Whether it is taken for one that has everything, and may be elected for that."""
        return self._node_id in partition.isr or self._node_id in partition.elr

    def add(self, key: Key) -> None:
        self._keys[key] = None

    def is_still_one(self, partition: Partition) -> bool:
        """Whether a partition that is taken up was lost before, and nobody leads it yet."""
        return partition.directory_of(self._node_id) == LOST_DIRECTORY and not self._is_led_by_another(partition)

    def end(self, key: Key, partition: Partition) -> bool:
        """Whether there is somebody to copy from now."""
        if key not in self._keys or not self._is_led_by_another(partition) or self._counts(partition):
            return False
        del self._keys[key]
        return True

    def forget(self, key: Key) -> None:
        self._keys.pop(key, None)

    def are_known(self, image: Image) -> bool:
        """Whether the controller has taken note of all of them."""
        return all(self._is_noted(image, key) for key in self._keys)

    def _is_noted(self, image: Image, key: Key) -> bool:
        topic = image.topic_by_id(key[0])
        partition = topic.partitions.get(key[1]) if topic is not None else None
        return partition is None or partition.directory_of(self._node_id) == LOST_DIRECTORY

    def _is_led_by_another(self, partition: Partition) -> bool:
        return partition.leader not in (NO_LEADER, self._node_id)
