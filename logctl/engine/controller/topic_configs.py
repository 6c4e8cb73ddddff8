"""Every topic config of Apache Kafka 4.3: type, default, what is allowed, the broker setting behind it, and what it
does.

`CATALOGUE` is the table; a star before the documentation says that this engine acts on it. The functions below the
table check values that somebody wants to set, and tell which value holds for a topic and where it comes from. Values
are text, as on the wire; `parse` gives them their type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.engine.controller.config_types import (
    Config,
    Setting,
    Source,
    anything,
    at_least,
    between,
    config,
    each_of,
    one_of,
    parse_in,
    typed,
)
from logctl.wire import errors
from logctl.wire.errors import WireError


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

_TABLE: Final = (
    config(
        "cleanup.policy", "list", "delete", each_of("compact", "delete"), "log.cleanup.policy",
        "* What happens to old data: 'delete' drops segments past the retention limits, 'compact' keeps the newest "
        "record of each key. Both may be given.",
    ),
    config(
        "compression.gzip.level", "int", "-1", _gzip_level, "compression.gzip.level",
        "* Level used when the broker compresses with gzip.",
    ),
    config(
        "compression.lz4.level", "int", "9", between(1, 17), "compression.lz4.level",
        "* Level used when the broker compresses with lz4.",
    ),
    config(
        "compression.type", "string", "producer",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), "compression.type",
        "* Codec in which batches are kept; 'producer' keeps what the producer sent.",
    ),
    config(
        "compression.zstd.level", "int", "3", between(-131072, 22), "compression.zstd.level",
        "* Level used when the broker compresses with zstd.",
    ),
    config(
        "delete.retention.ms", "long", "86400000", at_least(0), "log.cleaner.delete.retention.ms",
        "How long a deletion marker stays in a compacted topic, so that a consumer that started before still sees it.",
    ),
    config(
        "file.delete.delay.ms", "long", "60000", at_least(0), "log.segment.delete.delay.ms",
        "* How long a segment that is no longer part of the log stays on disk for reads that are under way.",
    ),
    config(
        "flush.messages", "long", _MAX_LONG, at_least(1), "log.flush.interval.messages",
        "* Flush to disk after this many records; 1 flushes each. Acknowledgements may wait for flushes without this.",
    ),
    config(
        "flush.ms", "long", _MAX_LONG, at_least(0), "log.flush.interval.ms log.flush.scheduler.interval.ms",
        "* Flush to disk at the latest this long after a write.",
    ),
    config(
        "follower.replication.throttled.replicas", "list", "", _throttled, "",
        "* Replicas whose copying is held to the follower throttle: partition:broker pairs, or * for all.",
    ),
    config(
        "index.interval.bytes", "int", "4096", at_least(0), "log.index.interval.bytes",
        "* How many bytes of log lie between two entries of the offset index.",
    ),
    config(
        "internal.segment.bytes", "int", None, anything, "",
        "* Segment size without a lower bound; for tests.",
    ),
    config(
        "leader.replication.throttled.replicas", "list", "", _throttled, "",
        "* Replicas whose copying by followers is held to the leader throttle: partition:broker pairs, or * for all.",
    ),
    config(
        "local.retention.bytes", "long", "-2", at_least(-2), "log.local.retention.bytes",
        "With tiered storage: local size before local segments are dropped; -2 follows retention.bytes.",
    ),
    config(
        "local.retention.ms", "long", "-2", at_least(-2), "log.local.retention.ms",
        "With tiered storage: age before local segments are dropped; -2 follows retention.ms.",
    ),
    config(
        "max.compaction.lag.ms", "long", _MAX_LONG, at_least(1), "log.cleaner.max.compaction.lag.ms",
        "The longest a record of a compacted topic may stay uncompacted.",
    ),
    config(
        "max.message.bytes", "int", "1048588", at_least(0), "message.max.bytes",
        "* The largest record batch the topic takes, after compression.",
    ),
    config(
        "message.timestamp.after.max.ms", "long", "3600000", at_least(0), "log.message.timestamp.after.max.ms",
        "* How far a record's timestamp may lie ahead of the broker's clock.",
    ),
    config(
        "message.timestamp.before.max.ms", "long", _MAX_LONG, at_least(0), "log.message.timestamp.before.max.ms",
        "* How far a record's timestamp may lie behind the broker's clock.",
    ),
    config(
        "message.timestamp.type", "string", "CreateTime", one_of("CreateTime", "LogAppendTime"),
        "log.message.timestamp.type",
        "* Whether a record keeps the producer's timestamp or gets the time of its append.",
    ),
    config(
        "min.cleanable.dirty.ratio", "double", "0.5", between(0, 1), "log.cleaner.min.cleanable.ratio",
        "Share of a compacted log that must be uncompacted before compaction is worth its while.",
    ),
    config(
        "min.compaction.lag.ms", "long", "0", at_least(0), "log.cleaner.min.compaction.lag.ms",
        "The shortest a record of a compacted topic stays uncompacted.",
    ),
    config(
        "min.insync.replicas", "int", "1", at_least(1), "min.insync.replicas",
        "* In-sync replicas, the leader included, without which a write with acks=all is refused.",
    ),
    config(
        "preallocate", "bool", "false", anything, "log.preallocate",
        "Reserve the space of a segment when it is created.",
    ),
    config(
        "remote.log.copy.disable", "bool", "false", anything, "",
        "With tiered storage: stop copying segments to the remote tier.",
    ),
    config(
        "remote.log.delete.on.disable", "bool", "false", anything, "",
        "With tiered storage: delete the remote data when tiering is turned off.",
    ),
    config(
        "remote.storage.enable", "bool", "false", _no_tiers, "",
        "Keep old segments in a remote tier.",
    ),
    config(
        "retention.bytes", "long", "-1", anything, "log.retention.bytes",
        "* Size of a partition past which its oldest segments are deleted; -1 for no limit.",
    ),
    config(
        "retention.ms", "long", "604800000", at_least(-1),
        "log.retention.ms log.retention.minutes*60000 log.retention.hours*3600000",
        "* Age past which segments are deleted; -1 for no limit.",
    ),
    config(
        "segment.bytes", "int", "1073741824", at_least(1048576), "log.segment.bytes",
        "* Size at which a new segment file is begun. Retention works in whole segments.",
    ),
    config(
        "segment.index.bytes", "int", "10485760", at_least(4), "log.index.size.max.bytes",
        "* Largest size of a segment's offset index.",
    ),
    config(
        "segment.jitter.ms", "long", "0", at_least(0), "log.roll.jitter.ms log.roll.jitter.hours*3600000",
        "* Upper end of a random delay of segment.ms, so that partitions do not all roll at once.",
    ),
    config(
        "segment.ms", "long", "604800000", at_least(1), "log.roll.ms log.roll.hours*3600000",
        "* Age at which a new segment file is begun even when the old one is not full.",
    ),
    config(
        "unclean.leader.election.enable", "bool", "false", anything, "unclean.leader.election.enable",
        "* Whether a replica that is not in sync may lead as a last resort, at the price of lost records.",
    ),
)  # fmt: skip

CATALOGUE: Final[dict[str, Config]] = {line.name: line for line in _TABLE}

def parse(name: str, text: str) -> Any:
    """The typed value of a topic config given as text. Raises WireError INVALID_CONFIG."""
    return parse_in(CATALOGUE, "topic", name, text)


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


def resolve(line: Config, own: Mapping[str, str], layers: Layers) -> list[Setting]:
    """Every layer that gives a value, strongest first; the first one holds. Never empty.

    Names of the lower layers are the broker's, values are in the topic's unit.
    """
    found = [Setting(line.name, own[line.name], Source.TOPIC)] if line.name in own else []
    for source, values in zip(_LOWER, layers, strict=True):
        found += [Setting(s.name, s.convert(values[s.name]), source) for s in line.synonyms if s.name in values]
    default_name = line.synonyms[0].name if line.synonyms else line.name
    return [*found, Setting(default_name, line.default, Source.DEFAULT)]


_LOWER: Final = (Source.BROKER, Source.ALL_BROKERS, Source.SETTINGS_FILE)


def effective(own: Mapping[str, str], layers: Layers) -> Iterable[tuple[Config, list[Setting]]]:
    """Each config that applies to a topic, by name, with its layers; the first layer is the value that holds."""
    for line in _TABLE:
        if line.default is not None or line.name in own:
            yield line, resolve(line, own, layers)


def typed_configs(own: Mapping[str, str], layers: Layers) -> dict[str, Any]:
    """The typed values that hold for a topic, by name. A lower layer's value that does not fit falls to the next one.
    """
    return {line.name: _first_valid(line, settings) for line, settings in effective(own, layers)}


def value_of(line: Config, own: Mapping[str, str], layers: Layers) -> Any:
    """The typed value of one config that holds for a topic; it must have a default."""
    return _first_valid(line, resolve(line, own, layers))


def _first_valid(line: Config, settings: list[Setting]) -> Any:
    for setting in settings:
        value, objection = typed(line.type, (setting.value or "").strip())
        if not objection and not line.check(value):
            return value
    raise AssertionError(f"the default of {line.name} is not valid")
