"""BrokerRegistrationChangeRecord: a registered broker was fenced, unfenced or changed (metadata log).

1   shutting down
2   log directories (KIP-858)
3   directories that take no new replicas (KIP-1066)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT32, INT64, UUID, Message, array, field


class BrokerRegistrationChangeRecord(Message, api_key=17, versions="0-3", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # broker
    # broker's epoch, given by the controller at registration; fences earlier lives of the process
    broker_epoch: int = field(INT64, "0+")
    fenced: int = field(INT8, "0+", tagged="0+", tag=0)  # 1 fenced, -1 unfenced, 0 unchanged
    in_controlled_shutdown: int = field(INT8, "1+", tagged="1+", tag=1)  # 1 it is shutting down, 0 unchanged
    log_dirs: list[bytes] = field(array(UUID), "2+", tagged="2+", tag=2)  # its usable directories; empty: unchanged
    # directories that take no new replicas; null unchanged
    cordoned_log_dirs: list[bytes] | None = field(array(UUID), "3+", nullable="3+", tagged="3+", tag=3, default=None)
