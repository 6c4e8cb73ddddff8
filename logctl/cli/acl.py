"""logctl acl: list, grant and revoke access, whole presets of it, and ACLs from and to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli.command import changing, reading, required, talking
from logctl.cli.documents import DocumentForm, write_document
from logctl.cli.output import Column, Format, Listing, OfCluster, View
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.acl_rules import Filter, Rule, Who
    from logctl.admin.operation import Operation
    from logctl.cli.session import Session


def _names(*flags: str, help: str, metavar: str = "NAME", hidden: bool = False) -> Any:  # noqa: A002 - Typer's word
    return typer.Option(*flags, metavar=metavar, help=help, hidden=hidden)


Names = list[str] | None
Allowed = Annotated[
    Names,
    _names("--principal", "--allow-principal", metavar="User:NAME", help="Who is allowed. May be repeated."),
]
Denied = Annotated[Names, _names("--deny-principal", metavar="User:NAME", help="Who is denied. May be repeated.")]
AllowedHosts = Annotated[
    Names, _names("--host", "--allow-host", metavar="ADDRESS", help="From where it is allowed; anywhere by default.")
]
DeniedHosts = Annotated[
    Names, _names("--deny-host", metavar="ADDRESS", help="From where it is denied; anywhere by default.")
]
Operations = Annotated[
    Names, _names("--operation", metavar="OPERATION", help="read, write, describe, ... or all. May be repeated.")
]
Topics = Annotated[Names, _names("--topic", metavar="TOPIC", help="On this topic; '*' for every one. May be repeated.")]
Groups = Annotated[Names, _names("--group", metavar="GROUP", help="On this group. May be repeated.")]
OnCluster = Annotated[bool, typer.Option("--cluster", help="On the cluster itself.")]
TransactionalIds = Annotated[Names, _names("--transactional-id", metavar="ID", help="On this transactional id.")]
Tokens = Annotated[Names, _names("--delegation-token", metavar="TOKEN", help="On this delegation token.")]
Users = Annotated[Names, _names("--user-principal", metavar="USER", help="On the tokens of this user.")]
Pattern = Annotated[
    str,
    typer.Option(
        "--pattern", "--resource-pattern-type", metavar="literal|prefixed", help="Is the name whole, or a beginning?"
    ),
]
AnyPattern = Annotated[
    str,
    typer.Option(
        "--pattern",
        "--resource-pattern-type",
        metavar="any|literal|prefixed|match",
        help="Which patterns: any of exactly this name, or with match all that affect the name.",
    ),
]
Permission = Annotated[
    str | None, typer.Option("--permission", metavar="allow|deny", help="Only those that allow, or deny.")
]
File = Annotated[str | None, typer.Argument(metavar="FILE", help="YAML or JSON with a list `acls`; '-' reads stdin.")]


def register(app: typer.Typer) -> None:
    """Add `logctl acl`."""
    acl = typer.Typer(no_args_is_help=True, help="List, grant and revoke access (ACLs), one by one or as presets.")
    acl.command("list")(list_command)
    acl.command("ls", hidden=True)(list_command)
    acl.command("grant")(grant_command)
    acl.command("revoke")(revoke_command)
    acl.command("import")(import_command)
    acl.command("export")(export_command)
    preset = typer.Typer(no_args_is_help=True, help="Grant what a producer or a consumer needs, or revoke it again.")
    preset.command("producer")(producer_command)
    preset.command("consumer")(consumer_command)
    acl.add_typer(preset, name="preset")
    app.add_typer(acl, name="acl")


class ListedAcl(TypedDict):
    name: Annotated[str, "the whole ACL in words"]
    principal: Annotated[str, "who, e.g. 'User:alice'; 'User:*' is everyone"]
    host: Annotated[str, "from where; '*' is anywhere"]
    resource_type: Annotated[str, "topic, group, cluster, transactional-id, delegation-token or user"]
    resource_name: Annotated[str, "a name, a beginning of names (see pattern_type), or '*' for every one"]
    pattern_type: Annotated[str, "literal or prefixed"]
    operation: Annotated[str, "all, read, write, create, delete, alter, describe, ..."]
    permission: Annotated[str, "allow or deny"]


LISTED = Listing(
    "acls",
    ListedAcl,
    (
        Column("PRINCIPAL", lambda acl: acl["principal"]),
        Column("HOST", lambda acl: acl["host"]),
        Column("RESOURCE-TYPE", lambda acl: acl["resource_type"]),
        Column("RESOURCE-NAME", lambda acl: acl["resource_name"]),
        Column("PATTERN-TYPE", lambda acl: acl["pattern_type"]),
        Column("OPERATION", lambda acl: acl["operation"]),
        Column("PERMISSION", lambda acl: acl["permission"]),
    ),
    also=OfCluster,
)


@reading(LISTED)
def list_command(
    session: Session,
    principal: Allowed = None,
    denied: Denied = None,
    host: AllowedHosts = None,
    operation: Operations = None,
    topic: Topics = None,
    group: Groups = None,
    cluster: OnCluster = False,
    transactional_id: TransactionalIds = None,
    token: Tokens = None,
    user: Users = None,
    pattern: AnyPattern = "any",
    permission: Permission = None,
) -> View:
    """List ACLs; each option leaves only those that match it.

    Replaces kafka-acls --list.

    \b
    Example:
      logctl acl list --topic orders --pattern match
    """
    from logctl.admin.acls import list_rules

    resources = _resources(topic, group, cluster, transactional_id, token, user)
    wanted = _filter([*(principal or ()), *(denied or ())], host, operation, resources, pattern, permission)
    session.cluster.refresh(session.deadline)
    rules = list_rules(session.cluster, wanted, session.deadline)
    return LISTED.view([_item(rule) for rule in rules], cluster_id=session.cluster.cluster_id)


@changing
def grant_command(
    session: Session,
    principal: Allowed = None,
    denied: Denied = None,
    host: AllowedHosts = None,
    denied_host: DeniedHosts = None,
    operation: Operations = None,
    topic: Topics = None,
    group: Groups = None,
    cluster: OnCluster = False,
    transactional_id: TransactionalIds = None,
    token: Tokens = None,
    user: Users = None,
    pattern: Pattern = "literal",
) -> Operation:
    """Add ACLs: allow (or deny) principals operations on resources.

    Replaces kafka-acls --add.

    \b
    Example:
      logctl acl grant --principal User:alice --operation read --topic orders
    """
    from logctl.admin.acl_rules import rules_for
    from logctl.admin.acls import Grant

    who = _who(principal, denied, host, denied_host)
    resources = _resources(topic, group, cluster, transactional_id, token, user)
    required(resources, "no resource was named")
    return Grant(tuple(rules_for(who, resources, _operations(operation), _pattern(pattern))))


@changing
def revoke_command(
    session: Session,
    principal: Allowed = None,
    denied: Denied = None,
    host: AllowedHosts = None,
    denied_host: DeniedHosts = None,
    operation: Operations = None,
    topic: Topics = None,
    group: Groups = None,
    cluster: OnCluster = False,
    transactional_id: TransactionalIds = None,
    token: Tokens = None,
    user: Users = None,
    pattern: AnyPattern = "literal",
    permission: Permission = None,
) -> Operation:
    """Remove the ACLs that match every option given; --dry-run shows which. Only those that were shown are removed.

    Replaces kafka-acls --remove.

    \b
    Example:
      logctl acl revoke --principal User:alice --topic orders --dry-run
    """
    from logctl.admin.acls import Revoke

    if (principal or host) and (denied or denied_host):
        raise UsageError("remove allowing and denying ACLs one after the other", "two commands")
    kind = permission or ("deny" if denied or denied_host else "allow" if principal or host else None)
    resources = _resources(topic, group, cluster, transactional_id, token, user)
    required([*(principal or ()), *(denied or ()), *resources], "neither a principal nor a resource was named")
    principals, hosts = [*(principal or ()), *(denied or ())], [*(host or ()), *(denied_host or ())]
    spelt = pattern if resources or pattern != "literal" else "any"
    return Revoke(_filter(principals, hosts, operation, resources, spelt, kind))


# -- presets -----------------------------------------------------------------------------------------------------------

Remove = Annotated[bool, typer.Option("--remove", help="Revoke what the preset grants.")]


@changing
def producer_command(
    session: Session,
    principal: Allowed = None,
    denied: Denied = None,
    host: AllowedHosts = None,
    denied_host: DeniedHosts = None,
    topic: Topics = None,
    transactional_id: TransactionalIds = None,
    idempotent: Annotated[
        bool, typer.Option("--idempotent", help="Also idempotent writing, which brokers before 3.0 ask for.")
    ] = False,
    pattern: Pattern = "literal",
    remove: Remove = False,
) -> Operation:
    """Grant what a producer needs: write, describe and create on topics, write and describe on transactional ids.

    Replaces kafka-acls --producer.

    \b
    Example:
      logctl acl preset producer --principal User:alice --topic orders
    """
    from logctl.admin.acl_rules import producer_rules

    who = _who(principal, denied, host, denied_host)
    topics = required(topic, "no topic was named")
    return _preset(producer_rules(who, topics, transactional_id or (), idempotent, _pattern(pattern)), remove)


@changing
def consumer_command(
    session: Session,
    principal: Allowed = None,
    denied: Denied = None,
    host: AllowedHosts = None,
    denied_host: DeniedHosts = None,
    topic: Topics = None,
    group: Groups = None,
    pattern: Pattern = "literal",
    remove: Remove = False,
) -> Operation:
    """Grant what a member of a consumer group needs: read and describe on topics, read on the group.

    Replaces kafka-acls --consumer.

    \b
    Example:
      logctl acl preset consumer --principal User:bob --topic orders --group billing
    """
    from logctl.admin.acl_rules import consumer_rules

    who = _who(principal, denied, host, denied_host)
    topics, groups = required(topic, "no topic was named"), required(group, "no group was named")
    return _preset(consumer_rules(who, topics, groups, _pattern(pattern)), remove)


def _preset(rules: list[Rule], remove: bool) -> Operation:
    from logctl.admin.acls import Grant, RevokeRules

    return RevokeRules(tuple(rules)) if remove else Grant(tuple(rules))


# -- files -------------------------------------------------------------------------------------------------------------


@changing
def import_command(session: Session, file: File = None) -> Operation:
    """Add the ACLs of a file, as `acl export` or `acl list -o yaml` writes it. Nothing is removed.

    \b
    Example:
      logctl acl import acls.yaml --dry-run
    """
    from logctl.admin.acls import Grant
    from logctl.admin.state_files import read_acls

    rules = read_acls(required(file, "no file was named"))
    if not rules:
        raise UsageError(f"{file}: there are no ACLs in it")
    return Grant(tuple(rules))


@talking
def export_command(
    session: Session,
    principal: Allowed = None,
    topic: Topics = None,
    group: Groups = None,
    pattern: AnyPattern = "any",
    form: DocumentForm = Format.YAML,
) -> None:
    """Write ACLs as a document that `acl import` reads, and that can stand in a state file.

    \b
    Example:
      logctl acl export > acls.yaml
    """
    from logctl.admin.acls import list_rules

    resources = _resources(topic, group, False, None, None, None)
    wanted = _filter(principal, None, None, resources, pattern, None)
    rules = list_rules(session.cluster, wanted, session.deadline)
    write_document({"acls": [rule._asdict() for rule in rules]}, form)


# -- arguments ---------------------------------------------------------------------------------------------------------


def _who(allowed: Names, denied: Names, hosts: Names, denied_hosts: Names) -> Who:
    from logctl.admin.acl_rules import Who

    who = Who(*(tuple(given or ()) for given in (allowed, denied, hosts, denied_hosts)))
    required(list(who.each()), "no principal was named")
    return who


def _resources(
    topics: Names, groups: Names, cluster: bool, ids: Names, tokens: Names, users: Names
) -> list[tuple[str, str]]:
    from logctl.admin.acl_rules import CLUSTER_NAME

    named: Mapping[str, Sequence[str] | None] = {
        "topic": topics,
        "group": groups,
        "cluster": [CLUSTER_NAME] if cluster else None,
        "transactional-id": ids,
        "delegation-token": tokens,
        "user": users,
    }
    return [(kind, name) for kind, names in named.items() for name in names or ()]


def _filter(
    principals: Sequence[str] | None,
    hosts: Sequence[str] | None,
    operations: Names,
    resources: Sequence[tuple[str, str | None]],
    pattern: str,
    permission: str | None,
) -> Filter:
    from logctl.admin.acl_rules import Filter, check_principal, word_from

    for principal in principals or ():
        check_principal(principal)
    return Filter(
        tuple(principals or ()),
        tuple(hosts or ()),
        tuple(resources),
        word_from("pattern type", pattern),
        tuple(one for one in _operations(operations) if one != "any"),
        word_from("permission", permission or "any"),
    )


def _operations(given: Names) -> list[str]:
    from logctl.admin.acl_rules import word_from

    return [word_from("operation", one) for one in given or ()]


def _pattern(given: str) -> str:
    from logctl.admin.acl_rules import word_from

    return word_from("pattern type", given)


# -- output ------------------------------------------------------------------------------------------------------------


def _item(rule: Rule) -> ListedAcl:
    return {
        "name": str(rule),
        "principal": rule.principal,
        "host": rule.host,
        "resource_type": rule.resource_type,
        "resource_name": rule.resource_name,
        "pattern_type": rule.pattern_type,
        "operation": rule.operation,
        "permission": rule.permission,
    }
