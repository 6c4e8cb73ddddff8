"""PartitionChangeRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT8, INT32, UUID, Message, array, field


class PartitionChangeRecord(Message, api_key=5, versions="0-2", flexible="0+"):
    partition_id: int = field(INT32, "0+", default=-1)
    topic_id: bytes = field(UUID, "0+")
    isr: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=0, default=None)
    leader: int = field(INT32, "0+", tagged="0+", tag=1, default=-2)
    replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=2, default=None)
    removing_replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=3, default=None)
    adding_replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", tagged="0+", tag=4, default=None)
    leader_recovery_state: int = field(INT8, "0+", tagged="0+", tag=5, default=-1)
    directories: list[bytes] | None = field(array(UUID), "1+", nullable="1+", tagged="1+", tag=8, default=None)
    eligible_leader_replicas: list[int] | None = field(
        array(INT32), "2+", nullable="2+", tagged="2+", tag=6, default=None
    )
    last_known_elr: list[int] | None = field(array(INT32), "2+", nullable="2+", tagged="2+", tag=7, default=None)
