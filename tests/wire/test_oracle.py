"""Byte for byte and value for value, our codec against the classes that Apache Kafka itself uses.

Random messages of every kind and version are written by us, read and rewritten by Java, and read again by us.
"""

from __future__ import annotations

import random
import struct
from functools import cache
from typing import Any

import pytest
from support.messages import KINDS, Kind, every_version
from support.oracle import Account, Question, apis_of_java, ask_java, differences, seeded

from logctl.wire.api import API
from logctl.wire.frames import framed, read_request_header, read_response_header, request_frame
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.schema import Message
from logctl.wire.stored.framing import (
    CONTROL_RECORDS,
    GROUPS,
    METADATA_RECORDS,
    SHARE_STATE,
    TRANSACTIONS,
    ControlKind,
    Coordinator,
    control_record_bytes,
    coordinator_record_bytes,
    metadata_record_bytes,
)

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("oracle")]

TURNS = 6


@cache
def accounts() -> dict[str, list[tuple[int, Message, bytes, Account]]]:
    """Everything Java said, by kind, from one process."""
    cases = [(kind, version, seeded(kind, version, turn)) for turn in range(TURNS) for kind, version in every_version()]
    questions = [Question(kind.java, version, message.encode(version)) for kind, version, message in cases]
    found: dict[str, list[tuple[int, Message, bytes, Account]]] = {kind.name: [] for kind in KINDS}
    for (kind, version, message), question, account in zip(cases, questions, ask_java(questions), strict=True):
        found[kind.name].append((version, message, question.data, account))
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_java_reads_and_rewrites_what_we_wrote(kind: Kind) -> None:
    cases = accounts()[kind.name]
    assert len(cases) == TURNS * len(kind.versions)
    for version, message, written, account in cases:
        assert not account.complaint, f"{message} in version {version}: {account.complaint}"
        assert account.data == written, f"{message} in version {version}"
        assert (account.api_key, account.versions) == (kind.message.api_key, tuple(kind.message.versions))
        assert account.values is not None
        assert differences(message, version, account.values) == []
        assert kind.message.decode(account.data, version) == (message, len(written))


def test_the_table_of_apis_is_apaches() -> None:
    """Names, advertised bounds, where headers become flexible, and which APIs only controllers serve."""
    theirs = apis_of_java()
    assert theirs.keys() == API.keys()
    for key, api in API.items():
        versions = range(api.request.versions.lowest, api.request.versions.highest + 1)
        asked = next((version for version in versions if version in api.flexible), -1)
        answered = next((version for version in versions if api.response_header_is_flexible(version)), -1)
        assert theirs[key] == [api.name, *map(str, (*api.versions, asked, answered)), str(api.on_brokers).lower()]


@pytest.mark.parametrize("version", [1, 2])
def test_java_reads_our_request_headers(version: int) -> None:
    """Version 1 belongs to older messages, version 2 to flexible ones."""
    api_version = 4 if version == 2 else 3
    frames = [request_frame(12, api_version, number, name, HeartbeatRequest())
              for number, name in [(0, None), (-1, ""), (2**31 - 1, "me"), (7, "клиент")]]  # fmt: skip
    body = len(HeartbeatRequest().encode(api_version))
    headers = [frame[4:-body] for frame in frames]
    said = ask_java([Question("org.apache.kafka.common.message.RequestHeaderData", version, it) for it in headers])
    for header, account in zip(headers, said, strict=True):
        assert account.data == header, account.complaint
        mine, end = read_request_header(header)
        assert end == len(header)
        assert account.values == {
            "requestApiKey": mine.api_key,
            "requestApiVersion": mine.version,
            "correlationId": mine.correlation_id,
            "clientId": mine.client_id,
        }


@pytest.mark.parametrize("version", [0, 1])
def test_java_reads_our_response_headers(version: int) -> None:
    header = b"".join(framed(random.Random(1).randrange(2**31), b"\0" * version, []))[4:]
    (account,) = ask_java([Question("org.apache.kafka.common.message.ResponseHeaderData", version, header)])
    assert account.data == header, account.complaint
    assert account.values == {"correlationId": read_response_header(header, 12, 3 + version)[0]}


def test_apaches_serdes_agree_on_metadata_records() -> None:
    ours = {kind: kind.versions for kind in KINDS if METADATA_RECORDS.get(kind.message.api_key) is kind.message}
    assert {kind.message.api_key for kind in ours} == set(METADATA_RECORDS)
    cases = [(kind, version) for kind, versions in ours.items() for version in versions]
    agree("metadata", [metadata_record_bytes(seeded(kind, version), version) for kind, version in cases])


@pytest.mark.parametrize(
    ("name", "coordinator"), [("groups", GROUPS), ("transactions", TRANSACTIONS), ("share", SHARE_STATE)]
)
def test_apaches_serdes_agree_on_coordinator_records(name: str, coordinator: Coordinator) -> None:
    frames = []
    for api_key in coordinator.keys:
        key, value = kind_of(coordinator.keys.get(api_key)), kind_of(coordinator.values.get(api_key))
        records = [coordinator_record_bytes(seeded(key, 0), seeded(value, it), it) for it in value.versions]
        frames += [joined(*record) for record in records]
    agree(name, frames)


def test_apaches_serdes_agree_on_control_records() -> None:
    frames = []
    for number in ControlKind:
        message: Any = seeded(kind_of(CONTROL_RECORDS.get(number)), 0)
        if hasattr(message, "version"):
            message.version = 0
        frames.append(joined(*control_record_bytes(number, message)))
    agree("control", frames)


def kind_of(message: type[Message] | None) -> Kind:
    return next(kind for kind in KINDS if kind.message is message)


def joined(key: bytes, value: bytes | None) -> bytes:
    return struct.pack(">i", len(key)) + key + (value or b"")


def agree(name: str, frames: list[bytes]) -> None:
    accounts = ask_java([Question(f"frame:{name}", 0, frame) for frame in frames])
    for frame, account in zip(frames, accounts, strict=True):
        assert account.data == frame, account.complaint


def test_the_oracle_notices_what_is_wrong() -> None:
    heartbeat = "org.apache.kafka.common.message.HeartbeatRequestData"
    message = HeartbeatRequest(group_id="g", member_id="m")
    swapped = HeartbeatRequest(group_id="m", member_id="g")
    good, long, short = ask_java([Question(heartbeat, 4, message.encode(4)),
                                  Question(heartbeat, 4, message.encode(4) + b"!"),
                                  Question(heartbeat, 4, message.encode(4)[:-1])])  # fmt: skip
    assert "1 bytes were not read" in long.complaint
    assert short.complaint
    assert good.values is not None
    assert len(differences(swapped, 4, good.values)) == 2
