"""logctl group: list, describe, lag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logctl.cli import output
from logctl.cli.options import DEFAULT_TIMEOUT, Bootstrap, NoHeaders, Output, Properties, Timeout
from logctl.cli.output import Column, Format, View

if TYPE_CHECKING:
    from logctl.admin.group_lag import GroupLag, PartitionLag
    from logctl.admin.groups import Found, Group, Listed, Member, Selection

Patterns = Annotated[
    list[str] | None, typer.Argument(metavar="[GROUP]...", help="Names or shell patterns ('order*'); all by default.")
]
Named = Annotated[
    list[str] | None, typer.Option("--group", metavar="GROUP", help="A name, as kafka-consumer-groups takes it.")
]
AllGroups = Annotated[
    bool, typer.Option("--all-groups", help="All of them, which is the default; as kafka-consumer-groups takes it.")
]
States = Annotated[
    str | None, typer.Option("--state", metavar="STATE,...", help="Only groups in these states: stable, empty, ...")
]
Kinds = Annotated[
    str | None, typer.Option("--type", metavar="TYPE,...", help="Only these: classic, consumer, share, streams.")
]


def register(app: typer.Typer) -> None:
    """Add `logctl group`."""
    group = typer.Typer(no_args_is_help=True, help="List and describe consumer groups, and how far behind they are.")
    group.command("list")(list_command)
    group.command("ls", hidden=True)(list_command)
    group.command("describe")(describe_command)
    group.command("lag")(lag_command)
    app.add_typer(group, name="group")


def list_command(
    groups: Patterns = None,
    state: States = None,
    kind: Kinds = None,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    no_headers: NoHeaders = False,
) -> None:
    """List groups of every type, with their states.

    Replaces kafka-groups --list and kafka-consumer-groups --list.

    \b
    Example:
      logctl group list --state empty -o name
    """
    from logctl.admin.groups import list_groups
    from logctl.cli.session import Target, connected

    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        found = list_groups(session.cluster, _selection(groups, None, state, kind), session.deadline)
    items = [_listed(group) for group in found.groups]
    output.show(_view(items, _LIST_COLUMNS, found), form, headers=not no_headers)
    output.finish(found.failures)


def describe_command(
    groups: Patterns = None,
    named: Named = None,
    all_groups: AllGroups = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    no_headers: NoHeaders = False,
) -> None:
    """Show groups with their coordinator, their members, and what each of these reads.

    Without names: all groups of the types classic and consumer. Replaces kafka-consumer-groups --describe with
    --members and --state.

    \b
    Example:
      logctl group describe billing
    """
    from logctl.admin.coordinators import Coordinators
    from logctl.admin.groups import describe_groups
    from logctl.cli.session import Target, connected

    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        found = describe_groups(Coordinators(session.cluster), _selection(groups, named), session.deadline)
    items = [_described(group) for group in found.groups]
    if form in (Format.TABLE, Format.WIDE):
        _show_blocks(items, "members", _headline, _MEMBER_COLUMNS, form, not no_headers)
    elif form is Format.CSV:
        _show_rows(items, "members", _MEMBER_COLUMNS, not no_headers)
    else:
        output.show(_view(items, (), found), form)
    output.finish(found.failures)


def lag_command(
    groups: Patterns = None,
    named: Named = None,
    all_groups: AllGroups = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    no_headers: NoHeaders = False,
) -> None:
    """Show how many records lie between what groups have committed and the ends of their partitions.

    A partition without a commit shows '-' and counts for nothing in the total. Without names: all groups of the types
    classic and consumer. Replaces kafka-consumer-groups --describe.

    \b
    Example:
      logctl group lag billing -o json
    """
    from logctl.admin.group_lag import lag_of_groups
    from logctl.cli.session import Target, connected

    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        found = lag_of_groups(session.cluster, _selection(groups, named), session.deadline)
    items = [_lagging(entry) for entry in found.groups]
    if form in (Format.TABLE, Format.WIDE):
        _show_blocks(items, "partitions", _lag_headline, _LAG_COLUMNS, form, not no_headers)
    elif form is Format.CSV:
        _show_rows(items, "partitions", _LAG_COLUMNS, not no_headers)
    else:
        output.show(_view(items, (), found), form)
    output.finish(found.failures)


# -- arguments -------------------------------------------------------------------------------------------------------


def _selection(
    groups: list[str] | None, named: list[str] | None, state: str | None = None, kind: str | None = None
) -> Selection:
    from logctl.admin.groups import Selection

    return Selection(tuple(dict.fromkeys([*(groups or ()), *(named or ())])), _words(state), _words(kind))


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in (text or "").split(",") if word.strip())


# -- output ----------------------------------------------------------------------------------------------------------

_LIST_COLUMNS = (
    Column("NAME", lambda group: group["name"]),
    Column("TYPE", lambda group: group["type"] or "-"),
    Column("STATE", lambda group: group["state"] or "-"),
    Column("PROTOCOL", lambda group: group["protocol_type"] or "-", wide=True),
    Column("COORDINATOR", lambda group: group["coordinator"], number=True, wide=True),
)

_MEMBER_COLUMNS = (
    Column("MEMBER", lambda member: member["member"]),
    Column("INSTANCE", lambda member: _dash(member["instance"]), wide=True),
    Column("CLIENT-ID", lambda member: member["client_id"]),
    Column("HOST", lambda member: member["host"]),
    Column("EPOCH", lambda member: _dash(member["epoch"]), number=True, wide=True),
    Column("PARTITIONS", lambda member: _count(member["assignment"]), number=True),
    Column("ASSIGNMENT", lambda member: _places(member["assignment"])),
    Column("TARGET", lambda member: _places(member["target"]), wide=True),
    Column("SUBSCRIBED", lambda member: ",".join(member["subscribed"]) or "-", wide=True),
)

_LAG_COLUMNS = (
    Column("TOPIC", lambda entry: entry["topic"]),
    Column("PARTITION", lambda entry: entry["partition"], number=True),
    Column("COMMITTED", lambda entry: _dash(entry["committed"]), number=True),
    Column("END", lambda entry: _dash(entry["end"]), number=True),
    Column("LAG", lambda entry: _dash(entry["lag"]), number=True),
    Column("MEMBER", lambda entry: _dash(entry["member"])),
    Column("CLIENT-ID", lambda entry: _dash(entry["client_id"]), wide=True),
    Column("HOST", lambda entry: _dash(entry["host"]), wide=True),
    Column("METADATA", lambda entry: entry["metadata"] or "-", wide=True),
)


def _dash(value: object) -> object:
    return "-" if value is None else value


def _count(assignment: Mapping[str, list[int]] | None) -> object:
    return "-" if assignment is None else sum(map(len, assignment.values()))


def _places(assignment: Mapping[str, list[int]] | None) -> str:
    """'orders(0,1) payments(2)', as kafka-consumer-groups writes it."""
    held = (f"{topic}({','.join(map(str, numbers))})" for topic, numbers in sorted((assignment or {}).items()))
    return " ".join(held) or "-"


def _listed(group: Listed) -> dict[str, Any]:
    return {
        "name": group.name,
        "type": group.kind.lower() or None,
        "state": group.state or None,
        "protocol_type": group.protocol_type,
        "coordinator": group.coordinator,
    }


def _described(group: Group) -> dict[str, Any]:
    broker = group.coordinator
    return {
        "name": group.name,
        "type": group.kind,
        "state": group.state,
        "protocol_type": group.protocol_type,
        "assignor": group.assignor or None,
        "coordinator": {"id": broker.node_id, "address": str(broker.address)},
        "epoch": group.epoch,
        "assignment_epoch": group.assignment_epoch,
        "members": [_member(member) for member in group.members],
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        "member": member.member_id,
        "instance": member.instance_id,
        "type": member.kind,
        "client_id": member.client_id,
        "host": member.host,
        "epoch": member.epoch,
        "assignment": _as_lists(member.assignment),
        "target": _as_lists(member.target),
        "subscribed": list(member.subscribed),
    }


def _as_lists(assignment: Mapping[str, Sequence[int]] | None) -> dict[str, list[int]] | None:
    return None if assignment is None else {topic: list(numbers) for topic, numbers in assignment.items()}


def _lagging(found: GroupLag) -> dict[str, Any]:
    return {
        "name": found.group.name,
        "type": found.group.kind,
        "state": found.group.state,
        "total_lag": found.total,
        "partitions": [_partition(entry) for entry in found.partitions],
    }


def _partition(entry: PartitionLag) -> dict[str, Any]:
    commit, member = entry.commit, entry.member
    return {
        "topic": entry.topic,
        "partition": entry.partition,
        "committed": commit.offset if commit else None,
        "committed_leader_epoch": commit.leader_epoch if commit and commit.leader_epoch >= 0 else None,
        "metadata": commit.metadata if commit else None,
        "end": entry.end,
        "lag": entry.lag,
        "member": member.member_id if member else None,
        "client_id": member.client_id if member else None,
        "host": member.host if member else None,
    }


def _headline(item: Mapping[str, Any]) -> str:
    coordinator = item["coordinator"]
    said = [
        f"group {item['name']}",
        f"type {item['type']}",
        f"state {item['state']}",
        *([f"assignor {item['assignor']}"] if item["assignor"] else []),
        *([f"epoch {item['epoch']}"] if item["epoch"] is not None else []),
        f"coordinator {coordinator['id']} ({coordinator['address']})",
        f"members {len(item['members'])}",
    ]
    return ", ".join(said)


def _lag_headline(item: Mapping[str, Any]) -> str:
    unknown = sum(entry["lag"] is None for entry in item["partitions"])
    said = [
        f"group {item['name']}",
        f"state {item['state']}",
        f"partitions {len(item['partitions'])}",
        f"total lag {_dash(item['total_lag'])}",
        *([f"{unknown} without a lag"] if unknown else []),
    ]
    return ", ".join(said)


def _view(items: list[dict[str, Any]], columns: Sequence[Column], found: Found) -> View:
    return View("groups", items, columns, found.failures, {"cluster_id": found.cluster_id})


def _show_blocks(
    items: list[dict[str, Any]], inner: str, headline: Any, columns: Sequence[Column], form: Format, headers: bool
) -> None:
    """Each group: a line about it, and below it a table, when there is something for it."""
    shown = [column for column in columns if form is Format.WIDE or not column.wide]
    blocks = [
        output.neutral(headline(item)) + "\n" + (output.as_table(shown, item[inner], headers) if item[inner] else "")
        for item in items
    ]
    output.write("\n".join(blocks))


def _show_rows(items: list[dict[str, Any]], inner: str, columns: Sequence[Column], headers: bool) -> None:
    rows = [{"group": item["name"], **entry} for item in items for entry in item[inner]]
    output.write(output.as_csv([Column("GROUP", lambda entry: entry["group"]), *columns], rows, headers))
