"""Every message there is, and random values for it.

`KINDS` lists all requests, responses and stored records with the class of Apache Kafka that means the same. Random
messages come from the field tables alone, so they reach what no hand-written example does: nulls, tagged fields set and
unset, empty and long arrays, text beyond ASCII, the least and the greatest integers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import logctl.wire.stored as stored
from logctl.wire.api import API
from logctl.wire.schema import BOOL, FLOAT64, UUID, Array, Field, Fixed, Message, Sized, Struct, StructType, Type

TEXTS = ("", "a", "orders", "ключ", "日本語のトピック", "🙂", "x" * 126, "y" * 127, "é" * 64, "z" * 300, "with\0null")
FLOATS = (0.0, -0.0, 1.5, -1e300, 5e-324, 0.1)


@dataclass(frozen=True)
class Kind:
    """One message class, and Apache's name for it."""

    message: type[Message]
    java: str

    @property
    def name(self) -> str:
        return self.message.__name__

    @property
    def versions(self) -> range:
        return range(self.message.versions.lowest, self.message.versions.highest + 1)

    def each_version(self) -> Iterator[tuple[Kind, int]]:
        return ((self, version) for version in self.versions)


def _requests_and_responses() -> Iterator[Kind]:
    for api in API.values():
        for message in (api.request, api.response):
            yield Kind(message, f"org.apache.kafka.common.message.{message.__name__}Data")


def _stored() -> Iterator[Kind]:
    for module in iter_modules(stored.__path__):
        if module.name != "framing":
            for message in vars(import_module(f"logctl.wire.stored.{module.name}")).values():
                if isinstance(message, type) and issubclass(message, Message) and message is not Message:
                    yield Kind(message, f"{_package(message.__name__)}.{message.__name__}")


def _package(name: str) -> str:
    base = "org.apache.kafka"
    if name in ("ShareSnapshotKey", "ShareSnapshotValue", "ShareUpdateKey", "ShareUpdateValue"):
        return f"{base}.coordinator.share.generated"
    if name.startswith("TransactionLog"):
        return f"{base}.coordinator.transaction.generated"
    if name.endswith(("Key", "Value")):
        return f"{base}.coordinator.group.generated"
    if name == "QuorumStateData":
        return f"{base}.raft.generated"
    if name == "ProducerSnapshot":
        return f"{base}.server.log.remote.metadata.storage.generated"
    control = ("SnapshotHeaderRecord", "SnapshotFooterRecord", "KRaftVersionRecord", "VotersRecord")
    if name.endswith("Record") and name not in control:
        return f"{base}.common.metadata"
    return f"{base}.common.message"


KINDS: tuple[Kind, ...] = (*_requests_and_responses(), *_stored())


def every_version() -> Iterator[tuple[Kind, int]]:
    """Each message in each of its versions."""
    for kind in KINDS:
        yield from kind.each_version()


def random_message(rng: random.Random, message: type[Message], version: int) -> Message:
    """A message with random values in the fields that the version has; the others keep their defaults."""
    made = _random_struct(rng, message, version, 0)
    assert isinstance(made, Message)
    return made


def _random_struct(rng: random.Random, cls: StructType, version: int, depth: int) -> Struct:
    chosen = {}
    for entry in cls.fields:
        if version in entry.versions and not (version in entry.tagged and rng.random() < 0.5):
            chosen[entry.name] = _random_field(rng, entry, version, depth)
    made = cls(**chosen)
    assert isinstance(made, Struct)
    return made


def _random_field(rng: random.Random, entry: Field, version: int, depth: int) -> Any:
    if version in entry.nullable and rng.random() < 0.25:
        return None
    return _random_value(rng, entry.type, version, depth)


def _random_value(rng: random.Random, kind: Type, version: int, depth: int) -> Any:
    if isinstance(kind, Array):
        length = rng.choice((0, 1, 1, 2, 3) if depth else (0, 1, 2, 3, 5))
        return [_random_value(rng, kind.element, version, depth + 1) for _ in range(length)]
    if isinstance(kind, Fixed):
        return _random_fixed(rng, kind)
    if isinstance(kind, Sized):
        if kind.name == "string":
            return rng.choice(TEXTS[:7] if depth else TEXTS)
        return rng.randbytes(rng.choice((0, 1, 7, 20, 130)))
    return _random_struct(rng, kind, version, depth + 1)


def _random_fixed(rng: random.Random, kind: Fixed) -> Any:
    if kind is BOOL:
        return rng.random() < 0.5
    if kind is UUID:
        return rng.choice((bytes(16), rng.randbytes(16)))
    if kind is FLOAT64:
        return rng.choice(FLOATS)
    bits = 8 * kind.size
    low, high = (0, (1 << bits) - 1) if kind.code.isupper() else (-(1 << bits - 1), (1 << bits - 1) - 1)
    return rng.choice((low, high, 0, 1, max(low, -1), rng.randint(low, high)))
