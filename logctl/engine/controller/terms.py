"""On what terms partitions change: who may lead, and what the settings say about a topic's in-sync set.

A decision that goes on from its own records asks the terms as they are after them (`after`): a broker that is fenced by
the first record leads nothing by the second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from logctl.engine.controller.decision import Controller
from logctl.engine.controller.image import (
    LOST_DIRECTORY,
    MIGRATING_DIRECTORY,
    UNASSIGNED_DIRECTORY,
    Image,
    Partition,
    Topic,
)
from logctl.engine.controller.replay import apply
from logctl.engine.controller.topic_configs import CATALOGUE, Layers, value_of

ELIGIBLE_FEATURE: Final = "eligible.leader.replicas.version"
ELIGIBLE_SINCE: Final = 23
"""metadata.version 4.0-IV1: before it the records have no place for eligible leader replicas."""
DIRECTORIES_SINCE: Final = 17
"""3.7-IV2: before it there is no place for log directories."""
CORDONED_SINCE: Final = 30
"""4.3-IV0: before it there is no place for directories that take no new replicas."""


class Terms:
    """What changes of partitions depend on; made for one decision."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.image: Image = controller.image
        self.keeps_eligible = (
            self.image.features.get(ELIGIBLE_FEATURE, 0) > 0 and self.image.metadata_version >= ELIGIBLE_SINCE
        )
        self._layers = Layers({}, self.image.broker_configs(None), controller.rules.server_values)
        self.cases: dict[Any, Any] = {}
        """What `changes.change` has worked out for this decision."""
        self._values: dict[tuple[str | None, str], Any] = {}

    def after(self, records: Iterable[Any]) -> Terms:
        """The terms once these records hold."""
        return Terms(self.controller._replace(image=apply(self.image, records)))

    def least_in_sync(self, topic: Topic) -> int:
        """min.insync.replicas of a topic."""
        least: int = self._value(topic, "min.insync.replicas")
        return least

    @property
    def least_by_default(self) -> int:
        """min.insync.replicas of topics that set none."""
        least: int = value_of(CATALOGUE["min.insync.replicas"], {}, self._layers)
        return least

    def may_lose(self, topic: Topic) -> bool:
        """unclean.leader.election.enable of a topic: rather somebody who lost records than nobody."""
        allowed: bool = self._value(topic, "unclean.leader.election.enable")
        return allowed

    def _value(self, topic: Topic, name: str) -> Any:
        own = self.image.topic_configs(topic.name)
        key = (topic.name if name in own else None, name)
        if key not in self._values:
            self._values[key] = value_of(CATALOGUE[name], own, self._layers)
        return self._values[key]

    def may_lead(self, partition: Partition, broker_id: int) -> bool:
        """Whether the broker is active and its replica lies in a directory that works."""
        broker = self.image.brokers.get(broker_id)
        return broker is not None and broker.active and is_usable(partition.directory_of(broker_id), broker.log_dirs)


def is_usable(directory: bytes, log_dirs: tuple[bytes, ...]) -> bool:
    """Whether a replica said to be there can be read, on a broker whose working directories are `log_dirs`."""
    if directory in (MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY) or not log_dirs:
        return True
    return directory != LOST_DIRECTORY and directory in log_dirs
