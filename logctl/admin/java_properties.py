"""Java's .properties syntax, as java.util.Properties reads it, with the line each pair stands on.

    name=value      '=', ':' or white space separates; white space around the separator does not count
    # note  ! note  comments, where a line begins with them
    name = a\\       a line that ends in an odd number of backslashes goes on in the next, whose indentation is dropped
    \\t \\n \\u00e9    escapes, in names and in values; any other escaped character stands for itself

Files are read as UTF-8; what is not is read as ISO 8859-1, which is what Java took before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from logctl.errors import UsageError

_BLANK: Final = " \t\f"
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class Pair(NamedTuple):
    """One property. `line`: the number of the line it begins on."""

    name: str
    value: str
    line: int


def read(path: str) -> list[Pair]:
    """The pairs of a file in order, repeated names included. Raises UsageError naming file and line."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return parse(text, path)


def parse(text: str, source: str) -> list[Pair]:
    """The same for a text that came from `source`."""
    return [_pair(line, number, source) for number, line in _logical_lines(text)]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    begun, so_far = 0, ""
    for number, natural in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = natural.lstrip(_BLANK)
        if not begun and (not line or line[0] in "#!"):
            continue
        begun, so_far = begun or number, so_far + line
        if _goes_on(line):
            so_far = so_far[:-1]
            continue
        yield begun, so_far
        begun, so_far = 0, ""
    if begun and so_far:
        yield begun, so_far


def _goes_on(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _pair(line: str, number: int, source: str) -> Pair:
    end = _end_of_name(line)
    rest = line[end:].lstrip(_BLANK)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_BLANK)
    where = f"{source}, line {number}"
    name = _unescaped(line[:end], where)
    if not name:
        raise UsageError(f"{where}: there is no name before the separator", "a property has the form name=value")
    return Pair(name, _unescaped(rest, where), number)


def _end_of_name(line: str) -> int:
    position = 0
    while position < len(line) and line[position] not in "=:" + _BLANK:
        position += 2 if line[position] == "\\" else 1
    return min(position, len(line))


def _unescaped(text: str, where: str) -> str:
    if "\\" not in text:
        return text
    parts, position = [], 0
    while (slash := text.find("\\", position)) >= 0:
        parts.append(text[position:slash])
        escaped = text[slash + 1 : slash + 2]
        if escaped == "u":
            parts.append(_code_unit(text[slash + 2 : slash + 6], where))
            position = slash + 6
        else:
            parts.append(_ESCAPES.get(escaped, escaped))
            position = slash + 2
    joined = "".join((*parts, text[position:]))
    # Characters beyond the first plane are written as two halves.
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _code_unit(digits: str, where: str) -> str:
    try:
        return chr(int(digits, 16)) if len(digits) == 4 and digits.isalnum() else _no_code_unit(where)
    except ValueError:
        return _no_code_unit(where)


def _no_code_unit(where: str) -> str:
    raise UsageError(f"{where}: \\u is not followed by four hexadecimal digits")
