"""What the node's settings tell DescribeConfigs about one of them."""

from __future__ import annotations

from typing import NamedTuple


class Described(NamedTuple):
    """A broker setting. `value` is the text that holds, `given` says that the operator wrote it."""

    name: str
    value: str | None
    given: bool
    default: str | None
    read_only: bool
    sensitive: bool
    type_code: int
    meaning: str
    acted_on: bool = True
