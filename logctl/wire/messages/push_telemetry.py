"""PushTelemetry (key 72): a client hands over its metrics (KIP-714)."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BOOL, BYTES, INT8, INT16, INT32, UUID, Message, field


class PushTelemetryRequest(Message, api_key=72, versions="0", flexible="0+"):
    client_instance_id: bytes = field(UUID, "0+")  # name given to the client
    subscription_id: int = field(INT32, "0+")      # subscriptions these metrics answer
    terminating: bool = field(BOOL, "0+")          # the client is about to leave, so this is the last push
    compression_type: int = field(INT8, "0+")      # codec by id
    metrics: Buffer = field(BYTES, "0+")           # OpenTelemetry MetricsData (protobuf), perhaps compressed


class PushTelemetryResponse(Message, api_key=72, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")        # 0, or what went wrong
