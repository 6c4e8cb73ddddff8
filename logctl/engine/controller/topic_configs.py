"""Every topic config of Apache Kafka 4.3: type, default, what is allowed, the broker setting behind it, and what it
does.

`CATALOGUE` is the table. The functions below it check values that somebody wants to set, and tell which value holds
for a topic and where it comes from. Values are text, as on the wire; `parse` gives them their type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
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
    """Where a value comes from, strongest first. Numbers of DescribeConfigs and CreateTopics."""

    TOPIC = 1
    BROKER = 2
    ALL_BROKERS = 3
    SETTINGS_FILE = 4
    DEFAULT = 5


Check = Callable[[Any], str | None]
"""Answers what is wrong with a typed value, or None."""


class Synonym(NamedTuple):
    """A broker setting that is the server's default of a topic config, in a unit `factor` times as large."""

    name: str
    factor: int = 1

    def convert(self, text: str) -> str:
        return str(int(text) * self.factor) if self.factor != 1 and _INTEGER.fullmatch(text) else text


class TopicConfig(NamedTuple):
    """One line of the catalogue. `default` is None for configs that have none and are shown only when set."""

    name: str
    type: ConfigType
    default: str | None
    check: Check
    synonyms: tuple[Synonym, ...]
    documentation: str


class Setting(NamedTuple):
    """A value that holds for a topic, the layer it comes from and the name it has there."""

    name: str
    value: str | None
    source: Source


def _anything(value: Any) -> str | None:
    return None


def _at_least(lowest: float) -> Check:
    return lambda value: None if value >= lowest else f"it must be at least {lowest}"


def _between(lowest: float, highest: float) -> Check:
    return lambda value: None if lowest <= value <= highest else f"it must be between {lowest} and {highest}"


def _one_of(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"it must be one of {', '.join(allowed)}"


def _each_of(*allowed: str) -> Check:
    said = f"it may only list {', '.join(allowed)}"
    return lambda values: None if all(value in allowed for value in values) else said


def _gzip_level(value: int) -> str | None:
    return None if value == -1 or 1 <= value <= 9 else "it must be between 1 and 9, or -1 for the default"


_REPLICA: Final = re.compile(r"\d+:\d+", re.ASCII)


def _throttled(values: list[str]) -> str | None:
    if values == ["*"] or all(_REPLICA.fullmatch(value) for value in values):
        return None
    return "it must be * or a list of partition:broker pairs"


def _no_tiers(value: bool) -> str | None:
    return "this engine has no tiered storage" if value else None


_MAX_LONG: Final = str(2**63 - 1)
_KINDS: Final = {
    "bool": ConfigType.BOOLEAN,
    "string": ConfigType.STRING,
    "int": ConfigType.INT,
    "long": ConfigType.LONG,
    "double": ConfigType.DOUBLE,
    "list": ConfigType.LIST,
}


def _config(name: str, kind: str, default: str | None, check: Check, synonyms: str, about: str) -> TopicConfig:
    """`synonyms`: 'log.retention.ms log.retention.minutes*60000', strongest first."""
    pairs = (entry.partition("*") for entry in synonyms.split())
    known = tuple(Synonym(setting, int(factor or 1)) for setting, _, factor in pairs)
    return TopicConfig(name, _KINDS[kind], default, check, known, about)


_TABLE: Final = (
    _config(
        "cleanup.policy", "list", "delete", _each_of("compact", "delete"), "log.cleanup.policy",
        "What happens to old data: 'delete' drops segments past the retention limits, 'compact' keeps the newest "
        "record of each key. Both may be given.",
    ),
    _config(
        "compression.gzip.level", "int", "-1", _gzip_level, "compression.gzip.level",
        "Level used when the broker compresses with gzip.",
    ),
    _config(
        "compression.lz4.level", "int", "9", _between(1, 17), "compression.lz4.level",
        "Level used when the broker compresses with lz4.",
    ),
    _config(
        "compression.type", "string", "producer",
        _one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), "compression.type",
        "Codec in which batches are kept; 'producer' keeps what the producer sent.",
    ),
    _config(
        "compression.zstd.level", "int", "3", _between(-131072, 22), "compression.zstd.level",
        "Level used when the broker compresses with zstd.",
    ),
    _config(
        "delete.retention.ms", "long", "86400000", _at_least(0), "log.cleaner.delete.retention.ms",
        "How long a deletion marker stays in a compacted topic, so that a consumer that started before still sees it.",
    ),
    _config(
        "file.delete.delay.ms", "long", "60000", _at_least(0), "log.segment.delete.delay.ms",
        "How long a segment that is no longer part of the log stays on disk for reads that are under way.",
    ),
    _config(
        "flush.messages", "long", _MAX_LONG, _at_least(1), "log.flush.interval.messages",
        "Flush to disk after this many records; 1 flushes each. Acknowledgements may wait for flushes without this.",
    ),
    _config(
        "flush.ms", "long", _MAX_LONG, _at_least(0), "log.flush.interval.ms log.flush.scheduler.interval.ms",
        "Flush to disk at the latest this long after a write.",
    ),
    _config(
        "follower.replication.throttled.replicas", "list", "", _throttled, "",
        "Replicas whose copying is held to the follower throttle: partition:broker pairs, or * for all.",
    ),
    _config(
        "index.interval.bytes", "int", "4096", _at_least(0), "log.index.interval.bytes",
        "How many bytes of log lie between two entries of the offset index.",
    ),
    _config(
        "internal.segment.bytes", "int", None, _anything, "",
        "Segment size without a lower bound; for tests.",
    ),
    _config(
        "leader.replication.throttled.replicas", "list", "", _throttled, "",
        "Replicas whose reading from the leader is held to the leader throttle: partition:broker pairs, or * for all.",
    ),
    _config(
        "local.retention.bytes", "long", "-2", _at_least(-2), "log.local.retention.bytes",
        "With tiered storage: local size before local segments are dropped; -2 follows retention.bytes.",
    ),
    _config(
        "local.retention.ms", "long", "-2", _at_least(-2), "log.local.retention.ms",
        "With tiered storage: age before local segments are dropped; -2 follows retention.ms.",
    ),
    _config(
        "max.compaction.lag.ms", "long", _MAX_LONG, _at_least(1), "log.cleaner.max.compaction.lag.ms",
        "The longest a record of a compacted topic may stay uncompacted.",
    ),
    _config(
        "max.message.bytes", "int", "1048588", _at_least(0), "message.max.bytes",
        "The largest record batch the topic takes, after compression.",
    ),
    _config(
        "message.timestamp.after.max.ms", "long", "3600000", _at_least(0), "log.message.timestamp.after.max.ms",
        "How far a record's timestamp may lie ahead of the broker's clock.",
    ),
    _config(
        "message.timestamp.before.max.ms", "long", _MAX_LONG, _at_least(0), "log.message.timestamp.before.max.ms",
        "How far a record's timestamp may lie behind the broker's clock.",
    ),
    _config(
        "message.timestamp.type", "string", "CreateTime", _one_of("CreateTime", "LogAppendTime"),
        "log.message.timestamp.type",
        "Whether a record keeps the producer's timestamp or gets the time of its append.",
    ),
    _config(
        "min.cleanable.dirty.ratio", "double", "0.5", _between(0, 1), "log.cleaner.min.cleanable.ratio",
        "Share of a compacted log that must be uncompacted before compaction is worth its while.",
    ),
    _config(
        "min.compaction.lag.ms", "long", "0", _at_least(0), "log.cleaner.min.compaction.lag.ms",
        "The shortest a record of a compacted topic stays uncompacted.",
    ),
    _config(
        "min.insync.replicas", "int", "1", _at_least(1), "min.insync.replicas",
        "In-sync replicas, the leader included, without which a write with acks=all is refused.",
    ),
    _config(
        "preallocate", "bool", "false", _anything, "log.preallocate",
        "Reserve the space of a segment when it is created.",
    ),
    _config(
        "remote.log.copy.disable", "bool", "false", _anything, "",
        "With tiered storage: stop copying segments to the remote tier.",
    ),
    _config(
        "remote.log.delete.on.disable", "bool", "false", _anything, "",
        "With tiered storage: delete the remote data when tiering is turned off.",
    ),
    _config(
        "remote.storage.enable", "bool", "false", _no_tiers, "",
        "Keep old segments in a remote tier.",
    ),
    _config(
        "retention.bytes", "long", "-1", _anything, "log.retention.bytes",
        "Size of a partition past which its oldest segments are deleted; -1 for no limit.",
    ),
    _config(
        "retention.ms", "long", "604800000", _at_least(-1),
        "log.retention.ms log.retention.minutes*60000 log.retention.hours*3600000",
        "Age past which segments are deleted; -1 for no limit.",
    ),
    _config(
        "segment.bytes", "int", "1073741824", _at_least(1048576), "log.segment.bytes",
        "Size at which a new segment file is begun. Retention works in whole segments.",
    ),
    _config(
        "segment.index.bytes", "int", "10485760", _at_least(4), "log.index.size.max.bytes",
        "Largest size of a segment's offset index.",
    ),
    _config(
        "segment.jitter.ms", "long", "0", _at_least(0), "log.roll.jitter.ms log.roll.jitter.hours*3600000",
        "Upper end of a random delay of segment.ms, so that partitions do not all roll at once.",
    ),
    _config(
        "segment.ms", "long", "604800000", _at_least(1), "log.roll.ms log.roll.hours*3600000",
        "Age at which a new segment file is begun even when the old one is not full.",
    ),
    _config(
        "unclean.leader.election.enable", "bool", "false", _anything, "unclean.leader.election.enable",
        "Whether a replica that is not in sync may lead as a last resort, at the price of lost records.",
    ),
)  # fmt: skip

CATALOGUE: Final[dict[str, TopicConfig]] = {config.name: config for config in _TABLE}

_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BITS: Final = {ConfigType.INT: 32, ConfigType.LONG: 64}


def parse(name: str, text: str) -> Any:
    """The typed value of a config given as text. Raises WireError INVALID_CONFIG."""
    config = CATALOGUE.get(name)
    if config is None:
        raise WireError(errors.INVALID_CONFIG, f"There is no topic config named {name}")
    value, objection = _typed(config.type, text.strip())
    objection = objection or config.check(value)
    if objection:
        raise WireError(errors.INVALID_CONFIG, f"Value {text!r} is not allowed for {name}: {objection}")
    return value


def _typed(kind: ConfigType, text: str) -> tuple[Any, str | None]:
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


def check_topic_configs(values: Mapping[str, str], layers: Layers) -> None:
    """Refuse a set of topic configs that may not stand together. Raises WireError INVALID_CONFIG."""
    for name, text in values.items():
        parse(name, text)
    shortest, longest = (
        parse(name, resolve(CATALOGUE[name], values, layers)[0].value or "0")
        for name in ("min.compaction.lag.ms", "max.compaction.lag.ms")
    )
    if shortest > longest:
        raise WireError(
            errors.INVALID_CONFIG, f"min.compaction.lag.ms ({shortest}) is above max.compaction.lag.ms ({longest})"
        )


class Layers(NamedTuple):
    """What lies below a topic's own configs: dynamic configs of the broker and of all brokers, then the settings file.
    """

    broker: Mapping[str, str]
    all_brokers: Mapping[str, str]
    settings_file: Mapping[str, str]


def resolve(config: TopicConfig, own: Mapping[str, str], layers: Layers) -> list[Setting]:
    """Every layer that gives a value, strongest first; the first one holds. Never empty.

    Names of the lower layers are the broker's, values are in the topic's unit.
    """
    found = [Setting(config.name, own[config.name], Source.TOPIC)] if config.name in own else []
    for source, values in zip(_LOWER, layers, strict=True):
        found += [Setting(s.name, s.convert(values[s.name]), source) for s in config.synonyms if s.name in values]
    default_name = config.synonyms[0].name if config.synonyms else config.name
    return [*found, Setting(default_name, config.default, Source.DEFAULT)]


_LOWER: Final = (Source.BROKER, Source.ALL_BROKERS, Source.SETTINGS_FILE)


def effective(own: Mapping[str, str], layers: Layers) -> Iterable[tuple[TopicConfig, list[Setting]]]:
    """Each config that applies to a topic, by name, with its layers; the first layer is the value that holds."""
    for config in _TABLE:
        if config.default is not None or config.name in own:
            yield config, resolve(config, own, layers)


def typed_configs(own: Mapping[str, str], layers: Layers) -> dict[str, Any]:
    """The typed values that hold for a topic, by name. A lower layer's value that does not fit falls to the next one.
    """
    return {config.name: _first_valid(config, settings) for config, settings in effective(own, layers)}


def _first_valid(config: TopicConfig, settings: list[Setting]) -> Any:
    for setting in settings:
        value, objection = _typed(config.type, (setting.value or "").strip())
        if not objection and not config.check(value):
            return value
    raise AssertionError(f"the default of {config.name} is not valid")
