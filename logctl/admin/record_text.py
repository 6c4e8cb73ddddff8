"""Records as text: what a line of input means, and how a record is written out. Pure; bytes in, bytes out.

JSON lines are the form that loses nothing: what `consume -o json` writes, `produce --json` reads back.

    {"topic": "orders", "partition": 0, "offset": 7, "timestamp": 1700000000000, "key": "k", "value": "v",
     "headers": [{"key": "trace", "value": "1"}]}

Bytes that are not UTF-8 are written as base64 beside a marker: "value_encoding": "base64", likewise for keys and
header values; "hex" is understood too. null is null: no key, a tombstone. An object or list in place of a string stands
for its own JSON text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.errors import UsageError
from logctl.wire.records import NO_TIMESTAMP, Headers, NewRecord, Record


class Parsed(NamedTuple):
    """A record to send, and the partition it names, if it names one."""

    record: NewRecord
    partition: int | None = None


class LineFormat(NamedTuple):
    """How a plain line is read: `key` is the same for all; with `separator` each line brings its own before it. With
    `tombstones` a line is a key and nothing else, and the value null. `timestamp` in ms, -1 for now."""

    separator: bytes | None = None
    key: bytes | None = None
    headers: Headers = ()
    null: bytes | None = None
    tombstones: bool = False
    timestamp: int = NO_TIMESTAMP

    def parse(self, line: bytes, number: int) -> Parsed:
        """Raises UsageError when the separator is missing."""
        if self.tombstones:
            return Parsed(NewRecord(line, None, self.headers, self.timestamp))
        key, value = self.key, line
        if self.separator is not None:
            key, found, value = line.partition(self.separator)
            if not found:
                shown = self.separator.decode("utf-8", "backslashreplace")
                raise UsageError(f"line {number} has no key: the separator {shown!r} is not in it")
        return Parsed(NewRecord(self._or_null(key), self._or_null(value), self.headers, self.timestamp))

    def whole(self, value: bytes) -> Parsed:
        """A whole input as one record."""
        return Parsed(NewRecord(self.key, value, self.headers, self.timestamp))

    def _or_null(self, text: bytes | None) -> bytes | None:
        return None if text is None or text == self.null else text


# -- JSON lines ------------------------------------------------------------------------------------------------------

_FIELDS: Final = frozenset(("topic", "partition", "offset", "timestamp", "key", "value", "headers"))
_MARKED: Final = frozenset(("key_encoding", "value_encoding"))


def parse_json(line: bytes, number: int) -> Parsed:
    """One JSON line as a record. "topic" and "offset" are ignored. Raises UsageError naming line and field."""
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"line {number} is not JSON: {error}") from None
    if not isinstance(item, dict):
        raise UsageError(f"line {number}: an object was expected, with fields like key and value")
    strange = sorted(item.keys() - _FIELDS - _MARKED)
    if strange:
        raise UsageError(f"line {number}: unknown field {strange[0]!r}", f"known are {', '.join(sorted(_FIELDS))}")
    record = NewRecord(
        _bytes_of(item, "key", number),
        _bytes_of(item, "value", number),
        _headers_of(item.get("headers"), number),
        _number_of(item, "timestamp", number, -1),
    )
    partition = _number_of(item, "partition", number, -1)
    return Parsed(record, partition if partition >= 0 else None)


def _number_of(item: Mapping[str, Any], name: str, number: int, missing: int) -> int:
    value = item.get(name)
    if value is None:
        return missing
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value < 1 << 63:
        raise UsageError(f"line {number}: {name} is not a whole number that Kafka can hold")
    return value


def _bytes_of(item: Mapping[str, Any], name: str, number: int) -> bytes | None:
    value = item.get(name)
    encoding = item.get(f"{name}_encoding")
    if value is None:
        return None
    if encoding is None:
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass")
    decode = _DECODERS.get(encoding) if isinstance(encoding, str) else None
    if decode is None or not isinstance(value, str):
        raise UsageError(f"line {number}: {name}_encoding can be 'base64' or 'hex' beside a string, and nothing else")
    try:
        return decode(value)
    except ValueError as error:
        raise UsageError(f"line {number}: {name} is not {encoding}: {error}") from None


_DECODERS: Final[dict[str, Callable[[str], bytes]]] = {
    "base64": lambda text: base64.b64decode(text, validate=True),
    "hex": bytes.fromhex,
}


def _headers_of(value: object, number: int) -> Headers:
    if value is None:
        return ()
    if isinstance(value, dict):
        value = [{"key": name, "value": text} for name, text in value.items()]
    if not isinstance(value, list):
        raise UsageError(f"line {number}: headers are a list of objects with key and value")
    found = []
    for header in value:
        if not isinstance(header, dict) or not isinstance(header.get("key"), str):
            raise UsageError(f"line {number}: a header is an object with a key, which is a string, and a value")
        found.append((header["key"], _bytes_of(header, "value", number)))
    return tuple(found)


class Forms(NamedTuple):
    """How keys and values are written: as they are ("string"), "hex", "base64", or laid out where they are "json"."""

    key: str = "string"
    value: str = "string"


FORMS: Final = ("string", "hex", "base64", "json")
_AS_THEY_ARE: Final = Forms()


def as_item(topic: str, partition: int, record: Record, forms: Forms = _AS_THEY_ARE) -> dict[str, Any]:
    """A record as plain values, as they are written and read as JSON."""
    return {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        **_text_of("key", record.key, forms.key),
        **_text_of("value", record.value, forms.value),
        "headers": [{"key": name, **_text_of("value", value)} for name, value in record.headers],
    }


def as_json(topic: str, partition: int, record: Record, forms: Forms = _AS_THEY_ARE) -> bytes:
    """A record as one JSON line."""
    text = json.dumps(as_item(topic, partition, record, forms), ensure_ascii=False, separators=(", ", ": "))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _text_of(name: str, value: bytes | None, form: str = "string") -> dict[str, Any]:
    if value is None:
        return {name: None}
    if form == "hex":
        return {name: value.hex(), f"{name}_encoding": "hex"}
    try:
        if form != "base64":
            text = value.decode()
            return {name: _structure(text) if form == "json" else text}
    except UnicodeDecodeError:
        pass
    return {name: base64.b64encode(value).decode(), f"{name}_encoding": "base64"}


def _structure(text: str) -> Any:
    """The object or list that a text of JSON means; any other text as it is, so that it can be read back."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, dict | list) else text


def in_form(value: bytes, form: str) -> bytes:
    """A key or value as it is shown outside of JSON."""
    if form == "hex":
        return value.hex().encode()
    if form == "base64":
        return base64.b64encode(value)
    if form == "json":
        found = _structure(value.decode("utf-8", "surrogateescape"))
        return value if isinstance(found, str) else json.dumps(found, indent=2, ensure_ascii=False).encode()
    return value


# -- templates -------------------------------------------------------------------------------------------------------

Writer = Callable[[str, int, Record], bytes]

_ESCAPES: Final = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0", "\\": b"\\"}
_TEMPLATE: Final = re.compile(r"%(.)|\\x([0-9a-fA-F]{2})|\\(.)|([^%\\]+)|([%\\])", re.DOTALL)


def template(text: str, null: bytes = b"", forms: Forms = _AS_THEY_ARE) -> Writer:
    r"""A writer made of a template as kcat's -f: literal text with fields and the escapes \n \t \r \0 \xNN.

    %t topic, %p partition, %o offset, %T timestamp (ms), %D date and time (UTC), %k key, %K its length, %s value,
    %S its length (-1: null), %h headers as name=value joined by commas, %% a percent sign. Raises UsageError.
    """
    pieces: list[bytes | Callable[[str, int, Record], bytes]] = []
    for found in _TEMPLATE.finditer(text):
        field, hexadecimal, escape, literal, lone = found.groups()
        if field is not None:
            pieces.append(_field(field, text, null, forms))
        elif hexadecimal is not None:
            pieces.append(bytes((int(hexadecimal, 16),)))
        elif escape is not None:
            pieces.append(_ESCAPES.get(escape, b"\\" + escape.encode()))
        elif lone is not None:
            raise UsageError(f"the template {text!r} ends in the middle of a field")
        else:
            pieces.append(literal.encode())
    return lambda topic, partition, record: b"".join(
        piece if isinstance(piece, bytes) else piece(topic, partition, record) for piece in pieces
    )


def _field(letter: str, text: str, null: bytes, forms: Forms) -> bytes | Writer:
    fields: dict[str, bytes | Writer] = {
        "%": b"%",
        "t": lambda topic, partition, record: topic.encode(),
        "p": lambda topic, partition, record: b"%d" % partition,
        "o": lambda topic, partition, record: b"%d" % record.offset,
        "T": lambda topic, partition, record: b"%d" % record.timestamp,
        "D": lambda topic, partition, record: iso_time(record.timestamp).encode(),
        "k": lambda topic, partition, record: null if record.key is None else in_form(record.key, forms.key),
        "K": lambda topic, partition, record: b"%d" % (-1 if record.key is None else len(record.key)),
        "s": lambda topic, partition, record: null if record.value is None else in_form(record.value, forms.value),
        "S": lambda topic, partition, record: b"%d" % (-1 if record.value is None else len(record.value)),
        "h": lambda topic, partition, record: _joined(record.headers, null),
    }
    if letter not in fields:
        known = " ".join(f"%{name}" for name in fields)
        raise UsageError(f"%{letter} in the template {text!r} is not a field", f"the fields are {known}")
    return fields[letter]


def _joined(headers: Iterable[tuple[str, bytes | None]], null: bytes) -> bytes:
    return b",".join(name.encode() + b"=" + (null if value is None else value) for name, value in headers)


def iso_time(timestamp_ms: int) -> str:
    """A record's timestamp as ISO 8601 in UTC; the number itself where it is no date."""
    from datetime import datetime, timedelta, timezone

    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=timestamp_ms)  # noqa: UP017
    except OverflowError:
        return str(timestamp_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def values(null: bytes = b"", form: str = "string") -> Writer:
    """A writer of values, each on its line."""
    return lambda topic, partition, record: (null if record.value is None else in_form(record.value, form)) + b"\n"


CSV_TITLES: Final = b"topic,partition,offset,timestamp,key,value,headers\n"


def as_csv(null: bytes, forms: Forms) -> Writer:
    """A writer of CSV lines, in the order of CSV_TITLES; bytes that are no text are written as base64."""

    def cell(value: bytes | None, form: str) -> str:
        return null.decode("utf-8", "replace") if value is None else str(_shown(value, form))

    def line(topic: str, partition: int, record: Record) -> bytes:
        headers = ",".join(f"{name}={cell(value, 'string')}" for name, value in record.headers)
        key, value = cell(record.key, forms.key), cell(record.value, forms.value)
        cells = (topic, str(partition), str(record.offset), iso_time(record.timestamp), key, value, headers)
        return ",".join(map(_csv_cell, cells)).encode("utf-8", "backslashreplace") + b"\n"

    return line


def _shown(value: bytes, form: str) -> str:
    try:
        return in_form(value, form).decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _csv_cell(text: str) -> str:
    if any(sign in text for sign in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def as_yaml(forms: Forms) -> Writer:
    """A writer of YAML: each record an entry of one long list."""
    import yaml

    def entry(topic: str, partition: int, record: Record) -> bytes:
        item = as_item(topic, partition, record, forms)
        text: str = yaml.safe_dump([item], sort_keys=False, allow_unicode=True, default_flow_style=False)
        return text.encode("utf-8", "backslashreplace")

    return entry


def raw() -> Writer:
    """A writer of values as they are, one after the other."""
    return lambda topic, partition, record: record.value or b""


def unescape(text: str) -> bytes:
    r"""A separator as typed: the bytes behind \t, \n, \0 and \xNN."""
    out = bytearray()
    for found in _TEMPLATE.finditer(text.replace("%", "%%")):
        field, hexadecimal, escape, literal, lone = found.groups()
        if hexadecimal is not None:
            out.append(int(hexadecimal, 16))
        elif escape is not None:
            out += _ESCAPES.get(escape, b"\\" + escape.encode())
        else:
            out += (field or literal or lone or "").encode("utf-8", "surrogateescape")
    return bytes(out)
