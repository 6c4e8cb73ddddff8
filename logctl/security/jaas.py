"""`sasl.jaas.config`: one line of a JAAS file, as Java's clients take it.

    org.apache.kafka.common.security.scram.ScramLoginModule required username="ann" password="...";

Values stand in double quotes, with a backslash before a quote or a backslash in them, or bare.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from logctl.errors import UsageError

_TOKEN: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"=;]+)|([=;]))', re.DOTALL)
_FLAGS: Final = ("required", "requisite", "sufficient", "optional")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_FORM: Final = 'it has the form: MODULE required username="..." password="...";'


class Jaas(NamedTuple):
    """`module`: the last part of its name, 'ScramLoginModule'."""

    module: str
    options: dict[str, str]


def parse(text: str) -> Jaas:
    """Raises UsageError, which does not repeat the text: there is a password in it."""
    tokens = _tokens(text)
    if len(tokens) < 3 or tokens[1][0].lower() not in _FLAGS or tokens[-1] != (";", False):
        raise UsageError("sasl.jaas.config cannot be read", _FORM)
    rest = tokens[2:-1]
    if len(rest) % 3 or any(rest[at + 1] != ("=", False) for at in range(0, len(rest), 3)):
        raise UsageError("sasl.jaas.config: its options are not all of the form name=value", _FORM)
    options = {rest[at][0]: rest[at + 2][0] for at in range(0, len(rest), 3)}
    return Jaas(tokens[0][0].rpartition(".")[2], options)


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Words, '=' and ';' in order, each with whether it stood in quotes."""
    found: list[tuple[str, bool]] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UsageError("sasl.jaas.config: a quotation mark is not closed", _FORM)
        quoted = match[1] is not None
        found.append((_unescaped(match[1]) if quoted else match[2] or match[3], quoted))
        position = match.end()
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text, flags=re.DOTALL)
