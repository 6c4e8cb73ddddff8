"""kio, a codec made from the same definitions by other people, reads and rewrites what we wrote.

It turns error codes into an enumeration and times into durations, so these fields get values that it can express.
It is a witness in tests only: on hostile input it aborts the process.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from kio.serial import entity_reader, entity_writer
from support.messages import KINDS, Kind
from support.oracle import seeded

from logctl.wire import errors
from logctl.wire.api import API, Api
from logctl.wire.schema import Struct


@pytest.mark.parametrize("api", API.values(), ids=lambda api: api.name)
def test_requests_and_responses_are_understood_alike(api: Api) -> None:
    for kind in KINDS:
        if kind.message in (api.request, api.response):
            for version in kind.versions:
                agree(kind, version, foreign_class(api, kind, version))


def agree(kind: Kind, version: int, foreign: Any) -> None:
    for turn in range(3):
        message = seeded(kind, version, turn)
        for struct in structs(message):
            make_expressible(struct, version)
        data = message.encode(version)
        read, size = entity_reader(foreign)(data, 0)
        written = io.BytesIO()
        entity_writer(foreign)(written, read)
        assert (size, written.getvalue()) == (len(data), data), message


def foreign_class(api: Api, kind: Kind, version: int) -> Any:
    direction = "request" if kind.message is api.request else "response"
    return getattr(import_module(f"kio.schema.{api.module_name}.v{version}.{direction}"), kind.name)


def structs(value: Any) -> Iterator[Struct]:
    """The struct and all inside it."""
    if isinstance(value, list):
        for one in value:
            yield from structs(one)
    elif isinstance(value, Struct):
        yield value
        for entry in value.fields:
            yield from structs(getattr(value, entry.name))


def make_expressible(struct: Struct, version: int) -> None:
    for entry in struct.fields:
        if version in entry.versions and isinstance(getattr(struct, entry.name), int):
            if entry.name.endswith("error_code"):
                setattr(struct, entry.name, errors.NOT_LEADER_OR_FOLLOWER)
            elif "_ms" in entry.name or "time" in entry.name:
                setattr(struct, entry.name, 1234)
