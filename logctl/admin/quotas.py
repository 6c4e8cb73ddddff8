"""Quotas: how much users, clients and addresses may do, seeing and changing it.

A quota belongs to a subject: a user, a client id, a user with a client id, or an address; each by name, or the default
for those that have none of their own. A subject is always "there": one without limits has an empty set of them. So a
limit that is taken away shows as None in a change, like a setting put back to its default.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import near_names
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

EVERY: Final = Resource("quota", "*")
"""Looking at it shows every subject that has limits: {'subjects': [{'entity': ..., 'limits': ...}]}."""

DEFAULT: Final = "<default>"
"""How the default subject is written: those without a quota of their own."""

KINDS: Final = ("user", "client-id", "ip")
SMALL_BYTES_PER_S: Final = 1024
"""A byte rate below this stops a client rather than slowing it, and is mostly a unit that was forgotten."""


class Limit(NamedTuple):
    """What a key limits. `unit`: bytes, percent, or the plural of what is counted each second; `each`: whose limit it
    is, because most are a broker's and not the cluster's."""

    unit: str
    each: str
    meaning: str


LIMITS: Final = {
    "producer_byte_rate": Limit("bytes", "per broker", "bytes produced a second"),
    "consumer_byte_rate": Limit("bytes", "per broker", "bytes fetched a second"),
    "request_percentage": Limit("percent", "per broker", "share of one thread's time; all have threads x 100"),
    "controller_mutation_rate": Limit("partitions", "of the controller", "partitions created or deleted a second"),
    "connection_creation_rate": Limit("connections", "per broker", "new connections a second; for addresses only"),
}


class Subject(NamedTuple):
    """Whose quota: (kind, name) pairs, the name None for the default. Kinds are in the order of KINDS."""

    parts: tuple[tuple[str, str | None], ...]

    def __str__(self) -> str:
        """One text for each subject: 'user=alice client-id=<default>'."""
        return " ".join(f"{kind}={DEFAULT if name is None else _word(name)}" for kind, name in self.parts)

    @property
    def told(self) -> str:
        """For sentences: 'user alice with client-id app', 'the default user'."""
        return " with ".join(f"the default {kind}" if name is None else f"{kind} {name}" for kind, name in self.parts)

    @property
    def resource(self) -> Resource:
        return Resource("quota", str(self))

    def entity(self) -> list[dict[str, str | None]]:
        return [{"type": kind, "name": name} for kind, name in self.parts]

    def check(self) -> None:
        """Raises UsageError for what Kafka knows no quota of."""
        kinds = [kind for kind, _ in self.parts]
        if kinds not in (["user"], ["client-id"], ["user", "client-id"], ["ip"]):
            raise UsageError(
                "whose quota? " + (f"There is none of {' with '.join(kinds)}" if kinds else "Nobody was named"),
                "with --user NAME, --client NAME, both, or --ip ADDRESS; or with their defaults: --user-defaults, ...",
            )
        if any(name == "" for _, name in self.parts):
            raise UsageError("a name is empty", "for those without a quota of their own: --user-defaults, ...")


def _word(text: str) -> str:
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "=')
    return text if plain and text != DEFAULT else json.dumps(text)


def subject_from(entity: Iterable[Mapping[str, Any]]) -> Subject:
    """The subject that `Subject.entity()` made a document of."""
    return Subject(in_order((str(part["type"]), part["name"]) for part in entity))


def in_order(parts: Iterable[tuple[str, str | None]]) -> tuple[tuple[str, str | None], ...]:
    return tuple(sorted(parts, key=lambda part: (KINDS.index(part[0]) if part[0] in KINDS else len(KINDS), part[0])))


class Quota(NamedTuple):
    subject: Subject
    limits: dict[str, float]


# -- numbers and their words -------------------------------------------------------------------------------------------

_UNITS: Final = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9,
    "k": 2**10, "m": 2**20, "g": 2**30,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_NUMBER: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d{1,2}))?\s*([a-z]*|%)(/s)?", re.IGNORECASE)


def parse_limit(key: str, text: str) -> float:
    """'10MiB' or '10485760' of a byte rate, '200%' of a share, '5/s' of a rate. Raises UsageError."""
    check_key(key)
    found = _NUMBER.fullmatch(text.strip())
    wanted = {"bytes": "a number of bytes a second: 10485760 or 10MiB", "percent": "a percentage: 200 or 200%"}
    hint = wanted.get(LIMITS[key].unit, "a number a second")
    factor = _factor(LIMITS[key].unit, found) if found else None
    if found is None or factor is None:
        raise UsageError(f"{key}: {text!r} is not {hint}")
    value = float(found[1]) * 10.0 ** int(found[2] or 0) * factor
    if value <= 0 or not math.isfinite(value):
        raise UsageError(f"{key}: {text!r} is not above zero", "to take a limit away: `logctl quota unset`")
    return value


def _factor(unit: str, found: re.Match[str]) -> int | None:
    word = found[3].lower()
    if unit == "percent":
        return 1 if word in ("", "%") and not found[4] else None
    return _UNITS.get(word) if unit == "bytes" else (1 if word == "" else None)


def check_key(key: str) -> None:
    """Raises UsageError for a limit that there is not."""
    if key not in LIMITS:
        near = near_names(key, LIMITS)
        raise UsageError(f"there is no limit {key!r}", f"did you mean {' or '.join(near or LIMITS)}?")


def limit_text(key: str, value: float) -> str:
    """'10 MiB/s', '200%', '5 partitions/s'."""
    limit = LIMITS.get(key)
    if limit is None:
        return f"{value:g}"
    if limit.unit == "percent":
        return f"{value:g}%"
    return f"{_size(value)}/s" if limit.unit == "bytes" else f"{value:g} {limit.unit}/s"


def _size(value: float) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:g} B"


def exact(value: float) -> int | float:
    """The number without the '.0' that a whole one does not need."""
    return int(value) if value == int(value) else value


# -- seeing them -------------------------------------------------------------------------------------------------------


def list_quotas(cluster: Cluster, deadline: Deadline) -> list[Quota]:
    """Every subject that has limits, in a fixed order. Raises OperationFailed, AccessDenied."""
    from logctl.wire.messages.describe_client_quotas import DescribeClientQuotasRequest

    need(cluster, "DescribeClientQuotas", deadline)
    response = cluster.ask(DescribeClientQuotasRequest(components=[], strict=False), deadline)
    if response.error_code != errors.NONE:
        raise refusal("quotas", response.error_code, response.error_message)
    found = [
        Quota(
            Subject(in_order((part.entity_type, part.entity_name) for part in entry.entity)),
            {one.key: one.value for one in sorted(entry.values, key=lambda one: one.key)},
        )
        for entry in response.entries or ()
    ]
    return sorted(found, key=lambda quota: [(kind, name is None, name or "") for kind, name in quota.subject.parts])


def observe_quotas(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The limits of the subjects of these texts; '*' for all subjects."""
    quotas = list_quotas(cluster, deadline)
    limits = {str(quota.subject): quota.limits for quota in quotas}
    states: dict[str, State] = {name: {"limits": limits.get(name, {})} for name in names}
    if EVERY.name in names:
        every = [{"entity": quota.subject.entity(), "limits": quota.limits} for quota in quotas]
        states[EVERY.name] = {"subjects": every}
    return Seen(states, {})


def quotas_seen(snapshot: Snapshot) -> dict[Subject, dict[str, float]]:
    """All quotas of a snapshot that looked at EVERY."""
    state = snapshot.states.get(EVERY)
    every = [] if state is None else state["subjects"]
    return {subject_from(one["entity"]): dict(one["limits"]) for one in every}


# -- changing them -----------------------------------------------------------------------------------------------------


class ChangeQuota(NamedTuple):
    """Set each limit of one subject to its value, or take it away where the value is None."""

    subject: Subject
    changes: Mapping[str, float | None]

    def check(self) -> None:
        """Raises UsageError for what Kafka would refuse."""
        self.subject.check()
        if not self.changes:
            raise UsageError("no limit was named", f"there are {', '.join(LIMITS)}")
        of_address = self.subject.parts[0][0] == "ip"
        for key in self.changes:
            check_key(key)
            if (key == "connection_creation_rate") != of_address:
                raise UsageError(
                    f"{key} cannot be limited for {self.subject.told}",
                    "connection_creation_rate is for addresses (--ip), all others for users and clients",
                )

    def wants(self) -> Wants:
        return Wants(looks=(self.subject.resource,))

    def plan(self, snapshot: Snapshot) -> Plan:
        state = snapshot.states.get(self.subject.resource)
        return self.against({} if state is None else state["limits"], snapshot.cluster_id)

    def against(self, limits: Mapping[str, float], cluster_id: str | None) -> Plan:
        """The plan, given the limits there are now."""
        title = f"change the quota of {self.subject.told}"
        needed = {key: value for key, value in self.changes.items() if limits.get(key) != value}
        notes = tuple(self._already(key) for key in self.changes if key not in needed)
        if not needed:
            return Plan(title, (), (), notes, (), cluster_id)
        needed = {key: None if value is None else exact(value) for key, value in needed.items()}
        before = {key: exact(limits[key]) if key in limits else None for key in needed}
        change = Change(self.subject.resource, {"limits": before}, {"limits": needed})
        step, doubts = self._step(before, needed), tuple(_doubts(needed))
        return Plan(title, (change,), (step,), notes, doubts, cluster_id, self.wants())

    def _already(self, key: str) -> str:
        value = self.changes[key]
        if value is None:
            return f"{key} is not limited for {self.subject.told}"
        return f"{key} is {limit_text(key, value)} for {self.subject.told} already"

    def _step(self, before: Mapping[str, float | None], needed: Mapping[str, float | None]) -> Step:
        entity = self.subject.entity()
        undo = Undo(
            "quota.change",
            f"put the quota of {self.subject.told} back: {_told(before)}",
            {"entity": entity, "limits": dict(before)},
            _risk(before),
        )
        sentence = f"{_told(needed)} for {self.subject.told}"
        arguments = {"entity": entity, "limits": dict(needed)}
        return Step("quota.change", sentence, arguments, _risk(needed), (self.subject.resource,), undo)


class ImportQuotas(NamedTuple):
    """Give several subjects the limits named; whatever else they have stays."""

    quotas: tuple[Quota, ...]

    def check(self) -> None:
        for quota in self.quotas:
            ChangeQuota(*quota).check()

    def wants(self) -> Wants:
        return Wants(looks=(EVERY,))

    def plan(self, snapshot: Snapshot) -> Plan:
        now = quotas_seen(snapshot)
        plans = [ChangeQuota(*one).against(now.get(one.subject, {}), snapshot.cluster_id) for one in self.quotas]
        changes = tuple(change for plan in plans for change in plan.changes)
        return Plan(
            f"import quotas of {len(self.quotas)} subjects",
            changes,
            tuple(step for plan in plans for step in plan.steps),
            tuple(note for plan in plans for note in plan.notes) or ("the file holds no quota",) * (not plans),
            tuple(warning for plan in plans for warning in plan.warnings),
            snapshot.cluster_id,
            Wants(looks=tuple(change.resource for change in changes)),
        )


def _small(limits: Mapping[str, float | None]) -> Iterator[tuple[str, float]]:
    for key, value in limits.items():
        if value is not None and LIMITS[key].unit == "bytes" and value < SMALL_BYTES_PER_S:
            yield key, value


def _risk(limits: Mapping[str, float | None]) -> Risk:
    known = {key: value for key, value in limits.items() if key in LIMITS}
    return Risk.DISRUPTIVE if any(_small(known)) else Risk.SAFE


def _doubts(limits: Mapping[str, float | None]) -> Iterator[str]:
    for key, value in _small(limits):
        yield f"{key} of {value:g} bytes a second stops a client rather than slowing it; was a unit forgotten (10MiB)?"


def _told(limits: Mapping[str, float | None]) -> str:
    given = [f"set {key} to {_figure(key, value)}" for key, value in limits.items() if value is not None]
    dropped = [key for key, value in limits.items() if value is None]
    return " and ".join(given + ([f"take {', '.join(dropped)} away"] if dropped else []))


def _figure(key: str, value: float) -> str:
    limit = LIMITS.get(key)
    number = f" ({exact(value)})" if limit is not None and limit.unit == "bytes" and value >= SMALL_BYTES_PER_S else ""
    return f"{limit_text(key, value)}{number}" + (f" {limit.each}" if limit is not None else "")


def change(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Resource, LogctlError | None]:
    """The action of a ChangeQuota's step. `dry`: the broker validates only."""
    from logctl.wire.messages import alter_client_quotas as wire

    need(cluster, "AlterClientQuotas", deadline)
    subject = subject_from(arguments["entity"])
    entity = [wire.AlterClientQuotasRequestEntityData(kind, name) for kind, name in subject.parts]
    ops = [wire.OpData(key, value or 0.0, value is None) for key, value in arguments["limits"].items()]
    entry = wire.AlterClientQuotasRequestEntryData(entity, ops)
    request = wire.AlterClientQuotasRequest(entries=[entry], validate_only=dry)
    response = cluster.ask(request, deadline, lambda answer: [result.error_code for result in answer.entries])
    outcomes: dict[Resource, LogctlError | None] = {}
    for result in response.entries:
        failed = result.error_code != errors.NONE
        said = f"cannot change the quota of {subject.told}"
        outcomes[subject.resource] = refusal(said, result.error_code, result.error_message) if failed else None
    return outcomes or {subject.resource: OperationFailed(f"no answer about the quota of {subject.told}")}


ACTIONS: Final = {"change": change}
