"""What a cell says where there is no figure: '-' for what is unknown, words for truth, lists, places and plurals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from logctl.cli.units import UNKNOWN


def or_dash(value: object) -> object:
    """The value; '-' for None and for an empty text."""
    return UNKNOWN if value is None or value == "" else value


def yes_no(value: bool | None) -> str:
    return UNKNOWN if value is None else "yes" if value else "no"


def joined(numbers: Iterable[int] | None) -> str:
    """[1, 2] -> '1,2'; 'N/A' where the cluster does not tell."""
    if numbers is None:
        return "N/A"
    return ",".join(map(str, numbers)) or UNKNOWN


def address_text(node: Mapping[str, Any]) -> str:
    """The `host` and `port` of an item."""
    return UNKNOWN if node["host"] is None else f"{node['host']}:{node['port']}"


def counted(number: int, noun: str) -> str:
    """(1, 'topic') -> '1 topic', (1200, 'topic') -> '1,200 topics'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
