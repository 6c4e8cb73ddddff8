"""Limits on how fast replicas are copied, for as long as they catch up (KIP-73).

Theory of operation
-------------------
Two settings of a broker say how many bytes per second its throttled replicas may send to followers
(leader.replication.throttled.rate) and take from leaders (follower.replication.throttled.rate). Which replicas those
are, two settings of each topic say, as `partition:broker` pairs or `*`.

Everything that throttled replicas send or take is counted. While there was more than the rate allows, the leader has
nothing to say about such a replica to a follower that is out of sync, and the follower leaves the ones that are behind
out of what it asks. The leader never holds back who is in sync: no acknowledgement waits because of it.

The rate is that of the last `replication.quota.window.num` samples of `replication.quota.window.size.seconds` each, so
what was not used for a while is not all spent at once, nor does one large answer stop everything for long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from logctl.engine.broker.broker import NodeSettings
    from logctl.engine.controller.image import Image

UNLIMITED: Final = (1 << 63) - 1
_ALL: Final = "*"


class Names(NamedTuple):
    """What one direction is set by."""

    rate: str
    replicas: str


LEADER: Final = Names("leader.replication.throttled.rate", "leader.replication.throttled.replicas")
FOLLOWER: Final = Names("follower.replication.throttled.rate", "follower.replication.throttled.replicas")


class Rate:
    """Bytes per second over the last samples. Times in ms."""

    def __init__(self, samples: int, sample_ms: int) -> None:
        self._kept_ms = samples * sample_ms
        self._sample_ms = sample_ms
        self._samples: deque[list[int]] = deque()
        self._bytes = 0

    def record(self, count: int, now_ms: int) -> None:
        self._forget(now_ms)
        if not self._samples or now_ms - self._samples[-1][0] >= self._sample_ms:
            self._samples.append([now_ms, 0])
        self._samples[-1][1] += count
        self._bytes += count

    def per_second(self, now_ms: int) -> float:
        self._forget(now_ms)
        if not self._samples:
            return 0.0
        return self._bytes * 1000 / max(now_ms - self._samples[0][0], self._sample_ms)

    def _forget(self, now_ms: int) -> None:
        while self._samples and now_ms - self._samples[0][0] >= self._kept_ms:
            self._bytes -= self._samples.popleft()[1]


class Throttle:
    """One direction: `names` are LEADER or FOLLOWER."""

    def __init__(self, names: Names, node_id: int, settings: NodeSettings, image: Callable[[], Image]) -> None:
        self._names = names
        self._node_id = node_id
        self._settings = settings
        self._image = image
        self._rate = Rate(
            settings.integer("replication.quota.window.num"),
            settings.integer("replication.quota.window.size.seconds") * 1000,
        )

    def limit(self) -> int:
        """Bytes per second; UNLIMITED where none is set."""
        return self._settings.integer(self._names.rate)

    def names(self, topic: str, partition: int) -> bool:
        """Whether this node's replica is to be throttled; nothing is while no rate is set."""
        if self.limit() >= UNLIMITED:
            return False
        text = self._image().topic_configs(topic).get(self._names.replicas)
        return bool(text) and _names(text or "", partition, self._node_id)

    def record(self, count: int, now_ms: int) -> None:
        """What a throttled replica sent or took."""
        self._rate.record(count, now_ms)

    def is_exceeded(self, now_ms: int) -> bool:
        return self._rate.per_second(now_ms) > self.limit()


class Throttles:
    """Both directions of a node."""

    def __init__(self, node_id: int, settings: NodeSettings, image: Callable[[], Image]) -> None:
        self.leader = Throttle(LEADER, node_id, settings, image)
        self.follower = Throttle(FOLLOWER, node_id, settings, image)


def _names(text: str, partition: int, node_id: int) -> bool:
    pairs = _pairs(text)
    return pairs is None or (partition, node_id) in pairs


@lru_cache(maxsize=1024)
def _pairs(text: str) -> frozenset[tuple[int, int]] | None:
    """The pairs that a topic's setting names; None for all. What was refused when it was set is not met here."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if _ALL in entries:
        return None
    pairs = (entry.partition(":") for entry in entries)
    return frozenset((int(number), int(broker)) for number, _, broker in pairs)
