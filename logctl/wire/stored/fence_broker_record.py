"""FenceBrokerRecord: a broker may no longer serve (metadata log). BrokerRegistrationChangeRecord has taken its place.
"""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, Message, field


class FenceBrokerRecord(Message, api_key=7, versions="0", flexible="0+"):
    id: int = field(INT32, "0+")     # broker
    epoch: int = field(INT64, "0+")  # its epoch
