"""The catalogue of broker settings: name, type, default, limits and meaning of everything a config file may say.

`catalogue.txt` is the table; it is read on first use, because a node that is started without settings of its own
needs little of it. `parse` turns the text an operator wrote into a value of the setting's type, or says in one
sentence why it cannot; the caller adds where the text stood.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

Value = bool | int | float | str | None
"""A list is kept as the text that was written, items separated by commas."""

_BOUNDS: Final = {
    "short": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
_TYPE_CODES: Final = {
    "boolean": 1,
    "string": 2,
    "int": 3,
    "short": 4,
    "long": 5,
    "double": 6,
    "list": 7,
    "class": 8,
    "password": 9,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    type: str
    default: str | None
    limits: str
    marks: str
    meaning: str

    @property
    def acted_on(self) -> bool:
        return "*" in self.marks

    @property
    def internal(self) -> bool:
        return "i" in self.marks

    @property
    def sensitive(self) -> bool:
        return self.type == "password"

    @property
    def read_only(self) -> bool:
        """True when the value can change only with a restart."""
        return not set("cb") & set(self.marks)

    @property
    def for_one_broker_only(self) -> bool:
        """True when it can be changed while running, but not for all brokers at once."""
        return "b" in self.marks and "c" not in self.marks

    @property
    def documentation(self) -> str:
        """The meaning as a sentence, and whether this node acts on it."""
        said = f"{self.meaning[:1].upper()}{self.meaning[1:]}."
        return said if self.acted_on else f"{said} It is accepted, but this node does not act on it."

    @property
    def type_code(self) -> int:
        """The number DescribeConfigs uses for the type."""
        return _TYPE_CODES[self.type]


class BadValue(ValueError):
    """The text is no value of the setting; the message is a sentence without the place."""


@cache
def broker_settings() -> dict[str, Setting]:
    """Every broker setting by name, in alphabetical order."""
    lines = Path(__file__).with_name("catalogue.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line and line[0] != "#"]
    return {row[0]: Setting(row[0], row[1], _default(row[2]), *row[3:]) for row in rows}


def _default(text: str) -> str | None:
    return None if text == "-" else "" if text == '""' else text


def similar(name: str, known: dict[str, Setting]) -> str:
    """The known name nearest to `name`, or an empty text."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.75)), "")


def parse(setting: Setting, text: str | None) -> Value:
    """`text` as a value of the setting's type, within its limits. Raises `BadValue`."""
    if text is None:
        return None
    value = _convert(setting, text.strip())
    _check_limits(setting, value)
    return value


def _convert(setting: Setting, text: str) -> Value:
    if setting.type == "boolean":
        if text.lower() not in ("true", "false"):
            raise BadValue(f"{setting.name} is true or false, not {text!r}")
        return text.lower() == "true"
    if setting.type in _BOUNDS:
        return _whole_number(setting, text)
    if setting.type == "double":
        try:
            return float(text)
        except ValueError:
            raise BadValue(f"{setting.name} is a number, not {text!r}") from None
    return text


def _whole_number(setting: Setting, text: str) -> int:
    low, high = _BOUNDS[setting.type]
    try:
        number = int(text)
    except ValueError:
        raise BadValue(f"{setting.name} is a whole number, not {text!r}") from None
    if not low <= number <= high:
        raise BadValue(f"{setting.name} is between {low} and {high}, not {number}")
    return number


def _check_limits(setting: Setting, value: Value) -> None:
    if not setting.limits:
        return
    if isinstance(value, str):
        _check_words(setting, value)
    elif isinstance(value, int | float):
        _check_range(setting, value)


def _check_range(setting: Setting, value: float) -> None:
    low, _, high = setting.limits.partition("..")
    if value < float(low) or (high and value > float(high)):
        limits = f"between {low} and {high}" if high else f"at least {low}"
        raise BadValue(f"{setting.name} is {limits}, not {value}")


def _check_words(setting: Setting, value: str) -> None:
    allowed = setting.limits.split("|")
    words = [word.strip() for word in value.split(",")] if setting.type == "list" else [value]
    folded = {word.lower() for word in allowed}
    for word in words:
        if word not in allowed and not (setting.default and setting.default not in allowed and word.lower() in folded):
            how = "made of" if setting.type == "list" else "one of"
            raise BadValue(f"{setting.name} is {how} {', '.join(allowed)}, not {word!r}")
