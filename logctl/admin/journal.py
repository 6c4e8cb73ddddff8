"""What was changed, by whom, and how far it came: one line of JSON for each thing that happened.

Theory of operation
-------------------
`journal.jsonl` lies in `$XDG_STATE_HOME/logctl` (by default `~/.local/state/logctl`), its owner's alone. It only grows.
Each entry is one line, written with one lock held over all processes and flushed to the disk before work goes on, so
that whoever reads it knows what may have been sent to the cluster:

    planned    who, when and where; the whole plan, from which it can be finished or taken back
    begun      a step is about to be sent (kill -9 from here on: whether it was done is unknown)
    outcome    what the cluster answered for each resource of the step; `lost`: no answer came
    verified   resources that were seen as wanted, with what was seen
    ended      how it ended; resumed: a later run takes it up again

A line that a crash has torn is closed off by the next append, and is told of when the journal is read: a plan whose end
is missing reads as interrupted, and what became of it is found out by looking at the cluster.

While a plan runs, its process holds a lock on `running/ID`. The kernel lets go of it however the process ends, so
"running" is never guessed from a process id.

No secret enters: a plan's document leaves them out, and of the command line only the words that name the command are
kept.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from logctl.admin.executor import Outcomes
from logctl.admin.observe import Resource, State
from logctl.admin.operation import Plan
from logctl.errors import Declined, LogctlError, UsageError
from logctl.security.secrets import concealed

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LOCK_PATIENCE_S: Final = 2.0


class Unwritable(Declined):
    """The journal cannot be written, so nothing is changed."""


class Circumstances(NamedTuple):
    """What the journal keeps of how a change came about.

    `command`: its words ('logctl topic create'). `context`, `bootstrap`, `command_config`: how the cluster was reached.
    `undoes`: the id of the plan that this one takes back.
    """

    command: str = ""
    context: str | None = None
    bootstrap: str = ""
    command_config: str | None = None
    undoes: str | None = None


def state_home() -> Path:
    """The folder of what logctl remembers between runs."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "logctl"


class Journal:
    """The journal in a folder; nothing is made there before the first entry."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or state_home()
        self.path = self.folder / "journal.jsonl"

    def begin(self, plan: Plan, circumstances: Circumstances) -> Recording:
        """A recorder of a plan that is about to be carried out."""
        return Recording(self, plan, circumstances)

    def resume(self, plan_id: str, circumstances: Circumstances) -> Recording:
        """A recorder that goes on with the entries of a plan."""
        return Recording(self, None, circumstances, plan_id)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one entry and flush it to the disk. Raises Unwritable."""
        line = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        try:
            self._make_folder()
            self._append(line)
        except OSError as error:
            raise self._unwritable(error) from None

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _append(self, line: bytes) -> None:
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                line = b"\n" + line
            while line:
                line = line[os.write(file, line) :]
            os.fsync(file)
        finally:
            os.close(file)
        if size == 0:
            _flush_folder(self.folder)

    def _unwritable(self, error: OSError) -> Unwritable:
        return Unwritable(
            f"the journal {self.path} cannot be written: {error.strerror}",
            "what is not written down cannot be resumed or undone: make the folder writable, name another with "
            "XDG_STATE_HOME, or set LOGCTL_JOURNAL=off to go ahead without a journal",
        )

    # -- reading -----------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[dict[str, Any] | None]:
        """All entries in the order written; None for a line that cannot be read. Raises UsageError."""
        try:
            with self.path.open("rb") as lines:
                for line in lines:
                    if line.strip():
                        yield _read(line)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(f"the journal {self.path} cannot be read: {error.strerror}") from None

    def is_running(self, plan_id: str) -> bool:
        """Does a process hold the plan?"""
        try:
            file = os.open(self.folder / "running" / plan_id, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    # -- who runs what -----------------------------------------------------------------------------------------------

    def new_id(self) -> tuple[str, int]:
        """An id that no other plan has, later ones sorting after earlier ones, and the lock that goes with it."""
        while True:
            plan_id = _encoded(int(time.time()), 7) + _encoded(secrets.randbelow(32**3), 3)
            try:
                return plan_id, self._hold(plan_id, os.O_EXCL)
            except FileExistsError:
                continue
            except OSError as error:
                raise self._unwritable(error) from None

    def take(self, plan_id: str) -> int:
        """The lock of a plan that is taken up again. Raises Declined while another process has it."""
        until_s = time.monotonic() + _LOCK_PATIENCE_S
        while True:
            try:
                return self._hold(plan_id, 0)
            except BlockingIOError:
                if time.monotonic() > until_s:
                    raise Declined(f"{plan_id} is being carried out by another process") from None
                time.sleep(0.02)
            except OSError as error:
                raise self._unwritable(error) from None

    def _hold(self, plan_id: str, flags: int) -> int:
        self._make_folder()
        folder = self.folder / "running"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / plan_id
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_same_file(file, path):
                raise BlockingIOError
        except BaseException:
            os.close(file)
            raise
        return file

    def release(self, plan_id: str, lock: int, whole: bool) -> None:
        """Let go of a plan; `whole`: its end is written down."""
        if whole:
            try:
                (self.folder / "running" / plan_id).unlink(missing_ok=True)
            except OSError:
                pass
        os.close(lock)


class Recording:
    """The executor's recorder: writes down one run of one plan."""

    def __init__(
        self, journal: Journal, plan: Plan | None, circumstances: Circumstances, plan_id: str | None = None
    ) -> None:
        self._journal = journal
        self._plan = plan
        self._circumstances = circumstances
        self._lock: int | None = None
        self.plan_id = plan_id

    def planned(self) -> None:
        """Written before anything is done. Raises Unwritable, and Declined when the plan runs elsewhere."""
        whereabouts = _whereabouts(self._circumstances)
        try:
            if self._plan is None:
                assert self.plan_id is not None
                self._lock = self._journal.take(self.plan_id)
                self._write("resumed", **whereabouts)
            else:
                self.plan_id, self._lock = self._journal.new_id()
                self._write("planned", **whereabouts, plan=self._plan.document())
        except BaseException:
            self._let_go(whole=True)
            raise

    def begun(self, number: int) -> None:
        self._write("begun", step=number)

    def outcome(self, number: int, outcomes: Outcomes) -> None:
        told = [
            {**resource._asdict(), "error": None if error is None else _told(error)}
            for resource, error in outcomes.items()
        ]
        self._write("outcome", step=number, outcomes=told)

    def lost(self, number: int, error: LogctlError) -> None:
        self._write("lost", step=number, error=_told(error))

    def verified(self, seen: Mapping[Resource, State]) -> None:
        told = [{**resource._asdict(), "seen": concealed(state)} for resource, state in seen.items()]
        self._write("verified", resources=told)

    def ended(self, outcome: str, error: LogctlError | None) -> None:
        whole = False
        try:
            self._write("ended", outcome=outcome, error=None if error is None else _told(error))
            whole = True
        finally:
            self._let_go(whole)

    def _let_go(self, whole: bool) -> None:
        if self._lock is not None and self.plan_id is not None:
            self._journal.release(self.plan_id, self._lock, whole)
            self._lock = None

    def _write(self, event: str, **more: Any) -> None:
        self._journal.append({"id": self.plan_id, "at": _now(), "event": event, **more})


def _whereabouts(circumstances: Circumstances) -> dict[str, Any]:
    return {"by": _who(), "pid": os.getpid(), **circumstances._asdict()}


def _who() -> str:
    """The user and the host; who stands behind sudo as well."""
    import pwd

    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{user}@{os.uname().nodename}" + (f" (sudo of {behind})" if behind and behind != user else "")


def _told(error: LogctlError) -> dict[str, Any]:
    failures: Sequence[str] = getattr(error, "failures", ())
    return {"error": error.kafka_name, "message": error.message, **({"failures": list(failures)} if failures else {})}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _encoded(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, dict) and isinstance(entry.get("id"), str) and isinstance(entry.get("event"), str)
    return entry if whole else None


def _is_same_file(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _flush_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
