"""How much room topics take: per topic and per broker, in the eyes of leaders and of all replicas.

The leaders' bytes are what the topic holds; all replicas' bytes are what it costs on disk, copies in the making
included. Both are sums over what the brokers tell of their log directories, without indexes. Where a broker did not
answer, what it would have added is missing: then the sum is told as incomplete rather than as small.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.logdirs import Directories, describe_log_dirs
from logctl.admin.observe import Topic
from logctl.admin.routing import Cluster
from logctl.admin.topics import Selection, list_topics
from logctl.errors import LogctlError, Unreachable


class OnBroker(NamedTuple):
    """What a broker holds of a topic. `size_bytes` None: it did not tell."""

    broker: int
    replicas: int
    size_bytes: int | None


class TopicSize(NamedTuple):
    """`leader_bytes` None: the leader of a partition did not tell. `all_bytes` is the sum of what was told; `complete`:
    everybody who has a replica did."""

    name: str
    partitions: int
    leader_bytes: int | None
    all_bytes: int
    complete: bool
    brokers: tuple[OnBroker, ...]


class Sizes(NamedTuple):
    topics: list[TopicSize]
    failures: dict[str, LogctlError]
    cluster_id: str | None


_START: Final = "`logctl node list` shows which nodes are missing"
_ASK_FOR_ALL_FROM: Final = 1000
"""So many partitions are asked about by asking about all: the names alone would be a large request."""


def topic_sizes(cluster: Cluster, selection: Selection, deadline: Deadline) -> Sizes:
    """The sizes of the topics selected. Raises as `list_topics` and `describe_log_dirs` do."""
    found = list_topics(cluster, selection, deadline)
    wanted = {topic.name: [partition.number for partition in topic.partitions] for topic in found.topics}
    if not wanted:
        return Sizes([], dict(found.failures), found.cluster_id)
    few = sum(map(len, wanted.values())) < _ASK_FOR_ALL_FROM
    told = describe_log_dirs(cluster, deadline, list(cluster.brokers), wanted if few else None)
    failures = {**found.failures, **told.failures, **_absent(found.topics, told)}
    return Sizes(sum_up(found.topics, told), failures, found.cluster_id)


def _absent(topics: list[Topic], told: Directories) -> dict[str, LogctlError]:
    """Brokers that have replicas of the topics and are not there to be asked."""
    having = {broker for topic in topics for partition in topic.partitions for broker in partition.replicas}
    return {
        f"broker {broker}": Unreachable(f"broker {broker} has replicas of these topics and is not there", _START)
        for broker in sorted(having.difference(told.brokers))
    }


class _Held(NamedTuple):
    """What one broker told of one topic: the size of each partition's log, and of the copies in the making."""

    logs: dict[int, int]
    copies: dict[int, int]


def sum_up(topics: list[Topic], told: Directories) -> list[TopicSize]:
    """What the brokers told of these topics."""
    held: dict[str, dict[int, _Held]] = {topic.name: {} for topic in topics}
    for directory, replica in told.replicas():
        if replica.topic in held:
            mine = held[replica.topic].setdefault(directory.broker, _Held({}, {}))
            (mine.copies if replica.is_future else mine.logs)[replica.partition] = replica.size_bytes
    # A broker that is down is not among those the cluster lists, yet its replicas are among the topic's.
    certain = set(told.brokers) - told.silent()
    return [_size_of(topic, held[topic.name], certain) for topic in topics]


def _size_of(topic: Topic, held: dict[int, _Held], certain: set[int]) -> TopicSize:
    leading = [
        held[partition.leader].logs.get(partition.number) if partition.leader in held else None
        for partition in topic.partitions
    ]
    having: dict[int, int] = {}
    for partition in topic.partitions:
        for broker in partition.replicas:
            having[broker] = having.get(broker, 0) + 1
    told = [size for size in leading if size is not None]
    sizes = {broker: sum(mine.logs.values()) + sum(mine.copies.values()) for broker, mine in held.items()}
    return TopicSize(
        topic.name,
        len(topic.partitions),
        sum(told) if len(told) == len(leading) else None,
        sum(sizes.values()),
        certain.issuperset(having),
        tuple(OnBroker(broker, replicas, sizes.get(broker)) for broker, replicas in sorted(having.items())),
    )
