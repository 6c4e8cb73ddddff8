"""PartitionChangeRecord: what changed in a partition (metadata log); the partition epoch goes up by one.

A change of leader raises the leader epoch too.

1   log directories (KIP-858)
2   eligible leader replicas (KIP-966)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT32, UUID, Message, array, field


class PartitionChangeRecord(Message, api_key=5, versions="0-2", flexible="0+"):
    partition_id: int = field(INT32, "0+", default=-1)  # partition number
    topic_id: bytes = field(UUID, "0+")  # its topic
    # those in sync; null unchanged
    isr: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=0, default=None)
    leader: int = field(INT32, "0+", tagged="0+", tag=1, default=-2)  # broker that leads; -1 none, -2 unchanged
    # brokers that hold it; null unchanged
    replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=2, default=None)
    # those that will go; null unchanged
    removing_replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=3, default=None)
    # those that come; null unchanged
    adding_replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=4, default=None)
    # 0 sound, 1 recovering from an unclean election, -1 unchanged
    leader_recovery_state: int = field(INT8, "0+", tagged="0+", tag=5, default=-1)
    # log directory of each replica; null unchanged
    directories: list[bytes] | None = field(array(UUID), "1+", nullable="1+", tagged="1+", tag=8, default=None)
    # out of sync, yet known to have every committed record; null unchanged
    eligible_leader_replicas: list[int] | None = field(
        array(INT32), "2+", nullable="2+", tagged="2+", tag=6, default=None
    )
    # the eligible ones before the last of them was lost; null unchanged
    last_known_elr: list[int] | None = field(array(INT32), "2+", nullable="2+", tagged="2+", tag=7, default=None)
