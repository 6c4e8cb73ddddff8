"""Electing leaders: the preferred ones (the first of the replicas), or with data loss whoever is alive.

A preferred election is what brokers do by themselves every few minutes, so it is safe: clients follow within one
request. It has no way back, since who led before is not a state anybody can ask for. An unclean election gives a
partition without a leader to a replica that is behind: the records it lacks are gone (KIP-460).

A partition is looked at as 'orders:3': who leads it and who should.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.observe import Partition, Resource, Seen, Snapshot, State, Topic, Wants, topic_from
from logctl.admin.operation import Change, Plan, Risk, Step
from logctl.admin.partition_files import read_partition_file
from logctl.admin.partitions import parse_place, place_text
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import unknown_topics
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

_NAMED_AT_MOST: Final = 5
_HOPE: Final = "`logctl partition list --no-preferred-leader` shows who is in sync; start the brokers that are missing"


class Kind(Enum):
    """The value is ElectLeaders' election type."""

    PREFERRED = 0
    UNCLEAN = 1


class Elect(NamedTuple):
    """Elect leaders of these topics' partitions (None: all of a topic), or of the whole cluster with `places` None.

    Partitions that need no election are left as they are; with `places` None so are those without a candidate, while
    a named one is for the cluster to refuse.
    """

    kind: Kind
    places: Mapping[str, tuple[int, ...] | None] | None = None

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        if self.places is not None and not self.places:
            raise UsageError("no partition was named", "name TOPIC or TOPIC:PARTITION, or --all-topic-partitions")

    def wants(self) -> Wants:
        return Wants(None if self.places is None else tuple(self.places), near=True)

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        which = "preferred leaders" if self.kind is Kind.PREFERRED else "leaders, even unclean"
        title = f"elect {which}"
        chosen = self._chosen(snapshot)
        candidates = {place: one for place, one in chosen.items() if self._needed(one)}
        hopeless = {place: why for place, one in candidates.items() if (why := self._why_not(one, snapshot))}
        warnings = tuple(f"{place_text(place)}: {why}" for place, why in hopeless.items())
        if not candidates:
            return Plan(title, notes=self._already(chosen), cluster_id=snapshot.cluster_id)
        if len(hopeless) == len(candidates):
            raise OperationFailed(f"no leader can be elected: {'; '.join(warnings[:_NAMED_AT_MOST])}", _HOPE)
        named = self.places is not None
        elected = {place: one for place, one in candidates.items() if named or place not in hopeless}
        looks = tuple(_resource(place) for place in elected)
        return Plan(
            title,
            tuple(self._change(place, one) for place, one in elected.items()),
            (self._step(list(elected)),),
            (),
            warnings + self._warnings(list(elected)),
            snapshot.cluster_id,
            Wants(looks=looks),
        )

    def _chosen(self, snapshot: Snapshot) -> dict[Place, Partition]:
        """The partitions meant. Raises OperationFailed for one that does not exist."""
        if self.places is None:
            return {(topic.name, one.number): one for topic in snapshot.topics.values() for one in topic.partitions}
        chosen: dict[Place, Partition] = {}
        for name, numbers in self.places.items():
            if name in snapshot.failures:
                raise snapshot.failures[name]
            if name not in snapshot.topics:
                raise unknown_topics([name], snapshot.names)
            chosen.update(_of_topic(snapshot.topics[name], numbers))
        return chosen

    def _needed(self, one: Partition) -> bool:
        if self.kind is Kind.UNCLEAN:
            return one.leader is None
        return bool(one.replicas) and one.leader != one.replicas[0]

    def _why_not(self, one: Partition, snapshot: Snapshot) -> str:
        """Why there is no candidate; empty when there is one."""
        if self.kind is Kind.UNCLEAN:
            alive = [broker for broker in one.replicas if broker in snapshot.brokers and broker not in one.offline]
            return "" if alive else "none of its replicas is alive"
        preferred = one.replicas[0]
        if preferred not in snapshot.brokers:
            return f"its preferred leader, broker {preferred}, is not there"
        return "" if preferred in one.isr else f"its preferred leader, broker {preferred}, is not in sync"

    def _already(self, fine: Mapping[Place, Partition]) -> tuple[str, ...]:
        if not fine:
            return ("there is no partition",)
        so = "led by the preferred replica" if self.kind is Kind.PREFERRED else "led by somebody"
        if len(fine) <= _NAMED_AT_MOST:
            return tuple(f"{place_text(place)} is {so} already" for place in fine)
        return (f"{len(fine)} partitions are {so} already",)

    def _change(self, place: Place, one: Partition) -> Change:
        if self.kind is Kind.PREFERRED:
            return Change(_resource(place), {"leader": one.leader}, {"leader": one.replicas[0]})
        return Change(_resource(place), {"has_leader": False}, {"has_leader": True})

    def _step(self, places: list[Place]) -> Step:
        unclean = self.kind is Kind.UNCLEAN
        whom = "any live replica leader" if unclean else "the preferred replica leader"
        sentence = f"make {whom} of {_listed(places)}" + (", losing the records it lacks" if unclean else "")
        arguments = {"kind": self.kind.name.lower(), "partitions": [list(place) for place in places]}
        risk = Risk.DESTRUCTIVE if unclean else Risk.SAFE
        return Step("partition.elect", sentence, arguments, risk, tuple(_resource(place) for place in places))

    def _warnings(self, places: list[Place]) -> tuple[str, ...]:
        if self.kind is Kind.PREFERRED:
            return ()
        return (f"acknowledged records can be lost for good: what the new leader lacks of {_listed(places)} is gone",)


def _resource(place: Place) -> Resource:
    return Resource("partition", place_text(place))


def _listed(places: list[Place]) -> str:
    names = ", ".join(place_text(place) for place in places[:_NAMED_AT_MOST])
    if len(places) == 1:
        return f"partition {names}"
    more = "" if len(places) <= _NAMED_AT_MOST else f" and {len(places) - _NAMED_AT_MOST} more"
    return f"{len(places)} partitions: {names}{more}"


def _of_topic(topic: Topic, numbers: tuple[int, ...] | None) -> dict[Place, Partition]:
    there = {one.number: one for one in topic.partitions}
    for number in numbers or ():
        if number not in there:
            count = len(there)
            raise OperationFailed(f"topic {topic.name} has no partition {number}", f"it has {count}, counted from 0")
    return {(topic.name, number): there[number] for number in (there if numbers is None else numbers)}


# -- files -----------------------------------------------------------------------------------------------------------

_FORM: Final = '{"partitions": [{"topic": "orders", "partition": 0}]}'


def read_places(text: str, path: str) -> dict[str, tuple[int, ...] | None]:
    """The partitions in a file as kafka-leader-election takes it: {"partitions": [{"topic", "partition"}]}. Raises
    UsageError that names the file and the line or the entry."""
    found: dict[str, tuple[int, ...] | None] = {}
    for entry in read_partition_file(text, path, _FORM).entries:
        topic, number = entry.place
        found[topic] = (*(found.get(topic) or ()), number)
    return found


# -- looking and doing -----------------------------------------------------------------------------------------------


def observe_partitions(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """Each partition ('orders:3') as {"leader", "has_leader", "preferred", "isr"}; leader null while there is none."""
    places = [parse_place(name) for name in names]
    states: dict[str, State] = {}
    failures: dict[str, LogctlError] = {}
    wanted = {*places}
    for found in cluster.refresh(deadline, dict.fromkeys(topic for topic, _ in places)).topics:
        if found.error_code not in (errors.NONE, errors.LEADER_NOT_AVAILABLE, errors.UNKNOWN_TOPIC_OR_PARTITION):
            error = refusal(f"topic {found.name}", found.error_code)
            failures.update({place_text(place): error for place in places if place[0] == found.name})
            continue
        for one in topic_from(found).partitions:
            if (found.name, one.number) in wanted:
                states[place_text((found.name, one.number))] = _state(one)
    return Seen(states, failures)


def _state(one: Partition) -> dict[str, Any]:
    return {
        "leader": one.leader,
        "has_leader": one.leader is not None,
        "preferred": one.replicas[0] if one.replicas else None,
        "isr": list(one.isr),
    }


def elect(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """The action of an Elect's step. Kafka cannot rehearse it. A partition that needs no election any more has what
    was wanted."""
    from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions

    if dry:
        return {}
    topics: dict[str, list[int]] = {}
    for topic, number in arguments["partitions"]:
        topics.setdefault(topic, []).append(number)
    request = ElectLeadersRequest(
        election_type=Kind[arguments["kind"].upper()].value,
        topic_partitions=[TopicPartitions(name, numbers) for name, numbers in topics.items()],
        timeout_ms=int(deadline.left_s * 1000),
    )
    response = cluster.ask(request, deadline, _codes)
    if response.error_code != errors.NONE:
        error = refusal("cannot elect leaders", response.error_code)
        return {_resource((topic, number)): error for topic, number in arguments["partitions"]}
    return {
        _resource((result.topic, one.partition_id)): _outcome(result.topic, one)
        for result in response.replica_election_results
        for one in result.partition_result
    }


def _codes(response: Any) -> Iterable[int]:
    yield response.error_code
    for result in response.replica_election_results:
        for one in result.partition_result:
            yield one.error_code


_HINTS: Final = {
    errors.PREFERRED_LEADER_NOT_AVAILABLE: "`logctl partition list --no-preferred-leader` shows who is in sync",
    errors.ELIGIBLE_LEADERS_NOT_AVAILABLE: "start a broker that has a replica, and try again",
}


def _outcome(topic: str, result: Any) -> LogctlError | None:
    code = result.error_code
    if code in (errors.NONE, errors.ELECTION_NOT_NEEDED):
        return None
    where = place_text((topic, result.partition_id))
    return refusal(f"cannot elect a leader of {where}", code, result.error_message, _HINTS.get(code, ""))


ACTIONS: Final = {"elect": elect}
