"""Which replica a consumer had better read from (KIP-392).

With `replica.selector.class` set to Apache's RackAwareReplicaSelector, a leader that is not in the consumer's rack
names the follower there that is in sync, has the offset asked for, and has the most. The consumer then asks that one;
it comes back to the leader when that one does not lead it on, and once in a while by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logctl.engine.broker.endpoints import endpoint_for

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.request import Request

BY_RACK: Final = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
FOLLOWERS_SINCE: Final = 11
"""From this version of Fetch on a consumer may be sent to a follower, and read there."""


def chooses_by_rack(broker: Broker) -> bool:
    return broker.settings.text("replica.selector.class") == BY_RACK


def nearest(broker: Broker, request: Request[Any], replica: Replica, offset: int) -> int | None:
    """The follower that a consumer had better ask for `offset`; None: this leader."""
    rack = request.body.rack_id
    if not rack or request.version < FOLLOWERS_SINCE or replica.followers is None or not chooses_by_rack(broker):
        return None
    brokers = broker.metadata.image.brokers
    own = brokers.get(broker.node_id)
    if own is None or own.rack == rack:
        return None
    able = []
    for one, progress in replica.followers.members.items():
        registered = brokers.get(one)
        if registered is None or registered.fenced or registered.rack != rack or one not in replica.isr:
            continue
        if 0 <= progress.start_offset <= offset <= progress.offset and endpoint_for(registered, request.peer.listener):
            able.append((progress.offset, progress.caught_up_ms, -one))
    return -max(able)[2] if able else None
