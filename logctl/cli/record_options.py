"""Options and arguments that several of the record commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from logctl.errors import UsageError


class Compression(str, Enum):  # noqa: UP042 - Typer shows the values of a str enum as the choices
    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


class Acks(str, Enum):  # noqa: UP042
    NONE = "0"
    LEADER = "1"
    ALL = "all"
    ALL_BY_NUMBER = "-1"

    @property
    def number(self) -> int:
        return {Acks.NONE: 0, Acks.LEADER: 1}.get(self, -1)


class Isolation(str, Enum):  # noqa: UP042
    UNCOMMITTED = "read_uncommitted"
    COMMITTED = "read_committed"


NullValue = Annotated[
    str | None, typer.Option("-Z", "--null-value", metavar="TOKEN", help="The text that stands for null.")
]
CompressionChoice = Annotated[
    Compression, typer.Option("-z", "--compression", "--compression-codec", help="How to compress batches.")
]
AcksChoice = Annotated[Acks, typer.Option("--acks", "--request-required-acks", help="Who must have a record.")]
Idempotent = Annotated[
    bool, typer.Option("--idempotent/--no-idempotent", help="Have the broker drop repetitions, where it can.")
]
Partitions = Annotated[list[int] | None, typer.Option("-p", "--partition", help="Only this one. May be repeated.")]
Start = Annotated[
    str,
    typer.Option(
        "--from",
        "--offset",
        metavar="POSITION",
        help="beginning, end, an offset, -N for the last N, or a time: ISO 8601 or @milliseconds.",
    ),
]
Stop = Annotated[
    str | None,
    typer.Option("--to", metavar="POSITION", help="Stop before this offset or time; the end by default."),
]


def as_bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def topics_of(arguments: list[str] | None, option: str | None) -> list[str]:
    """The topics named, either way. Raises UsageError when there is none."""
    named = [*(arguments or ()), *([option] if option else ())]
    if not named:
        raise UsageError("no topic was named", "see --help of this command")
    return named


def one_topic(argument: str | None, option: str | None) -> str:
    """The topic named, either way. Raises UsageError unless it is one."""
    named = list(dict.fromkeys(topics_of([argument] if argument else None, option)))
    if len(named) > 1:
        raise UsageError(f"two topics were named: {' and '.join(named)}")
    return named[0]
