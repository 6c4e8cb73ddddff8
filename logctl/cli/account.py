"""Telling what happens while a plan is carried out, and afterwards what came of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

from logctl.admin.executor import (
    Event,
    GateClosed,
    ItemDone,
    ItemFailed,
    PlanBegun,
    Progressed,
    StepStarted,
    Unwritten,
    Verified,
    Waiting,
)
from logctl.admin.observe import Resource
from logctl.admin.operation import Plan
from logctl.cli import output
from logctl.cli.cells import counted
from logctl.cli.output import Format, Progress
from logctl.cli.units import duration_text, size_text
from logctl.errors import DeadlineExceeded, LogctlError

_FEW: Final = 6
_EVERY_S: Final = 1.0
_LINES_EVERY: Final = 10
"""Where lines cannot be written over, one in so many."""


class Account:
    """What has happened so far. The events are put in one after the other; as a context, it shows once a second what
    is going on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.plan_id: str | None = None
        self.begun = False
        self.seen: list[Verified] = []
        self.accepted: dict[Resource, None] = {}
        self.failed: dict[Resource, LogctlError] = {}
        self._pulse = _Pulse()
        self._step = ""
        self._under_way: Progressed | None = None
        """How far the step is that the cluster goes on with by itself; None where there is none."""

    def __enter__(self) -> Account:
        self._pulse.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pulse.stop()

    def tell(self, event: Event) -> None:
        if isinstance(event, PlanBegun):
            self.plan_id, self.begun = event.plan_id, True
        elif isinstance(event, StepStarted):
            self._step = self._pulse.doing = f"step {event.number} of {event.total}: {event.step.sentence}"
        elif isinstance(event, GateClosed):
            self._pulse.say(f"waiting to {event.step.sentence}: {'; '.join(event.sentences)}")
        elif isinstance(event, Progressed):
            self._under_way = event
            self._pulse.doing = f"{self._step}: {_how_far(event)}"
        elif isinstance(event, ItemDone):
            self._under_way = None
            self.accepted[event.resource] = None
        elif isinstance(event, ItemFailed):
            self.failed[event.resource] = event.error
        elif isinstance(event, Waiting):
            self._pulse.doing = f"waiting until the cluster shows it: {event.total - event.unseen} of {event.total}"
        elif isinstance(event, Verified):
            self.seen.append(event)
            self._pulse.say(_past(event))
        elif isinstance(event, Unwritten):
            self._pulse.say(f"warning: all is done, but {event.error.message}")

    def interrupted(self) -> None:
        """After Ctrl-C: what was done, what was not, and how to go on."""
        if not self.begun:
            output.note("interrupted: nothing was changed")
            return
        done = {event.change.resource for event in self.seen}
        sent = [one for one in self.accepted if one not in done]
        rest = [one.resource for one in self._plan.changes if one.resource not in {*done, *sent}]
        output.note(f"interrupted: {len(done)} of {len(self._plan.changes)} changes are done and were seen")
        if self._under_way is not None:
            output.note(f"the cluster goes on with what it was asked for: {_how_far(self._under_way)}")
        _list("accepted, but not seen yet", sent)
        _list("not done, or not answered yet", rest)
        if self.plan_id is not None:
            output.note(f"hint: {self.how_to_go_on()}")

    def advise(self, error: LogctlError) -> None:
        """Add to the hint how to go on, where something was done and something is left."""
        open_end = isinstance(error, DeadlineExceeded) or bool(self.accepted and self.failed)
        if self.begun and self.plan_id is not None and open_end:
            error.hint = "; ".join(filter(None, [error.hint, self.how_to_go_on()]))

    def how_to_go_on(self) -> str:
        going = f"go on with `logctl audit resume {self.plan_id}`"
        if any(step.undo is not None for step in self._plan.steps):
            going += f", or take back what was done with `logctl audit undo {self.plan_id}`"
        return going

    def report(self, form: Format) -> None:
        """What was changed, to stdout, for those who asked for data."""
        if form is Format.NAME:
            output.write("".join(f"{output.neutral(event.change.resource.name)}\n" for event in self.seen))
        if form in (Format.JSON, Format.YAML):
            document = self._document()
            output.write(output.as_json(document) if form is Format.JSON else output.as_yaml(document))

    def _document(self) -> dict[str, Any]:
        return {
            "id": self.plan_id,
            "title": self._plan.title,
            "cluster_id": self._plan.cluster_id,
            "changed": bool(self.seen),
            "changes": [
                {**event.change.resource._asdict(), "now": None if event.seen is None else dict(event.seen)}
                for event in self.seen
            ],
            "notes": list(self._plan.notes),
            "warnings": list(self._plan.warnings),
            "complete": not self.failed,
            "errors": [
                {"name": str(one), "error": error.kafka_name, "message": error.message, "hint": error.hint}
                for one, error in self.failed.items()
            ],
        }


def _list(what: str, resources: list[Resource]) -> None:
    shown = [str(one) for one in resources[:10]]
    if len(resources) > len(shown):
        shown.append(f"and {len(resources) - len(shown)} more")
    if shown:
        output.note(f"  {what}: {', '.join(shown)}")


class _Pulse:
    """Says once a second what is going on, however long a step takes: on one line where it can be written over, and
    now and then where it cannot. Silent during the first second."""

    def __init__(self) -> None:
        self.doing = ""
        self._progress = Progress()
        self._lines = not sys.stderr.isatty()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._progress.clear()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        with self._lock:
            self._progress.clear()
            output.note(sentence)

    def _beat(self) -> None:
        count = 0
        while not self._over.wait(_EVERY_S):
            count += 1
            with self._lock:
                sentence = output.neutral(f"{self.doing} ({self._progress.elapsed_s:.0f} s)")
                if not self._lines:
                    self._progress.tell(sentence)
                elif self.doing and count % _LINES_EVERY == 0:
                    output.note(sentence)


_NOT_DELETED: Final = ("voter", "broker")
"""Kinds of which only a place in the cluster goes."""


def _how_far(event: Progressed) -> str:
    """'3 of 12 partitions, 1.2 GiB of 4.0 GiB, about 2 min left'."""
    told = [f"{event.done} of {counted(event.total, event.noun)}"]
    if event.total_bytes:
        told.append(f"{size_text(event.done_bytes)} of {size_text(event.total_bytes)}")
    if event.left_s is not None and event.done < event.total:
        told.append(f"about {duration_text(int(event.left_s * 1000))} left")
    return ", ".join(told)


def _past(event: Verified) -> str:
    change = event.change
    if change.after is None:
        return f"{'removed' if change.resource.kind in _NOT_DELETED else 'deleted'} {change.resource}"
    verb = "created" if change.before is None else "changed"
    seen = event.seen or {}
    said = [f"{key.replace('_', ' ')} {seen[key]}" for key in ("partitions", "replication_factor") if key in seen]
    configs = seen.get("configs", {})
    named = configs if change.before is None else (change.after or {}).get("configs", {})
    said += [f"{key}={configs[key]}" if key in configs else f"{key} back to its default" for key in named]
    said += _positions_and_limits(change.after)
    return f"{verb} {change.resource}" + (f": {', '.join(said)}" if said else "")


def _positions_and_limits(after: Mapping[str, Any]) -> list[str]:
    """A few of the many that a group's or a quota's change decides: ['orders-0=5', 'no producer_byte_rate']."""
    pairs = {**after.get("offsets", {}), **after.get("limits", {})}
    told = [f"no {name}" if value is None else f"{name}={value}" for name, value in pairs.items()]
    return told[:_FEW] + ([f"and {len(told) - _FEW} more"] if len(told) > _FEW else [])
