"""logctl record consume: records to stdout, all of them or those that are wanted.

What the command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from logctl.cli.command import talking
from logctl.cli.durations import parse_duration_s
from logctl.cli.record_options import Isolation, NullValue, Partitions, Start, Stop, as_bytes, topics_of
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.consumer import ConsumeOptions
    from logctl.cli.printing import Printed
    from logctl.cli.session import Session


class RecordForm(str, Enum):  # noqa: UP042 - Typer shows the values of a str enum as the choices
    VALUE = "value"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    RAW = "raw"


class Form(str, Enum):  # noqa: UP042
    STRING = "string"
    HEX = "hex"
    BASE64 = "base64"
    JSON = "json"


AtMost = Annotated[
    int | None, typer.Option("-n", "--max-messages", help="Stop after so many records, counted behind the filters.")
]
RecordOutput = Annotated[
    RecordForm, typer.Option("-o", "--output", help="Values on lines, JSON lines, a YAML list, CSV, or raw values.")
]
Shape = Annotated[
    str | None, typer.Option("--format", metavar="TEMPLATE", help="Fields %t %p %o %T %D %k %s %h, as kcat's -f.")
]
IsolationLevel = Annotated[
    Isolation, typer.Option("--isolation", "--isolation-level", help="Leave out open and aborted transactions?")
]
FormatterProperty = Annotated[
    list[str] | None,
    typer.Option("--property", "--formatter-property", metavar="NAME=VALUE", hidden=True),
]


@talking
def consume_command(
    session: Session,
    topics: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="What to read.")] = None,
    named: Annotated[str | None, typer.Option("--topic", hidden=True)] = None,
    partitions: Partitions = None,
    start: Start = "beginning",
    stop: Stop = None,
    at_most: AtMost = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on and wait for new records.")] = False,
    idle: Annotated[
        str | None, typer.Option("--idle", metavar="DURATION", help="Follow until no record came for so long.")
    ] = None,
    timeout_ms: Annotated[int | None, typer.Option("--timeout-ms", hidden=True)] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", hidden=True)] = False,
    key: Annotated[str | None, typer.Option("--key", metavar="PATTERN", help="Only keys like 'order-*'.")] = None,
    key_regex: Annotated[
        str | None, typer.Option("--key-regex", metavar="REGEX", help="Only keys in which it is found.")
    ] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", "--value-regex", metavar="REGEX", help="Only values in which it is found.")
    ] = None,
    headers: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", metavar="NAME[=PATTERN]", help="Only with such a header. May be repeated."),
    ] = None,
    tombstones: Annotated[bool, typer.Option("--tombstones", help="Only records whose value is null.")] = False,
    invert: Annotated[bool, typer.Option("--invert", help="Only records that the filters would leave out.")] = False,
    count: Annotated[bool, typer.Option("-c", "--count", help="Print how many there are instead.")] = False,
    form: RecordOutput = RecordForm.VALUE,
    key_form: Annotated[Form, typer.Option("--key-format", help="How to write keys.")] = Form.STRING,
    value_form: Annotated[Form, typer.Option("--value-format", help="How to write values.")] = Form.STRING,
    shape: Shape = None,
    formatter: FormatterProperty = None,
    isolation: IsolationLevel = Isolation.UNCOMMITTED,
    null_value: NullValue = None,
) -> int | None:
    """Read records, by default all that are there now, and print their values.

    The order within a partition is kept. Filters all have to hold. What -o json writes, `record produce --json` reads
    back. Replaces kafka-console-consumer.

    \b
    Example:
      logctl record consume orders --from -10 -o json
    """
    from logctl.admin.record_filters import Filters
    from logctl.cli.printing import consume

    if timeout_ms is not None:
        idle = f"{timeout_ms}ms"
    follow = follow or idle is not None
    if follow and stop is not None:
        raise UsageError("--follow has no end; it excludes --to")
    filters = Filters(key, key_regex, grep, tuple(headers or ()), tombstones, invert)
    printed = _printed(form, shape, formatter, (key_form, value_form), null_value)
    options = _options(
        session, ("beginning" if from_beginning else start, stop), partitions, at_most, isolation, follow, idle
    )
    options = options._replace(keep=filters.keep())
    return consume(session, topics_of(topics, named), options, printed, only_count=count)


def _options(
    session: Session,
    span: tuple[str, str | None],
    partitions: list[int] | None,
    at_most: int | None,
    isolation: Isolation,
    follow: bool,
    idle: str | None,
) -> ConsumeOptions:
    from logctl.admin.consumer import ConsumeOptions
    from logctl.admin.positions import END, parse_position

    if at_most is not None and at_most < 0:
        raise UsageError(f"-n {at_most}: a number from 0 up was expected")
    start, stop = span
    return ConsumeOptions(
        parse_position(start),
        None if follow else END if stop is None else parse_position(stop),
        tuple(dict.fromkeys(partitions)) if partitions else None,
        at_most,
        isolation is Isolation.COMMITTED,
        session.timeout_s,
        idle_s=None if idle is None else parse_duration_s(idle),
    )


def _printed(
    form: RecordForm,
    shape: str | None,
    formatter: list[str] | None,
    forms: tuple[Form, Form],
    null_value: str | None,
) -> Printed:
    """How records are to be written. Raises UsageError."""
    from functools import partial

    from logctl.admin import record_text as text
    from logctl.cli.printing import Printed

    null = as_bytes(null_value) or b""
    chosen = text.Forms(*(one.value for one in forms))
    if formatter:
        from logctl.admin.record_console import console_writer

        return Printed(console_writer(formatter))
    if shape is not None:
        return Printed(text.template(shape, null, chosen))
    if form is RecordForm.CSV:
        return Printed(text.as_csv(null, chosen), text.CSV_TITLES)
    if form is RecordForm.YAML:
        return Printed(text.as_yaml(chosen))
    if form is RecordForm.JSON:
        return Printed(partial(text.as_json, forms=chosen), counted_as_json=True)
    return Printed(text.raw() if form is RecordForm.RAW else text.values(null, chosen.value))
