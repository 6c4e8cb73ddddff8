"""ZkMigrationStateRecord: how far the migration off ZooKeeper had come (metadata log).

Still found in clusters that were migrated; 4.x only reads over it.
"""

from __future__ import annotations

from logctl.wire.schema import INT8, Message, field


class ZkMigrationStateRecord(Message, api_key=21, versions="0", flexible="0+"):
    zk_migration_state: int = field(INT8, "0+")  # 0 none, 1 migrating, 2 about to, 3 done
