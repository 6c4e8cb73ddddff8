"""A field table per message, compiled on first use to straight-line Python for the version at hand.

Theory of operation
-------------------
A message is a class whose body is its field table: one line per field with its wire type and the versions that have it.

    class ListOffsetsRequest(Message, api_key=2, versions="1-11", flexible="6+"):
        replica_id: int = field(INT32, "0+", default=-1)
        topics: list[ListOffsetsTopic] = field(array(ListOffsetsTopic), "0+")

The metaclass turns the table into slots. `decode` and `encode` ask `codec.py` for the reader or writer of one version,
which is written as source text (nested structs inlined, neighbouring fixed-size fields fused into one struct call),
compiled once and kept on the class. Nothing is compiled at import.

Conventions of the wire (KIP-482): a *flexible* version writes lengths as unsigned varints of length + 1 and ends each
struct with tagged fields; an older version writes int16 or int32 lengths, -1 for null. Unknown tagged fields are
skipped; a tagged field equal to its default is left out.

Values: integers are int, strings str, identifiers 16 raw bytes. `bytes` and `records` fields decode to slices of the
input buffer (nothing is copied) and encode from anything with a length. Every field has a default, so a constructor
names only what it wants to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

from logctl.wire.primitives import ZERO_UUID, Buffer

NEVER: Final = 1 << 15
"""A version number above every real one: the upper end of "0+" and the lower end of "none"."""


class Versions(NamedTuple):
    """An inclusive range of versions; empty when `lowest` is NEVER."""

    lowest: int
    highest: int

    @classmethod
    def parse(cls, text: str) -> Versions:
        """'3+', '4-18', '7' or 'none'."""
        if text == "none":
            return cls(NEVER, NEVER - 1)
        if text.endswith("+"):
            return cls(int(text[:-1]), NEVER)
        first, _, last = text.partition("-")
        return cls(int(first), int(last or first))

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.lowest <= version <= self.highest

    def __str__(self) -> str:
        return f"{self.lowest}-{self.highest}" if self.lowest < self.highest else str(self.lowest)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A type of fixed size: `code` is its letter in the struct module."""

    code: str
    size: int
    zero: object


@dataclass(frozen=True, slots=True)
class Sized:
    """A string or a run of bytes behind its length."""

    name: str
    zero: object


@dataclass(frozen=True, slots=True)
class Array:
    """A counted run of one type."""

    element: Type


Type = Fixed | Sized | Array | type["Struct"]

INT8: Final = Fixed("b", 1, 0)
INT16: Final = Fixed("h", 2, 0)
INT32: Final = Fixed("i", 4, 0)
INT64: Final = Fixed("q", 8, 0)
UINT16: Final = Fixed("H", 2, 0)
UINT32: Final = Fixed("I", 4, 0)
FLOAT64: Final = Fixed("d", 8, 0.0)
BOOL: Final = Fixed("?", 1, False)
UUID: Final = Fixed("16s", 16, ZERO_UUID)
STRING: Final = Sized("string", "")
BYTES: Final = Sized("bytes", b"")
RECORDS: Final = Sized("records", None)


def array(element: Type) -> Array:
    """The type of a counted list of `element`."""
    return Array(element)


@dataclass(slots=True)
class Field:
    """One line of a field table. `tag` is set where `tagged` versions carry the field behind the struct, by number."""

    type: Type
    versions: Versions
    nullable: Versions
    tagged: Versions
    tag: int
    default: Any
    name: str = ""

    def fresh_default(self) -> Any:
        """A value nobody else holds: lists and structs are made anew."""
        if self.default is _EMPTY:
            return []
        if self.default is _OWN:
            assert isinstance(self.type, StructType)
            return self.type()
        return self.default


_EMPTY: Final = object()
_OWN: Final = object()
_UNSET: Final = object()
_NONE: Final = Versions.parse("none")


def field(
    type: Type,  # noqa: A002 - the word of the protocol, and only ever given by position
    versions: str,
    *,
    nullable: str = "none",
    tagged: str = "none",
    tag: int = -1,
    default: Any = _UNSET,
) -> Any:
    """Declare a field: its wire type, the versions that carry it, and those where it may be null or is behind a tag."""
    if default is _UNSET:
        default = _natural_default(type)
    return Field(type, Versions.parse(versions), Versions.parse(nullable), Versions.parse(tagged), tag, default)


def _natural_default(kind: Type) -> Any:
    if isinstance(kind, Array):
        return _EMPTY
    if isinstance(kind, StructType):
        return _OWN
    assert isinstance(kind, Fixed | Sized)
    return kind.zero


class StructType(type):
    """Turns a field table into slots and leaves the constructor to be written at the first call."""

    fields: tuple[Field, ...]

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> StructType:
        table = []
        for key, value in list(body.items()):
            if isinstance(value, Field):
                value.name = key
                table.append(value)
                del body[key]
        body["__slots__"] = tuple(entry.name for entry in table)
        body["fields"] = tuple(table)
        cls = super().__new__(mcs, name, bases, body, **options)
        if table:
            cls.__init__ = _constructor_in_waiting(cls)  # type: ignore[misc]
        return cls


def _constructor_in_waiting(cls: StructType) -> Callable[..., None]:
    def first_call(self: Any, *values: Any, **named: Any) -> None:
        cls.__init__ = constructor = _constructor(cls)  # type: ignore[misc]
        constructor(self, *values, **named)

    return first_call


def _constructor(cls: StructType) -> Callable[..., None]:
    """def __init__(self, a=default, ...): plain assignments, lists and structs made afresh when not given."""
    space: dict[str, Any] = {"_unset": _UNSET}
    parameters, lines = [], []
    for number, entry in enumerate(cls.fields):
        name = entry.name
        if entry.default is _EMPTY or entry.default is _OWN:
            parameters.append(f"{name}=_unset")
            space[f"_make{number}"] = list if entry.default is _EMPTY else entry.type
            lines.append(f"    self.{name} = _make{number}() if {name} is _unset else {name}")
        else:
            space[f"_default{number}"] = entry.default
            parameters.append(f"{name}=_default{number}")
            lines.append(f"    self.{name} = {name}")
    source = f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines)
    exec(source, space)
    constructor: Callable[..., None] = space["__init__"]
    return constructor


class Struct(metaclass=StructType):
    """A group of fields inside a message. Equal when all fields are."""

    fields: ClassVar[tuple[Field, ...]]

    if TYPE_CHECKING:

        def __init__(self, *values: Any, **named: Any) -> None: ...

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, entry.name) == getattr(other, entry.name) for entry in self.fields)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = (f"{entry.name}={_short(getattr(self, entry.name))}" for entry in self.fields)
        return f"{type(self).__name__}({', '.join(said)})"


def _short(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview) and len(value) > 32:
        return f"<{len(value)} bytes>"
    return repr(value)


Records = Any
"""Record batches: bytes-like, or anything with a length that the sender knows how to put on the wire; None for none."""

Reader = Callable[[Buffer, int], tuple[Any, int]]
Writer = Callable[[Any], list[Any]]


class Message(Struct):
    """A struct that stands alone on the wire or on disk, with its own versions.

    `api_key` is the API's key, or the record type of a stored record (-1 where there is none).
    """

    api_key: ClassVar[int] = -1
    versions: ClassVar[Versions] = _NONE
    flexible: ClassVar[Versions] = _NONE
    _readers: ClassVar[dict[int, Reader]]
    _writers: ClassVar[dict[int, Writer]]

    def __init_subclass__(cls, *, api_key: int = -1, versions: str = "none", flexible: str = "none") -> None:
        cls.api_key = api_key
        cls.versions = Versions.parse(versions)
        cls.flexible = Versions.parse(flexible)
        cls._readers = {}
        cls._writers = {}

    @classmethod
    def reader(cls, version: int) -> Reader:
        """The compiled reader (buffer, position) -> (message, end). Raises ValueError for an unknown version."""
        reader = cls._readers.get(version)
        if reader is None:
            from logctl.wire.codec import compile_reader

            reader = cls._readers[version] = compile_reader(cls, cls._checked(version), version in cls.flexible)
        return reader

    @classmethod
    def writer(cls, version: int) -> Writer:
        """The compiled writer message -> parts. Raises ValueError for an unknown version."""
        writer = cls._writers.get(version)
        if writer is None:
            from logctl.wire.codec import compile_writer

            writer = cls._writers[version] = compile_writer(cls, cls._checked(version), version in cls.flexible)
        return writer

    @classmethod
    def _checked(cls, version: int) -> int:
        if version not in cls.versions:
            raise ValueError(f"{cls.__name__} has no version {version}")
        return version

    @classmethod
    def decode(cls, buffer: Buffer, version: int, position: int = 0) -> tuple[Self, int]:
        """Read one message from `position`; answers it and where it ended. Raises MalformedMessage."""
        return cls.reader(version)(buffer, position)

    def encode(self, version: int) -> bytes:
        """The message's bytes, without any header."""
        return b"".join(self.writer(version)(self))

    def encode_parts(self, version: int) -> Sequence[Any]:
        """The message as a list of parts in order; `bytes` and `records` values are passed through as they are."""
        return self.writer(version)(self)
