"""Reading a subscription pattern: RE2's syntax into a tree, every class of characters cut down to those of topic names.

`regex.py` says what is accepted. The reader is recursive descent over the text; nesting is limited, so that a hostile
pattern runs out of permission before the interpreter runs out of stack.
"""

from __future__ import annotations

import string
import unicodedata
from dataclasses import dataclass
from typing import Final

ALPHABET: Final = frozenset(string.ascii_letters + string.digits + "._-")
"""What topic names are made of."""
MOST_STATES: Final = 20_000
MOST_REPETITIONS: Final = 1_000
DEEPEST_NESTING: Final = 100


class InvalidPattern(ValueError):
    """The text is no pattern we accept; the message says why."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of a set."""

    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Assertion:
    """A place: start, end, boundary or inside (of a word)."""

    kind: str


@dataclass(frozen=True, slots=True)
class Sequence_:  # noqa: N801 - Sequence is taken
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repetition:
    """`most` is None for no limit."""

    what: Node
    least: int
    most: int | None


Node = Characters | Assertion | Sequence_ | Alternatives | Repetition

_DIGITS: Final = frozenset(string.digits)
_WORD: Final = frozenset(string.ascii_letters + string.digits + "_")
_PERL: Final = {
    "d": _DIGITS,
    "D": ALPHABET - _DIGITS,
    "w": _WORD,
    "W": ALPHABET - _WORD,
    "s": frozenset[str](),
    "S": ALPHABET,
}
_POSIX: Final = {
    "alnum": _WORD - {"_"},
    "alpha": frozenset(string.ascii_letters),
    "ascii": ALPHABET,
    "blank": frozenset[str](),
    "cntrl": frozenset[str](),
    "digit": _DIGITS,
    "graph": ALPHABET,
    "lower": frozenset(string.ascii_lowercase),
    "print": ALPHABET,
    "punct": frozenset("._-"),
    "space": frozenset[str](),
    "upper": frozenset(string.ascii_uppercase),
    "word": _WORD,
    "xdigit": frozenset(string.hexdigits),
}
_PLACES: Final = {"A": "start", "z": "end", "b": "boundary", "B": "inside"}
_CONTROLS: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CATEGORIES: Final = {
    major + minor
    for major, minors in [("C", "cfos"), ("L", "lmotu"), ("M", "cen"), ("N", "dlo"), ("P", "cdefios"), ("S", "ckmo")]
    for minor in ("", *minors)
} | {"Z", "Zl", "Zp", "Zs"}
"""Unicode's general categories."""


def parse(text: str) -> Node:
    """The tree of a pattern. Raises InvalidPattern."""
    reader = _Reader(text)
    node = reader.alternatives()
    if reader.place < len(text):
        raise InvalidPattern("unexpected )")
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.folds_case = False

    def rest_begins(self, word: str) -> bool:
        return self.text.startswith(word, self.place)

    def take(self, word: str) -> bool:
        """Step over `word` if it is next."""
        if not self.rest_begins(word):
            return False
        self.place += len(word)
        return True

    def next(self) -> str:
        if self.place >= len(self.text):
            raise InvalidPattern("the pattern ends too early")
        self.place += 1
        return self.text[self.place - 1]

    def until(self, mark: str, what: str) -> str:
        end = self.text.find(mark, self.place)
        if end < 0:
            raise InvalidPattern(f"{what} has no end")
        found, self.place = self.text[self.place : end], end + len(mark)
        return found

    # Structure.

    def alternatives(self) -> Node:
        options = [self.sequence()]
        while self.take("|"):
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Alternatives(tuple(options))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.place < len(self.text) and not self.rest_begins("|") and not self.rest_begins(")"):
            if self.take("\\Q"):
                parts.extend(self.quoted())
            else:
                part = self.atom()
                if part is not None:
                    parts.append(self.repeated(part))
        return Sequence_(tuple(parts))

    def quoted(self) -> list[Node]:
        end = self.text.find("\\E", self.place)
        found = self.text[self.place :] if end < 0 else self.text[self.place : end]
        self.place = len(self.text) if end < 0 else end + 2
        parts: list[Node] = [self.literal(character) for character in found]
        if parts:
            parts[-1] = self.repeated(parts[-1])
        return parts

    def repeated(self, node: Node) -> Node:
        count = 0
        while True:
            limits = self.limits()
            if limits is None:
                return node
            count += 1
            self.take("?")
            if count > 1:
                raise InvalidPattern("repetition of a repetition")
            node = Repetition(node, *limits)

    def limits(self) -> tuple[int, int | None] | None:
        for sign, limits in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return limits
        if not self.rest_begins("{"):
            return None
        end = self.text.find("}", self.place)
        first, comma, last = self.text[self.place + 1 : max(end, 0)].partition(",")
        if not first.isdecimal() or (last and not last.isdecimal()):
            return None
        self.place = end + 1
        least = _bounded(first)
        most = least if not comma else _bounded(last) if last else None
        if most is not None and most < least:
            raise InvalidPattern(f"repetition from {least} to {most}")
        return least, most

    def atom(self) -> Node | None:
        """One item; None for what only sets flags."""
        character = self.next()
        if character == "(":
            return self.group()
        if character == "[":
            return Characters(self.char_class())
        if character == "\\":
            return self.escape()
        if character == ".":
            return Characters(ALPHABET)
        if character in "^$":
            return Assertion("start" if character == "^" else "end")
        if character in "*+?":
            raise InvalidPattern(f"{character} has nothing to repeat")
        return self.literal(character)

    def group(self) -> Node | None:
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            raise InvalidPattern(f"groups are nested more than {DEEPEST_NESTING} deep")
        folds_case = self.folds_case
        if self.take("?") and not self.group_kind():
            self.depth -= 1
            return None
        node = self.alternatives()
        if not self.take(")"):
            raise InvalidPattern("missing )")
        self.folds_case = folds_case
        self.depth -= 1
        return node

    def group_kind(self) -> bool:
        """What stands between `(?` and the content; False when there is no content, only flags."""
        if self.rest_begins("=") or self.rest_begins("!") or self.rest_begins("<=") or self.rest_begins("<!"):
            raise InvalidPattern("look-around is not supported")
        if self.take("P<") or self.take("<"):
            name = self.until(">", "a group's name")
            if not name.isidentifier():
                raise InvalidPattern(f"{name!r} is no group name")
            return True
        on = True
        while True:
            flag = self.next()
            if flag in ":)":
                return flag == ":"
            if flag == "-":
                on = False
            elif flag == "i":
                self.folds_case = on
            elif flag not in "msU":
                raise InvalidPattern(f"(?{flag} is not supported")

    # Characters.

    def literal(self, character: str) -> Characters:
        return Characters(self.fold(frozenset(character)))

    def fold(self, characters: frozenset[str]) -> frozenset[str]:
        if self.folds_case:
            characters |= {character.swapcase() for character in characters}
        return characters & ALPHABET

    def escape(self) -> Node:
        character = self.next()
        if character in _PLACES:
            return Assertion(_PLACES[character])
        found = self.escaped_class(character)
        return self.literal(self.escaped_character(character)) if found is None else Characters(self.fold(found))

    def escaped_class(self, character: str) -> frozenset[str] | None:
        if character in _PERL:
            return _PERL[character]
        if character in "pP":
            return self.category(character == "P")
        return None

    def category(self, negated: bool) -> frozenset[str]:
        name = self.until("}", "a character category") if self.take("{") else self.next()
        if name.startswith("^"):
            name, negated = name[1:], not negated
        if name not in _CATEGORIES:
            raise InvalidPattern(f"character category {name!r} is not supported")
        found = frozenset(one for one in ALPHABET if unicodedata.category(one).startswith(name))
        return ALPHABET - found if negated else found

    def escaped_character(self, character: str) -> str:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character == "x":
            return self.hexadecimal()
        if character == "0":
            return "\0"
        if character.isalnum():
            raise InvalidPattern(f"\\{character} is not supported")
        return character

    def hexadecimal(self) -> str:
        digits = self.until("}", "\\x{") if self.take("{") else self.next() + self.next()
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise InvalidPattern(f"\\x{digits} is no character") from None

    def char_class(self) -> frozenset[str]:
        negated = self.take("^")
        found: frozenset[str] = frozenset()
        first = True
        while first or not self.take("]"):
            first = False
            found |= self.class_item()
        found = self.fold(found)
        return ALPHABET - found if negated else found

    def class_item(self) -> frozenset[str]:
        if self.take("[:"):
            name = self.until(":]", "a POSIX class")
            members = _POSIX.get(name.removeprefix("^"))
            if members is None:
                raise InvalidPattern(f"[:{name}:] is no POSIX class")
            return ALPHABET - members if name.startswith("^") else members
        character = self.next()
        if character == "\\":
            escaped = self.next()
            found = self.escaped_class(escaped)
            if found is not None:
                return found
            character = self.escaped_character(escaped)
        if self.rest_begins("-") and not self.rest_begins("-]") and self.place + 1 < len(self.text):
            self.place += 1
            return self.char_range(character)
        return frozenset(character)

    def char_range(self, first: str) -> frozenset[str]:
        last = self.next()
        if last == "\\":
            last = self.escaped_character(self.next())
        if last < first:
            raise InvalidPattern(f"range {first}-{last} runs backwards")
        return frozenset(one for one in ALPHABET if first <= one <= last) | (frozenset(first + last) & ALPHABET)


def _bounded(digits: str) -> int:
    number = int(digits) if len(digits) <= 6 else MOST_REPETITIONS + 1
    if number > MOST_REPETITIONS:
        raise InvalidPattern(f"more than {MOST_REPETITIONS} repetitions")
    return number
