"""The one place that prints: data to stdout, conversation to stderr.

A listing is a `View`: items as a machine reads them, and columns that make a cell of an item. Every format is made from
that one pair. Control characters never reach a terminal raw, whoever put them into a name or a message.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from logctl.errors import LogctlError, PartialFailure


class Format(str, Enum):  # noqa: UP042 - Typer shows the values of a str enum as the choices
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"


class Column(NamedTuple):
    """A title and how to find its cell in an item; `wide` columns are shown by -o wide and csv only."""

    title: str
    cell: Callable[[Mapping[str, Any]], object]
    number: bool = False
    wide: bool = False


class View(NamedTuple):
    """A listing. `noun` is the plural under which the JSON document holds `items`; `errors` what could not be told."""

    noun: str
    items: Sequence[Mapping[str, Any]]
    columns: Sequence[Column]
    errors: Mapping[str, LogctlError] = MappingProxyType({})
    extra: Mapping[str, Any] = MappingProxyType({})

    def document(self) -> dict[str, Any]:
        return {
            **self.extra,
            self.noun: list(self.items),
            "complete": not self.errors,
            "errors": [{"name": name, "message": str(error)} for name, error in self.errors.items()],
        }


# -- data ------------------------------------------------------------------------------------------------------------


def show(view: View, form: Format, *, headers: bool = True) -> None:
    """Write the listing to stdout in the form asked for."""
    if form is Format.JSON:
        write(as_json(view.document()))
    elif form is Format.YAML:
        write(as_yaml(view.document()))
    elif form is Format.NAME:
        write("".join(f"{neutral(str(item['name']))}\n" for item in view.items))
    elif form is Format.CSV:
        write(as_csv(view.columns, view.items, headers))
    else:
        columns = [column for column in view.columns if form is Format.WIDE or not column.wide]
        write(as_table(columns, view.items, headers))


def finish(errors: Mapping[str, LogctlError]) -> None:
    """After a listing was shown: what could not be told, each on its line. Raises PartialFailure then."""
    if errors:
        raise PartialFailure("the answer is not complete", [str(error) for error in errors.values()])


def as_json(document: object) -> str:
    return neutral_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def as_yaml(document: object) -> str:
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=False, default_flow_style=False)


def as_csv(columns: Sequence[Column], items: Iterable[Mapping[str, Any]], headers: bool) -> str:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if headers:
        writer.writerow([column.title.lower().replace("-", "_") for column in columns])
    writer.writerows([neutral(str(column.cell(item))) for column in columns] for item in items)
    return out.getvalue()


def as_table(columns: Sequence[Column], items: Iterable[Mapping[str, Any]], headers: bool) -> str:
    rows = [[neutral(str(column.cell(item))) for column in columns] for item in items]
    if not rows and not headers:
        return ""
    titles = [column.title for column in columns]
    sides = ["right" if column.number else "left" for column in columns]
    drawn = _tabulate()([titles, *rows] if headers else rows, tablefmt="plain", colalign=sides, disable_numparse=True)
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def _tabulate() -> Callable[..., str]:
    """tabulate loads importlib.metadata to learn its own version, 50 ms for a string nobody reads here: more than the
    rest of a listing. A stand-in holds that place while tabulate is imported."""
    import types

    name = "importlib.metadata"
    if name not in sys.modules and "tabulate" not in sys.modules:
        stand_in = types.ModuleType(name)
        stand_in.version = lambda package: "0"  # type: ignore[attr-defined]
        stand_in.PackageNotFoundError = LookupError  # type: ignore[attr-defined]
        sys.modules[name] = stand_in
        try:
            import tabulate
        finally:
            del sys.modules[name]
    import tabulate

    return tabulate.tabulate


class ReaderGone(Exception):
    """Whoever read stdout has gone: the output that is left has no use, and that is no failure."""


@contextmanager
def _reader() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


def write(text: str) -> None:
    with _reader():
        sys.stdout.write(text)


def write_bytes(data: bytes, *, at_once: bool = False) -> None:
    """Data that must arrive as it is; `at_once`: not when the buffer is full, but now."""
    with _reader():
        sys.stdout.buffer.write(data)
        if at_once:
            sys.stdout.buffer.flush()


def flush() -> None:
    with _reader():
        sys.stdout.flush()


# -- conversation ----------------------------------------------------------------------------------------------------


def note(sentence: str) -> None:
    """A line for the human at stderr."""
    print(neutral(sentence), file=sys.stderr, flush=True)


def warn(sentence: str) -> None:
    note(f"warning: {sentence}")


def fail(error: LogctlError) -> None:
    """An error as the operator sees it: what happened, each item of a partial failure, what to do next."""
    note(f"error: {error.message}")
    if isinstance(error, PartialFailure):
        for sentence in error.failures:
            note(f"  {sentence}")
    if error.hint:
        note(f"hint: {error.hint}")


class Progress:
    """One line at stderr that is written over, when stderr is a terminal; otherwise silent."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._began_s = self._last_s = time.monotonic()
        self._width = 0

    def due(self) -> bool:
        """Has a second gone by since the last line? Short work shows none."""
        now = time.monotonic()
        if not self._shown or now - self._last_s < 1.0:
            return False
        self._last_s = now
        return True

    def tell(self, sentence: str) -> None:
        sys.stderr.write(f"\r{sentence:<{self._width}}")
        sys.stderr.flush()
        self._width = len(sentence)

    @property
    def elapsed_s(self) -> float:
        return max(1e-9, time.monotonic() - self._began_s)

    def clear(self) -> None:
        """Take the line away, so that the next one stands alone."""
        if self._width:
            sys.stderr.write(f"\r{'':<{self._width}}\r")
            sys.stderr.flush()
            self._width = 0


# -- neutralising ----------------------------------------------------------------------------------------------------

_CONTROLS: Final = [*range(0x20), *range(0x7F, 0xA0)]
_DIRECTIONS: Final = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_SHOWN: Final = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _CONTROLS + _DIRECTIONS}
_SHOWN_IN_TEXT: Final = {code: shown for code, shown in _SHOWN.items() if chr(code) not in "\n\t"}
_SHOWN_IN_JSON: Final = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *_DIRECTIONS, *range(0xD800, 0xE000))}


def neutral(text: str) -> str:
    """The text on one line, with control characters and direction marks (the means of terminal tricks) spelt out."""
    return text if text.isascii() and text.isprintable() else _encodable(text.translate(_SHOWN))


def neutral_text(text: str) -> str:
    """As `neutral`, but line breaks and tabs stay."""
    return _encodable(text.translate(_SHOWN_IN_TEXT))


def neutral_json(text: str) -> str:
    """JSON escapes the old control characters by itself; this adds the newer ones, where only strings can hold them."""
    return text if text.isascii() else text.translate(_SHOWN_IN_JSON)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
