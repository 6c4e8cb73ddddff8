"""logctl quota: list, describe, set and unset what users, clients and addresses may do; quotas from and to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli.command import changing, reading, required, talking
from logctl.cli.documents import DocumentForm, write_document
from logctl.cli.output import Column, Format, Listing, Nested, OfCluster, View, neutral
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.admin.quotas import Quota, Subject
    from logctl.cli.session import Session

User = Annotated[str | None, typer.Option("--user", metavar="NAME", help="Of this user.")]
Client = Annotated[str | None, typer.Option("--client", metavar="ID", help="Of this client id.")]
Address = Annotated[str | None, typer.Option("--ip", metavar="ADDRESS", help="Of this address.")]
UserDefaults = Annotated[bool, typer.Option("--user-defaults", help="Of users that have none of their own.")]
ClientDefaults = Annotated[bool, typer.Option("--client-defaults", help="Of client ids that have none of their own.")]
AddressDefaults = Annotated[bool, typer.Option("--ip-defaults", help="Of addresses that have none of their own.")]
File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="YAML or JSON with a list `quotas`; '-' reads stdin.")
]


def register(app: typer.Typer) -> None:
    """Add `logctl quota`."""
    quota = typer.Typer(no_args_is_help=True, help="List and change the quotas of users, client ids and addresses.")
    quota.command("list")(list_command)
    quota.command("ls", hidden=True)(list_command)
    quota.command("describe")(describe_command)
    quota.command("set")(set_command)
    quota.command("unset")(unset_command)
    quota.command("import")(import_command)
    quota.command("export")(export_command)
    app.add_typer(quota, name="quota")


class Part(TypedDict):
    type: Annotated[str, "user, client-id or ip"]
    name: Annotated[str | None, "null: the default, for those without a quota of their own"]


class ListedQuota(TypedDict):
    name: Annotated[str, "whose quota, in one text"]
    entity: Annotated[list[Part], "whose quota: one part, or a user and a client id"]
    limits: Annotated[dict[str, float], "by name: bytes a second, percent of one thread, or a number a second"]


class DescribedLimit(TypedDict):
    limit: str
    value: Annotated[float, "bytes a second, percent of one thread, or a number a second"]
    each: Annotated[str, "'per broker', or 'of the controller': it holds for all of them together"]
    meaning: str


class DescribedQuota(TypedDict):
    name: Annotated[str, "whose quota, in one text"]
    entity: Annotated[list[Part], "whose quota: one part, or a user and a client id"]
    limits: list[DescribedLimit]


def _limit(key: str) -> Any:
    def cell(quota: Mapping[str, Any]) -> str:
        from logctl.admin.quotas import limit_text

        return limit_text(key, quota["limits"][key]) if key in quota["limits"] else "-"

    return cell


def _value(key: str) -> Any:
    return lambda quota: quota["limits"].get(key)


def _column(title: str, key: str, *, wide: bool = False) -> Column:
    return Column(title, _limit(key), number=True, wide=wide, key=_value(key))


LISTED = Listing(
    "quotas",
    ListedQuota,
    (
        Column("OF", lambda quota: quota["name"]),
        _column("PRODUCE", "producer_byte_rate"),
        _column("CONSUME", "consumer_byte_rate"),
        _column("REQUESTS", "request_percentage"),
        _column("MUTATIONS", "controller_mutation_rate", wide=True),
        _column("CONNECTIONS", "connection_creation_rate"),
    ),
    also=OfCluster,
)


def _figure(row: Mapping[str, Any]) -> str:
    from logctl.admin.quotas import limit_text

    return limit_text(row["limit"], row["value"])


def _number(row: Mapping[str, Any]) -> object:
    from logctl.admin.quotas import exact

    return exact(row["value"])


DESCRIBED = Listing(
    "quotas",
    DescribedQuota,
    (
        Column("LIMIT", lambda row: row["limit"]),
        Column("VALUE", _figure, number=True, key=lambda row: row["value"]),
        Column("EACH", lambda row: row["each"]),
        Column("NUMBER", _number, number=True, wide=True),
        Column("MEANING", lambda row: row["meaning"], wide=True),
    ),
    Nested("limits", "OF", lambda quota: f"quota of {neutral(quota['name'])}\n"),
    OfCluster,
)


@reading(LISTED)
def list_command(
    session: Session,
    user: User = None,
    client: Client = None,
    ip: Address = None,
    user_defaults: UserDefaults = False,
    client_defaults: ClientDefaults = False,
    ip_defaults: AddressDefaults = False,
) -> View:
    """List quotas; each option leaves only those that name it. Most limits hold per broker, not for the cluster.

    Replaces kafka-configs --describe --entity-type users, clients or ips.

    \b
    Example:
      logctl quota list --user alice
    """
    named = _parts(user, client, ip, user_defaults, client_defaults, ip_defaults)
    items: list[ListedQuota] = [
        {"name": str(quota.subject), "entity": _entity(quota), "limits": quota.limits}
        for quota in _found(session, named)
    ]
    return LISTED.view(items, cluster_id=session.cluster.cluster_id)


@reading(DESCRIBED)
def describe_command(
    session: Session,
    user: User = None,
    client: Client = None,
    ip: Address = None,
    user_defaults: UserDefaults = False,
    client_defaults: ClientDefaults = False,
    ip_defaults: AddressDefaults = False,
) -> View:
    """Show quotas limit by limit, with what each limit counts and whether it holds per broker.

    Replaces kafka-configs --describe --entity-type users, clients or ips.

    \b
    Example:
      logctl quota describe --user alice -o wide
    """
    named = _parts(user, client, ip, user_defaults, client_defaults, ip_defaults)
    items: list[DescribedQuota] = [
        {
            "name": str(quota.subject),
            "entity": _entity(quota),
            "limits": [_described(key, value) for key, value in quota.limits.items()],
        }
        for quota in _found(session, named)
    ]
    return DESCRIBED.view(items, cluster_id=session.cluster.cluster_id)


@changing
def set_command(
    session: Session,
    limits: Annotated[
        list[str] | None,
        typer.Argument(metavar="LIMIT=VALUE...", help="producer_byte_rate=10MiB, request_percentage=200, ..."),
    ] = None,
    user: User = None,
    client: Client = None,
    ip: Address = None,
    user_defaults: UserDefaults = False,
    client_defaults: ClientDefaults = False,
    ip_defaults: AddressDefaults = False,
    add_config: Annotated[str | None, typer.Option("--add-config", metavar="LIMIT=VALUE,...", hidden=True)] = None,
) -> Operation:
    """Set limits of a user, a client id, a user with a client id, or an address.

    Replaces kafka-configs --alter --add-config.

    \b
    Example:
      logctl quota set --user alice producer_byte_rate=10MiB consumer_byte_rate=20MiB
    """
    from logctl.admin.quotas import ChangeQuota, parse_limit

    subject = _subject(_parts(user, client, ip, user_defaults, client_defaults, ip_defaults))
    given = required([*(limits or ()), *_split(add_config)], "no limit was named")
    return ChangeQuota(subject, {key: parse_limit(key, text) for key, text in _pairs(given).items()})


@changing
def unset_command(
    session: Session,
    limits: Annotated[list[str] | None, typer.Argument(metavar="LIMIT...", help="What to take away.")] = None,
    user: User = None,
    client: Client = None,
    ip: Address = None,
    user_defaults: UserDefaults = False,
    client_defaults: ClientDefaults = False,
    ip_defaults: AddressDefaults = False,
    delete_config: Annotated[str | None, typer.Option("--delete-config", metavar="LIMIT,...", hidden=True)] = None,
) -> Operation:
    """Take limits away from a user, a client id, a user with a client id, or an address.

    Replaces kafka-configs --alter --delete-config.

    \b
    Example:
      logctl quota unset --user alice producer_byte_rate
    """
    from logctl.admin.quotas import ChangeQuota

    subject = _subject(_parts(user, client, ip, user_defaults, client_defaults, ip_defaults))
    named = required([*(limits or ()), *_split(delete_config)], "no limit was named")
    return ChangeQuota(subject, dict.fromkeys(named))


@changing
def import_command(session: Session, file: File = None) -> Operation:
    """Set the quotas of a file, as `quota export` writes it. Limits that it does not name stay as they are.

    \b
    Example:
      logctl quota import quotas.yaml --dry-run
    """
    from logctl.admin.quotas import ImportQuotas
    from logctl.admin.state_files import read_quotas

    return ImportQuotas(tuple(read_quotas(required(file, "no file was named"))))


@talking
def export_command(session: Session, form: DocumentForm = Format.YAML) -> None:
    """Write all quotas as a document that `quota import` reads, and that can stand in a state file.

    \b
    Example:
      logctl quota export > quotas.yaml
    """
    from logctl.admin.quotas import list_quotas
    from logctl.admin.state_export import quota_document

    quotas = list_quotas(session.cluster, session.deadline)
    write_document({"quotas": [quota_document(quota) for quota in quotas]}, form)


# -- arguments ---------------------------------------------------------------------------------------------------------


def _parts(
    user: str | None, client: str | None, ip: str | None, any_user: bool, any_client: bool, any_ip: bool
) -> list[tuple[str, str | None]]:
    """What the flags name. Raises UsageError where a name and the default exclude each other."""
    parts: list[tuple[str, str | None]] = []
    for kind, flag, name, default in (
        ("user", "user", user, any_user),
        ("client-id", "client", client, any_client),
        ("ip", "ip", ip, any_ip),
    ):
        if name is not None and default:
            raise UsageError(f"--{flag} {name} and --{flag}-defaults exclude each other")
        if name is not None or default:
            parts.append((kind, name))
    return parts


def _subject(parts: Sequence[tuple[str, str | None]]) -> Subject:
    from logctl.admin.quotas import Subject, in_order

    subject = Subject(in_order(parts))
    subject.check()
    return subject


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for one in given:
        key, equals, text = (part.strip() for part in one.partition("="))
        if not equals:
            raise UsageError(f"{one}: a limit is set as LIMIT=VALUE", "to take one away: `logctl quota unset`")
        if key in pairs:
            raise UsageError(f"{key} is given twice")
        pairs[key] = text
    return pairs


def _split(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part.strip()]


# -- output ------------------------------------------------------------------------------------------------------------


def _found(session: Session, named: Sequence[tuple[str, str | None]]) -> list[Quota]:
    from logctl.admin.quotas import list_quotas

    session.cluster.refresh(session.deadline)
    quotas = list_quotas(session.cluster, session.deadline)
    return [quota for quota in quotas if all(part in quota.subject.parts for part in named)]


def _entity(quota: Quota) -> list[Part]:
    return [{"type": kind, "name": name} for kind, name in quota.subject.parts]


def _described(key: str, value: float) -> DescribedLimit:
    from logctl.admin.quotas import LIMITS

    known = LIMITS.get(key)
    return {
        "limit": key,
        "value": value,
        "each": known.each if known else "",
        "meaning": known.meaning if known else "",
    }
