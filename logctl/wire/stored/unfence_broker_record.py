"""UnfenceBrokerRecord: a broker may serve (metadata log). BrokerRegistrationChangeRecord has taken its place."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, Message, field


class UnfenceBrokerRecord(Message, api_key=8, versions="0", flexible="0+"):
    id: int = field(INT32, "0+")     # broker
    epoch: int = field(INT64, "0+")  # its epoch
