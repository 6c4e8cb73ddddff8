"""DescribeUserScramCredentials (50), version 0: who can log in by SCRAM. Nobody can yet, so asked for all the answer is
empty, and a user that is named has no credential: RESOURCE_NOT_FOUND, or DUPLICATE_RESOURCE when named twice.

Not implemented: logins. Credentials that a directory of Apache Kafka brings along are kept in the metadata log, not
shown.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from logctl.engine.broker.request import Request
from logctl.wire import errors
from logctl.wire.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 50
VERSIONS = (0, 0)


def handle(
    broker: Broker, request: Request[DescribeUserScramCredentialsRequest], now_ms: int
) -> DescribeUserScramCredentialsResponse:
    times = Counter(user.name for user in request.body.users or ())
    return DescribeUserScramCredentialsResponse(
        error_message=None, results=[_result(name, count) for name, count in times.items()]
    )


def _result(name: str, times: int) -> DescribeUserScramCredentialsResult:
    if times > 1:
        message = f"User '{name}' is named more than once in the request"
        return DescribeUserScramCredentialsResult(name, errors.DUPLICATE_RESOURCE, message)
    message = f"User '{name}' has no SCRAM credential"
    return DescribeUserScramCredentialsResult(name, errors.RESOURCE_NOT_FOUND, message)
