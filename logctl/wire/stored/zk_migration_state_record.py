"""ZkMigrationStateRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT8, Message, field


class ZkMigrationStateRecord(Message, api_key=21, versions="0", flexible="0+"):
    zk_migration_state: int = field(INT8, "0+")
