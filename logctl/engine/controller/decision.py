"""What a decision sees, and what it answers.

A decision is a plain function (controller, request) -> Decision. It reads the working image, which already includes
records that are not committed yet (two creations of one name must not both succeed), and changes nothing. Whoever
called it appends the records, replays them, and gives the response once they are committed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from logctl.engine.controller.image import Image

Response = TypeVar("Response")


@dataclass(frozen=True, slots=True)
class Rules:
    """The node's settings that decisions depend on.

    `server_values` are settings the operator gave, by Apache's names. `check_broker_config` is told (name, value) of a
    dynamic broker config that somebody wants to set and raises WireError when it may not be.
    """

    cluster_id: str = ""
    default_partitions: int = 1
    default_replication_factor: int = 1
    delete_topics: bool = True
    server_values: Mapping[str, str] = field(default_factory=dict)
    check_broker_config: Callable[[str, str], None] = lambda name, value: None


@dataclass(frozen=True, slots=True)
class Controller:
    """Everything a decision may look at. `next_offset` is where its first record will lie in the metadata log."""

    image: Image
    now_ms: int
    next_offset: int
    new_uuid: Callable[[], bytes]
    rules: Rules = Rules()


@dataclass(frozen=True, slots=True)
class Decision(Generic[Response]):
    """`records` are appended together: all of them are committed or none. `response` leaves when they are."""

    records: list[Any]
    response: Response
