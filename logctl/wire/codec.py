"""Writes the straight-line reader and writer of one message version, as source text, and compiles it.

A reader walks the field table once, here, so that at run time nothing is looked up: neighbouring fixed-size fields
become one `Struct.unpack_from`, nested structs are inlined, and a field that the version lacks becomes its default.
Two rules guard against hostile bytes. Every announced length is compared with what is left of the buffer before
anything is made of that size; a count of array elements is compared with what is left divided by the least size of one.
And whatever Python raises on the way (struct.error, IndexError, UnicodeDecodeError) leaves as MalformedMessage.

A writer gathers parts in a list. Fixed-size neighbours become one `Struct.pack`; tagged fields are gathered apart,
since their number and sizes come first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from logctl.wire.primitives import MalformedMessage, uvarint, uvarint_bytes
from logctl.wire.schema import Array, Field, Fixed, Reader, Sized, StructType, Type, Writer


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
    def struct(self, cls: StructType) -> str:
        """Emit the reading of a struct; answers the name of the variable that holds it."""
        in_line, behind_tags = self.carried(cls)
        held: dict[str, str] = {}
        run: list[Field] = []
        for entry in in_line:
            if isinstance(entry.type, Fixed):
                run.append(entry)
                continue
            self.fixed_run(run, held)
            run = []
            held[entry.name] = self.value(entry.type, self.version in entry.nullable)
        self.fixed_run(run, held)
        if self.flexible:
            self.tags(behind_tags, held)
        arguments = [held[e.name] if e.name in held else self.default(e) for e in cls.fields]
        made = self.fresh("s")
        self.line(f"{made} = {self.refer(cls, 'C')}({', '.join(arguments)})")
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

    def fixed_run(self, run: list[Field], held: dict[str, str]) -> None:
        if not run:
            return
        layout = struct.Struct(">" + "".join(entry.type.code for entry in run if isinstance(entry.type, Fixed)))
        names = [self.fresh() for _ in run]
        held.update((entry.name, name) for entry, name in zip(run, names, strict=True))
        self.line(f"{', '.join(names)}, = {self.refer(layout.unpack_from, 'U')}(buffer, pos)")
        self.line(f"pos += {layout.size}")

    def value(self, kind: Type, nullable: bool) -> str:
        if isinstance(kind, Fixed):
            held: dict[str, str] = {}
            self.fixed_run([_nameless(kind)], held)
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
        """Emit the reading of a length, -1 for null."""
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
            if not nullable:
                self.line(f"raise Malformed('{what} may not be null')")
            elif self.flexible:
                self.line(f"{into} = None")
            else:
                self.line(f"if {length} != -1: raise Malformed('negative length of {what}')")
                self.line(f"{into} = None")

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
            least = _least_size(kind.element, self.version, self.flexible)
            self.line(f"if {count} * {least} > size - pos: raise Malformed('array is longer than its message')")
            if isinstance(kind.element, Fixed):
                self.fixed_array(kind.element, count, made)
            else:
                self.line(f"{made} = []")
                with self.block(f"for _ in range({count}):"):
                    self.line(f"{made}.append({self.value(kind.element, nullable=False)})")
        return made

    def fixed_array(self, element: Fixed, count: str, made: str) -> None:
        self.space["unpack_from"] = struct.unpack_from
        code = f"{{{count}}}{element.code}" if len(element.code) == 1 else None
        if code is not None:
            self.line(f"{made} = list(unpack_from(f'>{code}', buffer, pos))")
            self.line(f"pos += {count} * {element.size}")
            return
        self.line(
            f"{made} = [bytes(buffer[p:p + {element.size}]) for p in range(pos, pos + {count} * {element.size}, 16)]"
        )
        self.line(f"pos += {count} * {element.size}")

    def tags(self, behind_tags: list[Field], held: dict[str, str]) -> None:
        for entry in behind_tags:
            held[entry.name] = name = self.fresh("t")
            self.line(f"{name} = {self.default(entry)}")
        left = self.fresh("n")
        self.line(f"{left} = buffer[pos]; pos += 1")
        with self.block(f"if {left}:"):
            self.line(f"if {left} > 127: {left}, pos = uvarint(buffer, pos - 1)")
            self.line(
                f"if {left} * 2 > size - pos: raise Malformed('more tagged fields than the message has room')"
            )
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


def _nameless(kind: Fixed) -> Field:
    from logctl.wire.schema import Versions

    every = Versions.parse("0+")
    none = Versions.parse("none")
    return Field(kind, every, none, none, -1, kind.zero)


def compile_reader(cls: StructType, version: int, flexible: bool) -> Reader:
    """The function (buffer, position) -> (message, end) for one version."""
    source = _ReaderSource(version, flexible)
    source.space["Broken"] = (struct.error, IndexError, UnicodeDecodeError, OverflowError)
    with source.block("try:"):
        source.line("size = len(buffer)")
        source.line(f"return {_returned(source, cls)}, pos")
    with source.block("except Broken as problem:"):
        source.line(f"raise Malformed(f'{cls.__name__} v{version}: {{problem}}') from None")
    reader: Reader = source.compiled("read", "def read(buffer, pos):")
    return reader


def _returned(source: _ReaderSource, cls: StructType) -> str:
    return source.struct(cls)


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
        default = entry.fresh_default()
        if default is None:
            return f"{held} is not None"
        if default == []:
            return f"{held} is None or {held}" if self.version in entry.nullable else held
        return f"{held} != {self.refer(default, 'd')}"


def compile_writer(cls: StructType, version: int, flexible: bool) -> Writer:
    """The function message -> list of parts for one version."""
    source = _WriterSource(version, flexible)
    source.line("parts = []; put = parts.append")
    source.struct(cls, "m")
    source.flush()
    source.line("return parts")
    writer: Writer = source.compiled("write", "def write(m):")
    return writer
