"""What the operator may choose about groups: Apache's setting names, typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

NEW_MEMBER_JOIN_TIMEOUT_MS: Final = 5 * 60 * 1000
"""How long a join of a member that has no id of its own yet may wait; Apache's constant."""
METADATA_REFRESH_MS: Final = 60 * 60 * 1000
"""How often a consumer group looks at its topics anew although nothing told it to; Apache's constant."""
MOST_RECORD_BYTES: Final = 1_000_000
"""What one record may hold: a little below `max.message.bytes`' default, so that no group can write what the log
refuses and take its neighbours in the partition down with it."""
REGEX_REFRESH_MIN_MS: Final = 10 * 1000
"""Shortest time between two evaluations of a group's subscription patterns; Apache's constant."""


class SettingsSource(Protocol):
    """The node's settings, by Apache's names."""

    def integer(self, name: str) -> int: ...
    def text(self, name: str) -> str: ...
    def items(self, name: str) -> list[str]: ...


Overrides = Callable[[str], Mapping[str, str]]


def _no_overrides(_group_id: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """Defaults are Apache's. `overrides` answers the dynamic configs of one group (resource type GROUP)."""

    min_session_timeout_ms: int = 6_000
    max_session_timeout_ms: int = 1_800_000
    initial_rebalance_delay_ms: int = 3_000
    classic_max_size: int = 2_147_483_647
    consumer_max_size: int = 2_147_483_647
    consumer_session_timeout_ms: int = 45_000
    consumer_heartbeat_interval_ms: int = 5_000
    consumer_assignors: tuple[str, ...] = ("uniform", "range")
    consumer_assignment_interval_ms: int = 1_000
    regex_refresh_interval_ms: int = 600_000
    migration_policy: str = "bidirectional"
    protocols: tuple[str, ...] = ("classic", "consumer", "streams")
    offset_metadata_max_bytes: int = 4_096
    offsets_retention_ms: int = 10_080 * 60_000
    offsets_retention_check_interval_ms: int = 600_000
    overrides: Overrides = _no_overrides

    @classmethod
    def read(cls, source: SettingsSource, overrides: Overrides = _no_overrides) -> GroupSettings:
        return cls(
            min_session_timeout_ms=source.integer("group.min.session.timeout.ms"),
            max_session_timeout_ms=source.integer("group.max.session.timeout.ms"),
            initial_rebalance_delay_ms=source.integer("group.initial.rebalance.delay.ms"),
            classic_max_size=source.integer("group.max.size"),
            consumer_max_size=source.integer("group.consumer.max.size"),
            consumer_session_timeout_ms=source.integer("group.consumer.session.timeout.ms"),
            consumer_heartbeat_interval_ms=source.integer("group.consumer.heartbeat.interval.ms"),
            consumer_assignors=tuple(source.items("group.consumer.assignors")),
            consumer_assignment_interval_ms=source.integer("group.consumer.assignment.interval.ms"),
            regex_refresh_interval_ms=source.integer("group.consumer.regex.refresh.interval.ms"),
            migration_policy=source.text("group.consumer.migration.policy").lower(),
            protocols=tuple(source.items("group.coordinator.rebalance.protocols")),
            offset_metadata_max_bytes=source.integer("offset.metadata.max.bytes"),
            offsets_retention_ms=source.integer("offsets.retention.minutes") * 60_000,
            offsets_retention_check_interval_ms=source.integer("offsets.retention.check.interval.ms"),
            overrides=overrides,
        )

    @property
    def may_upgrade(self) -> bool:
        """A live classic group may become a consumer group."""
        return self.migration_policy in ("upgrade", "bidirectional")

    @property
    def may_downgrade(self) -> bool:
        return self.migration_policy in ("downgrade", "bidirectional")

    def session_timeout_ms(self, group_id: str) -> int:
        """Of a consumer group; a group's own config comes first."""
        return int(self.overrides(group_id).get("consumer.session.timeout.ms", self.consumer_session_timeout_ms))

    def heartbeat_interval_ms(self, group_id: str) -> int:
        return int(self.overrides(group_id).get("consumer.heartbeat.interval.ms", self.consumer_heartbeat_interval_ms))

    def assignment_interval_ms(self, group_id: str) -> int:
        own = self.overrides(group_id).get("consumer.assignment.interval.ms")
        return self.consumer_assignment_interval_ms if own is None else int(own)
