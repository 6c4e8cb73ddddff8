"""logctl state: what a cluster shall hold, in files: export, plan, apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from logctl.cli import output
from logctl.cli.command import changing, required, talking
from logctl.cli.documents import DocumentForm, write_document
from logctl.cli.options import Output
from logctl.cli.output import Format
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.admin.state_files import Scope
    from logctl.admin.state_plan import ApplyState
    from logctl.cli.session import Session

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE...", help="State files in YAML or JSON, or folders of them; '-' reads stdin."),
]
Delete = Annotated[
    bool,
    typer.Option("--delete", help="Also take away what lies in the files' scopes and is not declared in them."),
]


def register(app: typer.Typer) -> None:
    """Add `logctl state`."""
    state = typer.Typer(
        no_args_is_help=True, help="Keep topics, ACLs, quotas and users in files: export, compare, apply."
    )
    state.command("export")(export_command)
    state.command("plan")(plan_command)
    state.command("apply")(apply_command)
    app.add_typer(state, name="state")


@talking
def export_command(
    session: Session,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND", help="topics, acls, quotas or users; all that the cluster keeps by default."
        ),
    ] = None,
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="Whose declaration it shall be.")] = "exported",
    topic: Annotated[
        list[str] | None, typer.Option("--topic", metavar="PATTERN", help="Only these topics. May be repeated.")
    ] = None,
    principal: Annotated[
        list[str] | None, typer.Option("--principal", metavar="PATTERN", help="Only ACLs of these principals.")
    ] = None,
    quota: Annotated[
        list[str] | None, typer.Option("--quota", metavar="PATTERN", help="Only these quotas: 'user=app-*'.")
    ] = None,
    user: Annotated[list[str] | None, typer.Option("--user", metavar="PATTERN", help="Only these users.")] = None,
    form: DocumentForm = Format.YAML,
) -> None:
    """Write what is there as a state file, in a fixed order, without the cluster's own topics.

    The patterns become the scope of the file; `state plan` of it finds nothing to do.

    \b
    Example:
      logctl state export --kind topics --topic 'orders*' --owner orders > orders.yaml
    """
    from logctl.admin.state_export import export_state

    scope, everything = _scope(kind, topic, principal, quota, user)
    exported = export_state(session.cluster, owner, scope, session.deadline, as_far_as_offered=everything)
    for sentence in exported.left_out:
        output.warn(sentence)
    write_document(exported.document, form)
    output.finish(exported.failures)


@talking
def plan_command(
    session: Session,
    files: Files = None,
    delete: Delete = False,
    form: Output = Format.TABLE,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 3 when there is something to do.")
    ] = False,
) -> int:
    """Show what `state apply` of the files would do, and what lies undeclared in their scopes. Nothing is changed.

    With -o json the output is a plan that `state apply --plan FILE` carries out, unless the world has moved.

    \b
    Example:
      logctl state plan orders.yaml --exit-code
    """
    from logctl.cli.run import ChangeFlags, change

    return change(session, _operation(files, delete), ChangeFlags(dry_run=True, exit_code=exit_code, form=form))


@changing
def apply_command(session: Session, files: Files = None, delete: Delete = False) -> Operation:
    """Make the cluster what the files declare. What they do not declare stays, unless --delete is given.

    \b
    Example:
      logctl state apply orders.yaml --dry-run
    """
    from logctl.admin.users import refuse_unreadable

    return _operation(files, delete)._replace(has_password=refuse_unreadable)


def _operation(files: list[str] | None, delete: bool) -> ApplyState:
    from logctl.admin.state_files import load_state
    from logctl.admin.state_plan import ApplyState

    return ApplyState(load_state(required(files, "no file was named")), delete)


def _scope(kinds: list[str] | None, *patterns: list[str] | None) -> tuple[Scope, bool]:
    """What is to be exported, and whether nobody said which kinds. A pattern without --kind chooses its kind."""
    from logctl.admin.state_files import KINDS, RulePattern, Scope

    given = dict(zip(KINDS, patterns, strict=True))
    chosen = list(kinds or [kind for kind in KINDS if given[kind]])
    for kind in chosen:
        if kind not in KINDS:
            raise UsageError(f"--kind {kind}: it is one of {', '.join(KINDS)}")
    for kind in KINDS:
        if given[kind] and kind not in chosen:
            raise UsageError(f"a pattern is given for {kind}, and --kind leaves them out")
    scopes: dict[str, Any] = {kind: tuple(given[kind] or ("*",)) for kind in chosen or KINDS}
    if "acls" in scopes:
        scopes["acls"] = tuple(RulePattern(principal) for principal in scopes["acls"])
    return Scope(**scopes), not chosen
