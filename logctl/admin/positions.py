"""Where in a partition: the places that --from and --to name, and the offsets they turn out to be.

A place is the beginning, the end, an offset, so many records before the end, or a moment in time. `resolve` asks each
leader once (ListOffsets) and answers offsets; a partition it could not ask is an error, because a consumer that
silently leaves one out is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.routing import Cluster, refusal
from logctl.errors import OperationFailed, UsageError
from logctl.wire import errors

Place = tuple[str, int]
"""(topic, partition)."""

_LATEST: Final = -1
_EARLIEST: Final = -2


class Kind(Enum):
    BEGINNING = "beginning"
    END = "end"
    OFFSET = "offset"
    BEFORE_END = "before the end"
    TIME = "time"


class Position(NamedTuple):
    """`value`: the offset, the number of records before the end, or milliseconds since 1970."""

    kind: Kind
    value: int = 0


BEGINNING: Final = Position(Kind.BEGINNING)
END: Final = Position(Kind.END)

_OFFSET_DIGITS: Final = 12


def parse_position(text: str) -> Position:
    """'beginning', 'end', '42', '-100', '2026-01-31T12:00:00Z', '@1700000000000'. A bare number of 13 digits or more is
    milliseconds since 1970, since no offset is that large in practice; offset:N and @N say which one is meant.

    Raises UsageError.
    """
    word = text.strip()
    if word in ("beginning", "earliest", "start"):
        return BEGINNING
    if word in ("end", "latest"):
        return END
    prefix, _, rest = word.rpartition(":")
    if prefix == "offset" and rest.isascii() and rest.isdigit():
        return Position(Kind.OFFSET, _fitting(rest, text))
    if word.startswith("@") and word[1:].isascii() and word[1:].isdigit():
        return Position(Kind.TIME, _fitting(word[1:], text))
    if re.fullmatch(r"-[0-9]+", word):
        return Position(Kind.BEFORE_END, -_fitting(word, text))
    if re.fullmatch(r"[0-9]+", word):
        return Position(Kind.OFFSET if len(word) <= _OFFSET_DIGITS else Kind.TIME, _fitting(word, text))
    return Position(Kind.TIME, parse_time_ms(word))


def _fitting(digits: str, text: str) -> int:
    if len(digits) > 19 or not -(1 << 63) < int(digits) < 1 << 63:
        raise UsageError(f"{text!r} is larger than any offset or timestamp can be")
    return int(digits)


def parse_time_ms(text: str) -> int:
    """ISO 8601 in milliseconds since 1970; UTC when no zone is given, as Apache's tools read it. Raises UsageError."""
    from datetime import datetime, timezone

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a position in a partition",
            "write beginning, end, an offset, -N for the last N, or a time like 2026-01-31T12:00:00Z or @1700000000000",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)  # noqa: UP017
    return round(moment.timestamp() * 1000)


class Range(NamedTuple):
    """What a partition holds: the first offset, and the one behind the last that may be read."""

    first: int
    end: int


def ranges(cluster: Cluster, places: Iterable[Place], committed: bool, deadline: Deadline) -> dict[Place, Range]:
    """First and end offset of each partition; with `committed` the end is the last stable offset."""
    wanted = list(places)
    firsts = list_offsets(cluster, dict.fromkeys(wanted, _EARLIEST), committed, deadline)
    ends = list_offsets(cluster, dict.fromkeys(wanted, _LATEST), committed, deadline)
    return {place: Range(firsts[place], ends[place]) for place in wanted}


def resolve(
    cluster: Cluster, position: Position, held: Mapping[Place, Range], committed: bool, deadline: Deadline
) -> dict[Place, int]:
    """The offset that `position` means in each partition of `held`. Offsets before the first or behind the end stay as
    they are: the caller knows what to say."""
    if position.kind is Kind.TIME:
        at = list_offsets(cluster, dict.fromkeys(held, position.value), committed, deadline)
        return {place: at[place] if at[place] >= 0 else held[place].end for place in held}
    choose: dict[Kind, Callable[[Range], int]] = {
        Kind.BEGINNING: lambda held: held.first,
        Kind.END: lambda held: held.end,
        Kind.OFFSET: lambda held: position.value,
        Kind.BEFORE_END: lambda held: max(held.first, held.end - position.value),
    }
    return {place: choose[position.kind](found) for place, found in held.items()}


def list_offsets(
    cluster: Cluster, timestamps: Mapping[Place, int], committed: bool, deadline: Deadline
) -> dict[Place, int]:
    """The offset of the first record at or after each timestamp (ms), or of ListOffsets' special values; -1 for none.

    Moved leaders are followed. Raises OperationFailed for a partition that cannot tell.
    """
    found: dict[Place, int] = {}
    trouble: dict[Place, int] = {}
    backoff = Backoff()
    while True:
        open_still = {place: when for place, when in timestamps.items() if place not in found}
        grouped = cluster.by_leader(open_still)
        grouped.pop(-1, None)
        requests = {node: offsets_request(places, open_still, committed, deadline) for node, places in grouped.items()}
        gathered = cluster.scatter(requests, deadline)
        for response in gathered.answers.values():
            _take(response, found, trouble)
        missing = [place for place in timestamps if place not in found]
        if not missing:
            return found
        if deadline.expired:
            for error in gathered.missing.values():
                raise error
            raise _cannot_tell(missing[0], trouble)
        backoff.pause(deadline)
        cluster.refresh(deadline, {topic for topic, _ in missing})


def offsets_request(places: list[Place], timestamps: Mapping[Place, int], committed: bool, deadline: Deadline) -> Any:
    from logctl.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

    topics: dict[str, list[Any]] = {}
    for place in places:
        topic, number = place
        entry = ListOffsetsPartition(partition_index=number, timestamp=timestamps[place])
        topics.setdefault(topic, []).append(entry)
    return ListOffsetsRequest(
        replica_id=-1,
        isolation_level=int(committed),
        topics=[ListOffsetsTopic(name=name, partitions=entries) for name, entries in topics.items()],
        timeout_ms=int(deadline.left_s * 1000),
    )


def _take(response: Any, found: dict[Place, int], trouble: dict[Place, int]) -> None:
    for topic in response.topics:
        for entry in topic.partitions:
            place = topic.name, entry.partition_index
            if entry.error_code == errors.NONE:
                found[place] = entry.offset
            elif errors.describe(entry.error_code).retriable:
                trouble[place] = entry.error_code
            else:
                raise refusal(f"partition {place[1]} of {place[0]}", entry.error_code)


def _cannot_tell(place: Place, trouble: Mapping[Place, int]) -> Exception:
    topic, number = place
    if place in trouble:
        return refusal(f"partition {number} of {topic}", trouble[place])
    return OperationFailed(f"partition {number} of {topic} has no leader", "see `logctl topic describe`")
