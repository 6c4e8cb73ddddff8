"""logctl config: list, get, diff, set, unset, append, subtract settings of topics, brokers, groups and more.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

import typer

from logctl.cli import output
from logctl.cli.command import changing, reading
from logctl.cli.config_entities import (
    AllBrokers,
    Brokers,
    EntityDefault,
    EntityNames,
    EntityType,
    Groups,
    Ignored,
    Loggers,
    Metrics,
    Named,
    Topics,
    named_by,
)
from logctl.cli.output import Column, Listing, OfCluster, View
from logctl.errors import LogctlError, OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.admin.config_changes import ChangeSettings, Edit
    from logctl.admin.configs import Config, Entity
    from logctl.admin.operation import Operation
    from logctl.cli.session import Session

_ENTITIES: Final[dict[str, tuple[Any, Any]]] = {
    "topic": (Topics, None),
    "broker": (Brokers, None),
    "all_brokers": (AllBrokers, False),
    "group": (Groups, None),
    "client_metrics": (Metrics, None),
    "broker_logger": (Loggers, None),
    "entity_type": (EntityType, None),
    "entity_name": (EntityNames, None),
    "entity_default": (EntityDefault, False),
    "as_apache": (Ignored, False),
}

Everything = Annotated[bool, typer.Option("--all", help="Also what holds by default or is inherited.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="SETTING...", help="Names of settings.")]
Pairs = Annotated[list[str] | None, typer.Argument(metavar="SETTING=VALUE...", help="What to set.")]
AddConfig = Annotated[list[str] | None, typer.Option("--add-config", metavar="A=B,C=[D,E]", hidden=True)]
DeleteConfig = Annotated[list[str] | None, typer.Option("--delete-config", metavar="A,B", hidden=True)]
AddFile = Annotated[
    str | None,
    typer.Option("--add-config-file", metavar="FILE", help="Settings in a .properties file; secrets belong there."),
]


def register(app: typer.Typer) -> None:
    """Add `logctl config`."""
    config = typer.Typer(
        no_args_is_help=True, help="Show, compare and change settings of topics, brokers, groups, loggers and metrics."
    )
    config.command("list")(list_command)
    config.command("ls", hidden=True)(list_command)
    config.command("get")(get_command)
    config.command("diff")(diff_command)
    config.command("set")(set_command)
    config.command("unset")(unset_command)
    config.command("append")(append_command)
    config.command("subtract")(subtract_command)
    app.add_typer(config, name="config")


def of_entities(command: Callable[..., Any]) -> Callable[..., Any]:
    """(session, Named, own flags) with the flags that say whose settings are meant in place of `Named`."""
    own = list(inspect.signature(command).parameters.values())[2:]

    def with_flags(session: Session, **given: Any) -> Any:
        named = named_by(**{name: given.pop(name) for name in _ENTITIES})
        return command(session, named, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    flags = [
        inspect.Parameter(name, keyword, default=default, annotation=f"_ENTITIES[{name!r}][0]")
        for name, (_, default) in _ENTITIES.items()
    ]
    session = inspect.Parameter("session", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [session, *(one.replace(kind=keyword) for one in own), *flags]
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__name__, with_flags.__doc__ = command.__name__, command.__doc__
    return with_flags


# -- showing -----------------------------------------------------------------------------------------------------------


class LayerItem(TypedDict):
    name: str
    value: Annotated[str | None, "null for a secret"]
    source: str


class SettingItem(TypedDict):
    name: str
    entity_kind: Annotated[str, "topic, broker, all (brokers), group, client-metrics or broker-logger"]
    entity_name: str
    value: Annotated[str | None, "what holds; null for a secret"]
    source: Annotated[str, "where that value comes from"]
    set_here: Annotated[bool, "set on the entity itself"]
    read_only: bool
    sensitive: Annotated[bool, "its value is never shown"]
    type: str
    documentation: str | None
    layers: Annotated[list[LayerItem], "where the setting is set, the strongest first"]


SETTINGS = Listing(
    "settings",
    SettingItem,
    (
        Column("OF", lambda item: f"{item['entity_kind']} {item['entity_name']}"),
        Column("NAME", lambda item: item["name"]),
        Column("VALUE", lambda item: "(not shown)" if item["sensitive"] else item["value"] or ""),
        Column("FROM", lambda item: item["source"]),
        Column("TYPE", lambda item: item["type"], wide=True),
        Column("READ-ONLY", lambda item: "yes" if item["read_only"] else "no", wide=True),
        Column("MEANING", lambda item: item["documentation"] or "", wide=True),
    ),
    also=OfCluster,
)


@reading(SETTINGS)
@of_entities
def list_command(session: Session, named: Named, everything: Everything = False) -> View:
    """List what is set on topics, brokers, all brokers, groups, loggers or client metrics.

    Topics may be patterns. Replaces kafka-configs --describe, and with --all its --all.

    \b
    Example:
      logctl config list --topic orders --all -o wide
    """
    found, failures = _described(session, named)
    items = [
        _setting(entity, config)
        for entity, configs in found.items()
        for config in configs
        if everything or config.is_set
    ]
    return _shown(session, items, failures, several=len(found) + len(failures) != 1)


@reading(SETTINGS)
@of_entities
def get_command(session: Session, named: Named, names: Names = None) -> View:
    """Show what holds for a setting, wherever it comes from; of a single one the value alone.

    \b
    Example:
      logctl config get --topic orders retention.ms
    """
    wanted = list(dict.fromkeys(names or ()))
    if not wanted:
        raise UsageError("no setting was named", "`logctl config list --all` shows every one")
    found, failures = _described(session, named)
    items = []
    for entity, configs in found.items():
        known = {config.name: config for config in configs}
        for name in wanted:
            if name in known:
                items.append(_setting(entity, known[name]))
            else:
                failures[f"{entity}: {name}"] = _unknown(entity, name, known)
    if not items and failures:
        raise next(iter(failures.values()))
    view = _shown(session, items, failures, several=len(found) + len(failures) != 1)
    if len(items) == 1 and not failures:
        return view._replace(plain="(not shown)" if items[0]["sensitive"] else items[0]["value"] or "")
    return view


def _described(session: Session, named: Named) -> tuple[dict[Entity, list[Config]], dict[str, LogctlError]]:
    """The settings of each of those named, and why others' could not be had. Raises that when there are none at all."""
    from logctl.admin.configs import describe_each

    entities = named.found(session)
    gathered = describe_each(session.cluster, entities, session.deadline)
    failures = {str(entity): error for entity, error in gathered.missing.items()}
    if failures and not gathered.answers:
        raise next(iter(failures.values()))
    return {entity: gathered.answers[entity] for entity in entities if entity in gathered.answers}, failures


def _shown(
    session: Session, items: list[SettingItem], failures: Mapping[str, LogctlError], *, several: bool
) -> View:
    """The listing; whose a setting is, is a column of its own only when there are several they could be of."""
    view = SETTINGS.view(items, failures, cluster_id=_cluster_id(session))
    if several:
        return view
    return view._replace(columns=[SETTINGS.columns[0]._replace(wide=True), *SETTINGS.columns[1:]])


def _cluster_id(session: Session) -> str | None:
    return session.cluster.cluster_id or session.cluster.refresh(session.deadline).cluster_id


def _setting(entity: Entity, config: Config) -> SettingItem:
    return {
        "name": config.name,
        "entity_kind": entity.kind,
        "entity_name": entity.name,
        "value": None if config.sensitive else config.value,
        "source": config.source,
        "set_here": config.is_set,
        "read_only": config.read_only,
        "sensitive": config.sensitive,
        "type": config.type,
        "documentation": config.documentation,
        "layers": [
            {"name": one.name, "value": None if config.sensitive else one.value, "source": one.source}
            for one in config.layers
        ],
    }


def _unknown(entity: Entity, name: str, known: Mapping[str, Config]) -> LogctlError:
    from logctl.admin.topics import near_names

    near = near_names(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"see `logctl config list --all` for what {entity} has"
    return OperationFailed(f"{entity} has no setting {name}", hint)


# -- comparing ---------------------------------------------------------------------------------------------------------


class Side(TypedDict):
    value: Annotated[str | None, "null for a secret, and where the setting is not known"]
    source: Annotated[str | None, "where it comes from; null where the setting is not known"]
    known: bool


class DifferenceItem(TypedDict):
    name: str
    left: Side
    right: Side
    sensitive: bool


class OfComparison(TypedDict):
    cluster_id: str | None
    left: Annotated[str, "'topic orders'"]
    right: Annotated[str, "'topic payments', or 'topic orders of HOST:PORT'"]


DIFFERENCES = Listing(
    "differences",
    DifferenceItem,
    (
        Column("NAME", lambda item: item["name"]),
        Column("LEFT", lambda item: _side(item, "left")),
        Column("RIGHT", lambda item: _side(item, "right")),
        Column("LEFT-FROM", lambda item: item["left"]["source"] or "-"),
        Column("RIGHT-FROM", lambda item: item["right"]["source"] or "-"),
    ),
    also=OfComparison,
)


@reading(DIFFERENCES)
@of_entities
def diff_command(
    session: Session,
    named: Named,
    to_context: Annotated[
        str | None, typer.Option("--to-context", metavar="NAME", help="Compare with the cluster of that context.")
    ] = None,
    to_bootstrap: Annotated[
        str | None, typer.Option("--to-bootstrap", metavar="HOST:PORT", help="Compare with the cluster there.")
    ] = None,
) -> View:
    """Show in which settings two topics, two brokers, or a topic here and in another cluster differ.

    Name two of a kind, or one (or two, the second for there) with --to-context or --to-bootstrap.

    \b
    Example:
      logctl config diff --topic orders --topic payments
    """
    from logctl.admin.config_diff import differences
    from logctl.admin.configs import describe_each

    entities = named.found(session)
    elsewhere = to_context is not None or to_bootstrap is not None
    if named.every is not None or len(entities) > 2 or (len(entities) < 2 and not elsewhere):
        raise UsageError(
            "two things are compared, and "
            + (f"{len(entities)} were named" if len(entities) != 1 else "only one was named"),
            "name two, or one with --to-context or --to-bootstrap",
        )
    left, right = entities[0], entities[-1]
    asked = describe_each(session.cluster, [left] if elsewhere else [left, right], session.deadline)
    for error in asked.missing.values():
        raise error
    there = _elsewhere(session, right, to_context, to_bootstrap) if elsewhere else asked.answers[right]
    items: list[DifferenceItem] = [
        {
            "name": one.name,
            "left": _side_item(one.left),
            "right": _side_item(one.right),
            "sensitive": any(config is not None and config.sensitive for config in (one.left, one.right)),
        }
        for one in differences(asked.answers[left], there)
    ]
    where = f" of {to_context or to_bootstrap}" if elsewhere else ""
    if not items:
        output.note(f"{left} and {right}{where} have the same settings")
    return DIFFERENCES.view(items, cluster_id=_cluster_id(session), left=str(left), right=f"{right}{where}")


def _elsewhere(
    session: Session, entity: Entity, to_context: str | None, to_bootstrap: str | None
) -> list[Config]:
    """The settings of an entity of another cluster, reached as this one is unless a context says otherwise."""
    from logctl.admin.configs import describe_settings
    from logctl.cli.session import Target, connected

    if to_context is not None and to_bootstrap is not None:
        raise UsageError("the other cluster is named by --to-context or --to-bootstrap, not both")
    target = Target(context=to_context) if to_context else session.target._replace(bootstrap=to_bootstrap)
    with connected(target, f"{max(0.001, session.deadline.left_s):.3f}s") as other:
        return describe_settings(other.cluster, entity, other.deadline)


def _side_item(config: Config | None) -> Side:
    if config is None:
        return {"value": None, "source": None, "known": False}
    return {"value": None if config.sensitive else config.value, "source": config.source, "known": True}


def _side(item: Mapping[str, Any], side: str) -> str:
    if not item[side]["known"]:
        return "(unknown)"
    return "(not shown)" if item["sensitive"] else item[side]["value"] or ""


# -- changing ----------------------------------------------------------------------------------------------------------


@changing
@of_entities
def set_command(
    session: Session,
    named: Named,
    settings: Pairs = None,
    add_config: AddConfig = None,
    add_file: AddFile = None,
    delete_config: DeleteConfig = None,
) -> Operation:
    """Set settings, on each of those named alike, and wait until the cluster shows them.

    A secret is not given on the command line, where others can read it: write env:NAME, file:PATH or prompt: for its
    value, or use --add-config-file. Replaces kafka-configs --alter --add-config.

    \b
    Example:
      logctl config set --topic orders retention.ms=86400000
    """
    from logctl.admin.config_input import apache_pairs, from_command_line, from_file
    from logctl.cli.asking import ask_unseen

    pairs = [*(settings or ()), *(pair for text in add_config or () for pair in apache_pairs(text))]
    edits = from_command_line(pairs, ask_unseen)
    edits.update(from_file(add_file, ask_unseen) if add_file is not None else {})
    edits.update(dict.fromkeys(_split_names(delete_config)))
    return _change(session, named, edits)


@changing
@of_entities
def unset_command(
    session: Session, named: Named, names: Names = None, delete_config: DeleteConfig = None
) -> Operation:
    """Put settings back to what is inherited.

    Replaces kafka-configs --alter --delete-config.

    \b
    Example:
      logctl config unset --topic orders retention.ms
    """
    return _change(session, named, dict.fromkeys([*(names or ()), *_split_names(delete_config)]))


@changing
@of_entities
def append_command(session: Session, named: Named, settings: Pairs = None) -> Operation:
    """Add entries to settings that are lists, those that are not in them yet.

    \b
    Example:
      logctl config append --topic orders cleanup.policy=compact
    """
    from logctl.admin.config_changes import Append
    from logctl.admin.config_input import entries, parse_settings

    pairs = parse_settings(settings or ())
    return _change(session, named, {name: Append(entries(value)) for name, value in pairs.items()})


@changing
@of_entities
def subtract_command(session: Session, named: Named, settings: Pairs = None) -> Operation:
    """Take entries out of settings that are lists.

    \b
    Example:
      logctl config subtract --topic orders cleanup.policy=compact
    """
    from logctl.admin.config_changes import Subtract
    from logctl.admin.config_input import entries, parse_settings

    pairs = parse_settings(settings or ())
    return _change(session, named, {name: Subtract(entries(value)) for name, value in pairs.items()})


def _change(session: Session, named: Named, edits: Mapping[str, Edit]) -> ChangeSettings:
    from logctl.admin.config_changes import ChangeSettings

    if not edits:
        raise UsageError("no setting was named", "see --help of this command")
    if named.every is not None:
        raise UsageError(f"every {named.every} would be changed", "name those that are meant, with --entity-name")
    first, *more = named.found(session)
    return ChangeSettings(first, dict(edits), tuple(more))


def _split_names(lists: list[str] | None) -> list[str]:
    return [name.strip() for text in lists or () for name in text.split(",") if name.strip()]
