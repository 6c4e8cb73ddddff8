"""What a decision sees, and what it answers.

A decision is a plain function (controller, request) -> Decision. It reads the working image, which already includes
records that are not committed yet (two creations of one name must not both succeed), and changes nothing. Whoever
called it appends the records, replays them, and gives the response once they are committed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from logctl.engine.controller.image import EMPTY, Image

Response = TypeVar("Response")


class Rules(NamedTuple):
    """The node's settings that decisions depend on.

    `server_values` are settings the operator gave, by Apache's names. `check_broker_config` is told (broker, name,
    value) of a dynamic broker config that somebody wants to set, with an empty text for all brokers, and raises
    WireError when it may not be. `broker_list_default` answers the default of a broker setting that is a list, None
    for others; `limit` the value of a broker setting that is a number.
    """

    cluster_id: str = ""
    default_partitions: int = 1
    default_replication_factor: int = 1
    delete_topics: bool = True
    server_values: Mapping[str, str] = EMPTY
    check_broker_config: Callable[[str, str, str], None] = lambda broker, name, value: None
    broker_list_default: Callable[[str], str | None] = lambda name: None
    limit: Callable[[str], int | None] = lambda name: None


class Controller(NamedTuple):
    """Everything a decision may look at. `next_offset` is where its first record will lie in the metadata log."""

    image: Image
    now_ms: int
    next_offset: int
    new_uuid: Callable[[], bytes]
    rules: Rules = Rules()


class Decision(NamedTuple, Generic[Response]):
    """`records` are appended together: all of them are committed or none. `response` leaves when they are."""

    records: list[Any]
    response: Response
