"""What consumers of the classic protocol put into their metadata: subscriptions and assignments.

Both begin with an int16 version; a reader takes a newer version for the newest it knows, since fields are only ever
added behind (as Apache's ConsumerProtocol does).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from logctl.wire.primitives import MalformedMessage
from logctl.wire.stored.consumer_protocol_assignment import ConsumerProtocolAssignment
from logctl.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription

NEWEST: Final = 3


def version_of(data: bytes) -> int:
    """The version that the sender wrote. Raises MalformedMessage."""
    if len(data) < 2:
        raise MalformedMessage("consumer metadata is at least two bytes long")
    version = int.from_bytes(data[:2], "big", signed=True)
    if version < 0:
        raise MalformedMessage(f"version {version} of consumer metadata does not exist")
    return min(version, NEWEST)


def read_subscription(data: bytes) -> ConsumerProtocolSubscription:
    """Raises MalformedMessage."""
    return ConsumerProtocolSubscription.decode(data, version_of(data), 2)[0]


def read_assignment(data: bytes) -> ConsumerProtocolAssignment:
    """Raises MalformedMessage."""
    return ConsumerProtocolAssignment.decode(data, version_of(data), 2)[0]


def write_assignment(assignment: ConsumerProtocolAssignment, version: int) -> bytes:
    return version.to_bytes(2, "big") + assignment.encode(version)


def topics_of(metadata: Iterable[bytes]) -> frozenset[str] | None:
    """All topics these subscriptions name; None when one of them cannot be read."""
    topics: set[str] = set()
    try:
        for data in metadata:
            topics.update(read_subscription(data).topics)
    except MalformedMessage:
        return None
    return frozenset(topics)
