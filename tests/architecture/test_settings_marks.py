"""A setting is marked as one that the node acts on exactly when the engine's source reads it."""

from __future__ import annotations

import re
from pathlib import Path

from logctl.engine import catalogue
from logctl.engine.controller import group_configs, topic_configs

ENGINE = Path(catalogue.__file__).parent
TABLES = {"catalogue.py", "topic_configs.py", "group_configs.py"}
QUOTED = re.compile(r'"([a-z]+(?:\.[a-z0-9]+)*)"')
NOT_A_NODE = ENGINE / "apache", ENGINE / "simulation"


def names_in_the_source() -> set[str]:
    files = [path for path in ENGINE.rglob("*.py") if path.name not in TABLES and not {*NOT_A_NODE} & {*path.parents}]
    found = {name for path in files for name in QUOTED.findall(path.read_text(encoding="utf-8"))}
    behind_others = [*topic_configs.CATALOGUE.values(), *group_configs.CATALOGUE.values()]
    return found | {setting.name for config in behind_others if config.acted_on for setting in config.synonyms}


READ_THROUGH_A_PATTERN = re.compile(r"(offsets\.topic|transaction\.state\.log)\.[a-z.]+")
"""Settings of the cluster's own topics: their names are put together when such a topic is made."""


def test_marks_tell_what_is_acted_on() -> None:
    read = names_in_the_source()
    settings = catalogue.broker_settings().values()
    judged = [one for one in settings if not READ_THROUGH_A_PATTERN.fullmatch(one.name)]
    assert [one.name for one in judged if one.acted_on and one.name not in read] == [], "marked, but nobody reads it"
    assert [one.name for one in judged if one.name in read and not one.acted_on] == [], "read, but not marked"
