"""`range`: each topic is cut into one run of neighbouring partitions for each of its readers.

Readers stand in the same order for every topic: static members by their instance id, then the others by member id. So
partition n of two topics of equal size and equal readership goes to the same member, which is what makes joins by key
work, and a static member keeps its place when it comes back under another member id.
"""

from __future__ import annotations

from collections.abc import Mapping

from logctl.engine.broker.groups.assignors import Wish


def assign_ranges(wishes: Mapping[str, Wish], sizes: Mapping[bytes, int]) -> dict[str, dict[bytes, frozenset[int]]]:
    """See `Assignor`."""
    given: dict[str, dict[bytes, frozenset[int]]] = {member: {} for member in wishes}
    order = sorted(wishes, key=lambda member: _place(member, wishes[member]))
    for topic, size in sizes.items():
        readers = [member for member in order if topic in wishes[member].topics]
        if readers:
            _cut(topic, size, readers, given)
    return given


def _place(member: str, wish: Wish) -> tuple[bool, str]:
    return (wish.instance_id is None, wish.instance_id or member)


def _cut(topic: bytes, size: int, readers: list[str], given: dict[str, dict[bytes, frozenset[int]]]) -> None:
    share, extra = divmod(size, len(readers))
    start = 0
    for place, member in enumerate(readers):
        end = start + share + (place < extra)
        if end > start:
            given[member][topic] = frozenset(range(start, end))
        start = end
