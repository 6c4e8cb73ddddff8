"""Every group config of Apache Kafka 4.3: type, default, the broker setting behind it, and what it does.

A group's value lies between limits that are broker settings: `consumer.session.timeout.ms` between
`group.consumer.min.session.timeout.ms` and `group.consumer.max.session.timeout.ms`, and so on. A star before the
documentation says that this engine acts on the config.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from logctl.engine.controller.config_types import Config, anything, at_least, config, one_of, parse_in
from logctl.wire import errors
from logctl.wire.errors import WireError

_DURATION: Final = re.compile(r"by_duration:P(?=.)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII)


def _reset(value: str) -> str | None:
    if value in ("latest", "earliest") or _DURATION.fullmatch(value):
        return None
    return "it must be latest, earliest or by_duration:PnDTnHnMn.nS"


_TABLE: Final = (
    config(
        "consumer.assignment.interval.ms", "int", "1000", at_least(0), "group.consumer.assignment.interval.ms",
        "* Shortest time between two assignments of this consumer group.",
    ),
    config(
        "consumer.heartbeat.interval.ms", "int", "5000", at_least(1), "group.consumer.heartbeat.interval.ms",
        "* How often members of this consumer group report.",
    ),
    config(
        "consumer.session.timeout.ms", "int", "45000", at_least(1), "group.consumer.session.timeout.ms",
        "* A member of this consumer group that is silent for this long is removed.",
    ),
    config(
        "share.assignment.interval.ms", "int", "1000", at_least(0), "group.share.assignment.interval.ms",
        "Shortest time between two assignments of this share group.",
    ),
    config(
        "share.auto.offset.reset", "string", "latest", _reset, "",
        "Where this share group begins to read: at the end, at the beginning, or a while ago.",
    ),
    config(
        "share.delivery.count.limit", "int", "5", at_least(2), "group.share.delivery.count.limit",
        "A record that was delivered this often to this share group without success is given up.",
    ),
    config(
        "share.heartbeat.interval.ms", "int", "5000", at_least(1), "group.share.heartbeat.interval.ms",
        "How often members of this share group report.",
    ),
    config(
        "share.isolation.level", "string", "read_uncommitted", one_of("read_committed", "read_uncommitted"), "",
        "Whether this share group sees records of transactions that are undecided or were aborted.",
    ),
    config(
        "share.partition.max.record.locks", "int", "2000", at_least(100), "group.share.partition.max.record.locks",
        "Records of one partition that this share group may have in flight.",
    ),
    config(
        "share.record.lock.duration.ms", "int", "30000", at_least(1000), "group.share.record.lock.duration.ms",
        "How long a member of this share group may hold a record.",
    ),
    config(
        "share.renew.acknowledge.enable", "bool", "true", anything, "",
        "Whether members of this share group may ask to hold a record for longer.",
    ),
    config(
        "share.session.timeout.ms", "int", "45000", at_least(1), "group.share.session.timeout.ms",
        "A member of this share group that is silent for this long is removed.",
    ),
    config(
        "streams.assignment.interval.ms", "int", "1000", at_least(0), "group.streams.assignment.interval.ms",
        "Shortest time between two assignments of this streams group.",
    ),
    config(
        "streams.heartbeat.interval.ms", "int", "5000", at_least(1), "group.streams.heartbeat.interval.ms",
        "How often members of this streams group report.",
    ),
    config(
        "streams.initial.rebalance.delay.ms", "int", "3000", at_least(0), "group.streams.initial.rebalance.delay.ms",
        "How long this streams group waits for more members before it is first divided.",
    ),
    config(
        "streams.num.standby.replicas", "int", "0", at_least(0), "group.streams.num.standby.replicas",
        "Standby replicas of each task of this streams group.",
    ),
    config(
        "streams.session.timeout.ms", "int", "45000", at_least(1), "group.streams.session.timeout.ms",
        "A member of this streams group that is silent for this long is removed.",
    ),
)  # fmt: skip

CATALOGUE: Final[dict[str, Config]] = {line.name: line for line in _TABLE}

_LOWEST: Final = {
    "consumer.assignment.interval.ms": "group.consumer.min.assignment.interval.ms",
    "consumer.heartbeat.interval.ms": "group.consumer.min.heartbeat.interval.ms",
    "consumer.session.timeout.ms": "group.consumer.min.session.timeout.ms",
    "share.assignment.interval.ms": "group.share.min.assignment.interval.ms",
    "share.delivery.count.limit": "group.share.min.delivery.count.limit",
    "share.heartbeat.interval.ms": "group.share.min.heartbeat.interval.ms",
    "share.partition.max.record.locks": "group.share.min.partition.max.record.locks",
    "share.record.lock.duration.ms": "group.share.min.record.lock.duration.ms",
    "share.session.timeout.ms": "group.share.min.session.timeout.ms",
    "streams.assignment.interval.ms": "group.streams.min.assignment.interval.ms",
    "streams.heartbeat.interval.ms": "group.streams.min.heartbeat.interval.ms",
    "streams.session.timeout.ms": "group.streams.min.session.timeout.ms",
}
"""The broker setting below which a group's value may not lie."""
_HIGHEST: Final = {name: setting.replace(".min.", ".max.") for name, setting in _LOWEST.items()} | {
    "streams.num.standby.replicas": "group.streams.max.standby.replicas"
}

Limit = Callable[[str], int | None]
"""The value of a broker setting, by name; None where nobody knows."""


def check_group_configs(values: Mapping[str, str], limit: Limit) -> None:
    """Refuse a set of group configs that may not stand together. Raises WireError INVALID_CONFIG."""
    found = {name: parse_in(CATALOGUE, "group", name, text) for name, text in values.items()}
    for name, value in found.items():
        lowest, highest = (limit(table[name]) if name in table else None for table in (_LOWEST, _HIGHEST))
        if lowest is not None and value < lowest:
            raise _outside(name, value, "at least", lowest, _LOWEST[name])
        if highest is not None and value > highest:
            raise _outside(name, value, "at most", highest, _HIGHEST[name])
    for kind in ("consumer", "share", "streams"):
        _check_pair(kind, found, limit)


def _check_pair(kind: str, found: Mapping[str, int], limit: Limit) -> None:
    """A member must be able to report before it is given up."""
    session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
    if session not in found and heartbeat not in found:
        return
    session_ms = found.get(session, limit(f"group.{session}"))
    heartbeat_ms = found.get(heartbeat, limit(f"group.{heartbeat}"))
    if session_ms is not None and heartbeat_ms is not None and session_ms <= heartbeat_ms:
        raise WireError(
            errors.INVALID_CONFIG,
            f"{kind}.session.timeout.ms ({session_ms}) must be above {kind}.heartbeat.interval.ms ({heartbeat_ms})",
        )


def _outside(name: str, value: int, how: str, limit: int, setting: str) -> WireError:
    return WireError(errors.INVALID_CONFIG, f"{name} must be {how} {limit} ({setting}), not {value}")
