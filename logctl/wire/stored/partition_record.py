"""PartitionRecord: a partition as it is (metadata log). Written when it is made, and in snapshots.

1   log directories (KIP-858)
2   eligible leader replicas (KIP-966)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT32, UUID, Message, array, field


class PartitionRecord(Message, api_key=3, versions="0-2", flexible="0+"):
    partition_id: int = field(INT32, "0+", default=-1)  # partition number
    topic_id: bytes = field(UUID, "0+")  # its topic
    replicas: list[int] = field(array(INT32), "0+")  # brokers that hold it, the preferred leader first
    isr: list[int] = field(array(INT32), "0+")  # those in sync with the leader
    removing_replicas: list[int] = field(array(INT32), "0+")  # those that will go when the reassignment ends
    adding_replicas: list[int] = field(array(INT32), "0+")  # those that come by the reassignment
    leader: int = field(INT32, "0+", default=-1)  # broker that leads; -1 none
    leader_recovery_state: int = field(INT8, "0+", tagged="0+", tag=0)  # 0 sound, 1 recovering from an unclean election
    leader_epoch: int = field(INT32, "0+", default=-1)  # counts changes of the leader
    partition_epoch: int = field(INT32, "0+", default=-1)  # counts every change to the partition
    directories: list[bytes] = field(array(UUID), "1+")  # log directory of each replica, in their order
    # out of sync, yet known to have every committed record; null for none
    eligible_leader_replicas: list[int] | None = field(
        array(INT32), "2+", nullable="2+", tagged="2+", tag=1, default=None
    )
    # the eligible ones before the last of them was lost; null for none
    last_known_elr: list[int] | None = field(array(INT32), "2+", nullable="2+", tagged="2+", tag=2, default=None)
