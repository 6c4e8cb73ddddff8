"""logctl record produce: lines of the input, or JSON, or whole files, into a topic.

What the command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from logctl.cli.command import talking
from logctl.cli.record_options import (
    Acks,
    AcksChoice,
    Compression,
    CompressionChoice,
    Idempotent,
    NullValue,
    as_bytes,
    one_topic,
)
from logctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from logctl.admin.record_text import LineFormat, Parsed
    from logctl.cli.session import Session


@talking
def produce_command(
    session: Session,
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", help="Where to write.")] = None,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Input; '-' or nothing: stdin.")
    ] = None,
    named: Annotated[str | None, typer.Option("--topic", hidden=True)] = None,
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
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", metavar="TIME", help="Of every record: ISO 8601 or @milliseconds.")
    ] = None,
    tombstones: Annotated[
        bool, typer.Option("--tombstones", help="Each line is a key, and its value null: deleted when compacted.")
    ] = False,
    compression: CompressionChoice = Compression.NONE,
    acks: AcksChoice = Acks.ALL,
    idempotent: Idempotent = True,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Each line is a JSON object, as consume -o json writes.")
    ] = False,
    raw_input: Annotated[bool, typer.Option("--raw", help="The whole input, or each FILE, is one value.")] = False,
    reader: Annotated[
        list[str] | None, typer.Option("--property", "--reader-property", metavar="NAME=VALUE", hidden=True)
    ] = None,
    null_value: NullValue = None,
) -> int:
    """Write records: each line of the input is a value.

    Every record is acknowledged by all in-sync replicas and none is doubled, unless --acks or --no-idempotent say
    otherwise. Keys are placed as the Java client places them. Replaces kafka-console-producer.

    \b
    Example:
      printf 'k1:one\\nk2:two\\n' | logctl record produce orders --key-separator :
    """
    from logctl.admin.producer import ProduceOptions
    from logctl.cli.intake import check
    from logctl.cli.producing import Source, produce

    plain: dict[str, Any] = {
        "--key-separator": key_separator, "--key": key, "--header": headers or None, "--timestamp": timestamp
    }  # fmt: skip
    shapes = {"--json": json_lines, "--raw": raw_input, "--tombstones": tombstones, "--property": bool(reader)}
    _check_shape({name for name in shapes if shapes[name]}, {name for name in plain if plain[name] is not None})
    lines = _line_format(key_separator, key, headers, timestamp, null_value, tombstones)
    first = [topic] if named and topic else []  # with --topic the first argument is a file
    source = Source((*first, *(files or ())) or ("-",), _parser(lines, json_lines, reader), partition, raw_input, lines)
    check(source.files)
    options = ProduceOptions(acks.number, compression.value, session.timeout_s, idempotent)
    return produce(session, one_topic(None if named else topic, named), options, source)


def _check_shape(shapes: set[str], plain: set[str]) -> None:
    """At most one way to read the input, and only what goes with it. Raises UsageError."""
    if "--json" in shapes and (plain or len(shapes) > 1):
        others = sorted((shapes | plain) - {"--json"})
        raise UsageError(f"--json says all about a record; it excludes {', '.join(others)}")
    if len(shapes) > 1:
        first, second, *_ = sorted(shapes)
        raise UsageError(f"{first} says how the input is read; it excludes {second}")
    if "--property" in shapes and plain:
        raise UsageError(f"--property says how lines are read; it excludes {', '.join(sorted(plain))}")
    if "--raw" in shapes and "--key-separator" in plain:
        raise UsageError("--raw takes the input as it is; it excludes --key-separator")
    if "--tombstones" in shapes and plain & {"--key-separator", "--key"}:
        raise UsageError("--tombstones takes each line as a key; it excludes --key and --key-separator")


def _line_format(
    separator: str | None,
    key: str | None,
    headers: list[str] | None,
    timestamp: str | None,
    null_value: str | None,
    tombstones: bool,
) -> LineFormat:
    from logctl.admin.record_text import LineFormat

    return LineFormat(
        separator=_separator(separator),
        key=as_bytes(key),
        headers=tuple(_parse_header(text) for text in headers or ()),
        null=as_bytes(null_value),
        tombstones=tombstones,
        timestamp=-1 if timestamp is None else _timestamp_ms(timestamp),
    )


def _parser(lines: LineFormat, json_lines: bool, reader: list[str] | None) -> Callable[[bytes, int], Parsed]:
    from logctl.admin.record_text import parse_json

    if json_lines:
        return parse_json
    if reader:
        from logctl.admin.record_console import console_reader

        return console_reader(reader).parse
    return lines.parse


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


def _timestamp_ms(text: str) -> int:
    from logctl.admin.positions import Kind, parse_position

    found: Any = parse_position(text if not text.isdigit() else f"@{text}")
    if found.kind is not Kind.TIME:
        raise UsageError(f"--timestamp {text}: not a time", "write 2026-01-31T12:00:00Z, or @ and milliseconds")
    return int(found.value)
