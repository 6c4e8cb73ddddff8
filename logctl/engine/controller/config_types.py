"""What a dynamic config is: its name, type, default, what is allowed, the setting behind it, and what it does.

The tables of configs (`topic_configs`, `group_configs`, `metrics_configs`) are made of these. Values are text, as on
the wire; `typed` gives them their type, or says in a clause what is wrong with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

from logctl.wire import errors
from logctl.wire.errors import WireError


class ConfigType(IntEnum):
    """Numbers of DescribeConfigs."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7


class Source(IntEnum):
    """Where a value comes from. Numbers of DescribeConfigs and CreateTopics; for a topic 1 is the strongest."""

    TOPIC = 1
    BROKER = 2
    ALL_BROKERS = 3
    SETTINGS_FILE = 4
    DEFAULT = 5
    LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


Check = Callable[[Any], str | None]
"""Answers what is wrong with a typed value, or None."""

_NO_EFFECT: Final = "It is accepted, but this engine does not act on it."


class Synonym(NamedTuple):
    """A broker setting that is the server's default of a config, in a unit `factor` times as large."""

    name: str
    factor: int = 1

    def convert(self, text: str) -> str:
        return str(int(text) * self.factor) if self.factor != 1 and _INTEGER.fullmatch(text) else text


class Config(NamedTuple):
    """One line of a table. `default` is None for configs that have none and are shown only when set."""

    name: str
    type: ConfigType
    default: str | None
    check: Check
    synonyms: tuple[Synonym, ...]
    about: str
    acted_on: bool = True

    @property
    def documentation(self) -> str:
        return self.about if self.acted_on else f"{self.about} {_NO_EFFECT}"


class Setting(NamedTuple):
    """A value that holds, the layer it comes from and the name it has there."""

    name: str
    value: str | None
    source: Source


def config(name: str, kind: str, default: str | None, check: Check, synonyms: str, about: str) -> Config:
    """A line of a table. `synonyms`: 'log.retention.ms log.retention.minutes*60000', strongest first. A star before
    the documentation: the engine acts on the config."""
    pairs = (entry.partition("*") for entry in synonyms.split())
    known = tuple(Synonym(setting, int(factor or 1)) for setting, _, factor in pairs)
    return Config(name, _KINDS[kind], default, check, known, about.removeprefix("* "), about.startswith("* "))


_KINDS: Final = {
    "bool": ConfigType.BOOLEAN,
    "string": ConfigType.STRING,
    "int": ConfigType.INT,
    "long": ConfigType.LONG,
    "double": ConfigType.DOUBLE,
    "list": ConfigType.LIST,
}


def anything(value: Any) -> str | None:
    return None


def at_least(lowest: float) -> Check:
    return lambda value: None if value >= lowest else f"it must be at least {lowest}"


def between(lowest: float, highest: float) -> Check:
    return lambda value: None if lowest <= value <= highest else f"it must be between {lowest} and {highest}"


def one_of(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"it must be one of {', '.join(allowed)}"


def each_of(*allowed: str) -> Check:
    said = f"it may only list {', '.join(allowed)}"
    return lambda values: None if all(value in allowed for value in values) else said


_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BITS: Final = {ConfigType.INT: 32, ConfigType.LONG: 64}


def typed(kind: ConfigType, text: str) -> tuple[Any, str | None]:
    """(value, what is wrong)."""
    if kind is ConfigType.LIST:
        return ([entry.strip() for entry in text.split(",")] if text else []), None
    if kind is ConfigType.BOOLEAN:
        return text.lower() == "true", None if text.lower() in ("true", "false") else "it must be true or false"
    if kind is ConfigType.DOUBLE:
        return (float(text), None) if _NUMBER.fullmatch(text) else (None, "it is not a number")
    if kind in _BITS:
        fits = _INTEGER.fullmatch(text) and -(2 ** (_BITS[kind] - 1)) <= int(text) < 2 ** (_BITS[kind] - 1)
        return (int(text), None) if fits else (None, f"it is not a whole number of {_BITS[kind]} bits")
    return text, None


def parse_in(table: Mapping[str, Config], whose: str, name: str, text: str) -> Any:
    """The typed value of a config given as text; `whose` is 'topic', 'group'... Raises WireError INVALID_CONFIG."""
    known = table.get(name)
    if known is None:
        raise WireError(errors.INVALID_CONFIG, f"There is no {whose} config named {name}")
    value, objection = typed(known.type, text.strip())
    objection = objection or known.check(value)
    if objection:
        raise WireError(errors.INVALID_CONFIG, f"Value {text!r} is not allowed for {name}: {objection}")
    return value
