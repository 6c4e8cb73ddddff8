"""What two lots of settings differ in: values that hold, and where each comes from. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from logctl.admin.configs import HIDDEN, Config


class Difference(NamedTuple):
    """A setting that does not hold alike on both sides. A side that does not have it at all is None."""

    name: str
    left: Config | None
    right: Config | None


def differences(left: Iterable[Config], right: Iterable[Config]) -> list[Difference]:
    """The settings whose values differ, by name. Of a secret it can only be told whether both sides have set one."""
    ours, theirs = {one.name: one for one in left}, {one.name: one for one in right}
    names = sorted(ours.keys() | theirs.keys())
    pairs = (Difference(name, ours.get(name), theirs.get(name)) for name in names)
    return [pair for pair in pairs if _told(pair.left) != _told(pair.right)]


def _told(config: Config | None) -> str | None:
    if config is None:
        return None
    if config.sensitive:
        return HIDDEN if config.is_set else ""
    return config.value
