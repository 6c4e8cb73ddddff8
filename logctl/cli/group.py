"""logctl group: list, describe, members. Its other commands live in group_lag, group_peek and group_changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli import output
from logctl.cli.cells import or_dash
from logctl.cli.command import reading
from logctl.cli.group_arguments import AllGroups, Kinds, Named, Patterns, States, places_text, selection
from logctl.cli.group_changes import clone_offsets_command, delete_command, delete_offsets_command, reset_command
from logctl.cli.group_lag import lag_command
from logctl.cli.group_peek import peek_command
from logctl.cli.output import Column, Listing, Nested, OfCluster, View

if TYPE_CHECKING:
    from logctl.admin.group_kinds import Group, Member
    from logctl.admin.groups import Found, Listed
    from logctl.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add `logctl group`."""
    group = typer.Typer(
        no_args_is_help=True, help="Groups of every type: who is in them, how far behind they are, where they go on."
    )
    group.command("list")(list_command)
    group.command("ls", hidden=True)(list_command)
    group.command("describe")(describe_command)
    group.command("members")(members_command)
    group.command("lag")(lag_command)
    group.command("peek")(peek_command)
    group.command("reset")(reset_command)
    group.command("clone-offsets")(clone_offsets_command)
    group.command("delete")(delete_command)
    group.command("delete-offsets")(delete_offsets_command)
    app.add_typer(group, name="group")


class ListedGroup(TypedDict):
    name: str
    type: Annotated[str | None, "classic, consumer, share or streams; null where the cluster is too old to tell"]
    state: Annotated[str | None, "null where the cluster is too old to tell"]
    protocol_type: str
    coordinator: Annotated[int, "broker id"]


class Coordinator(TypedDict):
    id: int
    address: str


class DescribedMember(TypedDict):
    member: Annotated[str, "the member's id within the group"]
    instance: Annotated[str | None, "group.instance.id of a static member"]
    type: str
    client_id: str
    host: str
    epoch: Annotated[int | None, "null in classic groups"]
    assignment: Annotated[dict[str, list[int]] | None, "topic -> partitions that it reads; null where not told"]
    target: Annotated[dict[str, list[int]] | None, "topic -> partitions that it is to read; null where not told"]
    subscribed: Annotated[list[str], "topics, and /expressions/; empty in classic groups"]


class DescribedGroup(TypedDict):
    name: str
    type: str
    state: str
    protocol_type: str
    assignor: str | None
    coordinator: Coordinator
    epoch: Annotated[int | None, "group epoch; null in classic groups"]
    assignment_epoch: Annotated[int | None, "the epoch that the current target was made for"]
    members: list[DescribedMember]


class MemberOfGroup(DescribedMember):
    name: Annotated[str, "the member's id, again"]
    group: str


LISTED = Listing(
    "groups",
    ListedGroup,
    (
        Column("NAME", lambda group: group["name"]),
        Column("TYPE", lambda group: group["type"] or "-"),
        Column("STATE", lambda group: group["state"] or "-"),
        Column("PROTOCOL", lambda group: group["protocol_type"] or "-", wide=True),
        Column("COORDINATOR", lambda group: group["coordinator"], number=True, wide=True),
    ),
    also=OfCluster,
)

_MEMBER_COLUMNS = (
    Column("MEMBER", lambda member: member["member"]),
    Column("INSTANCE", lambda member: or_dash(member["instance"]), wide=True),
    Column("CLIENT-ID", lambda member: member["client_id"]),
    Column("HOST", lambda member: member["host"]),
    Column("EPOCH", lambda member: or_dash(member["epoch"]), number=True, wide=True),
    Column("PARTITIONS", lambda member: _count(member["assignment"]), number=True),
    Column("ASSIGNMENT", lambda member: places_text(member["assignment"])),
    Column("TARGET", lambda member: places_text(member["target"]), wide=True),
    Column("SUBSCRIBED", lambda member: ",".join(member["subscribed"]) or "-", wide=True),
)

DESCRIBED = Listing(
    "groups", DescribedGroup, _MEMBER_COLUMNS, Nested("members", "GROUP", lambda item: _headline(item)), OfCluster
)
MEMBERS = Listing(
    "members", MemberOfGroup, (Column("GROUP", lambda member: member["group"]), *_MEMBER_COLUMNS), also=OfCluster
)


@reading(LISTED)
def list_command(session: Session, groups: Patterns = None, state: States = None, kind: Kinds = None) -> View:
    """List groups of every type, with their states.

    Replaces kafka-groups --list, and --list of kafka-consumer-groups, kafka-share-groups and kafka-streams-groups.

    \b
    Example:
      logctl group list --state empty -o name
    """
    from logctl.admin.groups import list_groups

    found = list_groups(session.cluster, selection(groups, None, state, kind), session.deadline)
    return LISTED.view([_listed(group) for group in found.groups], found.failures, cluster_id=found.cluster_id)


@reading(DESCRIBED)
def describe_command(
    session: Session,
    groups: Patterns = None,
    named: Named = None,
    all_groups: AllGroups = False,
    state: States = None,
    kind: Kinds = None,
) -> View:
    """Show groups with their coordinator, their members, and what each of these reads.

    Without names: all groups. Replaces kafka-consumer-groups --describe with --members and --state.

    \b
    Example:
      logctl group describe billing
    """
    found = _describe(session, groups, named, state, kind)
    return DESCRIBED.view([_described(group) for group in found.groups], found.failures, cluster_id=found.cluster_id)


@reading(MEMBERS, watch=True)
def members_command(
    session: Session,
    groups: Patterns = None,
    named: Named = None,
    all_groups: AllGroups = False,
    state: States = None,
    kind: Kinds = None,
) -> View:
    """List the members of groups: who they are, where they run, what they read and what they are to read.

    Replaces kafka-consumer-groups --describe --members --verbose.

    \b
    Example:
      logctl group members billing -o wide
    """
    found = _describe(session, groups, named, state, kind)
    items = [
        {"name": member.member_id, "group": group.name, **_member(member)}
        for group in found.groups
        for member in group.members
    ]
    return MEMBERS.view(items, found.failures, cluster_id=found.cluster_id)


def _describe(
    session: Session, groups: list[str] | None, named: list[str] | None, state: str | None, kind: str | None
) -> Found:
    from logctl.admin.coordinators import Coordinators
    from logctl.admin.groups import describe_groups

    return describe_groups(Coordinators(session.cluster), selection(groups, named, state, kind), session.deadline)


# -- output ----------------------------------------------------------------------------------------------------------


def _count(assignment: Mapping[str, list[int]] | None) -> object:
    return "-" if assignment is None else sum(map(len, assignment.values()))


def _listed(group: Listed) -> ListedGroup:
    return {
        "name": group.name,
        "type": group.kind.lower() or None,
        "state": group.state or None,
        "protocol_type": group.protocol_type,
        "coordinator": group.coordinator,
    }


def _described(group: Group) -> DescribedGroup:
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


def _member(member: Member) -> DescribedMember:
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
    return output.neutral(", ".join(said)) + "\n"
