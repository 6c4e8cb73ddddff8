"""IncrementalAlterConfigs (44), versions 0 and 1: change single settings of topics, brokers, groups and client metrics.

A setting is set, put back to its default, and where it is a list, appended to or subtracted from. Each resource
succeeds or fails as a whole. The broker named "" stands for all brokers; another broker's settings are changed by that
broker. The answer leaves when the change is committed and in force on this node. With `validate_only` nothing changes
and the answer is the same.

Not implemented: levels of loggers (the diary has one), alter.config.policy.class.name (a Java class).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.altering import objection
from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.configs import incremental_alter_configs
from logctl.wire.errors import WireError
from logctl.wire.messages.incremental_alter_configs import (
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 44
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[IncrementalAlterConfigsRequest], now_ms: int) -> Answer:
    body = request.body
    judged = [(one, objection(broker, request, one.resource_type, one.resource_name)) for one in body.resources]
    wanted = IncrementalAlterConfigsRequest(
        resources=[one for one, error in judged if error is None], validate_only=body.validate_only
    )
    refusals = [_refusal(one, error) for one, error in judged if error is not None]
    if not wanted.resources:
        return IncrementalAlterConfigsResponse(responses=refusals)
    return answer_decided(
        broker,
        request,
        lambda controller: incremental_alter_configs(controller, wanted),
        refused=refused,
        complete=lambda response: response.responses.extend(refusals),
    )


def _refusal(resource: AlterConfigsResource, error: WireError) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(error.code, error.message, resource.resource_type, resource.resource_name)


def refused(request: Request[IncrementalAlterConfigsRequest], error: WireError) -> IncrementalAlterConfigsResponse:
    """The whole request was refused: every resource says so."""
    return IncrementalAlterConfigsResponse(responses=[_refusal(one, error) for one in request.body.resources])
