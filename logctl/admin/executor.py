"""Plans become observed change: execute the steps, then look until the cluster shows what was wanted.

Theory of operation
-------------------
The executor neither prints nor asks; it yields what happens, and tells a `Recorder` (the journal) before and after each
step, so that a run that dies anywhere can be found, finished or taken back by a later one.

It looks once more before the first step, and refuses with StalePlan when a `before` no longer holds. For each step:

- A step that is about a resource which failed, or whose outcome is unknown, in an earlier step is not begun.
- A failure does not hold up steps about other resources, unless they are disruptive: who disturbs a cluster stops at
  the first thing that goes wrong. Safe steps and destructive ones (each was confirmed) go on.
- A gate that finds something ends the run. Before the first step at once, so that the operator can look; between steps
  it is waited for until the deadline, because the trouble may be of our own making and pass.
- When nobody can be reached any more, when the time is up or when the journal cannot be written, no more is begun.

A step whose answer was lost is not a failure yet: verification decides. What was not begun is told as failed, with the
reason, so that every resource of the plan is accounted for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol

from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.observe import Resource, Snapshot, State, observe
from logctl.admin.operation import Change, Plan, Risk, Step
from logctl.admin.routing import Cluster
from logctl.admin.standing import Remaining, about, agrees, remaining, stale, state_of
from logctl.errors import (
    DeadlineExceeded,
    Declined,
    LogctlError,
    OperationFailed,
    PartialFailure,
    StalePlan,
    Unreachable,
    UsageError,
)

Outcomes = Mapping[Resource, LogctlError | None]
"""What became of each resource of a step: None where it was done."""

class PlanBegun(NamedTuple):
    """The first step is about to begin. `plan_id`: under which the journal keeps the plan; None without a journal."""

    plan_id: str | None
    steps: int


class StepStarted(NamedTuple):
    """`number` counts from 1, among the `total` steps of this run."""

    step: Step
    number: int
    total: int


class GateClosed(NamedTuple):
    """The step waits for a check that found something; told once for each step."""

    step: Step
    sentences: tuple[str, ...]


class ItemDone(NamedTuple):
    """The cluster accepted the change of one resource."""

    resource: Resource


class ItemFailed(NamedTuple):
    resource: Resource
    error: LogctlError


class Progressed(NamedTuple):
    """A step that takes long has got on: `done` of `total` things of a kind ('partition'). Bytes where they are known,
    and the time that is left where it can be estimated."""

    noun: str
    done: int
    total: int
    done_bytes: int = 0
    total_bytes: int = 0
    left_s: float | None = None


class Waiting(NamedTuple):
    """What was accepted is not all seen yet; told once a round."""

    unseen: int
    total: int


class Verified(NamedTuple):
    """The resource was seen in the state that was wanted; `seen` is that state."""

    change: Change
    seen: State


class Unwritten(NamedTuple):
    """All is done, but the journal could not be written to its end."""

    error: LogctlError


Event = PlanBegun | StepStarted | GateClosed | Progressed | ItemDone | ItemFailed | Waiting | Verified | Unwritten

Action = Callable[[Cluster, Mapping[str, Any], Deadline, bool], Outcomes | Generator[Event, None, Outcomes]]
"""(cluster, arguments of the step, deadline, dry): does the step, or with `dry` has the cluster check it only. One that
takes long is a generator, which tells how it gets on and returns the outcomes; it may renew the deadline meanwhile."""


class Recorder(Protocol):
    """Who writes down what happens. `number` of a step is its index in the plan. Each may raise Declined when it
    cannot be written; nothing more is begun then."""

    @property
    def plan_id(self) -> str | None: ...

    def planned(self) -> None: ...

    def begun(self, number: int) -> None: ...

    def outcome(self, number: int, outcomes: Outcomes) -> None: ...

    def lost(self, number: int, error: LogctlError) -> None: ...

    def verified(self, seen: Mapping[Resource, State]) -> None: ...

    def ended(self, outcome: str, error: LogctlError | None) -> None: ...


class Unrecorded:
    """Nobody writes anything down."""

    plan_id: str | None = None

    def planned(self) -> None: ...

    def begun(self, number: int) -> None: ...

    def outcome(self, number: int, outcomes: Outcomes) -> None: ...

    def lost(self, number: int, error: LogctlError) -> None: ...

    def verified(self, seen: Mapping[Resource, State]) -> None: ...

    def ended(self, outcome: str, error: LogctlError | None) -> None: ...


MODULES: Final = {
    "topic": "logctl.admin.topic_changes",
    "config": "logctl.admin.config_changes",
    "feature": "logctl.admin.features",
    "partition": "logctl.admin.elections",
    "log": "logctl.admin.trims",
    "group": "logctl.admin.group_changes",
    "user": "logctl.admin.users",
    "acl": "logctl.admin.acls",
    "quota": "logctl.admin.quotas",
    "transaction": "logctl.admin.transactions",
    "voter": "logctl.admin.voters",
    "replicas": "logctl.admin.moves",
    "broker": "logctl.admin.leaving",
    "node": "logctl.admin.leaving",
}
"""The first half of an action's name -> the module whose ACTIONS hold the second: 'topic.create'."""


def action_named(name: str) -> Action:
    """The action that a step names. Raises UsageError for a name that there is none for: the plan came from a file."""
    noun, _, verb = name.partition(".")
    module = MODULES.get(noun)
    known: Mapping[str, Action] = import_module(module).ACTIONS if module else {}
    if verb not in known:
        raise UsageError(f"there is no action {name!r}", "the plan was made by another version of logctl, or by hand")
    return known[verb]


def rehearse(plan: Plan, cluster: Cluster, deadline: Deadline, left: Remaining | None = None) -> Iterator[Event]:
    """Have the cluster check the steps (all, or those that are `left`) without doing them, where it can; yields what it
    would refuse. A step about what an earlier one will have changed cannot be checked yet, and is passed over.

    Raises UsageError, with the step's index, when its arguments are not what its action takes: they were in a file.
    """
    changed: set[Resource] = set()
    for number in range(len(plan.steps)) if left is None else left.steps:
        step = plan.steps[number]
        resources = about(plan, step)
        if changed.isdisjoint(resources):
            for resource, error in _rehearsed(number, step, cluster, deadline).items():
                if error is not None:
                    yield ItemFailed(resource, error)
        changed.update(resources)


def _rehearsed(number: int, step: Step, cluster: Cluster, deadline: Deadline) -> Outcomes:
    try:
        found = action_named(step.action)(cluster, step.arguments, deadline, True)
        return {} if isinstance(found, Generator) else found
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"steps[{number}].arguments: {told}", "write the plan with --dry-run -o json") from error


def execute(
    plan: Plan,
    cluster: Cluster,
    deadline: Deadline,
    recorder: Recorder | None = None,
    left: Remaining | None = None,
) -> Generator[Event, None, None]:
    """Carry out the plan, or what is `left` of it, yielding what happens.

    Raises OperationFailed or PartialFailure when the cluster refused (some of) it, Declined when a gate is closed or
    the journal cannot be written and nothing was begun, StalePlan when the world moved, and DeadlineExceeded when what
    was wanted was not seen in time.
    """
    now = observe(cluster, plan.wants, deadline)
    if left is None:
        _refuse_stale(plan, now)
        left = Remaining(tuple(range(len(plan.steps))))
    elif remaining(plan, left.done, now) != left:
        raise StalePlan("the cluster has changed since this was shown", "look at it again, and repeat the command")
    return _Run(plan, left, cluster, deadline, recorder or Unrecorded()).events()


def _refuse_stale(plan: Plan, now: Snapshot) -> None:
    moved = [(change, state_of(now, change.resource)) for change in plan.changes]
    moved = [(change, seen) for change, seen in moved if not agrees(seen, change.before)]
    if moved:
        raise stale(moved)


class _Run:
    """One run through the steps that are left."""

    def __init__(self, plan: Plan, left: Remaining, cluster: Cluster, deadline: Deadline, recorder: Recorder) -> None:
        self._plan = plan
        self._left = left
        self._cluster = cluster
        self._deadline = deadline
        self._recorder = recorder
        self._accepted: set[Resource] = set()
        self._failed: dict[Resource, LogctlError] = {}
        self._doubtful: set[Resource] = set()
        self._doubt: DeadlineExceeded | None = None
        self._halt: LogctlError | None = None
        """Why no further step is begun."""

    def events(self) -> Generator[Event, None, None]:
        self._recorder.planned()
        try:
            yield PlanBegun(self._recorder.plan_id, len(self._left.steps))
            yield from self._go_through_the_steps()
            if not isinstance(self._halt, Unreachable | DeadlineExceeded):
                yield from self._verify()
            self._raise_failures()
            if self._halt is not None:
                yield Unwritten(self._halt)
        except LogctlError as error:
            self._end(_outcome_of(error), error)
            raise
        except BaseException:
            self._end("interrupted", None)
            raise
        self._end("done", None)

    def _end(self, outcome: str, error: LogctlError | None) -> None:
        """Best effort: a plan without an end reads as interrupted, and a later run looks at the cluster."""
        try:
            self._recorder.ended(outcome, error)
        except Declined:
            pass

    # -- steps -------------------------------------------------------------------------------------------------------

    def _go_through_the_steps(self) -> Iterator[Event]:
        for count, number in enumerate(self._left.steps, 1):
            step = self._plan.steps[number]
            if self._halt is None:
                yield from self._pass_the_gates(step, first=count == 1)
            obstacle = self._obstacle(step)
            if obstacle is None:
                obstacle = self._write_down_the_beginning(number)
            if obstacle is not None:
                yield from self._leave_out(step, obstacle)
                continue
            yield StepStarted(step, count, len(self._left.steps))
            yield from self._take(number, step)

    def _pass_the_gates(self, step: Step, *, first: bool) -> Iterator[Event]:
        backoff = Backoff()
        told = False
        while sentences := self._findings(step):
            if self._halt is None and (first or self._deadline.expired):
                told_why = f"not begun: {step.sentence}, because {'; '.join(sentences)}"
                self._halt = Declined(told_why, "see `logctl cluster health`, and go on when the cluster is well")
            if self._halt is not None:
                return
            if not told:
                yield GateClosed(step, sentences)
                told = True
            backoff.pause(self._deadline)

    def _findings(self, step: Step) -> tuple[str, ...]:
        """What the checks that the step names find; a cluster that cannot be looked at ends the run."""
        if not step.gates:
            return ()
        from logctl.admin import checks

        try:
            return tuple(finding.sentence for finding in checks.find(self._cluster, step.gates, self._deadline))
        except LogctlError as failure:
            self._halt = failure
            return (failure.message,)

    def _obstacle(self, step: Step) -> LogctlError | None:
        """Why the step is not begun; None when it may be."""
        if self._halt is None and self._deadline.expired and (self._accepted or self._failed or self._doubtful):
            self._halt = DeadlineExceeded(f"the {self._deadline.timeout_s:g} s for the change are over")
        if self._halt is not None:
            return self._halt
        before = self._doubtful.union(self._failed)
        if before.intersection(about(self._plan, step)):
            return OperationFailed("an earlier step for it was not completed")
        if before and step.risk is Risk.DISRUPTIVE:
            return OperationFailed("an earlier step failed, and this one would disturb the cluster")
        return None

    def _write_down_the_beginning(self, number: int) -> LogctlError | None:
        try:
            self._recorder.begun(number)
        except Declined as unwritable:
            self._halt = unwritable
        return self._halt

    def _leave_out(self, step: Step, reason: LogctlError) -> Iterator[Event]:
        for resource in about(self._plan, step):
            if resource not in self._failed and resource not in self._left.settled:
                error = reason if reason is self._halt else OperationFailed(f"not begun: {step.sentence}: {reason}")
                yield self._note_failure(resource, error)

    def _take(self, number: int, step: Step) -> Iterator[Event]:
        resources = about(self._plan, step)
        try:
            done = action_named(step.action)(self._cluster, step.arguments, self._deadline, False)
            outcomes = (yield from done) if isinstance(done, Generator) else done
        except DeadlineExceeded as lost:
            self._doubt = lost
            self._doubtful.update(resources)
            self._write(self._recorder.lost, number, lost)
            return
        except LogctlError as refused:
            outcomes = dict.fromkeys(resources, refused)
            if isinstance(refused, Unreachable):
                self._halt = refused
        self._write(self._recorder.outcome, number, outcomes)
        for resource, error in outcomes.items():
            if error is None:
                self._accepted.add(resource)
                yield ItemDone(resource)
            elif resource not in self._left.settled:
                yield self._note_failure(resource, error)

    def _write(self, write: Callable[..., None], *what: Any) -> None:
        try:
            write(*what)
        except Declined as unwritable:
            self._halt = unwritable

    def _note_failure(self, resource: Resource, error: LogctlError) -> ItemFailed:
        self._failed[resource] = error
        return ItemFailed(resource, error)

    # -- verification ------------------------------------------------------------------------------------------------

    def _verify(self) -> Iterator[Event]:
        settled = self._left.settled.union(self._failed)
        expected = [change for change in self._plan.changes if change.resource not in settled]
        total = len(expected)
        backoff = Backoff()
        while expected:
            now = self._look(expected)
            found = [(change, state_of(now, change.resource)) for change in expected]
            there = [
                Verified(change, seen)
                for change, seen in found
                if change.resource.name not in now.failures and agrees(seen, change.after)
            ]
            if there:
                self._write(self._recorder.verified, {event.change.resource: event.seen for event in there})
                yield from there
            seen_now = {event.change.resource for event in there}
            expected = [change for change in expected if change.resource not in seen_now]
            if expected and self._deadline.expired:
                raise self._doubt or _not_seen(expected, self._deadline)
            if expected:
                yield Waiting(len(expected), total)
                backoff.pause(self._deadline)

    def _look(self, expected: Sequence[Change]) -> Snapshot:
        try:
            return observe(self._cluster, self._plan.wants, self._deadline)
        except (Unreachable, DeadlineExceeded):
            return Snapshot(failures={change.resource.name: _UNSEEN for change in expected})

    # -- the end -----------------------------------------------------------------------------------------------------

    def _raise_failures(self) -> None:
        failed = self._failed
        changes = len({change.resource for change in self._plan.changes}.union(failed))
        if not failed:
            return
        errors = list(failed.values())
        nothing_done = not self._accepted and not self._doubtful and not self._left.settled
        if len({id(error) for error in errors}) == 1 and (changes == 1 or nothing_done):
            raise errors[0]
        sentences = [_with_name(resource, error) for resource, error in failed.items()]
        if isinstance(self._halt, DeadlineExceeded):
            told = f"{self._halt.message}: {len(failed)} of {changes} were not done"
            raise DeadlineExceeded(told, "allow more with --timeout")
        if len(failed) == changes:
            kinds = {type(error) for error in errors}
            kind = kinds.pop() if len(kinds) == 1 else OperationFailed
            raise _joined(kind, [str(error) for error in errors])
        raise PartialFailure(f"{len(failed)} of {changes} failed", sentences)


def _joined(kind: type[LogctlError], sentences: Sequence[str]) -> LogctlError:
    told = "; ".join(dict.fromkeys(sentences))
    return kind(told) if kind.__init__ is LogctlError.__init__ else OperationFailed(told)


def _with_name(resource: Resource, error: LogctlError) -> str:
    """The error's sentence, with the resource and Kafka's name of the error where it tells neither."""
    said = str(error)
    if error.kafka_name and error.kafka_name not in said:
        said = f"{error.kafka_name}: {said}"
    return said if str(resource) in said else f"{resource}: {said}"


def _outcome_of(error: LogctlError) -> str:
    if isinstance(error, PartialFailure):
        return "partly done"
    return "unknown" if isinstance(error, DeadlineExceeded) else "failed"


_UNSEEN: Final = OperationFailed("the cluster could not be looked at")

_LOOK: Final = {
    "topic": "topic describe",
    "partition": "partition list",
    "log": "partition list",
    "group": "group describe",
    "user": "user list",
    "acl": "acl list",
    "quota": "quota list",
    "transaction": "txn list",
    "feature": "cluster features",
    "voter": "cluster quorum",
    "replicas": "partition list",
    "broker": "node list",
    "node": "node status",
}
"""Kind of resource -> the command that shows it; settings for every other kind."""


def _not_seen(changes: Sequence[Change], deadline: Deadline) -> DeadlineExceeded:
    names = ", ".join(str(change.resource) for change in changes[:5])
    look = _LOOK.get(changes[0].resource.kind, "config list")
    return DeadlineExceeded(
        f"accepted, but not yet seen after {deadline.timeout_s:g} s: {names}",
        f"it may still be under way: check with `logctl {look}`, or allow more with --timeout",
    )
