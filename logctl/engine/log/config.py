"""What a topic's configuration means to its logs: Apache Kafka's names (dots as underscores) and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FOREVER_MS: Final = (1 << 63) - 1
"""Apache's default for times that never come."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Times in ms, sizes in bytes; -1 means unlimited where Apache says so. Values are trusted: they were checked
    when the topic was created or changed."""

    segment_bytes: int = 1 << 30
    segment_ms: int = 7 * 24 * 3600 * 1000
    segment_jitter_ms: int = 0
    segment_index_bytes: int = 10 << 20
    index_interval_bytes: int = 4096
    retention_ms: int = 7 * 24 * 3600 * 1000
    retention_bytes: int = -1
    cleanup_policy: frozenset[str] = frozenset({"delete"})
    max_message_bytes: int = 1_048_588
    message_timestamp_type: str = "CreateTime"
    message_timestamp_before_max_ms: int = FOREVER_MS
    message_timestamp_after_max_ms: int = 3_600_000
    flush_messages: int = FOREVER_MS
    flush_ms: int = FOREVER_MS
    file_delete_delay_ms: int = 60_000
    min_insync_replicas: int = 1
    compression_type: str = "producer"
    compression_gzip_level: int = -1
    compression_lz4_level: int = 9
    compression_zstd_level: int = 3
    producer_id_expiration_ms: int = 24 * 3600 * 1000

    @property
    def compacts(self) -> bool:
        return "compact" in self.cleanup_policy

    @property
    def deletes(self) -> bool:
        return "delete" in self.cleanup_policy
