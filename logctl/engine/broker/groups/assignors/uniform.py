"""`uniform`: everybody gets the same number of partitions, and keeps what they had as far as that allows.

Theory of operation
-------------------
When all members read the same topics, the numbers are known beforehand: with P partitions and M members, P mod M of
them get one more than the others. Each member keeps what it has up to that, those who hold most claiming the larger
shares; what is left over goes to whoever is below their number. Nobody gives up more than has to be.

When subscriptions differ, no numbers are known beforehand. Everybody keeps what they have and still read, leftovers go
to the reader that has least (topics with the fewest readers first, for they have the least choice), and then partitions
move, one at a time, from the fullest reader of a topic to the emptiest, while that narrows the gap. Each move lowers
the sum of squares of the loads, so this ends; what remains is that no single move would narrow any gap.

Orders are by member id and topic id, so that the outcome depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from logctl.engine.broker.groups.assignors import Wish

Held = dict[str, dict[bytes, set[int]]]
Place = tuple[bytes, int]


def assign_uniformly(wishes: Mapping[str, Wish], sizes: Mapping[bytes, int]) -> dict[str, dict[bytes, frozenset[int]]]:
    """See `Assignor`."""
    if not wishes:
        return {}
    first = next(iter(wishes.values())).topics
    if all(wish.topics == first for wish in wishes.values()):
        held = _equal_shares(wishes, {topic: size for topic, size in sorted(sizes.items()) if topic in first})
    else:
        held = _level(wishes, dict(sorted(sizes.items())))
    return {
        member: {topic: frozenset(partitions) for topic, partitions in topics.items() if partitions}
        for member, topics in held.items()
    }


def _kept(wishes: Mapping[str, Wish], sizes: Mapping[bytes, int]) -> tuple[Held, dict[Place, str]]:
    """What everybody has and may keep, and the holder of each partition. Of two who claim one the first has it."""
    held: Held = {}
    holder: dict[Place, str] = {}
    for member in sorted(wishes):
        mine: dict[bytes, set[int]] = {}
        for topic in sorted(wishes[member].topics & wishes[member].previous.keys() & sizes.keys()):
            for partition in sorted(wishes[member].previous[topic]):
                if partition < sizes[topic] and holder.setdefault((topic, partition), member) == member:
                    mine.setdefault(topic, set()).add(partition)
        held[member] = mine
    return held, holder


def _load(topics: Mapping[bytes, set[int]]) -> int:
    return sum(map(len, topics.values()))


# Equal subscriptions.


def _equal_shares(wishes: Mapping[str, Wish], sizes: Mapping[bytes, int]) -> Held:
    held, holder = _kept(wishes, sizes)
    share, extra = divmod(sum(sizes.values()), len(wishes))
    quota = {}
    for member in sorted(held, key=lambda name: (-_load(held[name]), name)):
        larger = extra > 0
        extra -= larger
        quota[member] = share + larger
        _give_up(held[member], _load(held[member]) - quota[member], holder)
    free = (place for place in _all_places(sizes) if place not in holder)
    for member in held:
        for _ in range(quota[member] - _load(held[member])):
            topic, partition = next(free)
            held[member].setdefault(topic, set()).add(partition)
    return held


def _give_up(topics: dict[bytes, set[int]], surplus: int, holder: dict[Place, str]) -> None:
    """Take the surplus from the topic of which most is held, so that each topic stays spread."""
    for _ in range(surplus):
        topic = max(topics, key=lambda name: (len(topics[name]), name))
        partition = max(topics[topic])
        topics[topic].remove(partition)
        del holder[topic, partition]


def _all_places(sizes: Mapping[bytes, int]) -> Iterator[Place]:
    return ((topic, partition) for topic, size in sizes.items() for partition in range(size))


# Different subscriptions.


def _level(wishes: Mapping[str, Wish], sizes: Mapping[bytes, int]) -> Held:
    held, holder = _kept(wishes, sizes)
    load = {member: _load(topics) for member, topics in held.items()}
    readers = {topic: [member for member in held if topic in wishes[member].topics] for topic in sizes}
    order = sorted(sizes, key=lambda name: (len(readers[name]), name))
    read = {topic: sizes[topic] for topic in order if readers[topic]}
    for topic, partition in _all_places(read):
        if (topic, partition) not in holder:
            member = min(readers[topic], key=lambda name: (load[name], name))
            held[member].setdefault(topic, set()).add(partition)
            load[member] += 1
    while sum(_narrow(topic, readers[topic], held, load) for topic in read):
        pass
    return held


def _narrow(topic: bytes, readers: list[str], held: Held, load: dict[str, int]) -> bool:
    """Move partitions of one topic from full readers to empty ones while it helps; answers whether any moved."""
    moved = False
    while True:
        owners = [member for member in readers if held[member].get(topic)]
        source = max(owners, key=lambda name: (load[name], name))
        target = min(readers, key=lambda name: (load[name], name))
        if load[source] - load[target] < 2:
            return moved
        partition = max(held[source][topic])
        held[source][topic].remove(partition)
        held[target].setdefault(topic, set()).add(partition)
        load[source] -= 1
        load[target] += 1
        moved = True
