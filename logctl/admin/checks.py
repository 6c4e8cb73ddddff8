"""Health checks: each has a name and is a pure function over one `ClusterView`.

Theory of operation
-------------------
A check answers findings. `critical`: something does not work now, or data is about to be lost; `warning`: it works, and
the next fault may end that; `info`: worth knowing, and no fault. Partitions of a topic that suffer from the same are
one finding, so that a broker that is down gives a page and not a book.

A check that cannot be made says so instead of being taken for healthy: as a warning when something is in the way (a
broker that is silent, a permission that lacks), as an info when the cluster does not offer what it takes.

`judge` tells everything that a view shows; `find` looks at what the checks named need and tells what is `serious`. The
executor's gates call that: a step may begin when nothing is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.health import ClusterView, look, missing, unanswered
from logctl.admin.link import NotOffered
from logctl.admin.logdirs import LogDir
from logctl.admin.observe import Partition
from logctl.admin.quorum import Replica
from logctl.admin.routing import Cluster
from logctl.admin.wording import counted
from logctl.errors import LogctlError, UsageError


class Severity(str, Enum):  # noqa: UP042 - shown by its value in JSON
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Finding(NamedTuple):
    """What a check found. `subject`: what it is about ('topic orders', 'broker 2', 'cluster')."""

    check: str
    severity: Severity
    subject: str
    sentence: str
    hint: str = ""

    @property
    def serious(self) -> bool:
        """More than worth knowing: it spoils the health of the cluster."""
        return self.severity is not Severity.INFO


class Limits(NamedTuple):
    """Where a figure becomes a finding."""

    full_share: float = 0.85
    critical_share: float = 0.95
    behind_ms: int = 10_000
    behind_records: int = 1_000
    still_s: float = 30.0


class _Told(NamedTuple):
    severity: Severity
    subject: str
    sentence: str
    hint: str = ""


_CLUSTER: Final = "cluster"
_SHOWN: Final = 10

# -- partitions --------------------------------------------------------------------------------------------------------


def _offline_partitions(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    hint = "bring back the brokers that hold them; `logctl partition list --offline` shows which"
    yield from _by_topic(view, lambda _, one: one.leader is None, Severity.CRITICAL, "without a leader", hint)


def _under_replicated(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    hint = "`logctl partition list --under-replicated` shows which brokers lag"
    yield from _by_topic(
        view,
        lambda name, one: bool(missing(one, _adding(view, name, one))),
        Severity.WARNING,
        "with a replica that is not in sync",
        hint,
    )


def _under_min_isr(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    yield from _by_topic(
        view,
        lambda name, one: len(one.isr) < _must_have(view, name, one),
        Severity.CRITICAL,
        "with fewer replicas in sync than min.insync.replicas, which refuse writes with acks=all",
        "bring back the brokers of the missing replicas",
    )


def _at_min_isr(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    yield from _by_topic(
        view,
        lambda name, one: len(one.isr) == _must_have(view, name, one) and bool(missing(one, _adding(view, name, one))),
        Severity.WARNING,
        "with just as many replicas in sync as min.insync.replicas asks for",
        "one more loss, and they refuse writes with acks=all: restart nothing now",
    )


def _must_have(view: ClusterView, topic: str, partition: Partition) -> int:
    """How many replicas must be in sync: what is set, but never more than there are. 0: that was not looked at,
    because none is missing."""
    return min(view.min_isr.get(topic, 0), len(partition.replicas))


def _adding(view: ClusterView, topic: str, partition: Partition) -> tuple[int, ...]:
    move = view.moves.get((topic, partition.number))
    return () if move is None else move.adding


def _by_topic(
    view: ClusterView, ill: Callable[[str, Partition], bool], severity: Severity, sentence: str, hint: str
) -> Iterator[_Told]:
    for name, topic in sorted(view.topics.items()):
        found = [one.number for one in topic.partitions if ill(name, one)]
        if found:
            told = f"{len(found)} of {counted(len(topic.partitions), 'partition')} {sentence}: {_listed(found)}"
            yield _Told(severity, f"topic {name}", told, hint)


def _preferred_leader(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    wanted: dict[int, list[bool]] = {}
    for topic in view.topics.values():
        for one in topic.partitions:
            if one.replicas and one.leader is not None and one.replicas[0] in one.isr:
                wanted.setdefault(one.replicas[0], []).append(one.leader == one.replicas[0])
    for broker, leads in sorted(wanted.items()):
        if not all(leads):
            sentence = f"leads {sum(leads)} of the {len(leads)} partitions that should prefer it and could have it"
            yield _Told(Severity.INFO, f"broker {broker}", sentence, "`logctl partition elect --preferred` evens that")


# -- the controller and its quorum -------------------------------------------------------------------------------------


def _controller(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    failure = view.unseen.get("quorum")
    hint = "without one nothing can be created, changed or elected: a majority of the controllers must be running"
    if view.quorum is not None:
        if view.quorum.leader_id is None:
            yield _Told(Severity.CRITICAL, _CLUSTER, "there is no active controller", hint)
    elif failure is None or isinstance(failure, NotOffered):
        if view.controller_id < 0:
            yield _Told(Severity.CRITICAL, _CLUSTER, "there is no active controller", hint)
        elif view.controller_id in view.silent:
            sentence = f"it is the controller and does not answer: {view.silent[view.controller_id].message}"
            yield _Told(Severity.CRITICAL, f"broker {view.controller_id}", sentence, hint)
    elif failure.kafka_name in _NO_LEADER or unanswered(failure):
        yield _Told(Severity.CRITICAL, _CLUSTER, f"no controller answers: {failure.message}", hint)
    else:
        yield _not_made(failure)


_NO_LEADER: Final = ("NOT_LEADER_OR_FOLLOWER", "LEADER_NOT_AVAILABLE", "NOT_CONTROLLER", "BROKER_NOT_AVAILABLE")


def _lagging_quorum(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    if view.quorum is None:
        return
    quorum = view.quorum
    late = [one for one in quorum.voters if _late(one, limits)]
    needed = len(quorum.voters) // 2 + 1
    severity = Severity.WARNING
    hint = _REACHES_LEADER
    if len(quorum.voters) - len(late) < needed:
        severity = Severity.CRITICAL
        hint = f"{needed} of {len(quorum.voters)} voters must keep up, or nothing can be changed"
    for one in late:
        yield _Told(severity, f"node {one.node_id}", f"votes in the metadata quorum and {_how_late(one)}", hint)
    level = {one.node_id for one in (*quorum.voters, *quorum.observers) if not _late(one, limits)}
    for one in quorum.observers:
        # The leader remembers for minutes what a directory had followed that its node has no more.
        if one.node_id not in level and _late(one, limits):
            # Of a broker that is gone another check tells.
            here = Severity.WARNING if one.node_id in view.brokers else Severity.INFO
            sentence = f"follows the metadata log and {_how_late(one)}: it acts on what was so then"
            yield _Told(here, f"node {one.node_id}", sentence, _REACHES_LEADER)


_REACHES_LEADER: Final = "is it running, and does it reach the leader?"


def _late(one: Replica, limits: Limits) -> bool:
    if one.behind_ms is not None:
        return one.behind_ms > limits.behind_ms
    return one.behind_records is None or one.behind_records > limits.behind_records


def _how_late(one: Replica) -> str:
    if one.behind_ms is not None:
        return f"is {one.behind_ms / 1000:.0f} s behind its leader"
    if one.behind_records is not None:
        return f"is {one.behind_records} records behind its leader"
    return "has not been heard of by its leader"


# -- brokers, directories and moves ------------------------------------------------------------------------------------


def _missing_brokers(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    holding: dict[int, int] = {}
    for topic in view.topics.values():
        for partition in topic.partitions:
            for broker in partition.replicas:
                holding[broker] = holding.get(broker, 0) + 1
    for broker in sorted((holding.keys() | view.fenced) - view.brokers.keys()):
        state = "is registered and does not serve" if broker in view.fenced else "is not among the brokers"
        holds = f", and holds {counted(holding[broker], 'replica')}" if broker in holding else ""
        hint = f"start it, or take it out for good: `logctl node decommission {broker} --drain`"
        yield _Told(Severity.WARNING, f"broker {broker}", f"{state}{holds}", hint)
    for broker, error in sorted(view.silent.items()):
        if unanswered(error):
            sentence = f"is listed by the cluster and does not answer: {error.message}"
            yield _Told(Severity.WARNING, f"broker {broker}", sentence, "is its address reachable from here?")


def _log_dirs(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    yield from _not_looked_at(view)
    untold = False
    for broker, directories in sorted(view.log_dirs.items()):
        for one in directories:
            share = one.used_share
            untold = untold or (share is None and one.error is None)
            if share is not None and share >= limits.full_share:
                yield _full(broker, one, share, limits)
    if untold:
        sentence = "not every broker tells how full its volumes are; Apache Kafka does since 3.3"
        yield _Told(Severity.INFO, _CLUSTER, sentence)


def _full(broker: int, one: LogDir, share: float, limits: Limits) -> _Told:
    severity = Severity.CRITICAL if share >= limits.critical_share else Severity.WARNING
    return _Told(
        severity,
        f"broker {broker}",
        f"the volume of {one.path} is {share:.0%} full",
        "a full volume stops the broker: shorten retention, move replicas, or enlarge it",
    )


def _offline_log_dirs(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    yield from _not_looked_at(view)
    for broker, directories in sorted(view.log_dirs.items()):
        for one in directories:
            if one.error is not None:
                sentence = f"log directory {one.path} is offline ({one.error}), and the replicas in it with it"
                hint = "look at the disk, then restart the broker"
                yield _Told(Severity.CRITICAL, f"broker {broker}", sentence, hint)


def _not_looked_at(view: ClusterView) -> Iterator[_Told]:
    for broker, error in sorted(view.silent.items()):
        sentence = f"its log directories could not be looked at: {error.message}"
        yield _Told(Severity.WARNING, f"broker {broker}", sentence, error.hint)


def _stuck_moves(view: ClusterView, limits: Limits) -> Iterator[_Told]:
    unwatched = []
    for (topic, number), move in sorted(view.moves.items()):
        gone = [broker for broker in move.adding if broker not in view.brokers]
        subject = f"partition {topic}-{number}"
        if gone:
            sentence = f"moves to {_brokers(gone)}, which the cluster does not list: it cannot get on"
            hint = "start it, or cancel the move: kafka-reassign-partitions --cancel"
            yield _Told(Severity.WARNING, subject, sentence, hint)
        elif move.still_s is not None and move.still_s >= limits.still_s:
            lack = "" if move.behind_records is None else f", {move.behind_records} records short"
            sentence = f"moves to {_brokers(move.adding)} and has not got on for {move.still_s:.0f} s{lack}"
            yield _Told(Severity.WARNING, subject, sentence, "is its throttle lower than what is written to it?")
        elif move.still_s is None:
            unwatched.append(f"{topic}-{number}")
    if unwatched:
        sentence = f"{counted(len(unwatched), 'partition')} under way to other brokers: {_listed(unwatched)}"
        yield _Told(Severity.INFO, _CLUSTER, sentence, "whether they get on shows in more than one look: --watch 5s")


# -- the table ---------------------------------------------------------------------------------------------------------


class Check(NamedTuple):
    """`about`: what it looks for; `needs`: parts of a view without which it cannot be made; `uses`: parts it is better
    with."""

    about: str
    needs: tuple[str, ...]
    make: Callable[[ClusterView, Limits], Iterator[_Told]]
    uses: tuple[str, ...] = ()


CHECKS: Final[dict[str, Check]] = {
    "offline-partitions": Check("partitions without a leader", ("topics",), _offline_partitions),
    "under-replicated": Check("replicas that are not in sync", ("topics",), _under_replicated, ("moves",)),
    "under-min-isr": Check("partitions that refuse writes", ("topics", "min_isr"), _under_min_isr),
    "at-min-isr": Check("partitions one loss from that", ("topics", "min_isr"), _at_min_isr, ("moves",)),
    "no-preferred-leader": Check("partitions led by another than should", ("topics",), _preferred_leader),
    "controller": Check("an active controller that answers", (), _controller, ("quorum",)),
    "lagging-quorum": Check("voters and observers of the metadata log that lag", ("quorum",), _lagging_quorum),
    "missing-brokers": Check("brokers that are away", ("topics",), _missing_brokers, ("fenced", "log_dirs")),
    "full-log-dirs": Check("volumes that fill up", ("log_dirs",), _log_dirs),
    "offline-log-dirs": Check("log directories that failed", ("log_dirs",), _offline_log_dirs),
    "stuck-moves": Check("moves of replicas that do not get on", ("moves",), _stuck_moves, ("topics", "log_dirs")),
}
"""Name of a check -> what it looks for and how."""


def parts_of(names: Iterable[str]) -> frozenset[str]:
    """The parts of a view that these checks look at."""
    chosen = [CHECKS[name] for name in names]
    return frozenset(part for check in chosen for part in (*check.needs, *check.uses))


def known(names: Iterable[str]) -> list[str]:
    """The names of checks, all of them when none is given. Raises UsageError for one that there is not."""
    chosen = list(dict.fromkeys(names)) or list(CHECKS)
    for name in chosen:
        if name not in CHECKS:
            raise UsageError(f"there is no health check {name!r}", f"there are {', '.join(CHECKS)}")
    return chosen


def find(
    cluster: Cluster, names: Iterable[str], deadline: Deadline, limits: Limits = Limits()  # noqa: B008 - immutable
) -> list[Finding]:
    """Look at the cluster once and make the checks named (all when none is): the serious findings, the worst first.

    Raises UsageError for a name that there is not, Unreachable when nobody answers.
    """
    chosen = known(names)
    return [one for one in judge(look(cluster, deadline, parts_of(chosen)), chosen, limits) if one.serious]


def judge(
    view: ClusterView, names: Iterable[str] = (), limits: Limits = Limits()  # noqa: B008 - immutable
) -> list[Finding]:
    """The findings of the checks named in a view, the worst first. Pure."""
    found = [Finding(name, *told) for name in known(names) for told in _made(CHECKS[name], view, limits)]
    order = list(Severity)
    return sorted(found, key=lambda one: order.index(one.severity))


def _made(check: Check, view: ClusterView, limits: Limits) -> Iterator[_Told]:
    hindered = [view.unseen[part] for part in check.needs if part in view.unseen]
    if hindered:
        yield _not_made(hindered[0])
    else:
        yield from check.make(view, limits)


def _not_made(error: LogctlError) -> _Told:
    severity = Severity.INFO if isinstance(error, NotOffered) else Severity.WARNING
    return _Told(severity, _CLUSTER, f"could not be checked: {error.message}", error.hint)


def verdict(findings: Iterable[Finding]) -> str:
    """'healthy', 'degraded' or 'critical', as the worst of the findings is."""
    severities = {one.severity for one in findings}
    if Severity.CRITICAL in severities:
        return "critical"
    return "degraded" if Severity.WARNING in severities else "healthy"


def _brokers(ids: Sequence[int]) -> str:
    return ("broker " if len(ids) == 1 else "brokers ") + _listed(ids)


def _listed(things: Sequence[object]) -> str:
    said = ", ".join(str(one) for one in things[:_SHOWN])
    return said if len(things) <= _SHOWN else f"{said} and {len(things) - _SHOWN} more"
