"""AlterConfigs (33), versions 0 to 2: replace all settings of topics, brokers, groups and client metrics.

What is not named goes back to its default, which is why IncrementalAlterConfigs has taken its place. Otherwise as
there: each resource succeeds or fails as a whole, the answer leaves when the change is committed and in force on this
node.

Not implemented: levels of loggers (the diary has one), alter.config.policy.class.name (a Java class).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.altering import objection
from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.configs import alter_configs
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 33
VERSIONS = (0, 2)


def handle(broker: Broker, request: Request[AlterConfigsRequest], now_ms: int) -> Answer:
    body = request.body
    judged = [(one, objection(broker, request, one.resource_type, one.resource_name)) for one in body.resources]
    wanted = AlterConfigsRequest(
        resources=[one for one, error in judged if error is None], validate_only=body.validate_only
    )
    refusals = [_refusal(one, error) for one, error in judged if error is not None]
    if not wanted.resources:
        return AlterConfigsResponse(responses=refusals)
    return answer_decided(
        broker,
        request,
        lambda controller: alter_configs(controller, wanted),
        refused=refused,
        complete=lambda response: response.responses.extend(refusals),
    )


def _refusal(resource: AlterConfigsResource, error: WireError) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(error.code, error.message, resource.resource_type, resource.resource_name)


def refused(request: Request[AlterConfigsRequest], error: WireError) -> AlterConfigsResponse:
    """The whole request was refused: every resource says so."""
    return AlterConfigsResponse(responses=[_refusal(one, error) for one in request.body.resources])
