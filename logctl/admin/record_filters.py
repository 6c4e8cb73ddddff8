"""Which records are wanted: by key, value, headers and tombstones, as one function of a record. Pure.

Shell patterns must match the whole of a key or header value, regular expressions anywhere in it. Bytes that are not
UTF-8 take part as they are: each stands for a character that matches '?' and '.' and nothing else.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from logctl.errors import UsageError
from logctl.wire.records import Record

Keep = Callable[[Record], bool]
"""Is this record wanted?"""

Matches = Callable[[str], object]


class Filters(NamedTuple):
    """What a wanted record is like; every filter that is given must hold. `headers` are 'name' (there is one) or
    'name=PATTERN' (one of that name matches). `inverted`: the records that are not like that."""

    key: str | None = None
    key_regex: str | None = None
    value_regex: str | None = None
    headers: tuple[str, ...] = ()
    tombstones: bool = False
    inverted: bool = False

    def keep(self) -> Keep | None:
        """The filter as a function; None when nothing is filtered. Raises UsageError for an expression that does not
        parse."""
        tests = list(self._tests())
        if not tests:
            if self.inverted:
                raise UsageError("there is no filter to invert", "add --key, --grep, --header or --tombstones")
            return None
        if self.inverted:
            return lambda record: not all(test(record) for test in tests)
        return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)

    def _tests(self) -> Iterable[Keep]:
        if self.tombstones:
            yield lambda record: record.value is None
        if self.key is not None:
            yield _of_key(_pattern(self.key))
        if self.key_regex is not None:
            yield _of_key(_expression("--key-regex", self.key_regex))
        if self.value_regex is not None:
            yield _of_value(_expression("--value-regex", self.value_regex))
        for text in self.headers:
            yield _of_headers(text)


def _pattern(pattern: str) -> Matches:
    return re.compile(fnmatch.translate(pattern)).match


def _expression(flag: str, text: str) -> Matches:
    try:
        return re.compile(text, re.DOTALL).search
    except re.error as error:
        raise UsageError(f"{flag}: {text!r} is not a regular expression: {error}") from None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _of_key(matches: Matches) -> Keep:
    return lambda record: record.key is not None and bool(matches(_text(record.key)))


def _of_value(matches: Matches) -> Keep:
    return lambda record: record.value is not None and bool(matches(_text(record.value)))


def _of_headers(text: str) -> Keep:
    name, equals, pattern = text.partition("=")
    if not name:
        raise UsageError(f"--header {text}: a header filter has the form name or name=pattern")
    if not equals:
        return lambda record: any(found == name for found, _ in record.headers)
    matches = _pattern(pattern)
    return lambda record: any(
        found == name and value is not None and bool(matches(_text(value))) for found, value in record.headers
    )
