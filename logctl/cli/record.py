"""logctl record: produce and consume.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from logctl.cli.options import DEFAULT_TIMEOUT, Bootstrap, Properties, Timeout
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.record_text import Writer


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


class Isolation(str, Enum):  # noqa: UP042
    UNCOMMITTED = "read_uncommitted"
    COMMITTED = "read_committed"


class RecordForm(str, Enum):  # noqa: UP042
    VALUE = "value"
    JSON = "json"
    RAW = "raw"


NullValue = Annotated[
    str | None, typer.Option("-Z", "--null-value", metavar="TOKEN", help="The text that stands for null.")
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
AtMost = Annotated[int | None, typer.Option("-n", "--max-messages", help="Stop after so many records.")]
RecordOutput = Annotated[RecordForm, typer.Option("-o", "--output", help="Values on lines, JSON lines, or raw values.")]
Shape = Annotated[
    str | None, typer.Option("--format", metavar="TEMPLATE", help="Fields %t %p %o %T %D %k %s %h, as kcat's -f.")
]
IsolationLevel = Annotated[
    Isolation, typer.Option("--isolation", "--isolation-level", help="Leave out open and aborted transactions?")
]


def register(app: typer.Typer) -> None:
    """Add `logctl record`."""
    record = typer.Typer(no_args_is_help=True, help="Write records to topics and read them.")
    record.command("produce")(produce_command)
    record.command("consume")(consume_command)
    app.add_typer(record, name="record")


# -- produce ---------------------------------------------------------------------------------------------------------


def produce_command(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Where to write.")],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Input; '-' or nothing: stdin.")
    ] = None,
    key_separator: Annotated[
        str | None,
        typer.Option("-K", "--key-separator", metavar="TEXT", help="Each line is KEY TEXT VALUE; \\t works."),
    ] = None,
    key: Annotated[str | None, typer.Option("-k", "--key", help="The key of every record.")] = None,
    headers: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", "--headers", metavar="NAME=VALUE", help="A header of every record."),
    ] = None,
    partition: Annotated[int | None, typer.Option("-p", "--partition", help="The partition of every record.")] = None,
    compression: Annotated[
        Compression, typer.Option("-z", "--compression", "--compression-codec", help="How to compress batches.")
    ] = Compression.NONE,
    acks: Annotated[Acks, typer.Option("--acks", "--request-required-acks", help="Who must have a record.")] = Acks.ALL,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Each line is a JSON object, as consume -o json writes.")
    ] = False,
    raw_input: Annotated[bool, typer.Option("--raw", help="The whole input, or each FILE, is one value.")] = False,
    null_value: NullValue = None,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
) -> int:
    """Write records: each line of the input is a value.

    Every record is acknowledged by all in-sync replicas and none is doubled, unless --acks says otherwise. Keys are
    placed as the Java client places them. Replaces kafka-console-producer.

    \b
    Example:
      printf 'k1:one\\nk2:two\\n' | logctl record produce orders --key-separator :
    """
    if json_lines and (raw_input or key_separator is not None or key is not None or headers):
        raise UsageError("--json says all about a record; it excludes --raw, --key, --key-separator and --header")
    if raw_input and key_separator is not None:
        raise UsageError("--raw takes the input as it is; it excludes --key-separator")
    from logctl.admin.producer import ProduceOptions
    from logctl.admin.record_text import LineFormat, parse_json
    from logctl.cli.intake import check
    from logctl.cli.producing import Source, produce
    from logctl.cli.session import Target, connected

    plain = LineFormat(
        separator=_separator(key_separator),
        key=_bytes(key),
        headers=tuple(_parse_header(text) for text in headers or ()),
        null=_bytes(null_value),
    )
    source = Source(tuple(files or ("-",)), parse_json if json_lines else plain.parse, partition, raw_input, plain)
    check(source.files)
    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        number = {Acks.NONE: 0, Acks.LEADER: 1}.get(acks, -1)
        options = ProduceOptions(number, compression.value, session.timeout_s)
        return produce(session, topic, options, source)


# -- consume ---------------------------------------------------------------------------------------------------------


def consume_command(
    topics: Annotated[list[str], typer.Argument(metavar="TOPIC...", help="What to read.")],
    partitions: Partitions = None,
    start: Start = "beginning",
    stop: Stop = None,
    at_most: AtMost = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on and wait for new records.")] = False,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", hidden=True)] = False,
    form: RecordOutput = RecordForm.VALUE,
    shape: Shape = None,
    isolation: IsolationLevel = Isolation.UNCOMMITTED,
    null_value: NullValue = None,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
) -> None:
    """Read records, by default all that are there now, and print their values.

    The order within a partition is kept. Replaces kafka-console-consumer.

    \b
    Example:
      logctl record consume orders --from -10 -o json
    """
    if follow and stop is not None:
        raise UsageError("--follow has no end; it excludes --to")
    if at_most is not None and at_most < 0:
        raise UsageError(f"-n {at_most}: a number from 0 up was expected")
    from logctl.admin.consumer import ConsumeOptions, Consumer
    from logctl.admin.positions import BEGINNING, END, parse_position
    from logctl.cli.printing import print_records
    from logctl.cli.session import Target, connected

    writer = _writer(form, shape, null_value)
    with connected(Target(bootstrap, properties=properties or ()), timeout) as session:
        options = ConsumeOptions(
            BEGINNING if from_beginning else parse_position(start),
            None if follow else END if stop is None else parse_position(stop),
            tuple(dict.fromkeys(partitions)) if partitions else None,
            at_most,
            isolation is Isolation.COMMITTED,
            session.timeout_s,
        )
        consumer = Consumer(session.cluster, topics, options)
        consumer.open(session.deadline)
        print_records(consumer, writer, at_once=follow)


# -- arguments -------------------------------------------------------------------------------------------------------


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _separator(text: str | None) -> bytes | None:
    if text is None:
        return None
    from logctl.admin.record_text import unescape

    separator = unescape(text)
    if not separator or b"\n" in separator:
        raise UsageError("the key separator cannot be empty or hold a line break")
    return separator


def _parse_header(text: str) -> tuple[str, bytes | None]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--header {text}: a header has the form name=value")
    return name, value.encode("utf-8", "surrogateescape")


def _writer(form: RecordForm, shape: str | None, null_value: str | None) -> Writer:
    from logctl.admin.record_text import as_json, raw, template, values

    null = _bytes(null_value) or b""
    if shape is not None:
        return template(shape, null)
    return {RecordForm.VALUE: values(null), RecordForm.JSON: as_json, RecordForm.RAW: raw()}[form]
