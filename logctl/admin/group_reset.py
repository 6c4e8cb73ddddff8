"""Where groups shall go on reading: every way of kafka-consumer-groups --reset-offsets.

Theory of operation
-------------------
A reset is planned from three things: the positions that the groups have (their observed state), the first and the end
offset of each partition, and, for a reset to a time, the offset that the time means in each. The last two are looked up
before planning, by `prepare`; given these, the plan is a pure function, and a plan in a file holds plain offsets.

An offset outside of its partition is brought back to the nearest end of it, with a warning. A time after the last
record means the end. Where a group has no position, `current` means the end, and a shift cannot be told: an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.group_changes import key, observe_groups
from logctl.admin.group_operations import (
    group_resource,
    is_live,
    live_group,
    moves_text,
    moving,
    positions,
    state_of_group,
)
from logctl.admin.groups import unknown_group
from logctl.admin.observe import Snapshot, State, Wants
from logctl.admin.operation import Plan
from logctl.admin.positions import Place, Range, list_offsets, ranges
from logctl.admin.routing import Cluster
from logctl.admin.topics import near_names, unknown_topics
from logctl.errors import OperationFailed, UsageError

_DURATION: Final = re.compile(
    r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE | re.ASCII
)


class To(Enum):
    EARLIEST = "the earliest offset"
    LATEST = "the end"
    CURRENT = "where it is"
    OFFSET = "the offset"
    SHIFT = "by a shift"
    TIME = "the time"
    FILE = "what the file says"


class Target(NamedTuple):
    """`value`: the offset, the shift in records, or milliseconds since 1970."""

    to: To
    value: int = 0


def parse_iso_duration_ms(text: str) -> int:
    """'P1DT2H', 'PT30M', 'PT1.5S' in milliseconds. Raises UsageError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.group(number) for number in range(2, 6)):
        raise UsageError(f"{text!r} is not a duration of ISO 8601", "write P1D, PT2H, PT30M or P1DT2H30M")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups()[1:])
    span_ms = round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000)
    return -span_ms if found[1] else span_ms


def parse_scope(words: Iterable[str]) -> tuple[tuple[str, tuple[int, ...] | None], ...]:
    """['orders', 'payments:0,1'] as topics with their partitions, None for all. Raises UsageError."""
    scope: list[tuple[str, tuple[int, ...] | None]] = []
    for word in words:
        topic, colon, rest = word.partition(":")
        if not topic or (colon and not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})*", rest)):
            raise UsageError(f"--topic {word}: write TOPIC, or TOPIC:0,1 for some of its partitions")
        scope.append((topic, tuple(dict.fromkeys(map(int, rest.split(",")))) if colon else None))
    return tuple(scope)


class ResetGroups(NamedTuple):
    """Move groups to `target`. `places`: the partitions meant, None: those that each group has a position in. `held`:
    what each partition holds; `times`: the offset of the time (-1 for none so new); `filed`: what the file says.
    `skip_live`: groups with members are passed over with a warning, instead of refused. `existing`: the groups there
    are, for suggestions."""

    names: tuple[str, ...]
    target: Target
    places: tuple[Place, ...] | None = None
    held: Mapping[Place, Range] = MappingProxyType({})
    times: Mapping[Place, int] = MappingProxyType({})
    filed: Mapping[str, Mapping[Place, int]] = MappingProxyType({})
    skip_live: bool = False
    existing: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UsageError."""
        if not self.names:
            raise UsageError("there is no group to reset")

    def wants(self) -> Wants:
        return Wants(looks=tuple(map(group_resource, self.names)))

    def plan(self, snapshot: Snapshot) -> Plan:
        title = "reset " + (f"group {self.names[0]}" if len(self.names) == 1 else f"{len(self.names)} groups")
        changes, steps, notes, warnings = [], [], [], []
        for name in self.names:
            state = state_of_group(snapshot, name)
            if state is not None and is_live(state):
                refused = live_group(name, state)
                if not self.skip_live:
                    raise refused
                warnings.append(f"{refused.message}; left as it is")
                continue
            wanted, doubts = self.wanted(name, state)
            warnings += doubts
            current = positions(state)
            new = {at: offset for at, offset in wanted.items() if current.get(at) != offset}
            if not new:
                notes.append(f"group {name} is at these offsets already")
                continue
            if state is None:
                hint = unknown_group(name, self.existing).hint if near_names(name, self.existing) else ""
                warnings.append(f"group {name} does not exist: this makes it" + (f"; {hint}" if hint else ""))
            change, step = moving(name, state, new, f"move group {name}: {moves_text(current, new)}")
            changes.append(change)
            steps.append(step)
        wants = Wants(looks=tuple(change.resource for change in changes))
        return Plan(
            title, tuple(changes), tuple(steps), tuple(notes), tuple(warnings), snapshot.cluster_id, wants
        )  # fmt: skip

    def wanted(self, name: str, state: State) -> tuple[dict[Place, int], list[str]]:
        """Where a group shall be, in every partition meant, moved or not, and what was not possible as asked."""
        current = positions(state)
        offsets: dict[Place, int] = {}
        doubts: list[str] = []
        for at in self._places(name, state, current):
            if at not in self.held:
                doubts.append(f"{key(at)} does not exist any more: the position of group {name} in it stays")
                continue
            asked = self._asked(name, at, current)
            offsets[at] = self._within(at, asked, doubts)
        return offsets, doubts

    def _places(self, name: str, state: State, current: Mapping[Place, int]) -> Sequence[Place]:
        if self.target.to is To.FILE:
            return list(self.filed.get(name, ()))
        if self.places is not None:
            return self.places
        if state is None:
            raise unknown_group(name, self.existing)
        return list(current)

    def _asked(self, name: str, at: Place, current: Mapping[Place, int]) -> int:
        held, value = self.held[at], self.target.value
        match self.target.to:
            case To.EARLIEST:
                return held.first
            case To.LATEST:
                return held.end
            case To.CURRENT:
                return current.get(at, held.end)
            case To.OFFSET:
                return value
            case To.TIME:
                return held.end if self.times[at] < 0 else self.times[at]
            case To.FILE:
                return self.filed[name][at]
            case To.SHIFT:
                if at not in current:
                    raise OperationFailed(
                        f"group {name} has no position in {key(at)} to shift from", "use --to-earliest or --to-latest"
                    )
                return current[at] + value

    def _within(self, at: Place, offset: int, doubts: list[str]) -> int:
        held = self.held[at]
        if offset < held.first:
            doubts.append(f"{key(at)} begins at {held.first}: {offset} becomes {held.first}")
            return held.first
        if offset > held.end:
            doubts.append(f"{key(at)} ends at {held.end}: {offset} becomes {held.end}")
            return held.end
        return offset


class Scope(NamedTuple):
    """What is meant: groups, and topics with some of their partitions; None: those the groups have positions in."""

    names: tuple[str, ...]
    topics: tuple[tuple[str, tuple[int, ...] | None], ...] | None = None
    skip_live: bool = False


def prepare(
    cluster: Cluster,
    scope: Scope,
    target: Target,
    filed: Mapping[str, Mapping[Place, int]],
    deadline: Deadline,
) -> ResetGroups:
    """Look up what the plan of a reset depends on. Raises OperationFailed for a topic that does not exist, UsageError
    for a partition that it does not have."""
    if target.to is To.FILE:
        asked = list(dict.fromkeys(at for offsets in filed.values() for at in offsets))
        there = _existing(cluster, asked, deadline)
        for at in asked:
            if at not in there:
                raise OperationFailed(f"{key(at)}, which the file names, does not exist")
        places = tuple(asked)
    elif scope.topics is not None:
        places = there = tuple(_partitions(cluster, scope.topics, deadline))
    else:
        seen = observe_groups(cluster, scope.names, deadline)
        asked = list(dict.fromkeys(at for state in seen.states.values() for at in positions(state)))
        places = there = tuple(_existing(cluster, asked, deadline))
    held = ranges(cluster, there, False, deadline) if there else {}
    times: dict[Place, int] = {}
    if target.to is To.TIME and there:
        times = list_offsets(cluster, dict.fromkeys(there, target.value), False, deadline)
    meant = None if scope.topics is None else places
    return ResetGroups(scope.names, target, meant, held, times, filed, scope.skip_live)


def _existing(cluster: Cluster, places: Sequence[Place], deadline: Deadline) -> tuple[Place, ...]:
    if not places:
        return ()
    told = cluster.refresh(deadline, sorted({topic for topic, _ in places})).topics
    there = {(topic.name, entry.partition_index) for topic in told for entry in topic.partitions}
    return tuple(at for at in places if at in there)


def _partitions(
    cluster: Cluster, topics: Iterable[tuple[str, tuple[int, ...] | None]], deadline: Deadline
) -> Iterable[Place]:
    """Every partition meant, each once. `:0,1` of topics that a group never read counts too."""
    wanted = list(topics)
    seen = cluster.refresh(deadline, [name for name, _ in wanted]).topics
    told = {topic.name: len(topic.partitions) for topic in seen}
    missing = [name for name, _ in wanted if not told.get(name)]
    if missing:
        raise unknown_topics(missing, [topic.name for topic in cluster.refresh(deadline, None).topics])
    found: dict[Place, None] = {}
    for name, numbers in wanted:
        for number in range(told[name]) if numbers is None else numbers:
            if number >= told[name]:
                raise UsageError(f"topic {name} has partitions 0 to {told[name] - 1}; {number} is not one of them")
            found[name, number] = None
    return found
