"""logctl user: list, create, alter, delete the users that log in with a password (SCRAM).

A password is never an argument: it is asked for, or found where --password says.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli.command import changing, reading, required
from logctl.cli.output import Column, Listing, OfCluster, View
from logctl.errors import LogctlError, OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.admin.users import Credential, Secret
    from logctl.cli.session import Session

Name = Annotated[str | None, typer.Argument(metavar="USER", help="The name to log in with.")]
Password = Annotated[
    str,
    typer.Option(
        "--password",
        metavar="PLACE",
        help="Where the password is: env:NAME, file:PATH (mode 0600), keyring:SERVICE/USER, '-' for a line of "
        "stdin; never the password itself. Without it, it is asked for.",
    ),
]
Mechanism = Annotated[
    str, typer.Option("--mechanism", metavar="NAME", help="SCRAM-SHA-256 or SCRAM-SHA-512.", case_sensitive=False)
]
Iterations = Annotated[
    int | None,
    typer.Option("--iterations", help="Rounds of the key derivation, 4096 to 16384; 8192 if not given."),
]


def register(app: typer.Typer) -> None:
    """Add `logctl user`."""
    user = typer.Typer(no_args_is_help=True, help="List, create, alter and delete users with a password (SCRAM).")
    user.command("list")(list_command)
    user.command("ls", hidden=True)(list_command)
    user.command("create")(create_command)
    user.command("alter")(alter_command)
    user.command("delete")(delete_command)
    app.add_typer(user, name="user")


class ListedMechanism(TypedDict):
    mechanism: Annotated[str, "SCRAM-SHA-256 or SCRAM-SHA-512"]
    iterations: Annotated[int, "rounds of the key derivation"]


class ListedUser(TypedDict):
    name: str
    credentials: Annotated[list[ListedMechanism], "one for each mechanism the user can log in with"]


def _said(user: Mapping[str, Any]) -> str:
    return ", ".join(f"{one['mechanism']} ({one['iterations']})" for one in user["credentials"])


LISTED = Listing(
    "users",
    ListedUser,
    (Column("NAME", lambda user: user["name"]), Column("MECHANISMS", _said)),
    also=OfCluster,
)


@reading(LISTED)
def list_command(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[USER]...", help="Names or shell patterns ('app-*'); all by default.")
    ] = None,
) -> View:
    """List users that have a password, with their mechanisms and iterations.

    Replaces kafka-configs --describe --entity-type users.

    \b
    Example:
      logctl user list 'app-*'
    """
    from logctl.admin.topics import Selection
    from logctl.admin.users import list_users

    chosen = Selection(tuple(names or ()))
    found = list_users(session.cluster, session.deadline)
    users = [user for user in found.users if chosen.includes(user.name, False)]
    failures: dict[str, LogctlError] = {
        name: error for name, error in found.failures.items() if chosen.includes(name, False)
    }
    for name in chosen.exact():
        if name not in failures and all(user.name != name for user in users):
            failures[name] = OperationFailed(f"user {name} does not exist", "`logctl user list` shows those that do")
    if failures and not users:
        raise next(iter(failures.values()))
    items: list[ListedUser] = [
        {
            "name": user.name,
            "credentials": [
                {"mechanism": mechanism, "iterations": rounds} for mechanism, rounds in user.mechanisms.items()
            ],
        }
        for user in users
    ]
    session.cluster.refresh(session.deadline)
    return LISTED.view(items, failures, cluster_id=session.cluster.cluster_id)


@changing
def create_command(
    session: Session,
    name: Name = None,
    password: Password = "prompt:",
    mechanism: Mechanism = "SCRAM-SHA-256",
    iterations: Iterations = None,
) -> Operation:
    """Create a user that can log in with a password.

    Replaces kafka-configs --alter --entity-type users --add-config SCRAM-SHA-256=[password=...].

    \b
    Example:
      logctl user create alice --password env:ALICE_PASSWORD
    """
    from logctl.admin.users import CreateUser

    user = required(name, "no user was named")
    return CreateUser(user, _credential(user, password, mechanism, iterations))


@changing
def alter_command(
    session: Session,
    name: Name = None,
    password: Password = "prompt:",
    mechanism: Mechanism = "SCRAM-SHA-256",
    iterations: Iterations = None,
) -> Operation:
    """Give a user another password, or one for another mechanism.

    Replaces kafka-configs --alter --entity-type users --add-config SCRAM-SHA-256=[password=...].

    \b
    Example:
      logctl user alter alice --password file:~/.alice-password
    """
    from logctl.admin.users import AlterUser

    user = required(name, "no user was named")
    return AlterUser(user, _credential(user, password, mechanism, iterations))


@changing
def delete_command(
    session: Session,
    name: Name = None,
    mechanism: Annotated[
        list[str] | None,
        typer.Option("--mechanism", metavar="NAME", help="Only the password for this mechanism. May be repeated."),
    ] = None,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="Accept a user that does not exist.")] = False,
) -> Operation:
    """Delete a user, or its password for one mechanism.

    Replaces kafka-configs --alter --entity-type users --delete-config SCRAM-SHA-256.

    \b
    Example:
      logctl user delete alice
    """
    from logctl.admin.users import DeleteUser

    wanted = tuple(one.upper() for one in mechanism or ())
    return DeleteUser(required(name, "no user was named"), wanted, if_exists)


# -- passwords ---------------------------------------------------------------------------------------------------------


def _credential(user: str, password: str, mechanism: str, iterations: int | None) -> Credential:
    from logctl.admin.users import DEFAULT_ITERATIONS, Credential, check_name

    check_name(user)
    rounds = DEFAULT_ITERATIONS if iterations is None else iterations
    place = Credential(_place(password), mechanism.upper(), rounds)
    place.check()
    return place._replace(password=_given(user, password))


def _place(password: str) -> str:
    """A stand-in, so that everything else can be checked before anybody is asked for a password."""
    return "prompt:" if password == "-" else password


def _given(user: str, password: str) -> Secret | str:
    """The password that is asked for, or where it is found; that it can be found is seen at once."""
    from logctl.admin.users import refuse_unreadable, typed_password

    if password == "-":
        return typed_password(sys.stdin.readline().rstrip("\r\n"))
    if password == "prompt:":
        return typed_password(_asked_twice(f"password of user {user}"))
    refuse_unreadable(user, password)
    return password


def _asked_twice(purpose: str) -> str:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"the {purpose} is needed, and there is no terminal to ask at",
            "say where it is: --password env:NAME, file:PATH, or '-' for stdin",
        )
    from getpass import getpass

    try:
        first = getpass(f"{purpose}: ", sys.stderr)
        if getpass(f"{purpose} again: ", sys.stderr) != first:
            raise UsageError("the two are not the same; nothing was changed")
    except EOFError:
        raise UsageError(f"the {purpose} was not given; nothing was changed") from None
    return first
