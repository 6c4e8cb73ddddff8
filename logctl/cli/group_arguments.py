"""What the commands of `logctl group` have in common: how groups and topics are named, and a few cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from logctl.admin.groups import Selection

Patterns = Annotated[
    list[str] | None, typer.Argument(metavar="[GROUP]...", help="Names or shell patterns ('order*'); all by default.")
]
Targets = Annotated[
    list[str] | None, typer.Argument(metavar="GROUP...", help="Names or shell patterns ('order*').")
]
Named = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="GROUP", help="A name, as kafka-consumer-groups takes it. May be repeated."),
]
AllGroups = Annotated[
    bool, typer.Option("--all-groups", help="All of them, which is the default; as kafka-consumer-groups takes it.")
]
EveryGroup = Annotated[bool, typer.Option("--all-groups", help="Every group of the cluster that nobody is in.")]
States = Annotated[
    str | None, typer.Option("--state", metavar="STATE,...", help="Only groups in these states: stable, empty, ...")
]
Kinds = Annotated[
    str | None,
    typer.Option("--type", "--group-type", metavar="TYPE,...", help="Only these: classic, consumer, share, streams."),
]
Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topic", "--input-topic", metavar="TOPIC[:0,1]", help="A topic, or some of its partitions. May be repeated."
    ),
]


def names_of(groups: Sequence[str] | None, named: Sequence[str] | None) -> tuple[str, ...]:
    """Arguments and --group together, each once."""
    return tuple(dict.fromkeys([*(groups or ()), *(named or ())]))


def selection(
    groups: list[str] | None, named: list[str] | None, state: str | None = None, kind: str | None = None
) -> Selection:
    """Which groups the flags mean."""
    from logctl.admin.groups import Selection

    return Selection(names_of(groups, named), _words(state), _words(kind))


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in (text or "").split(",") if word.strip())


def places_text(assignment: Mapping[str, Sequence[int]] | None) -> str:
    """'orders(0,1) payments(2)', as kafka-consumer-groups writes it."""
    held = (f"{topic}({','.join(map(str, numbers))})" for topic, numbers in sorted((assignment or {}).items()))
    return " ".join(held) or "-"
