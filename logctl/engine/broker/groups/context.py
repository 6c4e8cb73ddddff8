"""What the rules of all groups share: the groups themselves, and what comes in from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from logctl.engine.broker.groups.classic import ClassicGroup
from logctl.engine.broker.groups.consumer import ConsumerGroup
from logctl.engine.broker.groups.settings import GroupSettings
from logctl.engine.broker.groups.timers import Timers
from logctl.engine.controller.image import Image

Group = ClassicGroup | ConsumerGroup


@dataclass(slots=True, eq=False)
class Context:
    """`fresh_id` answers sixteen bytes that nobody has seen; `timers` are shared by all partitions of a node.
    `image_version` rises with every change of the image, `topics_version` is the one in which a topic last came."""

    settings: GroupSettings
    timers: Timers
    fresh_id: Callable[[], bytes]
    image: Image = field(default_factory=Image)
    image_version: int = 0
    topics_version: int = 0
    groups: dict[str, Group] = field(default_factory=dict)
