"""ConsumerGroupHeartbeat (68), versions 0 and 1: everything a member of a consumer group says and hears (KIP-848).

Version 1 has the client make its own member id, and adds subscriptions by pattern. A pattern is matched while the
heartbeat is answered, against all topics, internal ones too, as Apache Kafka does. Racks are remembered and not used:
neither assignor looks at them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.reply import Later, caller_of
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 68
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[ConsumerGroupHeartbeatRequest], now_ms: int) -> Answer:
    body = request.body
    if "consumer" not in broker.groups.settings.protocols:
        raise WireError(errors.UNSUPPORTED_VERSION, "group.coordinator.rebalance.protocols leaves out consumer")
    if not broker.may(request, Operation.READ, Resource.GROUP, body.group_id):
        raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
    names = body.subscribed_topic_names or ()
    if not all(broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name) for name in names):
        raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
    caller = caller_of(request)
    broker.groups.run(
        body.group_id,
        now_ms,
        Later(broker, request),
        lambda shard, turn: shard.consumer_heartbeat(turn, caller, body),
    )
    return PARKED
