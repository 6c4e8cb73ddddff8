"""logctl context: list, show, use, add, remove, test. Clusters by name, kept in one file (admin/contexts)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

import typer

from logctl.cli import output
from logctl.cli.cells import or_dash
from logctl.cli.command import telling
from logctl.cli.options import DEFAULT_TIMEOUT, Timeout
from logctl.cli.output import Column, Listing, View
from logctl.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.admin.contexts import Context, Contexts
    from logctl.cli.session import Session
    from logctl.cli.target import Approach

Name = Annotated[str, typer.Argument(metavar="CONTEXT", help="The name of a context.")]
MaybeName = Annotated[
    str | None, typer.Argument(metavar="[CONTEXT]", help="The name of a context; the current one by default.")
]


def register(app: typer.Typer) -> None:
    """Add `logctl context`."""
    context = typer.Typer(no_args_is_help=True, help="Name clusters, with how to talk to them and what protects them.")
    context.command("list")(list_command)
    context.command("ls", hidden=True)(list_command)
    context.command("show")(show_command)
    context.command("use")(use_command)
    context.command("add")(add_command)
    context.command("remove")(remove_command)
    context.command("test")(try_command)
    app.add_typer(context, name="context")


# -- looking at them ---------------------------------------------------------------------------------------------------


class ListedContext(TypedDict):
    name: str
    current: Annotated[bool, "taken when no cluster is named"]
    bootstrap_servers: Annotated[str | None, "addresses with commas; null where the properties name them"]
    cluster_id: Annotated[str | None, "the cluster it was made for; null: any"]
    guard: Annotated[str, "what a change asks for: none, confirm, type-name or read-only"]
    colour: str | None


class ShownContext(ListedContext):
    command_config: Annotated[str | None, "a .properties file that is read first"]
    properties: Annotated[dict[str, str], "client properties; secrets are not shown, only where they are"]


class TestedContext(TypedDict):
    name: Annotated[str, "of the context; empty without one"]
    cluster_id: str | None
    expected_cluster_id: str | None
    brokers: Annotated[int, "how many the cluster lists"]
    latency_ms: Annotated[float, "of the fastest of three requests"]
    security_protocol: str
    login: Annotated[str | None, "mechanism and user; null without a login"]
    tls_version: str | None
    certificate_until_ms: Annotated[int | None, "end of the broker's certificate, ms since 1970; null without TLS"]


_LISTED_COLUMNS: Final = (
    Column("CONTEXT", lambda one: one["name"]),
    Column("CURRENT", lambda one: "*" if one["current"] else ""),
    Column("BOOTSTRAP-SERVERS", lambda one: or_dash(one["bootstrap_servers"])),
    Column("GUARD", lambda one: one["guard"]),
    Column("CLUSTER", lambda one: or_dash(one["cluster_id"])),
    Column("COLOUR", lambda one: or_dash(one["colour"]), wide=True),
)
LISTED: Final = Listing("contexts", ListedContext, _LISTED_COLUMNS)
SHOWN: Final = Listing(
    "contexts",
    ShownContext,
    (
        *_LISTED_COLUMNS,
        Column("COMMAND-CONFIG", lambda one: or_dash(one["command_config"])),
        Column("PROPERTIES", lambda one: " ".join(f"{name}={value}" for name, value in one["properties"].items())),
    ),
)
TESTED: Final = Listing(
    "contexts",
    TestedContext,
    (
        Column("CONTEXT", lambda one: or_dash(one["name"])),
        Column("CLUSTER", lambda one: or_dash(one["cluster_id"])),
        Column("BROKERS", lambda one: one["brokers"], number=True),
        Column("LATENCY", lambda one: f"{one['latency_ms']:.1f} ms", number=True, key=lambda one: one["latency_ms"]),
        Column("PROTOCOL", lambda one: one["security_protocol"]),
        Column("LOGIN", lambda one: or_dash(one["login"])),
        Column("TLS", lambda one: or_dash(one["tls_version"])),
    ),
)


@telling(LISTED)
def list_command(_: None) -> View:
    """List the contexts there are.

    \b
    Example:
      logctl context list
    """
    from logctl.admin.contexts import load

    contexts = load()
    return LISTED.view([_listed(context, contexts) for context in contexts.contexts.values()])


def _listed(context: Context, contexts: Contexts) -> dict[str, Any]:
    return {
        "name": context.name,
        "current": context.name == contexts.current,
        "bootstrap_servers": context.bootstrap_servers,
        "cluster_id": context.cluster_id,
        "guard": context.guard,
        "colour": context.colour,
    }


@telling(SHOWN)
def show_command(_: None, name: MaybeName = None) -> View:
    """Show a context whole, but for its secrets.

    \b
    Example:
      logctl context show local -o yaml
    """
    from logctl.admin.contexts import load
    from logctl.admin.properties import shown

    contexts = load()
    context = contexts.named(_name_or_current(name, contexts))
    properties = {key: shown(key, value) for key, value in context.properties.items()}
    more = {"command_config": context.command_config, "properties": properties}
    return SHOWN.view([{**_listed(context, contexts), **more}])


def _name_or_current(name: str | None, contexts: Contexts) -> str:
    found = name or contexts.current
    if not found:
        raise UsageError("no context was named, and there is no current one", "see `logctl context list`")
    return found


# -- changing them -----------------------------------------------------------------------------------------------------


def use_command(name: Name) -> None:
    """Make a context the current one: the cluster that is meant when none is named.

    \b
    Example:
      logctl context use local
    """
    from logctl.admin.contexts import changing

    with changing() as held:
        held.append(held[0]._replace(current=held[0].named(name).name))
    output.note(f"the current context is {name}")


def add_command(
    name: Name,
    bootstrap: Annotated[
        str | None, typer.Option("-b", "--bootstrap-server", metavar="HOST:PORT,...", help="Brokers to begin with.")
    ] = None,
    properties: Annotated[
        list[str] | None,
        typer.Option("-X", metavar="NAME=VALUE", help="A client property. Secrets: env:, file:, keyring: or prompt:."),
    ] = None,
    command_config: Annotated[
        str | None,
        typer.Option("--command-config", metavar="FILE", help="Client properties in a file, read each time."),
    ] = None,
    cluster_id: Annotated[
        str | None, typer.Option("--cluster-id", metavar="ID", help="Refuse to change any other cluster.")
    ] = None,
    colour: Annotated[str | None, typer.Option("--colour", "--color", metavar="COLOUR", help="Of its name.")] = None,
    guard: Annotated[
        str, typer.Option("--guard", metavar="none|confirm|type-name|read-only", help="What a change asks for.")
    ] = "none",
    use: Annotated[bool, typer.Option("--use", help="Make it the current context.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Accept that there is one of that name.")] = False,
) -> None:
    """Name a cluster. Nothing is sent to it: `logctl context test` does that.

    \b
    Example:
      logctl context add local -b localhost:9092 --use
    """
    from logctl.admin.contexts import changing, made

    context = made(name, bootstrap, properties or (), command_config, cluster_id, colour, guard)
    with changing() as held:
        if name in held[0].contexts and not replace:
            raise UsageError(f"there is a context {name} already", "add --replace to put this one in its place")
        after = held[0].with_context(context)
        held.append(after._replace(current=name) if use else after)
    output.note(f"added context {name}" + (", which is the current one" if use else ""))


def remove_command(name: Name) -> None:
    """Forget a context. The cluster itself is not touched.

    \b
    Example:
      logctl context remove local
    """
    from logctl.admin.contexts import changing

    with changing() as held:
        held.append(held[0].without(name))
    output.note(f"removed context {name}")


# -- trying one --------------------------------------------------------------------------------------------------------


@telling(TESTED)
def try_command(
    _: None,
    name: MaybeName = None,
    remember: Annotated[
        bool, typer.Option("--remember", help="Note the cluster's id: no other cluster is changed from then on.")
    ] = False,
    timeout: Timeout = DEFAULT_TIMEOUT,
) -> View:
    """Connect, and tell which cluster answers, how fast, and as whom it was entered.

    \b
    Example:
      logctl context test local --remember
    """
    from logctl.admin.contexts import load
    from logctl.cli.session import connected
    from logctl.cli.target import Target

    found = _name_or_current(name, load())
    with connected(Target(context=found), timeout) as session:
        item = _tested(session)
        if session.expected_cluster_id not in (None, item["cluster_id"]):
            raise OperationFailed(
                f"context {found} expects cluster {session.expected_cluster_id}, and {item['cluster_id']} answered",
                "is the address still right? `logctl context add --replace` makes the context anew",
            )
    if remember:
        _remember(found, item["cluster_id"])
    return TESTED.view([item])


def _tested(session: Session) -> dict[str, Any]:
    import time

    cluster, deadline = session.cluster, session.deadline
    cluster.refresh(deadline)
    entrance = cluster.entrance(deadline)
    took_ms = []
    for _ in range(3):
        began_s = time.monotonic()
        cluster.refresh(deadline)
        took_ms.append((time.monotonic() - began_s) * 1000)
    secured, approach = cluster.client.secured(entrance), session.approach
    return {
        "name": session.context or "",
        "cluster_id": cluster.cluster_id,
        "expected_cluster_id": session.expected_cluster_id,
        "brokers": len(cluster.brokers),
        "latency_ms": round(min(took_ms), 3),
        "security_protocol": approach.protocol,
        "login": _login(approach),
        "tls_version": secured.version if secured else None,
        "certificate_until_ms": secured.valid_until_ms if secured else None,
    }


def _login(approach: Approach) -> str | None:
    login = approach.access.login if approach.access is not None else None
    return f"{login.mechanism} as {login.user}" if login is not None else None


def _remember(name: str, cluster_id: str | None) -> None:
    from logctl.admin.contexts import changing

    if cluster_id is None:
        raise OperationFailed("the cluster does not tell its id", "it is older than Apache Kafka 0.10.1")
    with changing() as held:
        held.append(held[0].with_context(held[0].named(name)._replace(cluster_id=cluster_id)))
    output.note(f"context {name} is for cluster {cluster_id} from now on")
