"""Controllers, as opposed to brokers: where a node that may vote is reached, and what it can run (KIP-919)."""

from __future__ import annotations

from logctl.engine.controller.decision import Controller, Decision
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.controller_registration import (
    ControllerRegistrationRequest,
    ControllerRegistrationResponse,
)
from logctl.wire.stored import register_controller_record as stored

_SINCE_LEVEL = 15


def register_controller(
    controller: Controller, request: ControllerRegistrationRequest
) -> Decision[ControllerRegistrationResponse]:
    """Write down what a controller says of itself. Raises WireError where the metadata.version has no record for it."""
    if controller.image.metadata_version < _SINCE_LEVEL:
        raise WireError(errors.UNSUPPORTED_VERSION, "Controllers are registered from metadata.version 3.7-IV0 on")
    record = stored.RegisterControllerRecord(
        controller_id=request.controller_id,
        incarnation_id=request.incarnation_id,
        zk_migration_ready=request.zk_migration_ready,
        end_points=[
            stored.ControllerEndpoint(one.name, one.host, one.port, one.security_protocol) for one in request.listeners
        ],
        features=[
            stored.ControllerFeature(one.name, one.min_supported_version, one.max_supported_version)
            for one in request.features
        ],
    )
    return Decision([record], ControllerRegistrationResponse(error_message=None))
