"""Writes the straight-line reader and writer of one message version, as source text, and compiles it.

A reader walks the field table once, here, so that at run time nothing is looked up: neighbouring fixed-size fields
become one `Struct.unpack_from`, nested structs are inlined and filled without a constructor, and a field that the
version lacks becomes its default.

A writer gathers parts in a list. Fixed-size neighbours become one `Struct.pack`; tagged fields are gathered apart,
since their number and sizes come first.

Hostile bytes
-------------
What a reader may raise is MalformedMessage; whatever Python raises on the way (struct.error, IndexError,
UnicodeDecodeError) leaves as that. Text that is not UTF-8 is refused (Apache replaces the offending bytes).

Time and memory are bounded by the size of the buffer, not by what is announced in it:

- a length is compared with what is left before a slice is taken;
- a count of elements is compared with what is left divided by the least size of one, before the first is read. Every
  element and every tagged field takes a byte or more, so the work is linear in the buffer;
- elements that may be small on the wire (below SMALL_ELEMENT bytes) weigh much more as objects, up to eightyfold. A
  message may hold ROOM of them and one more per SMALL_ELEMENT bytes of the buffer. No honest message comes near: what
  arrives in large numbers are partitions, of 16 bytes and more.

So the objects of a message weigh at most 64 MiB and 32 times its size, however it is made; an honest one weighs two to
ten times its size, and its record batches and bytes are slices that copy nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from logctl.wire.primitives import MalformedMessage, uvarint, uvarint_bytes
from logctl.wire.schema import Array, Field, Fixed, Reader, Sized, StructType, Type, Writer

SMALL_ELEMENT: Final = 16
ROOM: Final = 1 << 17


class _Source:
    """Lines of a function being written, its fresh names and the objects it refers to."""

    def __init__(self, version: int, flexible: bool) -> None:
        self.version = version
        self.flexible = flexible
        self.lines: list[str] = []
        self.depth = 1
        self.count = 0
        self.space: dict[str, Any] = {"uvarint": uvarint, "uvarint_bytes": uvarint_bytes, "Malformed": MalformedMessage}

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        self.line(opening)
        self.depth += 1
        yield
        self.depth -= 1

    def fresh(self, hint: str = "v") -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def refer(self, thing: Any, hint: str) -> str:
        """A global name of the function for an object."""
        name = self.fresh(hint)
        self.space[name] = thing
        return name

    def carried(self, cls: StructType) -> tuple[list[Field], list[Field]]:
        """The fields of this version: those in line and those behind tags."""
        here = [entry for entry in cls.fields if self.version in entry.versions]
        in_line = [entry for entry in here if self.version not in entry.tagged]
        behind_tags = [entry for entry in here if self.version in entry.tagged]
        return in_line, behind_tags

    def compiled(self, name: str, head: str) -> Any:
        exec(compile(head + "\n" + "\n".join(self.lines), f"<{name} v{self.version}>", "exec"), self.space)
        return self.space[name]


def _least_size(kind: Type, version: int, flexible: bool) -> int:
    """The fewest bytes a value of this type can take; never 0, so that a count is always bounded by the buffer."""
    if isinstance(kind, Fixed):
        return kind.size
    if isinstance(kind, Array):
        return 1 if flexible else 4
    if isinstance(kind, Sized):
        return 1 if flexible else 2 if kind.name == "string" else 4
    in_line = [e for e in kind.fields if version in e.versions and version not in e.tagged]
    return max(1, int(flexible) + sum(_least_field_size(entry, version, flexible) for entry in in_line))


def _least_field_size(entry: Field, version: int, flexible: bool) -> int:
    if isinstance(entry.type, StructType) and version in entry.nullable:
        return 1
    return _least_size(entry.type, version, flexible)


# Reading


class _ReaderSource(_Source):
    counts_elements = False
    """Some array has small elements, so the function needs its `room`."""

    def struct(self, cls: StructType) -> str:
        """Emit the reading of a struct; answers the name of the variable that holds it."""
        in_line, behind_tags = self.carried(cls)
        held: dict[str, str] = {}
        run: list[tuple[str, Fixed]] = []
        for entry in in_line:
            if isinstance(entry.type, Fixed):
                run.append((entry.name, entry.type))
                continue
            self.fixed_run(run, held)
            run = []
            held[entry.name] = self.value(entry.type, self.version in entry.nullable)
        self.fixed_run(run, held)
        if self.flexible:
            self.tags(behind_tags, held)
        made = self.fresh("s")
        self.line(f"{made} = new({self.refer(cls, 'C')})")
        for entry in cls.fields:
            self.line(f"{made}.{entry.name} = {held[entry.name] if entry.name in held else self.default(entry)}")
        return made

    def default(self, entry: Field) -> str:
        value = entry.fresh_default()
        if isinstance(value, list):
            return "[]"
        if isinstance(entry.type, StructType) and value is not None:
            return f"{self.refer(entry.type, 'C')}()"
        if value is None or isinstance(value, bool | int):
            return repr(value)
        return self.refer(value, "d")

    def fixed_run(self, run: list[tuple[str, Fixed]], held: dict[str, str]) -> None:
        """Emit one unpacking for neighbouring fields of fixed size; their variables are added to `held`."""
        if not run:
            return
        layout = struct.Struct(">" + "".join(kind.code for _, kind in run))
        names = [self.fresh() for _ in run]
        held.update((field, name) for (field, _), name in zip(run, names, strict=True))
        self.line(f"{', '.join(names)}, = {self.refer(layout.unpack_from, 'U')}(buffer, pos)")
        self.line(f"pos += {layout.size}")

    def value(self, kind: Type, nullable: bool) -> str:
        if isinstance(kind, Fixed):
            held: dict[str, str] = {}
            self.fixed_run([("", kind)], held)
            return held[""]
        if isinstance(kind, Array):
            return self.array(kind, nullable)
        if isinstance(kind, Sized):
            return self.sized(kind, nullable)
        return self.nullable_struct(kind, "> 127") if nullable else self.struct(kind)

    def tagged_value(self, kind: Type, nullable: bool) -> str:
        if isinstance(kind, StructType) and nullable:
            return self.nullable_struct(kind, "== 0")
        return self.value(kind, nullable)

    def nullable_struct(self, cls: StructType, absent: str) -> str:
        """A marker byte and the struct. Null is -1 in line but 0 behind a tag, where Apache writes a varint."""
        made = self.fresh("s")
        marker = self.fresh("n")
        self.line(f"{marker} = buffer[pos]; pos += 1")
        with self.block(f"if {marker} {absent}:"):
            self.line(f"{made} = None")
        with self.block("else:"):
            self.line(f"{made} = {self.struct(cls)}")
        return made

    def length(self, wide: bool) -> str:
        """Emit the reading of a length. Null is -1; like Apache we take any other negative number for null too."""
        name = self.fresh("n")
        if self.flexible:
            self.line(f"{name} = buffer[pos] - 1; pos += 1")
            with self.block(f"if {name} > 126:"):
                self.line(f"{name}, pos = uvarint(buffer, pos - 1); {name} -= 1")
        else:
            layout = struct.Struct(">i" if wide else ">h")
            self.line(f"{name}, = {self.refer(layout.unpack_from, 'U')}(buffer, pos); pos += {layout.size}")
        return name

    def null_or_refuse(self, length: str, into: str, nullable: bool, what: str) -> None:
        with self.block(f"if {length} < 0:"):
            self.line(f"{into} = None" if nullable else f"raise Malformed('{what} may not be null')")

    def sized(self, kind: Sized, nullable: bool) -> str:
        nullable = nullable or kind.name == "records"
        made = self.fresh()
        length = self.length(wide=kind.name != "string")
        end = self.fresh("e")
        self.null_or_refuse(length, made, nullable, kind.name)
        with self.block("else:"):
            self.line(f"{end} = pos + {length}")
            self.line(f"if {end} > size: raise Malformed('{kind.name} is longer than its message')")
            slice_ = f"buffer[pos:{end}]"
            self.line(f"{made} = str({slice_}, 'utf-8')" if kind.name == "string" else f"{made} = {slice_}")
            self.line(f"pos = {end}")
        return made

    def array(self, kind: Array, nullable: bool) -> str:
        made = self.fresh("a")
        count = self.length(wide=True)
        self.null_or_refuse(count, made, nullable, "array")
        with self.block("else:"):
            self.bounded(count, kind.element)
            if isinstance(kind.element, Fixed):
                self.fixed_array(kind.element, count, made)
            else:
                self.line(f"{made} = []")
                with self.block(f"for _ in range({count}):"):
                    self.line(f"{made}.append({self.value(kind.element, nullable=False)})")
        return made

    def bounded(self, count: str, element: Type) -> None:
        """Refuse a count that the rest of the buffer cannot hold, or for which there is no room (see above)."""
        least = _least_size(element, self.version, self.flexible)
        self.line(f"if {count} * {least} > size - pos: raise Malformed('array is longer than its message')")
        if least < (4 if isinstance(element, Fixed) else SMALL_ELEMENT):
            self.counts_elements = True
            self.line(f"room -= {count}")
            self.line("if room < 0: raise Malformed('more elements than a message of its size may hold')")

    def fixed_array(self, element: Fixed, count: str, made: str) -> None:
        end = f"pos + {count} * {element.size}"
        if element.size == 16:
            self.line(f"{made} = [bytes(buffer[place:place + 16]) for place in range(pos, {end}, 16)]")
        else:
            self.space["unpack_from"] = struct.unpack_from
            self.line(f"{made} = list(unpack_from(f'>{{{count}}}{element.code}', buffer, pos))")
        self.line(f"pos = {end}")

    def tags(self, behind_tags: list[Field], held: dict[str, str]) -> None:
        for entry in behind_tags:
            held[entry.name] = name = self.fresh("t")
            self.line(f"{name} = {self.default(entry)}")
        left = self.fresh("n")
        self.line(f"{left} = buffer[pos]; pos += 1")
        with self.block(f"if {left}:"):
            self.line(f"if {left} > 127: {left}, pos = uvarint(buffer, pos - 1)")
            with self.block(f"for _ in range({left}):"):
                self.one_tag(behind_tags, held)

    def one_tag(self, behind_tags: list[Field], held: dict[str, str]) -> None:
        tag, length, end = self.fresh("n"), self.fresh("n"), self.fresh("e")
        self.line(f"{tag}, pos = uvarint(buffer, pos)")
        self.line(f"{length}, pos = uvarint(buffer, pos)")
        self.line(f"{end} = pos + {length}")
        self.line(f"if {end} > size: raise Malformed('tagged field is longer than its message')")
        for entry in behind_tags:
            with self.block(f"if {tag} == {entry.tag}:"):
                self.line(f"{held[entry.name]} = {self.tagged_value(entry.type, self.version in entry.nullable)}")
                self.line(f"if pos != {end}: raise Malformed('tagged field differs from its announced length')")
        self.line(f"pos = {end}")


def compile_reader(cls: StructType, version: int, flexible: bool) -> Reader:
    """The function (buffer, position) -> (message, end) for one version."""
    source = _ReaderSource(version, flexible)
    source.space["new"] = object.__new__
    source.space["Broken"] = (struct.error, IndexError, UnicodeDecodeError)
    with source.block("try:"):
        made = source.struct(cls)
        source.line(f"return {made}, pos")
    with source.block("except Broken as problem:"):
        source.line(f"raise Malformed(f'{cls.__name__} v{version}: {{problem}}') from None")
    head = "def read(buffer, pos):\n    size = len(buffer)"
    if source.counts_elements:
        head += f"\n    room = {ROOM} + size // {SMALL_ELEMENT}"
    reader: Reader = source.compiled("read", head)
    return reader


# Writing


class _WriterSource(_Source):
    def __init__(self, version: int, flexible: bool) -> None:
        super().__init__(version, flexible)
        self.sink = "put"
        self.run: list[tuple[str, str]] = []

    def put(self, expression: str) -> None:
        self.flush()
        self.line(f"{self.sink}({expression})")

    def fixed(self, code: str, expression: str) -> None:
        self.run.append((code, expression))

    def flush(self) -> None:
        if self.run:
            layout = struct.Struct(">" + "".join(code for code, _ in self.run))
            values = ", ".join(expression for _, expression in self.run)
            self.run = []
            self.line(f"{self.sink}({self.refer(layout.pack, 'P')}({values}))")

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        self.flush()
        with super().block(opening):
            yield
            self.flush()

    def struct(self, cls: StructType, value: str) -> None:
        in_line, behind_tags = self.carried(cls)
        for entry in in_line:
            self.value(entry.type, f"{value}.{entry.name}", self.version in entry.nullable)
        if self.flexible:
            if behind_tags:
                self.tags(behind_tags, value)
            else:
                self.fixed("B", "0")

    def value(self, kind: Type, value: str, nullable: bool) -> None:
        if isinstance(kind, Fixed):
            self.fixed(kind.code, value)
        elif isinstance(kind, Array):
            self.array(kind, value, nullable)
        elif isinstance(kind, Sized):
            self.sized(kind, value, nullable)
        elif nullable:
            self.nullable_struct(kind, value, "-1")
        else:
            self.struct(kind, value)

    def tagged_value(self, kind: Type, value: str, nullable: bool) -> None:
        if isinstance(kind, StructType) and nullable:
            self.nullable_struct(kind, value, "0")
        else:
            self.value(kind, value, nullable)

    def nullable_struct(self, cls: StructType, value: str, absent: str) -> None:
        with self.block(f"if {value} is None:"):
            self.fixed("b", absent)
        with self.block("else:"):
            self.fixed("b", "1")
            self.struct(cls, value)

    def length(self, expression: str, wide: bool) -> None:
        if self.flexible:
            self.put(f"uvarint_bytes({expression} + 1)")
        else:
            self.fixed("i" if wide else "h", expression)

    def null(self, wide: bool) -> None:
        if self.flexible:
            self.fixed("B", "0")
        else:
            self.fixed("i" if wide else "h", "-1")

    @contextmanager
    def unless_null(self, value: str, nullable: bool, wide: bool) -> Iterator[None]:
        if not nullable:
            yield
            return
        with self.block(f"if {value} is None:"):
            self.null(wide)
        with self.block("else:"):
            yield

    def sized(self, kind: Sized, value: str, nullable: bool) -> None:
        wide = kind.name != "string"
        nullable = nullable or kind.name == "records"
        held = self.fresh()
        self.flush_for(nullable)
        self.line(f"{held} = {value}")
        with self.unless_null(held, nullable, wide):
            if kind.name == "string":
                self.line(f"{held} = {held}.encode()")
            self.length(f"len({held})", wide)
            self.put(held)

    def flush_for(self, branching: bool) -> None:
        """Values in the run refer to names bound earlier, so only a branch forces them out."""
        if branching:
            self.flush()

    def array(self, kind: Array, value: str, nullable: bool) -> None:
        held = self.fresh("a")
        self.flush_for(nullable)
        self.line(f"{held} = {value}")
        with self.unless_null(held, nullable, wide=True):
            self.length(f"len({held})", wide=True)
            if isinstance(kind.element, Fixed):
                self.space["pack"] = struct.pack
                self.put(f"pack('>' + '{kind.element.code}' * len({held}), *{held})")
            else:
                one = self.fresh("o")
                with self.block(f"for {one} in {held}:"):
                    self.value(kind.element, one, nullable=False)

    def tags(self, behind_tags: list[Field], value: str) -> None:
        found = self.fresh("t")
        self.flush()
        self.line(f"{found} = []")
        for entry in sorted(behind_tags, key=lambda entry: entry.tag):
            self.one_tag(entry, value, found)
        self.put(f"uvarint_bytes(len({found}))")
        with self.block(f"for tag, data in {found}:"):
            self.put("tag + uvarint_bytes(len(data)) + data")

    def one_tag(self, entry: Field, value: str, found: str) -> None:
        one, parts = self.fresh("o"), self.fresh("p")
        self.line(f"{one} = {value}.{entry.name}")
        with self.block(f"if {self.differs(entry, one)}:"):
            self.line(f"{parts} = []")
            outer, self.sink = self.sink, f"{parts}.append"
            self.tagged_value(entry.type, one, self.version in entry.nullable)
            self.flush()
            self.sink = outer
            self.line(f"{found}.append((uvarint_bytes({entry.tag}), b''.join({parts})))")

    def differs(self, entry: Field, held: str) -> str:
        """An expression: is the value in `held` other than the field's default?"""
        default = entry.fresh_default()
        if default is None:
            return f"{held} is not None"
        absent = f"{held} is None or " if self.version in entry.nullable else ""
        if isinstance(entry.type, StructType):
            parts = [self.differs(inner, f"{held}.{inner.name}") for inner in entry.type.fields]
            return f"({absent}{' or '.join(parts)})"
        if default == []:
            return f"({absent}{held})"
        return f"{held} != {default!r}"


def compile_writer(cls: StructType, version: int, flexible: bool) -> Writer:
    """The function message -> list of parts for one version."""
    source = _WriterSource(version, flexible)
    source.line("parts = []; put = parts.append")
    source.struct(cls, "m")
    source.flush()
    source.line("return parts")
    writer: Writer = source.compiled("write", "def write(m):")
    return writer
