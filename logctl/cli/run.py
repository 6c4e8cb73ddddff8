"""The single path of every change: plan -> preview -> confirm -> execute -> verify -> exit.

An operation takes it, and so does a plan from a file, the rest of a plan that was begun earlier, and the way back of
one that was carried out. The journal learns of it before the cluster does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.executor import ItemFailed, Recorder, execute, rehearse
from logctl.admin.history import Record
from logctl.admin.journal import Circumstances, Journal
from logctl.admin.observe import observe
from logctl.admin.operation import Operation, Plan
from logctl.admin.standing import Remaining, refuse_other_cluster, remaining
from logctl.cli import output
from logctl.cli.account import Account
from logctl.cli.confirm import confirm
from logctl.cli.exits import Exit
from logctl.cli.output import Format
from logctl.cli.preview import plan_text
from logctl.cli.session import Session
from logctl.errors import LogctlError, UsageError


class ChangeFlags(NamedTuple):
    """How a change is to be made and reported. `confirmed`: the NAME of --confirm; `command`: the words of the command
    that asks for it."""

    yes: bool = False
    dry_run: bool = False
    exit_code: bool = False
    form: Format = Format.TABLE
    confirmed: str | None = None
    command: str = ""


class Way(NamedTuple):
    """How a plan came here. `left`: what is left to do of it, None for all. `resumes`: the id of the plan that is taken
    up again; `undoes`: of the one that is taken back."""

    left: Remaining | None = None
    resumes: str | None = None
    undoes: str | None = None


WHOLE: Final = Way()


def change(session: Session, operation: Operation, flags: ChangeFlags, way: Way = WHOLE) -> int:
    """Plan the operation and carry it out as the flags say; answers the exit code."""
    operation.check()
    snapshot = observe(session.cluster, operation.wants(), session.deadline)
    plan = operation.plan(snapshot)
    if plan.cluster_id is None:
        plan = plan._replace(cluster_id=snapshot.cluster_id)
    return carry_out(session, plan, flags, way)


def carry_out_file(session: Session, path: str, flags: ChangeFlags) -> int:
    """Carry out the plan in a file that --dry-run -o json wrote; answers the exit code.

    Raises UsageError for a file that holds none or one for another cluster, and StalePlan when something is neither as
    it was when it was planned nor as the plan wants it.
    """
    from logctl.admin.plan_files import read_plan

    plan = read_plan(_text(path), path)
    left = _what_is_left(session, plan, frozenset(), path)
    if not left.steps and plan.steps:
        plan = plan._replace(notes=(f"everything that {path} plans is so already",))
    try:
        # It may have been written by hand: it is checked whole before the first step is begun.
        _refuse_what_is_refused(session, plan, left)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from None
    return carry_out(session, plan, flags, Way(left))


def resume(session: Session, record: Record, flags: ChangeFlags) -> int:
    """Do what is left of a plan of the journal; answers the exit code. Raises as `carry_out_file`."""
    plan = record.plan()
    left = _what_is_left(session, plan, record.done, f"plan {record.plan_id}")
    if not left.steps:
        plan = plan._replace(notes=(f"all that {record.plan_id} plans is done",))
    return carry_out(session, plan, flags, Way(left, resumes=record.plan_id))


def carry_out(session: Session, plan: Plan, flags: ChangeFlags, way: Way = WHOLE) -> int:
    """Carry out a plan, or what is left of it, as the flags say; answers the exit code."""
    shown = plan if way.left is None else _only(plan, way.left)
    for warning in plan.warnings:
        output.warn(warning)
    if flags.dry_run:
        return _preview(session, shown, flags)
    account = Account(shown)
    if not shown.steps and way.resumes is None:
        return _nothing_to_do(account, shown, flags)
    deadline = session.deadline
    if shown.steps and _asked(shown, session, flags):
        deadline = Deadline(session.timeout_s)
    try:
        _execute(session, plan, deadline, way, account, flags)
    except KeyboardInterrupt:
        account.interrupted()
        raise
    except LogctlError as error:
        account.advise(error)
        if account.begun:
            account.report(flags.form)
        raise
    if not shown.steps:
        return _nothing_to_do(account, shown, flags)
    account.report(flags.form)
    return Exit.DONE


def _asked(plan: Plan, session: Session, flags: ChangeFlags) -> bool:
    try:
        return confirm(plan, session, yes=flags.yes, confirmed=flags.confirmed)
    except KeyboardInterrupt:
        output.note("interrupted: nothing was changed")
        raise


def _execute(session: Session, plan: Plan, deadline: Deadline, way: Way, account: Account, flags: ChangeFlags) -> None:
    recorder = _recorder(session, plan, way, flags)
    events = execute(plan, session.cluster, deadline, recorder, way.left)
    try:
        with account:
            for event in events:
                account.tell(event)
    finally:
        # An interrupted plan is written down as one now, not when somebody collects the garbage.
        events.close()


def _recorder(session: Session, plan: Plan, way: Way, flags: ChangeFlags) -> Recorder | None:
    if os.environ.get("LOGCTL_JOURNAL", "").lower() in ("off", "no", "0"):
        output.warn("LOGCTL_JOURNAL=off: this change is not written down, and cannot be resumed or undone")
        return None
    target = session.target
    circumstances = Circumstances(
        command=flags.command,
        context=session.context,
        bootstrap=target.bootstrap or ",".join(map(str, session.cluster.client.bootstrap)),
        command_config=None if target.command_config is None else os.path.abspath(target.command_config),
        undoes=way.undoes,
    )
    journal = Journal()
    if way.resumes is not None:
        return journal.resume(way.resumes, circumstances)
    return journal.begin(plan, circumstances)


def _what_is_left(session: Session, plan: Plan, done: frozenset[int], whose: str) -> Remaining:
    from logctl.admin.plan_files import secrets_missing

    snapshot = observe(session.cluster, plan.wants, session.deadline)
    refuse_other_cluster(plan.cluster_id, snapshot.cluster_id, whose)
    left = remaining(plan, done, snapshot)
    for number in left.steps:
        if secrets_missing(plan.steps[number].arguments):
            raise UsageError(
                f"{whose}: steps[{number}] needs a secret, which is not kept: {plan.steps[number].sentence}",
                "give the command itself again, with the secret",
            )
    return left


def _refuse_what_is_refused(session: Session, plan: Plan, left: Remaining | None = None) -> None:
    for event in rehearse(plan, session.cluster, session.deadline, left):
        if isinstance(event, ItemFailed):
            raise event.error


def _only(plan: Plan, left: Remaining) -> Plan:
    return plan._replace(
        changes=tuple(one for one in plan.changes if one.resource not in left.settled),
        steps=tuple(plan.steps[number] for number in left.steps),
    )


def _preview(session: Session, plan: Plan, flags: ChangeFlags) -> int:
    _refuse_what_is_refused(session, plan)
    if flags.form is Format.JSON:
        output.write(output.as_json(plan.document()))
    elif flags.form is Format.YAML:
        output.write(output.as_yaml(plan.document()))
    else:
        output.write(plan_text(plan))
    output.note("nothing was changed: this was a dry run")
    return Exit.CHANGES if flags.exit_code and plan.steps else Exit.DONE


def _nothing_to_do(account: Account, plan: Plan, flags: ChangeFlags) -> int:
    for sentence in plan.notes:
        output.note(f"{sentence}; nothing to do")
    account.report(flags.form)
    return Exit.DONE


def _text(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode()
    except OSError as error:
        raise UsageError(f"--plan {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--plan {path}: this is not text in UTF-8", "write it with --dry-run -o json") from None
