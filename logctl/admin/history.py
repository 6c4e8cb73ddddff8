"""What the journal tells of each plan: how far it came, how it ended, and what is known of its resources since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.journal import Journal
from logctl.admin.observe import Resource, State
from logctl.admin.operation import Plan
from logctl.admin.plan_files import plan_from
from logctl.errors import UsageError

DONE: Final = "done"
PARTLY: Final = "partly done"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"
INTERRUPTED: Final = "interrupted"
RUNNING: Final = "running"
UNDONE: Final = "undone"
PARTLY_UNDONE: Final = "partly undone"
STATES: Final = (DONE, PARTLY, FAILED, UNKNOWN, INTERRUPTED, RUNNING, UNDONE, PARTLY_UNDONE)


class StepRecord(NamedTuple):
    """What became of a step: 'not begun', 'begun' (no answer was written down), 'done', 'partly done', 'failed' or
    'unknown' (its answer was lost). `errors`: of its resources, and of itself, in sentences."""

    state: str = "not begun"
    errors: tuple[str, ...] = ()


class Record:
    """One plan of the journal. `at`: when it was planned, `changed_at`: when something of it was last written, in UTC.
    `by`: user@host. `undone_by`: the id of the plan that took it back, `undoes`: of the one that this takes back."""

    def __init__(self, plan_id: str, planned: Mapping[str, Any]) -> None:
        self.plan_id = plan_id
        self.at: str = planned.get("at", "")
        self.changed_at = self.at
        self.by: str = planned.get("by", "")
        self.pid: int = planned.get("pid", 0)
        self.command: str = planned.get("command", "")
        self.context: str | None = planned.get("context")
        self.bootstrap: str = planned.get("bootstrap", "")
        self.command_config: str | None = planned.get("command_config")
        self.undoes: str | None = planned.get("undoes")
        self.document: Mapping[str, Any] = planned["plan"]
        self.steps: dict[int, StepRecord] = {}
        self.verified: dict[Resource, State] = {}
        self.resumed_by: list[str] = []
        self.outcome: str | None = None
        self.error = ""
        self.running = False
        self.undone_by: str | None = None
        self.undone_whole = False

    @property
    def title(self) -> str:
        return str(self.document.get("title", ""))

    @property
    def cluster_id(self) -> str | None:
        return self.document.get("cluster_id")

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.running:
            return RUNNING
        if self.undone_by is not None:
            return UNDONE if self.undone_whole else PARTLY_UNDONE
        return self.outcome or INTERRUPTED

    def plan(self) -> Plan:
        """The plan itself. Raises UsageError when this logctl cannot read it."""
        return plan_from(self.document, f"the journal's plan {self.plan_id}")

    def step(self, number: int) -> StepRecord:
        return self.steps.get(number, StepRecord())

    @property
    def done(self) -> frozenset[int]:
        """The steps that the cluster is known to have done."""
        return frozenset(number for number, step in self.steps.items() if step.state == DONE)

    # -- one entry after the other -----------------------------------------------------------------------------------

    def add(self, entry: Mapping[str, Any]) -> None:
        """Take in an entry that follows. Raises LookupError, TypeError or ValueError for one that makes no sense."""
        handle = getattr(self, f"_on_{entry['event']}", None)
        if handle is not None:
            handle(entry)
        self.changed_at = entry.get("at", self.changed_at)

    def _on_resumed(self, entry: Mapping[str, Any]) -> None:
        self.resumed_by.append(entry["by"])
        self.outcome, self.error = None, ""

    def _on_begun(self, entry: Mapping[str, Any]) -> None:
        self.steps[int(entry["step"])] = StepRecord("begun")

    def _on_outcome(self, entry: Mapping[str, Any]) -> None:
        errors = [one["error"]["message"] for one in entry["outcomes"] if one["error"] is not None]
        some = PARTLY if len(errors) < len(entry["outcomes"]) else FAILED
        self.steps[int(entry["step"])] = StepRecord(some if errors else DONE, tuple(errors))

    def _on_lost(self, entry: Mapping[str, Any]) -> None:
        self.steps[int(entry["step"])] = StepRecord(UNKNOWN, (entry["error"]["message"],))

    def _on_verified(self, entry: Mapping[str, Any]) -> None:
        for one in entry["resources"]:
            self.verified[Resource(one["kind"], one["name"])] = one["seen"]

    def _on_ended(self, entry: Mapping[str, Any]) -> None:
        self.outcome = str(entry["outcome"])
        self.error = (entry.get("error") or {}).get("message", "")


class History(NamedTuple):
    """All plans of a journal, the oldest first. `damaged`: how many of its lines could not be read."""

    records: tuple[Record, ...]
    damaged: int

    def find(self, wanted: str) -> Record:
        """The plan with this id, or the only one whose id begins so; 'last': the newest. Raises UsageError."""
        if wanted == "last" and self.records:
            return self.records[-1]
        found = [one for one in self.records if wanted and one.plan_id.startswith(wanted.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(one.plan_id for one in found[:5])
            raise UsageError(f"{wanted!r} begins several ids: {ids}", "give more of it")
        raise UsageError(f"the journal knows no plan {wanted!r}", "see `logctl audit list`")


def read_history(journal: Journal) -> History:
    """What the journal holds. A line that cannot be read is left out and counted. Raises UsageError."""
    records: dict[str, Record] = {}
    damaged = 0
    for entry in journal.entries():
        if entry is None or not _taken_in(records, entry):
            damaged += 1
    for record in records.values():
        record.running = record.outcome is None and journal.is_running(record.plan_id)
        undone = records.get(record.undoes or "")
        if undone is not None and record.outcome == DONE:
            undone.undone_by = record.plan_id
            undone.undone_whole = not record.document.get("warnings")
    return History(tuple(records.values()), damaged)


def _taken_in(records: dict[str, Record], entry: Mapping[str, Any]) -> bool:
    plan_id = entry["id"]
    try:
        if entry["event"] == "planned":
            records[plan_id] = Record(plan_id, entry)
        else:
            records[plan_id].add(entry)
    except (LookupError, TypeError, ValueError, AttributeError):
        return False
    return isinstance(records[plan_id].document, Mapping)
