"""Apache Kafka's own message classes as witnesses, and the vectors they left for machines without Java.

    PYTHONPATH=tests python -m support.oracle       writes tests/wire/vectors.jsonl anew
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.java import compile_java, java_command
from support.messages import Kind, every_version, random_message

from logctl.wire.schema import Field, Message, Struct

WIRE = Path(__file__).parents[1] / "wire"
SOURCES = [WIRE / "oracle" / name for name in ("Oracle.java", "Frames.java")]
VECTORS = WIRE / "vectors.jsonl"


@dataclass(frozen=True)
class Question:
    """Bytes that are said to be a message in a version; `java` names the class that must understand them."""

    java: str
    version: int
    data: bytes


@dataclass(frozen=True)
class Account:
    """What Java made of a question: the bytes it wrote again, the values it saw and what it knows of the message.

    `complaint` is what it threw; all else is empty then.
    """

    data: bytes = b""
    values: dict[str, Any] | None = None
    api_key: int = -1
    versions: tuple[int, int] = (0, -1)
    complaint: str = ""


def ask_java(questions: Sequence[Question]) -> list[Account]:
    """One account per question, all from one Java process."""
    classes = compile_java(SOURCES)
    told = b"".join(map(_question_bytes, questions))
    done = subprocess.run(java_command("Oracle", classes), input=told, capture_output=True, check=True, timeout=170)
    answers = io.BytesIO(done.stdout)
    return [_account(answers) for _ in questions]


def apis_of_java() -> dict[int, list[str]]:
    """Per API key: name, lowest and highest version advertised, first flexible header both ways, on brokers."""
    classes = compile_java(SOURCES)
    done = subprocess.run(java_command("Oracle", classes, "apis"), capture_output=True, check=True, timeout=60)
    return {int(key): rest for key, *rest in map(str.split, done.stdout.decode().splitlines())}


def _question_bytes(question: Question) -> bytes:
    name = question.java.encode()
    return struct.pack(f">H{len(name)}shi", len(name), name, question.version, len(question.data)) + question.data


def _account(answers: io.BytesIO) -> Account:
    if answers.read(1) != b"\0":
        return Account(complaint=_sized(answers).decode())
    data, values = _sized(answers), json.loads(_sized(answers))
    api_key, lowest, highest = struct.unpack(">hhh", answers.read(6))
    return Account(data, values, api_key, (lowest, highest))


def _sized(answers: io.BytesIO) -> bytes:
    (size,) = struct.unpack(">i", answers.read(4))
    return answers.read(size)


# Comparing values


def differences(message: Message, version: int, values: dict[str, Any]) -> list[str]:
    """Where the values that Java saw differ from the message, by path. Bytes alone would not tell swapped fields."""
    return list(_struct_differences(message, version, values, type(message).__name__))


def _struct_differences(held: Struct, version: int, values: Any, path: str) -> Iterator[str]:
    if not isinstance(values, dict):
        yield f"{path}: {values!r}"
        return
    seen = {_plain(name): value for name, value in values.items()}
    for entry in held.fields:
        if version in entry.versions:
            yield from _field_differences(entry, getattr(held, entry.name), version, seen, f"{path}.{entry.name}")
    known = {_plain(entry.name) for entry in held.fields}
    yield from (f"{path}: Java also saw {name}" for name in seen.keys() - known)


def _field_differences(entry: Field, held: Any, version: int, seen: dict[str, Any], path: str) -> Iterator[str]:
    name = _plain(entry.name)
    if name in seen:
        yield from _value_differences(held, version, seen[name], path)
    elif f"{name}sizeinbytes" in seen:
        if seen.pop(f"{name}sizeinbytes") != len(held):
            yield f"{path}: another size"
    elif version not in entry.tagged or held != entry.fresh_default():
        yield f"{path}: Java did not see it"


def _value_differences(held: Any, version: int, seen: Any, path: str) -> Iterator[str]:
    if isinstance(held, Struct):
        yield from _struct_differences(held, version, seen, path)
    elif isinstance(held, list) and isinstance(seen, list):
        if len(held) != len(seen):
            yield f"{path}: {len(seen)} elements, not {len(held)}"
        for number, (mine, theirs) in enumerate(zip(held, seen, strict=False)):
            yield from _value_differences(mine, version, theirs, f"{path}[{number}]")
    elif seen != held and seen not in _written(held):
        yield f"{path}: {seen!r}, not {held!r}"


def _written(held: Any) -> tuple[str, ...]:
    """How Java's JSON writes bytes: base64, for identifiers in its URL-safe form without padding."""
    if not isinstance(held, bytes | memoryview):
        return ()
    return base64.b64encode(held).decode(), base64.urlsafe_b64encode(held).rstrip(b"=").decode()


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


# Vectors


def seeded(kind: Kind, version: int, turn: int = 0) -> Message:
    """The same message each time."""
    rng: random.Random = random.Random(f"{kind.name} {version} {turn}")
    return random_message(rng, kind.message, version)


def write_vectors() -> None:
    """One line per message and version, as Java reads and rewrites it."""
    cases = [(kind, version, seeded(kind, version, 1000)) for kind, version in every_version()]
    questions = [Question(kind.java, version, message.encode(version)) for kind, version, message in cases]
    lines = []
    for (kind, version, _), account in zip(cases, ask_java(questions), strict=True):
        assert not account.complaint, account.complaint
        row = {"message": kind.name, "version": version, "bytes": account.data.hex(), "values": account.values}
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    VECTORS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_vectors()
