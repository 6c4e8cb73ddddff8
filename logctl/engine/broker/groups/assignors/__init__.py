"""Dividing partitions among the members of a consumer group, on the server (KIP-848).

An assignor is a pure function from who there is and what there is to who gets what. It never meets the group: the
caller keeps the difference to the assignment before, and moves members there one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

Partitions = Mapping[bytes, frozenset[int]]
"""Partition numbers by topic id."""


class Wish(NamedTuple):
    """What one member brings: the topics it reads, its static name if it has one, and what was meant for it before."""

    topics: frozenset[bytes]
    instance_id: str | None = None
    previous: Partitions = {}  # noqa: RUF012 - never written to


Assignor = Callable[[Mapping[str, Wish], Mapping[bytes, int]], dict[str, dict[bytes, frozenset[int]]]]
"""(wishes by member id, partition counts by topic id) -> partitions by topic id, by member id.

Every partition of a topic that somebody reads is given to exactly one of its readers; every member is in the answer.
"""


def by_name(name: str) -> Assignor:
    """The assignor of that name. Raises KeyError."""
    from logctl.engine.broker.groups.assignors.range import assign_ranges
    from logctl.engine.broker.groups.assignors.uniform import assign_uniformly

    return {"uniform": assign_uniformly, "range": assign_ranges}[name]
