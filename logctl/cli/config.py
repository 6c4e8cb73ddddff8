"""logctl config: list, get, set, unset settings of topics, brokers and groups.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from logctl.cli import output
from logctl.cli.options import (
    DEFAULT_TIMEOUT,
    Bootstrap,
    DryRun,
    ExitCode,
    NoHeaders,
    Output,
    Properties,
    Timeout,
    Yes,
)
from logctl.cli.output import Column, Format, View
from logctl.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.admin.configs import Config, Entity

Topic = Annotated[str | None, typer.Option("--topic", metavar="NAME", help="Settings of this topic.")]
Broker = Annotated[str | None, typer.Option("--broker", metavar="ID", help="Settings of this broker.")]
AllBrokers = Annotated[
    bool, typer.Option("--broker-defaults", help="Settings made for all brokers, which their own come before.")
]
Group = Annotated[str | None, typer.Option("--group", metavar="NAME", help="Settings of this group.")]
EntityType = Annotated[str | None, typer.Option("--entity-type", hidden=True)]
EntityName = Annotated[str | None, typer.Option("--entity-name", hidden=True)]
EntityDefault = Annotated[bool, typer.Option("--entity-default", hidden=True)]
Everything = Annotated[bool, typer.Option("--all", help="Also what holds by default or is inherited.")]

_APACHE_TYPES: Final = {"topics": "topic", "brokers": "broker", "groups": "group"}


def register(app: typer.Typer) -> None:
    """Add `logctl config`."""
    config = typer.Typer(no_args_is_help=True, help="List, get, set and unset settings of topics, brokers and groups.")
    config.command("list")(list_command)
    config.command("ls", hidden=True)(list_command)
    config.command("get")(get_command)
    config.command("set")(set_command)
    config.command("unset")(unset_command)
    app.add_typer(config, name="config")


def list_command(
    topic: Topic = None,
    broker: Broker = None,
    all_brokers: AllBrokers = False,
    group: Group = None,
    everything: Everything = False,
    entity_type: EntityType = None,
    entity_name: EntityName = None,
    entity_default: EntityDefault = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    no_headers: NoHeaders = False,
) -> None:
    """List what is set on a topic, a broker, all brokers or a group.

    Replaces kafka-configs --describe, and with --all its --all.

    \b
    Example:
      logctl config list --topic orders --all -o wide
    """
    from logctl.admin.configs import describe_settings
    from logctl.cli.session import Target, connected

    entity = one_entity(topic, broker, all_brokers, group, (entity_type, entity_name, entity_default))
    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        found = describe_settings(session.cluster, entity, session.deadline)
    chosen = found if everything else [config for config in found if config.is_set]
    output.show(_listing(entity, chosen), form, headers=not no_headers)


def get_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="SETTING...", help="Names of settings.")] = None,
    topic: Topic = None,
    broker: Broker = None,
    all_brokers: AllBrokers = False,
    group: Group = None,
    entity_type: EntityType = None,
    entity_name: EntityName = None,
    entity_default: EntityDefault = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    no_headers: NoHeaders = False,
) -> None:
    """Show what holds for a setting, wherever it comes from; of a single one the value alone.

    \b
    Example:
      logctl config get --topic orders retention.ms
    """
    from logctl.admin.configs import describe_settings
    from logctl.cli.session import Target, connected

    entity = one_entity(topic, broker, all_brokers, group, (entity_type, entity_name, entity_default))
    wanted = list(dict.fromkeys(names or ()))
    if not wanted:
        raise UsageError("no setting was named", "`logctl config list --all` shows every one")
    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        found = {config.name: config for config in describe_settings(session.cluster, entity, session.deadline)}
    chosen = [_known(entity, name, found) for name in wanted]
    if form is Format.TABLE and len(chosen) == 1:
        output.write(f"{output.neutral(chosen[0].shown)}\n")
    else:
        output.show(_listing(entity, chosen), form, headers=not no_headers)


def set_command(
    settings: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="What to set.")] = None,
    topic: Topic = None,
    broker: Broker = None,
    all_brokers: AllBrokers = False,
    group: Group = None,
    entity_type: EntityType = None,
    entity_name: EntityName = None,
    entity_default: EntityDefault = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
) -> int:
    """Set settings of a topic, a broker, all brokers or a group, and wait until the cluster shows them.

    Replaces kafka-configs --alter --add-config.

    \b
    Example:
      logctl config set --topic orders retention.ms=86400000
    """
    entity = one_entity(topic, broker, all_brokers, group, (entity_type, entity_name, entity_default))
    flags = (yes, dry_run, exit_code, form)
    return _change(entity, dict(parse_settings(settings or [])), bootstrap, properties, timeout, flags)


def unset_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="What to put back.")] = None,
    topic: Topic = None,
    broker: Broker = None,
    all_brokers: AllBrokers = False,
    group: Group = None,
    entity_type: EntityType = None,
    entity_name: EntityName = None,
    entity_default: EntityDefault = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
) -> int:
    """Put settings back to what is inherited.

    Replaces kafka-configs --alter --delete-config.

    \b
    Example:
      logctl config unset --topic orders retention.ms
    """
    entity = one_entity(topic, broker, all_brokers, group, (entity_type, entity_name, entity_default))
    flags = (yes, dry_run, exit_code, form)
    return _change(entity, dict.fromkeys(names or ()), bootstrap, properties, timeout, flags)


def _change(
    entity: Entity,
    changes: dict[str, str | None],
    bootstrap: Any,
    properties: Any,
    timeout: str,
    flags: tuple[bool, bool, bool, Format],
) -> int:
    from logctl.admin.config_changes import ChangeSettings
    from logctl.cli.run import ChangeFlags, change
    from logctl.cli.session import Target, connected

    operation = ChangeSettings(entity, changes)
    operation.check()
    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        return change(session, operation, ChangeFlags(*flags))


# -- arguments -------------------------------------------------------------------------------------------------------


def one_entity(
    topic: str | None,
    broker: str | None,
    all_brokers: bool,
    group: str | None,
    apache: tuple[str | None, str | None, bool] = (None, None, False),
) -> Entity:
    """Whose settings are meant, said in exactly one way. Raises UsageError."""
    from logctl.admin.configs import ALL_BROKERS, Entity

    named = [Entity(kind, name) for kind, name in (("topic", topic), ("broker", broker), ("group", group)) if name]
    named += [ALL_BROKERS] if all_brokers else []
    named += [_as_apache_says(*apache)] if any(apache) else []
    if len(named) != 1:
        raise UsageError(
            "say whose settings are meant" if not named else "the settings of one thing at a time",
            "with one of --topic NAME, --broker ID, --broker-defaults, --group NAME",
        )
    named[0].check()
    return named[0]


def _as_apache_says(entity_type: str | None, entity_name: str | None, entity_default: bool) -> Entity:
    from logctl.admin.configs import ALL_BROKERS, Entity

    kind = _APACHE_TYPES.get(entity_type or "")
    if kind is None:
        raise UsageError(f"--entity-type {entity_type or '?'}: it is one of {', '.join(_APACHE_TYPES)}")
    if kind == "broker" and entity_default and not entity_name:
        return ALL_BROKERS
    if entity_default or not entity_name:
        raise UsageError(f"--entity-type {entity_type} needs --entity-name")
    return Entity(kind, entity_name)


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """['retention.ms=1000'] as a dictionary. Raises UsageError."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"{pair}: a setting has the form name=value", "to put one back: `logctl config unset`")
        if name in settings:
            raise UsageError(f"{name} is given twice")
        settings[name] = value.strip()
    return settings


# -- output ----------------------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    Column("NAME", lambda item: item["name"]),
    Column("VALUE", lambda item: "(not shown)" if item["sensitive"] else item["value"] or ""),
    Column("FROM", lambda item: item["source"]),
    Column("TYPE", lambda item: item["type"], wide=True),
    Column("READ-ONLY", lambda item: "yes" if item["read_only"] else "no", wide=True),
    Column("MEANING", lambda item: item["documentation"] or "", wide=True),
)


def _known(entity: Entity, name: str, found: dict[str, Config]) -> Config:
    config = found.get(name)
    if config is None:
        from logctl.admin.topics import near_names

        near = near_names(name, found)
        hint = f"did you mean {' or '.join(near)}?" if near else f"see `logctl config list --all` for what {entity} has"
        raise OperationFailed(f"{entity} has no setting {name}", hint)
    return config


def _listing(entity: Entity, configs: list[Config]) -> View:
    items = [
        {
            "name": config.name,
            "value": config.value,
            "source": config.source,
            "set_here": config.is_set,
            "read_only": config.read_only,
            "sensitive": config.sensitive,
            "type": config.type,
            "documentation": config.documentation,
            "layers": [layer._asdict() for layer in config.layers],
        }
        for config in configs
    ]
    return View("settings", items, _COLUMNS, extra={"entity": {"kind": entity.kind, "name": entity.name}})
