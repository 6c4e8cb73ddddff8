"""Trimming: give up the beginning of partitions (DeleteRecords), before an offset, a moment, or altogether.

Theory of operation
-------------------
What is meant ("everything before noon") is turned into an offset for each partition first, by asking the leaders
(`intend`); the operation holds those numbers. So the plan says exactly which records go, and a plan that is carried out
later takes no more than what was shown. "Altogether" is the end as it was seen: records that came since stay.

A partition is looked at as a `log`, named 'orders:3': where it starts, where it ends, how large it is. How many records
go is told as the distance of the offsets: of a compacted or transactional log it is more than there are. How many bytes
go is an estimate by that share; whole segments are given back only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.client import Gathered, Lost
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.link import NotOffered
from logctl.admin.logdirs import leader_sizes
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step
from logctl.admin.partition_files import read_partition_file, whole_number
from logctl.admin.partitions import parse_place, place_text
from logctl.admin.positions import Kind, Place, Position, Range, list_offsets, resolve
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import unknown_topics
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, UsageError
from logctl.wire import errors
from logctl.wire.schema import Message

Wanted = Mapping[str, tuple[int, ...] | None]
"""Topics and their partitions, None for all of them."""

_NAMED_AT_MOST: Final = 5
_LATEST: Final = -1
_EARLIEST: Final = -2


class Trim(NamedTuple):
    """Delete every record before the offset named, in each of these partitions."""

    cuts: Mapping[Place, int]

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        if not self.cuts:
            raise UsageError("no partition was named")
        for place, offset in self.cuts.items():
            if offset < 0:
                raise UsageError(f"{place_text(place)}: {offset} is no offset")

    def wants(self) -> Wants:
        return Wants(looks=tuple(_log(place) for place in self.cuts))

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        title = f"trim {_named(list(self.cuts))}"
        cuts: dict[Place, tuple[int, Mapping[str, Any]]] = {}
        so: list[str] = []
        for place, offset in self.cuts.items():
            state = _state(snapshot, place)
            if offset > state["end"]:
                raise _beyond(place, offset, state)
            if offset <= state["start"]:
                so.append(f"{place_text(place)} starts at {state['start']} already")
            else:
                cuts[place] = offset, state
        return Plan(
            title,
            tuple(Change(_log(place), {"start": seen["start"]}, {"start": cut}) for place, (cut, seen) in cuts.items()),
            tuple(_step(topic, cuts) for topic in dict.fromkeys(topic for topic, _ in cuts)),
            tuple(so) if len(so) <= _NAMED_AT_MOST else (f"{len(so)} partitions start there or later already",),
            _emptied([one for one, (cut, seen) in cuts.items() if cut == seen["end"]]),
            snapshot.cluster_id,
            Wants(looks=tuple(_log(place) for place in cuts)),
        )


def _emptied(places: list[Place]) -> tuple[str, ...]:
    if len(places) > _NAMED_AT_MOST:
        return (f"every record of {len(places)} partitions goes",)
    return tuple(f"every record of {place_text(place)} goes" for place in places)


def _log(place: Place) -> Resource:
    return Resource("log", place_text(place))


def _named(places: list[Place]) -> str:
    topics = list(dict.fromkeys(topic for topic, _ in places))
    if len(topics) > 1:
        return f"{len(topics)} topics"
    return place_text(places[0]) if len(places) == 1 else f"{len(places)} partitions of topic {topics[0]}"


def _state(snapshot: Snapshot, place: Place) -> Mapping[str, Any]:
    failure = snapshot.failures.get(place_text(place))
    if failure is not None:
        raise failure
    state = snapshot.states.get(_log(place))
    if state is None:
        raise OperationFailed(f"partition {place[1]} of topic {place[0]} does not exist", "see `logctl topic describe`")
    return state


def _beyond(place: Place, offset: int, state: Mapping[str, Any]) -> OperationFailed:
    return OperationFailed(
        f"{place_text(place)} ends at {state['end']}, so nothing can be cut at {offset}",
        "name another offset, or only the partitions that are so long as TOPIC:0,2",
    )


def _step(topic: str, cuts: Mapping[Place, tuple[int, Mapping[str, Any]]]) -> Step:
    mine = {place: cut for place, cut in cuts.items() if place[0] == topic}
    records = sum(offset - state["start"] for offset, state in mine.values())
    sizes = [_share(offset, state) for offset, state in mine.values()]
    about = "" if None in sizes else f", about {sum(filter(None, sizes)):,} bytes"
    where = ", ".join(f"{number} before {offset}" for (_, number), (offset, _) in list(mine.items())[:_NAMED_AT_MOST])
    more = "" if len(mine) <= _NAMED_AT_MOST else f" and {len(mine) - _NAMED_AT_MOST} more"
    noun = "record" if records == 1 else "records"
    sentence = f"delete {records:,} {noun} of topic {topic}{about}: partition {where}{more}"
    arguments = {"cuts": [[name, number, offset] for (name, number), (offset, _) in mine.items()]}
    return Step("log.trim", sentence, arguments, Risk.DESTRUCTIVE, tuple(map(_log, mine)))


def _share(offset: int, state: Mapping[str, Any]) -> int | None:
    """The bytes that lie before the offset, if records are all alike."""
    held = int(state["end"]) - int(state["start"])
    if state["size_bytes"] is None or held <= 0:
        return None
    return int(state["size_bytes"]) * (offset - int(state["start"])) // held


# -- what is meant ---------------------------------------------------------------------------------------------------


def intend(cluster: Cluster, wanted: Wanted, cut: Position, deadline: Deadline) -> Trim:
    """The trim that `cut` means in these partitions. Raises OperationFailed, with near names, for a topic or partition
    that does not exist."""
    places = _places(cluster, wanted, deadline)
    if cut.kind is Kind.OFFSET:
        return Trim(dict.fromkeys(places, cut.value))
    for place in places:
        if cluster.leaders[place].node_id < 0:
            raise _no_leader(place)
    ends = list_offsets(cluster, dict.fromkeys(places, _LATEST), False, deadline)
    held = {place: Range(0, ends[place]) for place in places}
    return Trim(resolve(cluster, cut, held, False, deadline))


def _places(cluster: Cluster, wanted: Wanted, deadline: Deadline) -> list[Place]:
    found = {topic.name: topic for topic in cluster.refresh(deadline, wanted).topics}
    places: list[Place] = []
    for name, numbers in wanted.items():
        topic = found[name]
        if topic.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
            raise unknown_topics([name], [other.name for other in cluster.refresh(deadline, None).topics])
        if topic.error_code not in (errors.NONE, errors.LEADER_NOT_AVAILABLE):
            raise refusal(f"topic {name}", topic.error_code)
        there = sorted(partition.partition_index for partition in topic.partitions)
        for number in there if numbers is None else numbers:
            if number not in there:
                raise OperationFailed(f"topic {name} has no partition {number}", f"it has {len(there)}, counted from 0")
            places.append((name, number))
    return places


_FORM: Final = '{"partitions": [{"topic": "orders", "partition": 0, "offset": 42}], "version": 1}'


def read_cuts(text: str, path: str) -> dict[Place, int]:
    """The offsets in a file as kafka-delete-records takes it: {"partitions": [{"topic", "partition", "offset"}],
    "version": 1}; -1 for the end. Raises UsageError that names the file and the line or the entry."""
    document, entries = read_partition_file(text, path, _FORM)
    if document.get("version", 1) != 1:
        raise UsageError(f"{path}: version {document['version']!r} is not known", _FORM)
    return {one.place: whole_number(one.fields, "offset", _LATEST, one.where, _FORM) for one in entries}


def intend_cuts(cluster: Cluster, cuts: Mapping[Place, int], deadline: Deadline) -> Trim:
    """The trim of a file: -1 becomes the end as it is now. Raises as `intend` does."""
    wanted: dict[str, tuple[int, ...] | None] = {}
    for topic, number in cuts:
        wanted[topic] = (*(wanted.get(topic) or ()), number)
    _places(cluster, wanted, deadline)
    open_ends = {place: _LATEST for place, offset in cuts.items() if offset == _LATEST}
    ends = list_offsets(cluster, open_ends, False, deadline) if open_ends else {}
    return Trim({place: ends.get(place, offset) for place, offset in cuts.items()})


# -- looking ---------------------------------------------------------------------------------------------------------


def observe_logs(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """Each log ('orders:3') as {"start", "end", "size_bytes"}; the size None where it is not told."""
    places = [parse_place(name) for name in names]
    found = cluster.refresh(deadline, dict.fromkeys(topic for topic, _ in places)).topics
    failures = _unreadable(found, places)
    there = {(topic.name, entry.partition_index) for topic in found for entry in topic.partitions}
    known = [place for place in places if place in there and place_text(place) not in failures]
    starts = list_offsets(cluster, dict.fromkeys(known, _EARLIEST), False, deadline)
    ends = list_offsets(cluster, dict.fromkeys(known, _LATEST), False, deadline)
    sizes = _sizes(cluster, known, deadline)
    states: dict[str, State] = {
        place_text(place): {"start": starts[place], "end": ends[place], "size_bytes": sizes.get(place)}
        for place in known
    }
    return Seen(states, failures)


def _unreadable(found: Iterable[Any], places: Iterable[Place]) -> dict[str, LogctlError]:
    """Partitions that nobody can be asked about, without waiting for it to pass."""
    failures: dict[str, LogctlError] = {}
    topics = {topic.name: topic for topic in found}
    for place in places:
        topic = topics[place[0]]
        if topic.error_code not in (errors.NONE, errors.LEADER_NOT_AVAILABLE, errors.UNKNOWN_TOPIC_OR_PARTITION):
            failures[place_text(place)] = refusal(f"topic {topic.name}", topic.error_code)
        for entry in topic.partitions:
            if entry.partition_index == place[1] and entry.leader_id < 0:
                failures[place_text(place)] = _no_leader(place)
    return failures


def _sizes(cluster: Cluster, places: Iterable[Place], deadline: Deadline) -> dict[Place, int]:
    try:
        return leader_sizes(cluster, places, deadline)
    except NotOffered:
        return {}


# -- doing -----------------------------------------------------------------------------------------------------------


def trim(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """The action of a Trim's step: each leader is asked once, and those that moved are followed. Kafka cannot rehearse
    it."""
    if dry:
        return {}
    open_still = {(topic, number): offset for topic, number, offset in arguments["cuts"]}
    outcomes: dict[Resource, LogctlError | None] = {}
    backoff = Backoff()
    if any(place not in cluster.leaders for place in open_still):
        cluster.refresh(deadline, dict.fromkeys(topic for topic, _ in open_still))
    while True:
        grouped = cluster.by_leader(open_still)
        leaderless = grouped.pop(-1, [])
        requests = {node: _request(places, open_still, deadline) for node, places in grouped.items()}
        gathered = cluster.scatter(requests, deadline)
        moved = [*leaderless, *_take(gathered, grouped, outcomes)]
        if not moved:
            return outcomes
        if deadline.expired:
            return outcomes | {_log(place): _no_leader(place) for place in moved}
        open_still = {place: open_still[place] for place in moved}
        backoff.pause(deadline)
        cluster.refresh(deadline, dict.fromkeys(topic for topic, _ in moved))


def _request(places: list[Place], cuts: Mapping[Place, int], deadline: Deadline) -> Message:
    from logctl.wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic

    topics: dict[str, list[DeleteRecordsPartition]] = {}
    for place in places:
        topics.setdefault(place[0], []).append(DeleteRecordsPartition(place[1], cuts[place]))
    return DeleteRecordsRequest(
        topics=[DeleteRecordsTopic(name, entries) for name, entries in topics.items()],
        timeout_ms=int(deadline.left_s * 1000),
    )


_MOVED: Final = frozenset((errors.NOT_LEADER_OR_FOLLOWER, errors.LEADER_NOT_AVAILABLE, errors.REPLICA_NOT_AVAILABLE))


def _take(
    gathered: Gathered, grouped: Mapping[int, list[Place]], outcomes: dict[Resource, LogctlError | None]
) -> list[Place]:
    """Write down what became of each partition; answers those that have moved to another leader."""
    moved: list[Place] = []
    for response in gathered.answers.values():
        for topic in response.topics:
            for entry in topic.partitions:
                place = topic.name, entry.partition_index
                if entry.error_code in _MOVED:
                    moved.append(place)
                else:
                    outcomes[_log(place)] = _outcome(place, entry.error_code)
    for node, error in gathered.missing.items():
        # An answer that was lost is settled by looking at where the log starts; so is one of a timeout.
        if not isinstance(error, DeadlineExceeded | Lost):
            outcomes.update({_log(place): error for place in grouped[node]})
    return moved


def _outcome(place: Place, code: int) -> LogctlError | None:
    if code == errors.NONE or code == errors.REQUEST_TIMED_OUT:
        return None
    hint = ""
    if code == errors.POLICY_VIOLATION:
        hint = "a topic that is compacted only keeps its records: add delete to its cleanup.policy first"
    return refusal(f"cannot trim {place_text(place)}", code, hint=hint)


def _no_leader(place: Place) -> LogctlError:
    return OperationFailed(f"{place_text(place)} has no leader", "see `logctl partition list --offline`")


ACTIONS: Final = {"trim": trim}
