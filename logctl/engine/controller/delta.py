"""What changed from one image to a later one: what replicas, caches and the diary act on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from logctl.engine.controller.image import Image, Resource, Topic


class Delta(NamedTuple):
    """Topics are whole: `changed` holds (before, after) of those whose partitions differ. A topic that was deleted
    and created again under its name is in `deleted` and in `created`. `configs` names the resources whose configs
    differ.
    """

    old: Image
    new: Image
    created: tuple[Topic, ...] = ()
    deleted: tuple[Topic, ...] = ()
    changed: tuple[tuple[Topic, Topic], ...] = ()
    configs: tuple[Resource, ...] = ()

    @property
    def brokers_changed(self) -> bool:
        return self.old.brokers is not self.new.brokers


def difference(old: Image, new: Image, records: Iterable[Any] | None = None) -> Delta:
    """Compare two images. With the `records` that lie between them only what they speak of is looked at."""
    if old is new:
        return Delta(old, new)
    names, resources = _everything(old, new) if records is None else _mentioned(old, new, records)
    created, deleted, changed = [], [], []
    for name in names:
        before, after = old.topics.get(name), new.topics.get(name)
        if before is after:
            continue
        if before is not None and after is not None and before.topic_id == after.topic_id:
            changed.append((before, after))
            continue
        created += [after] if after is not None else []
        deleted += [before] if before is not None else []
    configs = tuple(resource for resource in resources if old.configs.get(resource) != new.configs.get(resource))
    return Delta(old, new, tuple(created), tuple(deleted), tuple(changed), configs)


def _everything(old: Image, new: Image) -> tuple[Iterable[str], Iterable[Resource]]:
    names = {} if old.topics is new.topics else dict.fromkeys([*old.topics, *new.topics])
    resources = {} if old.configs is new.configs else dict.fromkeys([*old.configs, *new.configs])
    return names, resources


def _mentioned(old: Image, new: Image, records: Iterable[Any]) -> tuple[Iterable[str], Iterable[Resource]]:
    names: dict[str, None] = {}
    resources: dict[Resource, None] = {}
    for record in records:
        topic_id = getattr(record, "topic_id", None)
        if topic_id is not None:
            found = (image.topic_names.get(topic_id) for image in (old, new))
            names.update((name, None) for name in found if name is not None)
        elif hasattr(record, "resource_name"):
            resources[record.resource_type, record.resource_name] = None
        elif record.api_key in _SWEEPING:
            return _everything(old, new)
    return names, resources


_SWEEPING = frozenset({25, 28})
"""AbortTransactionRecord and ClearElrRecord may touch any topic."""
