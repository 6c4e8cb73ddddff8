"""DescribeClientQuotas (48), versions 0 and 1: the quotas that match a filter. There are none, so the answer is empty.

The filter is judged as Apache judges it: an unknown kind of entity is UNSUPPORTED_VERSION, a filter that contradicts
itself INVALID_REQUEST.

Not implemented: quotas. Those that a directory of Apache Kafka brings along are kept in the metadata log, not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logctl.engine.broker.request import Request
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 48
VERSIONS = (0, 1)

EXACT: Final = 0
THE_DEFAULT: Final = 1
ANYTHING: Final = 2
_KINDS: Final = ("user", "client-id", "ip")


def handle(broker: Broker, request: Request[DescribeClientQuotasRequest], now_ms: int) -> DescribeClientQuotasResponse:
    seen: set[str] = set()
    for one in request.body.components:
        _check(one, seen)
        seen.add(one.entity_type)
    if "ip" in seen and len(seen) > 1:
        raise WireError(errors.INVALID_REQUEST, "A filter for addresses goes with no filter for users or clients")
    return DescribeClientQuotasResponse(error_message=None, entries=[])


def refused(request: Request[DescribeClientQuotasRequest], error: WireError) -> DescribeClientQuotasResponse:
    return DescribeClientQuotasResponse(error_code=error.code, error_message=error.message, entries=None)


def _check(one: ComponentData, seen: set[str]) -> None:
    kind = one.entity_type
    if not kind:
        raise WireError(errors.INVALID_REQUEST, "A filter needs a kind of entity")
    if kind in seen:
        raise WireError(errors.INVALID_REQUEST, f"The filter names {kind} more than once")
    if one.match_type not in (EXACT, THE_DEFAULT, ANYTHING):
        raise WireError(errors.INVALID_REQUEST, f"There is no way to match number {one.match_type}")
    if (one.match_type == EXACT) != (one.match is not None):
        raise WireError(errors.INVALID_REQUEST, "A name is given exactly when it is to be matched")
    if kind not in _KINDS:
        raise WireError(errors.UNSUPPORTED_VERSION, f"Quotas are not kept by {kind}")
