"""Looking at a cluster: what an operation needs to know, asked once, as an immutable snapshot.

Topics and settings are looked at here. Everything else that can be changed has an observer of its own, found by the
kind of the resource in `OBSERVERS`: a function (cluster, names, deadline) -> Seen in the file of its noun, imported
when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from logctl.admin.configs import Config, Entity, describe_each
from logctl.admin.deadline import Deadline
from logctl.admin.routing import Broker, Cluster, refusal
from logctl.errors import LogctlError
from logctl.wire import errors
from logctl.wire.primitives import uuid_text

_TOPIC_CONFIG: Final = 2
_SET_ON_THE_TOPIC: Final = 1


State = Mapping[str, Any] | None
"""A resource as it can be observed, in plain values; None: it does not exist."""


class Resource(NamedTuple):
    """What can be looked at and changed: ('topic', 'orders')."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Seen(NamedTuple):
    """What an observer saw, by name; a name in neither does not exist."""

    states: dict[str, State]
    failures: dict[str, LogctlError]


Observer = Callable[[Cluster, tuple[str, ...], Deadline], Seen]

OBSERVERS: Final = {
    "broker": "logctl.admin.nodes:observe_brokers",
    "feature": "logctl.admin.features:observe_features",
    "partition": "logctl.admin.elections:observe_partitions",
    "log": "logctl.admin.trims:observe_logs",
    "group": "logctl.admin.group_changes:observe_groups",
    "user": "logctl.admin.users:observe_users",
    "acl": "logctl.admin.acls:observe_acls",
    "quota": "logctl.admin.quotas:observe_quotas",
    "setting-names": "logctl.admin.state_plan:observe_setting_names",
    "transaction": "logctl.admin.transactions:observe_transactions",
    "open-transaction": "logctl.admin.transactions:observe_open",
    "quorum": "logctl.admin.voters:observe_quorum",
    "voter": "logctl.admin.voters:observe_voters",
    "replicas": "logctl.admin.moves:observe_replicas",
    "moves": "logctl.admin.moves:observe_moves",
    "node": "logctl.admin.leaving:observe_directories",
}
"""Kind of resource -> module:function that looks at resources of it."""


class Partition(NamedTuple):
    """One partition as the cluster reports it. `leader` is None while there is none; `elr` None where unknown."""

    number: int
    leader: int | None
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    offline: tuple[int, ...]
    elr: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None


class Topic(NamedTuple):
    """One topic. `configs` are the settings made on the topic itself, None where not asked for or not told."""

    name: str
    topic_id: bytes
    internal: bool
    partitions: tuple[Partition, ...]
    configs: dict[str, str] | None = None

    @property
    def replication_factor(self) -> int:
        """The replicas of the first partition: what a topic was created with."""
        return len(self.partitions[0].replicas) if self.partitions else 0

    @property
    def id_text(self) -> str:
        return uuid_text(self.topic_id)

    def state(self) -> dict[str, Any]:
        """What a change's before and after are compared with."""
        return {
            "id": self.id_text,
            "partitions": len(self.partitions),
            "replication_factor": self.replication_factor,
            "configs": dict(self.configs or {}),
            "assignment": {str(partition.number): list(partition.replicas) for partition in self.partitions},
        }


class Wants(NamedTuple):
    """What to look at: topics by name (None: all of them), with or without their settings. `near`: when one of the
    named does not exist, learn the names that do, so that a refusal can suggest one. `settings`: whose settings to
    look at, besides those of topics. `looks`: resources of every other kind."""

    topics: tuple[str, ...] | None = ()
    configs: bool = False
    near: bool = False
    settings: tuple[Entity, ...] = ()
    looks: tuple[Resource, ...] = ()


class Snapshot(NamedTuple):
    """What was seen. A topic that was asked for and is not in `topics` does not exist, or is in `failures`.

    `names` are all topics of the cluster, where they were learnt (see `Wants.near`). `settings` holds what is set on
    each thing asked for, `states` what the observers saw of `Wants.looks`: None where it does not exist.
    """

    cluster_id: str | None = None
    brokers: Mapping[int, Broker] = MappingProxyType({})
    topics: Mapping[str, Topic] = MappingProxyType({})
    failures: Mapping[str, LogctlError] = MappingProxyType({})
    names: tuple[str, ...] = ()
    settings: Mapping[Entity, tuple[Config, ...]] = MappingProxyType({})
    states: Mapping[Resource, State] = MappingProxyType({})

    @property
    def complete(self) -> bool:
        return not self.failures


def observe(cluster: Cluster, wants: Wants, deadline: Deadline) -> Snapshot:
    """Everything that `wants` names, in as few requests as the cluster allows."""
    metadata = cluster.refresh(deadline, wants.topics)
    topics: dict[str, Topic] = {}
    failures: dict[str, LogctlError] = {}
    for found in metadata.topics:
        if found.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
            continue
        if found.error_code in (errors.NONE, errors.LEADER_NOT_AVAILABLE):
            topics[found.name] = topic_from(found)
        else:
            failures[found.name] = refusal(f"topic {found.name}", found.error_code)
    if wants.configs and topics:
        add_configs(cluster, topics, failures, deadline)
    names: tuple[str, ...] = ()
    if wants.near and wants.topics is not None and not {*topics, *failures}.issuperset(wants.topics):
        names = tuple(found.name for found in cluster.refresh(deadline, None).topics)
    there = [entity for entity in wants.settings if entity.kind != "topic" or entity.name in topics]
    described = describe_each(cluster, there, deadline)
    settings = {entity: tuple(configs) for entity, configs in described.answers.items()}
    failures.update({entity.name: error for entity, error in described.missing.items()})
    states = _look_at(cluster, wants.looks, failures, deadline)
    return Snapshot(metadata.cluster_id, metadata.brokers, topics, failures, names, settings, states)


def _look_at(
    cluster: Cluster, looks: Iterable[Resource], failures: dict[str, LogctlError], deadline: Deadline
) -> dict[Resource, State]:
    """Ask each kind's observer once, for all names of that kind."""
    by_kind: dict[str, list[str]] = {}
    for resource in looks:
        by_kind.setdefault(resource.kind, []).append(resource.name)
    states: dict[Resource, State] = {}
    for kind, names in by_kind.items():
        module, _, function = OBSERVERS[kind].partition(":")
        observer: Observer = getattr(import_module(module), function)
        seen = observer(cluster, tuple(names), deadline)
        states.update({Resource(kind, name): seen.states.get(name) for name in names if name not in seen.failures})
        failures.update(seen.failures)
    return states


def topic_from(found: Any) -> Topic:
    """A topic from a Metadata or DescribeTopicPartitions response."""
    partitions = sorted((_partition_from(entry) for entry in found.partitions), key=lambda entry: entry.number)
    return Topic(found.name, found.topic_id, found.is_internal, tuple(partitions))


def _partition_from(entry: Any) -> Partition:
    elr = getattr(entry, "eligible_leader_replicas", None)
    last_known = getattr(entry, "last_known_elr", None)
    return Partition(
        number=entry.partition_index,
        leader=entry.leader_id if entry.leader_id >= 0 else None,
        leader_epoch=entry.leader_epoch,
        replicas=tuple(entry.replica_nodes),
        isr=tuple(entry.isr_nodes),
        offline=tuple(entry.offline_replicas),
        elr=None if elr is None else tuple(elr),
        last_known_elr=None if last_known is None else tuple(last_known),
    )


def add_configs(
    cluster: Cluster, topics: dict[str, Topic], failures: dict[str, LogctlError], deadline: Deadline
) -> None:
    """Fill in the settings made on each topic; one that has gone meanwhile is taken out, one that is kept from us is
    added to the failures."""
    from logctl.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

    resources = [
        DescribeConfigsResource(resource_type=_TOPIC_CONFIG, resource_name=name, configuration_keys=None)
        for name in topics
    ]
    response = cluster.ask(DescribeConfigsRequest(resources=resources), deadline)
    for result in response.results:
        name = result.resource_name
        if result.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
            topics.pop(name, None)
        elif result.error_code:
            failures[name] = refusal(f"settings of topic {name}", result.error_code, result.error_message)
        else:
            topics[name] = topics[name]._replace(configs=_overrides(result.configs))


def _overrides(configs: Iterable[Any]) -> dict[str, str]:
    made_here = (entry for entry in configs if entry.config_source == _SET_ON_THE_TOPIC)
    return {entry.name: entry.value if entry.value is not None else "" for entry in made_here}
