"""Whose settings a command of `logctl config` is about: the flags for it, ours and those of kafka-configs.

`named_by` makes of what was said the things that are meant; they may have to be looked up in the cluster, when a
pattern or a whole kind was named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.configs import Entity
    from logctl.cli.session import Session

Topics = Annotated[list[str] | None, typer.Option("--topic", metavar="NAME", help="Of this topic. May be repeated.")]
Brokers = Annotated[list[str] | None, typer.Option("--broker", metavar="ID", help="Of this broker. May be repeated.")]
AllBrokers = Annotated[
    bool, typer.Option("--broker-defaults", help="Made for all brokers; what a broker has of its own comes first.")
]
Groups = Annotated[list[str] | None, typer.Option("--group", metavar="NAME", help="Of this group. May be repeated.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--client-metrics", metavar="NAME", help="Of this subscription to client metrics.")
]
Loggers = Annotated[
    list[str] | None, typer.Option("--broker-logger", metavar="ID", help="Levels of the loggers of this broker.")
]
EntityType = Annotated[str | None, typer.Option("--entity-type", hidden=True)]
EntityNames = Annotated[list[str] | None, typer.Option("--entity-name", hidden=True)]
EntityDefault = Annotated[bool, typer.Option("--entity-default", hidden=True)]
Ignored = Annotated[bool, typer.Option("--describe", "--alter", hidden=True)]

_APACHE_TYPES: Final = {
    "topics": "topic",
    "brokers": "broker",
    "broker-loggers": "broker-logger",
    "groups": "group",
    "client-metrics": "client-metrics",
}
_ELSEWHERE: Final = {"users": "`logctl user` and `logctl quota`", "clients": "`logctl quota`", "ips": "`logctl quota`"}
_WAYS: Final = (
    "with --topic NAME, --broker ID, --broker-defaults, --group NAME, --client-metrics NAME or --broker-logger ID"
)


class Named:
    """The entities that the flags name, or all of a kind."""

    def __init__(self, entities: tuple[Entity, ...], every: str | None = None) -> None:
        self.entities = entities
        self.every = every

    def found(self, session: Session) -> list[Entity]:
        """The entities; asks the cluster where a pattern or no name at all was given. Raises OperationFailed."""
        from logctl.admin.configs import ALL_BROKERS, existing
        from logctl.admin.topics import is_pattern

        if self.every is not None:
            defaults = [ALL_BROKERS] if self.every == "broker" else []
            return existing(session.cluster, self.every, session.deadline) + defaults
        found: dict[Entity, None] = {}
        for entity in self.entities:
            if entity.kind == "topic" and is_pattern(entity.name):
                found.update(dict.fromkeys(_matching(session, entity.name)))
            else:
                found[entity] = None
        return list(found)


def _matching(session: Session, pattern: str) -> list[Entity]:
    import fnmatch

    from logctl.admin.configs import existing
    from logctl.errors import OperationFailed

    known = existing(session.cluster, "topic", session.deadline)
    chosen = [entity for entity in known if fnmatch.fnmatchcase(entity.name, pattern)]
    if not chosen:
        raise OperationFailed(f"no topic matches {pattern}", "`logctl topic list` shows those there are")
    return chosen


def named_by(
    topic: list[str] | None = None,
    broker: list[str] | None = None,
    all_brokers: bool = False,
    group: list[str] | None = None,
    client_metrics: list[str] | None = None,
    broker_logger: list[str] | None = None,
    entity_type: str | None = None,
    entity_name: list[str] | None = None,
    entity_default: bool = False,
    as_apache: bool = False,
) -> Named:
    """Whose settings the flags name. Raises UsageError when that is nobody's, or more than one kind's."""
    from logctl.admin.configs import ALL_BROKERS, Entity

    kinds = {
        "topic": topic,
        "broker": broker,
        "group": group,
        "client-metrics": client_metrics,
        "broker-logger": broker_logger,
    }
    entities = [Entity(kind, name) for kind, names in kinds.items() for name in names or ()]
    entities += [ALL_BROKERS] if all_brokers else []
    if entity_type is not None or entity_name or entity_default:
        said = _as_apache_says(entity_type, entity_name or [], entity_default)
        if said.every is not None and not entities:
            return said
        entities += said.entities
    if not entities:
        raise UsageError("say whose settings are meant", _WAYS)
    if len({entity.kind.replace("all", "broker") for entity in entities}) > 1:
        raise UsageError("the settings of one kind of thing at a time", _WAYS)
    for entity in entities:
        entity.check()
    return Named(tuple(dict.fromkeys(entities)))


def _as_apache_says(entity_type: str | None, names: list[str], entity_default: bool) -> Named:
    from logctl.admin.configs import ALL_BROKERS, Entity

    if entity_type in _ELSEWHERE:
        raise UsageError(f"--entity-type {entity_type}: that is looked after by {_ELSEWHERE[entity_type]}")
    kind = _APACHE_TYPES.get(entity_type or "")
    if kind is None:
        raise UsageError(f"--entity-type {entity_type or '?'}: it is one of {', '.join(_APACHE_TYPES)}")
    if kind == "broker" and entity_default and not names:
        return Named((ALL_BROKERS,))
    if entity_default:
        raise UsageError(f"--entity-default: there are no defaults of {entity_type}", "brokers alone have some")
    return Named(tuple(Entity(kind, name) for name in names), None if names else kind)
