"""Lines as Apache's console producer and consumer take and print them, told by their own properties. Pure.

The consumer's formatter knows print.timestamp, .partition, .offset, .headers, .key, .value (true or false),
key.separator, line.separator, headers.separator and null.literal. The producer's reader knows parse.key, parse.headers,
key.separator, headers.delimiter, headers.separator, headers.key.separator and null.marker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from logctl.admin.record_text import Parsed, Writer, unescape
from logctl.errors import UsageError
from logctl.wire.records import Headers, NewRecord, Record

_PRINTED: Final = ("timestamp", "partition", "offset", "headers", "key", "value")
_FORMATTER: Final = {
    **{f"print.{what}": "true" if what == "value" else "false" for what in _PRINTED},
    "key.separator": "\t",
    "line.separator": "\n",
    "headers.separator": ",",
    "null.literal": "null",
}
_READER: Final = {
    "parse.key": "false",
    "parse.headers": "false",
    "key.separator": "\t",
    "headers.delimiter": "\t",
    "headers.separator": ",",
    "headers.key.separator": ":",
    "null.marker": "",
}


def _properties(given: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """The properties with what was given. Raises UsageError for one that is not known or has no value."""
    found = dict(known)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise UsageError(f"--property {text}: not understood", f"known are {', '.join(known)}, each as name=value")
        found[name] = value
    return found


def _on(properties: Mapping[str, str], name: str) -> bool:
    return properties[name].strip().lower() == "true"


# -- printing --------------------------------------------------------------------------------------------------------


def console_writer(given: Iterable[str]) -> Writer:
    """A writer that prints what kafka-console-consumer prints with these properties. Raises UsageError."""
    properties = _properties(given, _FORMATTER)
    wanted = [what for what in _PRINTED if _on(properties, f"print.{what}")]
    between, end = unescape(properties["key.separator"]), unescape(properties["line.separator"])
    null, comma = unescape(properties["null.literal"]), unescape(properties["headers.separator"])

    def headers(record: Record) -> bytes:
        pairs = (name.encode() + b":" + (null if value is None else value) for name, value in record.headers)
        return comma.join(pairs) if record.headers else b"NO_HEADERS"

    def cell(what: str, partition: int, record: Record) -> bytes:
        if what == "timestamp":
            return b"CreateTime:%d" % record.timestamp if record.timestamp >= 0 else b"NO_TIMESTAMP"
        if what == "partition":
            return b"Partition:%d" % partition
        if what == "offset":
            return b"Offset:%d" % record.offset
        if what == "headers":
            return headers(record)
        data = record.key if what == "key" else record.value
        return null if data is None else data

    return lambda topic, partition, record: between.join([cell(what, partition, record) for what in wanted]) + end


# -- reading ---------------------------------------------------------------------------------------------------------


class ConsoleReader(NamedTuple):
    """Reads lines of the form HEADERS, KEY, VALUE, the first two as the properties say."""

    with_key: bool
    with_headers: bool
    after_key: bytes
    after_headers: bytes
    between_headers: bytes
    after_name: bytes
    null: bytes

    def parse(self, line: bytes, number: int) -> Parsed:
        """Raises UsageError when a separator is missing."""
        headers: Headers = ()
        key: bytes | None = None
        value = line
        if self.with_headers:
            front, value = self._split(value, self.after_headers, "headers", number)
            headers = self._headers(front, number) if not self._is_null(front) else ()
        if self.with_key:
            key, value = self._split(value, self.after_key, "key", number)
        return Parsed(NewRecord(None if key is None or self._is_null(key) else key, self._or_null(value), headers))

    def _split(self, line: bytes, separator: bytes, what: str, number: int) -> tuple[bytes, bytes]:
        front, found, rest = line.partition(separator)
        if not found:
            shown = separator.decode("utf-8", "backslashreplace")
            raise UsageError(f"line {number} has no {what}: the separator {shown!r} is not in it")
        return front, rest

    def _headers(self, text: bytes, number: int) -> Headers:
        if not text:
            return ()
        pairs = [self._split(one, self.after_name, "header value", number) for one in text.split(self.between_headers)]
        return tuple((name.decode("utf-8", "replace"), self._or_null(value)) for name, value in pairs)

    def _is_null(self, text: bytes) -> bool:
        return bool(self.null) and text == self.null

    def _or_null(self, text: bytes) -> bytes | None:
        return None if self._is_null(text) else text


def console_reader(given: Iterable[str]) -> ConsoleReader:
    """What reads lines as kafka-console-producer does with these properties. Raises UsageError."""
    properties = _properties(given, _READER)
    names = ("key.separator", "headers.delimiter", "headers.separator", "headers.key.separator")
    separators = [unescape(properties[name]) for name in names]
    for name, separator in zip(names, separators, strict=True):
        if not separator or b"\n" in separator:
            raise UsageError(f"{name} cannot be empty or hold a line break")
    after_key, after_headers, between_headers, after_name = separators
    return ConsoleReader(
        _on(properties, "parse.key"),
        _on(properties, "parse.headers"),
        after_key,
        after_headers,
        between_headers,
        after_name,
        unescape(properties["null.marker"]),
    )
