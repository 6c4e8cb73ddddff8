"""Where partitions begin and end, where their newest record is, and where a moment in time falls: `record offsets`.

Three or four questions (ListOffsets) go to each leader, each for all of its partitions. A partition that cannot tell
is named with its reason, and the others are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.coordinators import newest
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.positions import Kind, Place, offsets_request, parse_position
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

LATEST: Final = -1
EARLIEST: Final = -2
MAX_TIMESTAMP: Final = -3
_PATIENCE_S: Final = 5.0

_WORDS: Final = {
    "latest": LATEST,
    "end": LATEST,
    "earliest": EARLIEST,
    "beginning": EARLIEST,
    "max-timestamp": MAX_TIMESTAMP,
    "earliest-local": -4,
    "latest-tiered": -5,
    "earliest-pending-upload": -6,
}
_SINCE_VERSION: Final = {MAX_TIMESTAMP: (7, "3.0"), -4: (8, "3.5"), -5: (9, "3.9"), -6: (11, "4.2")}
"""Special time -> the first version of ListOffsets that understands it, and the Apache Kafka release that has it."""


def parse_when(text: str) -> int:
    """'latest', 'earliest', 'max-timestamp', 'earliest-local', 'latest-tiered', 'earliest-pending-upload', one of
    kafka-get-offsets' numbers for them, or a time, as ListOffsets wants it. Raises UsageError."""
    word = text.strip()
    if word in _WORDS:
        return _WORDS[word]
    if word in {str(number) for number in _WORDS.values()}:
        return int(word)
    if word.isascii() and word.isdigit():
        return int(word)
    found = parse_position(word)
    if found.kind is not Kind.TIME:
        raise UsageError(f"--time {text}: not a time", f"write {', '.join(_WORDS)}, ISO 8601, or milliseconds")
    return found.value


class Spot(NamedTuple):
    """An offset, and the timestamp (ms) and leader epoch of the record there; -1 where there is none."""

    offset: int
    timestamp_ms: int
    leader_epoch: int


class Offsets(NamedTuple):
    """What there is to know of one partition. `wanted`: the spot that was asked for."""

    earliest: int
    latest: int
    stable: int
    wanted: Spot


class Spots(NamedTuple):
    found: dict[Place, Spot]
    failures: dict[Place, LogctlError]


def look_up(
    cluster: Cluster, places: Iterable[Place], when: int, deadline: Deadline
) -> tuple[dict[Place, Offsets], dict[Place, LogctlError]]:
    """Beginning, end, last stable offset and the spot at `when` of each partition, and why others cannot be told.

    Raises NotOffered for a special time that the cluster does not know.
    """
    asked = list(places)
    _check_known(cluster, when, deadline)
    failures: dict[Place, LogctlError] = {}
    looks: list[dict[Place, Spot]] = []
    for timestamp, committed in ((EARLIEST, False), (LATEST, False), (LATEST, True), (when, False)):
        spots = spots_at(cluster, [place for place in asked if place not in failures], timestamp, committed, deadline)
        failures.update(spots.failures)
        looks.append(spots.found)
    earliest, latest, stable, wanted = looks
    whole = {
        place: Offsets(earliest[place].offset, latest[place].offset, stable[place].offset, wanted[place])
        for place in asked
        if place not in failures
    }
    return whole, failures


def _check_known(cluster: Cluster, when: int, deadline: Deadline) -> None:
    version, release = _SINCE_VERSION.get(when, (0, ""))
    if newest(cluster, "ListOffsets", deadline) < version:
        word = next(word for word, number in _WORDS.items() if number == when)
        raise OperationFailed(
            f"this cluster does not know the place {word} (ListOffsets version {version}); "
            f"Apache Kafka does since {release}"
        )


def spots_at(
    cluster: Cluster, places: Iterable[Place], timestamp: int, committed: bool, deadline: Deadline
) -> Spots:
    """The spot at a timestamp, or at a special one, in each partition. Moved leaders are followed for a few seconds."""
    spots = Spots({}, {})
    left = list(places)
    patience, backoff = deadline.at_most(_PATIENCE_S), Backoff()
    while left:
        trouble: dict[Place, LogctlError] = {}
        grouped = cluster.by_leader(left)
        trouble.update({place: _leaderless(place) for place in grouped.pop(-1, [])})
        asked = dict.fromkeys(left, timestamp)
        requests = {node: offsets_request(led, asked, committed, deadline) for node, led in grouped.items()}
        gathered = cluster.scatter(requests, patience)
        for node, error in gathered.missing.items():
            trouble.update(dict.fromkeys(grouped[node], error))
        for response in gathered.answers.values():
            _take(response, spots, trouble)
        left = [place for place in left if place in trouble]
        if left and patience.expired:
            spots.failures.update(trouble)
            break
        if left:
            backoff.pause(patience)
            cluster.refresh(deadline, {topic for topic, _ in left})
    return spots


def _take(response: Any, spots: Spots, trouble: dict[Place, LogctlError]) -> None:
    for topic in response.topics:
        for entry in topic.partitions:
            place = topic.name, entry.partition_index
            if entry.error_code == errors.NONE:
                spots.found[place] = Spot(entry.offset, entry.timestamp, entry.leader_epoch)
                continue
            retriable = errors.describe(entry.error_code).retriable
            (trouble if retriable else spots.failures)[place] = refusal(name_of(place), entry.error_code)


def name_of(place: Place) -> str:
    return f"partition {place[1]} of {place[0]}"


def _leaderless(place: Place) -> LogctlError:
    return OperationFailed(f"{name_of(place)} has no leader", "see `logctl topic describe`")


def by_name(failures: Mapping[Place, LogctlError]) -> dict[str, LogctlError]:
    """Failures as a listing wants them."""
    return {f"{topic}-{number}": error for (topic, number), error in failures.items()}
