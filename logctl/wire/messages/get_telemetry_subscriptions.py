"""GetTelemetrySubscriptions (key 71): which of a client's metrics does the broker want? (KIP-714)"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, STRING, UUID, Message, array, field


class GetTelemetrySubscriptionsRequest(Message, api_key=71, versions="0", flexible="0+"):
    client_instance_id: bytes = field(UUID, "0+")  # zero at first, then as given by the broker


class GetTelemetrySubscriptionsResponse(Message, api_key=71, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    client_instance_id: bytes = field(UUID, "0+")  # name given to the client, when it had none
    subscription_id: int = field(INT32, "0+")  # identifies this set of subscriptions
    accepted_compression_types: list[int] = field(array(INT8), "0+")  # codecs by id, best first
    push_interval_ms: int = field(INT32, "0+")  # how often to push
    telemetry_max_bytes: int = field(INT32, "0+")  # largest push accepted
    delta_temporality: bool = field(BOOL, "0+")  # true for counts since the last push, false for totals
    # prefixes of metric names; an empty list for none, one empty string for all
    requested_metrics: list[str] = field(array(STRING), "0+")
