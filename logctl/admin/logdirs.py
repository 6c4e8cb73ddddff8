"""Log directories of the brokers: how full they are, and what lies in them (DescribeLogDirs, KIP-113).

Each broker answers for itself, so all are asked at once; one that is down, or a directory that has failed, leaves the
rest standing and is named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.client import Gathered
from logctl.admin.deadline import Deadline
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed, Unreachable
from logctl.wire import errors
from logctl.wire.schema import Message

_GONE: Final = "start it, or unregister it when it is gone for good"


class Replica(NamedTuple):
    """A replica in a directory. `offset_lag`: records behind the high watermark or, for a copy in the making
    (`is_future`), behind the current one."""

    topic: str
    partition: int
    size_bytes: int
    offset_lag: int
    is_future: bool


class LogDir(NamedTuple):
    """A directory of a broker. `total_bytes` and `usable_bytes` are those of its volume, None where not told (before
    Apache Kafka 3.3); `failure` is why it cannot be used, and then nothing is known of its replicas."""

    broker: int
    path: str
    total_bytes: int | None
    usable_bytes: int | None
    cordoned: bool
    replicas: tuple[Replica, ...]
    failure: LogctlError | None = None

    @property
    def size_bytes(self) -> int:
        """What its replicas take, without their indexes."""
        return sum(replica.size_bytes for replica in self.replicas)

    @property
    def replica_count(self) -> int:
        """How many replicas it holds, without copies in the making."""
        return sum(not replica.is_future for replica in self.replicas)

    @property
    def used_share(self) -> float | None:
        """How much of the volume is taken, from 0 to 1; None where its size is not told."""
        if self.total_bytes is None or self.usable_bytes is None or self.total_bytes <= 0:
            return None
        return 1 - self.usable_bytes / self.total_bytes

    @property
    def error(self) -> str | None:
        """Kafka's name of what is wrong with it."""
        return None if self.failure is None else self.failure.kafka_name

    def offset_lag(self, place: Place) -> int:
        """How many records the replicas of a partition in it lack together."""
        topic, number = place
        return sum(one.offset_lag for one in self.replicas if one.partition == number and one.topic == topic)


class Directories(NamedTuple):
    """The directories that were told of, by broker and path, and why others were not, by who they are of."""

    found: list[LogDir]
    failures: dict[str, LogctlError]
    cluster_id: str | None
    brokers: tuple[int, ...] = ()

    def silent(self) -> set[int]:
        """Brokers of which nothing is known, or not everything."""
        told = {one.broker for one in self.found if one.failure is None}
        return {broker for broker in self.brokers if broker not in told} | {
            one.broker for one in self.found if one.failure is not None
        }

    def replicas(self) -> Iterator[tuple[LogDir, Replica]]:
        for one in self.found:
            for replica in one.replicas:
                yield one, replica


def describe_log_dirs(
    cluster: Cluster,
    deadline: Deadline,
    brokers: Collection[int] = (),
    topics: Mapping[str, Iterable[int]] | None = None,
) -> Directories:
    """The directories of these brokers (all when none is named), with the replicas of these partitions (all with None).

    Raises OperationFailed when one that is named is not in the cluster, and what went wrong when nobody answered.
    """
    cluster.refresh(deadline)
    wanted = sorted(set(brokers)) or sorted(cluster.brokers)
    for broker in wanted:
        if broker not in cluster.brokers:
            known = ", ".join(str(one) for one in sorted(cluster.brokers))
            raise OperationFailed(f"broker {broker} is not among the brokers of the cluster", f"there are {known}")
    request = _request(topics)
    gathered = cluster.scatter(dict.fromkeys(wanted, request), deadline)
    found, failures = _sorted_out(gathered)
    if not brokers:
        failures.update(_not_serving(cluster, deadline))
    if not found and failures:
        raise next(iter(failures.values()))
    return Directories(found, failures, cluster.cluster_id, tuple(wanted))


def _not_serving(cluster: Cluster, deadline: Deadline) -> dict[str, LogctlError]:
    """Brokers that are registered and cannot be asked, where the cluster tells of them."""
    from logctl.admin.fenced import fenced_brokers

    try:
        fenced = fenced_brokers(cluster, deadline)
    except LogctlError:
        return {}
    return {f"broker {node}": Unreachable(f"broker {node} is registered and not serving", _GONE) for node in fenced}


def _request(topics: Mapping[str, Iterable[int]] | None) -> Message:
    from logctl.wire.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest

    if topics is None:
        return DescribeLogDirsRequest(topics=None)
    return DescribeLogDirsRequest(
        topics=[DescribableLogDirTopic(topic=name, partitions=list(numbers)) for name, numbers in topics.items()]
    )


def _sorted_out(gathered: Gathered) -> tuple[list[LogDir], dict[str, LogctlError]]:
    found: list[LogDir] = []
    failures: dict[str, LogctlError] = {f"broker {node}": error for node, error in gathered.missing.items()}
    for node, response in sorted(gathered.answers.items()):
        code = response.error_code
        if code == errors.NONE and not response.results:
            code = errors.CLUSTER_AUTHORIZATION_FAILED
        if code != errors.NONE:
            failures[f"broker {node}"] = refusal(f"log directories of broker {node}", code)
        found += sorted((log_dir_from(node, result) for result in response.results), key=lambda one: one.path)
    for one in found:
        if one.failure is not None:
            failures[f"broker {one.broker} {one.path}"] = one.failure
    return found, failures


def log_dir_from(broker: int, result: Any) -> LogDir:
    """A directory as a DescribeLogDirsResult tells of it."""
    failure = None
    if result.error_code != errors.NONE:
        failure = refusal(f"broker {broker}, log directory {result.log_dir}", result.error_code)
    return LogDir(
        broker,
        result.log_dir,
        _known(result.total_bytes),
        _known(result.usable_bytes),
        result.is_cordoned,
        tuple(
            Replica(topic.name, entry.partition_index, entry.partition_size, entry.offset_lag, entry.is_future_key)
            for topic in result.topics
            for entry in topic.partitions
        ),
        failure,
    )


def _known(size_bytes: int) -> int | None:
    return size_bytes if size_bytes >= 0 else None


def leader_sizes(cluster: Cluster, places: Iterable[Place], deadline: Deadline) -> dict[Place, int]:
    """How large the log of each partition is at its leader, in bytes; one that cannot be learnt is left out, since
    this is for estimates."""
    requests: dict[int, Message] = {}
    for node, led in cluster.by_leader(places).items():
        if node in cluster.brokers:
            topics: dict[str, list[int]] = {}
            for topic, number in led:
                topics.setdefault(topic, []).append(number)
            requests[node] = _request(topics)
    found, _ = _sorted_out(cluster.scatter(requests, deadline))
    return {
        (replica.topic, replica.partition): replica.size_bytes
        for one in found
        for replica in one.replicas
        if not replica.is_future
    }
