"""The one place that prints: data to stdout, conversation to stderr.

A listing is a `View`: items as a machine reads them, and columns that make a cell of an item. Every format is made from
that one pair. Control characters never reach a terminal raw, whoever put them into a name or a message.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypedDict

from logctl.errors import LogctlError, PartialFailure, UsageError


class Format(str, Enum):  # noqa: UP042 - Typer shows the values of a str enum as the choices
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"


class Column(NamedTuple):
    """A title and how to find its cell in an item; `wide` columns are shown by -o wide and csv only. `key`: what
    --sort goes by, where that is not the cell itself."""

    title: str
    cell: Callable[[Mapping[str, Any]], object]
    number: bool = False
    wide: bool = False
    key: Callable[[Mapping[str, Any]], Any] | None = None


class Nested(NamedTuple):
    """How items that hold rows are shown: a headline for each, and a table of its rows under it.

    `field`: where an item keeps its rows; `title`: of the column that repeats the item's name in CSV.
    """

    field: str
    title: str
    headline: Callable[[Mapping[str, Any]], str]


class Listing(NamedTuple):
    """What a command lists, known before it runs. `noun` is the plural under which the JSON document holds the items,
    `item` the TypedDict that they are, `also` the TypedDict of what the document holds besides them. The columns are
    those of the items, or of their rows where these are `nested`."""

    noun: str
    item: type
    columns: Sequence[Column]
    nested: Nested | None = None
    also: type | None = None

    def view(
        self,
        items: Iterable[Mapping[str, Any]],
        errors: Mapping[str, LogctlError] = MappingProxyType({}),
        **also: Any,
    ) -> View:
        """The items found, why others are missing (by name), and what else the document holds."""
        return View(self.noun, items, self.columns, errors, also, self.nested)


class OfCluster(TypedDict):
    """What a document about a cluster holds besides its items."""

    cluster_id: str | None


class View(NamedTuple):
    """A listing with what was found. `items` may be a generator, which is gone through once, and which may add to
    `errors` on its way: they tell what could not be told, by name. `code`: the exit code, where what
    was found is not well. `plain`: what is printed in place of a table, where one value is all there is to tell."""

    noun: str
    items: Iterable[Mapping[str, Any]]
    columns: Sequence[Column]
    errors: Mapping[str, LogctlError] = MappingProxyType({})
    extra: Mapping[str, Any] = MappingProxyType({})
    nested: Nested | None = None
    code: int = 0
    plain: str | None = None

    def document(self) -> dict[str, Any]:
        return {
            **self.extra,
            self.noun: list(self.items),
            "complete": not self.errors,
            "errors": [_told(name, error) for name, error in self.errors.items()],
        }


def _told(name: str, error: LogctlError) -> dict[str, str]:
    return {"name": name, "error": error.kafka_name, "message": error.message, "hint": error.hint}


class Layout(NamedTuple):
    """How the operator wants a listing laid out. `columns`: titles in the order wanted, all when empty; `sort`: a
    title, with '-' before it for the largest first."""

    form: Format = Format.TABLE
    headers: bool = True
    columns: tuple[str, ...] = ()
    sort: str = ""


# -- data ------------------------------------------------------------------------------------------------------------


def show(view: View, form: Format, *, headers: bool = True) -> None:
    """Write the listing to stdout in the form asked for."""
    lay_out(view, Layout(form, headers))


def lay_out(view: View, layout: Layout) -> None:
    """Write the listing to stdout as the layout says, a large one in pieces: items that hold rows one by one, as they
    become known. Raises UsageError for a column that there is not."""
    if layout.form is Format.JSON:
        view = _sorted(view, layout.sort) if layout.sort else view
        for piece in _json_pieces(view.document()):
            write(piece)
        return
    nested = view.nested
    if nested is None or layout.form not in (Format.TABLE, Format.WIDE):
        write(laid_out(view, layout))
        return
    shown = 0
    view = _sorted(view, layout.sort) if layout.sort else view
    for block in _blocks(view, nested, _chosen(view, layout), layout.headers):
        write(f"\n{block}" if shown else block)
        shown += 1
        if shown == 1:
            flush()
    if not shown and not view.errors:
        note(f"no {view.noun}")


def laid_out(view: View, layout: Layout) -> str:
    """The listing as text. Raises UsageError for a column that there is not."""
    view = _sorted(view, layout.sort) if layout.sort else view
    if layout.form is Format.JSON:
        return as_json(view.document())
    if layout.form is Format.YAML:
        return as_yaml(view.document())
    if layout.form is Format.NAME:
        return "".join(f"{neutral(str(item['name']))}\n" for item in view.items)
    if view.plain is not None and layout.form is Format.TABLE and not layout.columns:
        return f"{neutral(view.plain)}\n"
    columns = _chosen(view, layout)
    if layout.form is Format.CSV:
        return _csv_of(view, columns, layout.headers)
    if view.nested is None:
        return as_table(columns, view.items, layout.headers)
    return "\n".join(_blocks(view, view.nested, columns, layout.headers))


def _chosen(view: View, layout: Layout) -> list[Column]:
    if layout.columns:
        return [_titled(view.columns, title) for title in layout.columns]
    everything = layout.form in (Format.WIDE, Format.CSV)
    return [column for column in view.columns if everything or not column.wide]


def _titled(columns: Sequence[Column], title: str) -> Column:
    wanted = title.strip().upper().replace("_", "-")
    for column in columns:
        if column.title == wanted:
            return column
    known = ", ".join(column.title.lower() for column in columns)
    raise UsageError(f"there is no column {title!r} here", f"there are {known}")


def _sorted(view: View, sort: str) -> View:
    column = _titled(view.columns, sort.removeprefix("-"))
    if view.nested is None:
        return view._replace(items=_in_order(view.items, column, sort.startswith("-")))
    field = view.nested.field
    ordered = [{**item, field: _in_order(item[field], column, sort.startswith("-"))} for item in view.items]
    return view._replace(items=ordered)


def _in_order(items: Iterable[Mapping[str, Any]], column: Column, descending: bool) -> list[Mapping[str, Any]]:
    """Numbers by value, then texts; what is unknown comes last either way."""
    known: list[tuple[tuple[bool, Any], Mapping[str, Any]]] = []
    unknown = []
    for item in items:
        value = (column.key or column.cell)(item)
        if value in (None, "", "-"):
            unknown.append(item)
        else:
            number = isinstance(value, int | float)
            known.append(((not number, value if number else str(value)), item))
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [item for _, item in known] + unknown


def _blocks(view: View, nested: Nested, columns: Sequence[Column], headers: bool) -> Iterator[str]:
    for item in view.items:
        rows = item[nested.field]
        yield nested.headline(item) + (as_table(columns, rows, headers) if rows else "")


def _csv_of(view: View, columns: Sequence[Column], headers: bool) -> str:
    if view.nested is None:
        return as_csv(columns, view.items, headers)
    whose = Column(view.nested.title, lambda row: row[""])
    rows = ({"": item["name"], **entry} for item in view.items for entry in item[view.nested.field])
    return as_csv([whose, *columns], rows, headers)


def finish(errors: Mapping[str, LogctlError]) -> None:
    """After a listing was shown: what could not be told, each on its line. Raises PartialFailure then."""
    if errors:
        raise PartialFailure("the answer is not complete", [str(error) for error in errors.values()])


def as_json(document: object) -> str:
    return neutral_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _json_pieces(document: object) -> Iterator[str]:
    """`as_json` without holding the whole text of a large document."""
    from itertools import islice

    pieces = json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(document)
    while piece := "".join(islice(pieces, 10_000)):
        yield neutral_json(piece)
    yield "\n"


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
    """Columns side by side; on a terminal cut to its width, in a pipe whole."""
    rows = [[neutral(str(column.cell(item))) for column in columns] for item in items]
    if headers:
        rows.insert(0, [column.title for column in columns])
    if not rows:
        return ""
    width = terminal_width()
    if width is not None:
        rows = fitted(rows, [column.number for column in columns], width)
    sides = ["right" if column.number else "left" for column in columns]
    drawn = _tabulate()(rows, tablefmt="plain", colalign=sides, disable_numparse=True)
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def terminal_width() -> int | None:
    """How wide the terminal is that stdout leads to; None when it leads elsewhere."""
    if not sys.stdout.isatty():
        return None
    return os.get_terminal_size(sys.stdout.fileno()).columns or None


_GAP: Final = 2
_NARROWEST: Final = 10


def fitted(rows: list[list[str]], numbers: Sequence[bool], width: int) -> list[list[str]]:
    """The rows with their widest columns of text cut, so that a line has at most `width` characters where that can be;
    numbers are never cut, and no text below ten characters."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(numbers))]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    while excess > 0:
        texts = [index for index, number in enumerate(numbers) if not number and widths[index] > _NARROWEST]
        if not texts:
            break
        widest = max(texts, key=lambda index: widths[index])
        second = max((widths[index] for index in texts if index != widest), default=_NARROWEST)
        taken = min(excess, max(1, widths[widest] - max(second, _NARROWEST)))
        widths[widest] -= taken
        excess -= taken
    return [[_cut(cell, widths[index]) for index, cell in enumerate(row)] for row in rows]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


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
