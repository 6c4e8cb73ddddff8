"""Bytes from an enemy: whatever they are, a reader answers with a message or refuses with one error, at bounded cost.

The bounds are stated at the head of `codec.py`. Crashes that these tests found live on below under their own names.
"""

from __future__ import annotations

import random
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.messages import KINDS, Kind, every_version
from support.oracle import seeded

from logctl.wire import codec
from logctl.wire.codec import ROOM, SMALL_ELEMENT
from logctl.wire.frames import read_request_header, read_response_header
from logctl.wire.messages.api_versions import ApiVersionsRequest
from logctl.wire.messages.broker_registration import BrokerRegistrationRequest
from logctl.wire.messages.describe_groups import DescribedGroup, DescribedGroupMember, DescribeGroupsResponse
from logctl.wire.messages.fetch import FetchRequest
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.messages.list_groups import ListGroupsRequest
from logctl.wire.messages.metadata import MetadataRequest
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.primitives import MalformedMessage, uvarint, uvarint_bytes
from logctl.wire.schema import Array, Fixed, Message, Sized, StructType, Type
from logctl.wire.stored.framing import GROUPS, read_control_record, read_metadata_record

NASTY = (b"\0", b"\xff" * 4, b"\xff" * 10, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff\x0f", b"\x80" * 5)

Damage = Callable[[random.Random, bytes], bytes]


def flip(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def extend(rng: random.Random, data: bytes) -> bytes:
    return data + rng.randbytes(rng.randrange(1, 20))


def overwrite(rng: random.Random, data: bytes) -> bytes:
    place, nasty = rng.randrange(len(data)), rng.choice(NASTY)
    return data[:place] + nasty + data[place + len(nasty) :]


def insert(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(NASTY) + data[place:]


def repeat(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start : start + rng.randrange(1, 30)] * rng.randrange(2, 9) + data[start:]


DAMAGES: tuple[Damage, ...] = (flip, truncate, extend, overwrite, insert, repeat)


def read_or_refuse(message: type[Message], data: bytes, version: int) -> Message | None:
    """The one promise: a message that ends within the bytes, or MalformedMessage and nothing else."""
    try:
        read, end = message.decode(memoryview(data), version)
    except MalformedMessage:
        return None
    assert 0 <= end <= len(data)
    return read


# Damaged messages


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_version_survives_damage(kind: Kind) -> None:
    for version in kind.versions:
        rng = random.Random(f"{kind.name} {version}")
        good = seeded(kind, version).encode(version)
        for turn in range(30):
            data = good or b"\0"
            for _ in range(rng.randrange(1, 4)):
                data = rng.choice(DAMAGES)(rng, data) or b"\0"
            read = read_or_refuse(kind.message, data, version)
            if read is not None:
                written = read.encode(version)
                assert kind.message.decode(written, version)[0].encode(version) == written, (version, turn)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_message_cut_anywhere_is_refused(kind: Kind) -> None:
    version = kind.versions[-1]
    data = seeded(kind, version, 1000).encode(version)
    for end in range(0, len(data), 1 + len(data) // 60):
        assert read_or_refuse(kind.message, data[:end], version) is None


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(list(every_version())),
    st.sampled_from(list(every_version())),
    st.integers(0, 3),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_one_message_spliced_into_another(
    one: tuple[Kind, int], other: tuple[Kind, int], turn: int, cut: float, entry: float
) -> None:
    host, guest = (seeded(kind, version, turn).encode(version) for kind, version in (one, other))
    data = host[: int(cut * len(host))] + guest[int(entry * len(guest)) :]
    read_or_refuse(one[0].message, data, one[1])


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(list(every_version())), st.binary(max_size=200))
def test_bytes_of_no_message_at_all(which: tuple[Kind, int], data: bytes) -> None:
    kind, version = which
    read_or_refuse(kind.message, data, version)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_headers_and_stored_frames_of_anything(data: bytes) -> None:
    for read in (
        lambda: read_request_header(data),
        lambda: read_response_header(data, 12, 4),
        lambda: read_metadata_record(data),
        lambda: read_control_record(data[:4], data[4:]),
        lambda: GROUPS.read(data[:9], data[9:]),
        lambda: GROUPS.read(data, None),
        lambda: uvarint(data, 0),
    ):
        try:
            read()
        except MalformedMessage:
            pass


# What is announced costs nothing


def announced(count: int, *, flexible: bool) -> bytes:
    return uvarint_bytes(count + 1) if flexible else struct.pack(">i", count)


@pytest.mark.parametrize("count", [1, 1000, 2**31 - 1])
@pytest.mark.parametrize(("version", "flexible"), [(1, False), (12, True)])
def test_an_announced_array_is_not_believed(version: int, flexible: bool, count: int) -> None:
    data = announced(count, flexible=flexible)
    assert peak_bytes(lambda: refused(MetadataRequest, data, version)) < 20_000


def test_an_array_that_cannot_fit_is_refused_before_its_first_element_is_read() -> None:
    """A hundred topics are announced and at most ninety-nine can follow. A slice would not miss absent identifiers."""
    topics = announced(100, flexible=False) + struct.pack(">hc", 1, b"t") * 66
    assert lines_run(MetadataRequest, topics, 1) < 20
    no_directories = BrokerRegistrationRequest().encode(2)
    million = no_directories.removesuffix(b"\1\0") + uvarint_bytes(1_000_001) + bytes(16)
    assert peak_bytes(lambda: refused(BrokerRegistrationRequest, million, 2)) < 20_000


@pytest.mark.parametrize("length", [1, 1000, 2**32 - 2])
def test_an_announced_text_is_not_believed(length: int) -> None:
    data = uvarint_bytes(length + 1)
    assert peak_bytes(lambda: refused(HeartbeatRequest, data, 4)) < 20_000


@pytest.mark.parametrize("count", [3, 1000, 2**32 - 1])
def test_announced_tagged_fields_are_not_believed(count: int) -> None:
    data = HeartbeatRequest().encode(4)[:-1] + uvarint_bytes(count) + b"\0\0" * 2
    assert peak_bytes(lambda: refused(HeartbeatRequest, data, 4)) < 20_000


def test_a_tagged_field_longer_or_shorter_than_announced_is_refused() -> None:
    honest = FetchRequest(cluster_id="c").encode(12)
    assert honest.endswith(b"\x01\x00\x02\x02c")
    for lie in (b"\x01\x00\x03\x02c", b"\x01\x00\x03\x02c\0", b"\x01\x00\x01\x02c"):
        refused(FetchRequest, honest[:-5] + lie, 12)


def test_an_unknown_tagged_field_is_skipped() -> None:
    plain = HeartbeatRequest(group_id="g").encode(4)
    read, end = HeartbeatRequest.decode(plain[:-1] + b"\x02\x05\x03abc\x81\x01\x00", 4)
    assert (read, end) == (HeartbeatRequest(group_id="g"), len(plain) + 8)


@pytest.mark.parametrize("varint", [b"\x80" * 5, b"\xff" * 5, b"\xff\xff\xff\xff\x1f", b"\x80"])
def test_a_varint_that_does_not_end_or_does_not_fit_is_refused(varint: bytes) -> None:
    with pytest.raises(MalformedMessage, match="varint"):
        uvarint(varint, 0)
    refused(HeartbeatRequest, varint, 4)


def test_text_that_is_not_utf8_is_refused() -> None:
    refused(ApiVersionsRequest, b"\x03\xc3\x28\x01\0", 4)


def test_a_null_where_none_may_be_is_refused() -> None:
    refused(HeartbeatRequest, b"\0" * 12, 4)
    refused(HeartbeatRequest, b"\xff\xff" + bytes(12), 0)
    refused(ProduceRequest, struct.pack(">hhii", -1, 1, 5, -1), 3)


# What a message may weigh


def smallest(kind: Type, version: int) -> Any:
    """A value of the fewest bytes."""
    if isinstance(kind, Array):
        return []
    if isinstance(kind, Fixed | Sized):
        return b"" if kind.zero is None else kind.zero
    made = kind()
    for entry in kind.fields:
        if version in entry.versions and version in entry.nullable and version not in entry.tagged:
            setattr(made, entry.name, None)
    return made


def stuffed(message: type[Message], version: int, count: int) -> Iterator[tuple[Message, Array]]:
    """The message with one of its arrays, at any depth, holding `count` of the smallest elements; each in turn."""
    for path in array_paths(message, version):
        root = at = smallest(message, version)
        for entry in path[:-1]:
            inner = smallest(entry.type.element if isinstance(entry.type, Array) else entry.type, version)
            setattr(at, entry.name, [inner] if isinstance(entry.type, Array) else inner)
            at = inner
        setattr(at, path[-1].name, [smallest(path[-1].type.element, version)] * count)
        yield root, path[-1].type


def array_paths(cls: StructType, version: int) -> Iterator[list[Any]]:
    for entry in cls.fields:
        if version in entry.versions:
            inner = entry.type.element if isinstance(entry.type, Array) else entry.type
            if isinstance(entry.type, Array):
                yield [entry]
            if isinstance(inner, StructType):
                yield from ([entry, *path] for path in array_paths(inner, version))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_heaviest_element_is_within_the_stated_bound(kind: Kind) -> None:
    """A small element weighs at most 512 bytes as an object, a large one at most 32 times its own size."""
    version, count = kind.versions[-1], 100
    for message, array in stuffed(kind.message, version, count):
        data = memoryview(message.encode(version))
        kind.message.decode(data, version)
        peak = peak_bytes(lambda data=data: kind.message.decode(data, version))  # type: ignore[misc]
        least = codec._least_size(array.element, version, version in kind.message.flexible)
        allowed = 512 if least < SMALL_ELEMENT and not isinstance(array.element, Fixed) else 32 * least
        assert peak < 4000 + allowed * count, (message, peak / count, least)


def group_of(members: int) -> DescribeGroupsResponse:
    """Seven bytes a member, and more than 450 as an object: the steepest there is."""
    return DescribeGroupsResponse(groups=[DescribedGroup(members=[DescribedGroupMember()] * members)])


def test_all_small_elements_together_weigh_no_more_than_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the head of codec.py it says 64 MiB and 32 times the size; here with a hundredth of the room."""
    monkeypatch.setattr(codec, "ROOM", ROOM // 100)
    read = codec.compile_reader(DescribeGroupsResponse, 6, True)
    most = next(count for count in range(ROOM // 100, ROOM) if count > ROOM // 100 + 7 * count // SMALL_ELEMENT)
    fits, exceeds = (memoryview(group_of(count).encode(6)) for count in (most - 10, most + 10))
    assert peak_bytes(lambda: read(fits, 0)) < (64 << 20) // 100 + 32 * len(fits)
    with pytest.raises(MalformedMessage, match="more elements than a message of its size may hold"):
        read(exceeds, 0)


def test_countless_tiny_elements_are_refused_before_they_weigh_anything() -> None:
    empty_names = uvarint_bytes(2 * ROOM + 1) + b"\1" * (2 * ROOM) + b"\1\0"
    assert peak_bytes(lambda: refused(ListGroupsRequest, empty_names, 5)) < 20_000
    assert len(ListGroupsRequest.decode(uvarint_bytes(ROOM + 1) + b"\1" * ROOM + b"\1\0", 5)[0].states_filter) == ROOM


def test_record_batches_are_not_copied() -> None:
    batch = bytes(1 << 20)
    request = ProduceRequest()
    request.topic_data = [TopicProduceData(name="t", partition_data=[PartitionProduceData(index=0, records=batch)])]
    data = memoryview(request.encode(9))
    assert peak_bytes(lambda: ProduceRequest.decode(data, 9)) < 20_000


def test_work_grows_with_the_bytes_and_not_with_what_they_announce() -> None:
    """Lines run inside the reader, counted: doubling the message at most doubles them."""
    small, large = (lines_run(FetchRequest, fetch_with(count), 12) for count in (200, 400))
    assert large < 2.1 * small
    assert lines_run(MetadataRequest, announced(2**31 - 1, flexible=True), 12) < 50


def fetch_with(tags: int) -> bytes:
    return FetchRequest().encode(12)[:-1] + uvarint_bytes(tags) + b"\x05\x00" * tags


def lines_run(message: type[Message], data: bytes, version: int) -> int:
    message.reader(version)
    count = 0

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read_or_refuse(message, data, version)
    finally:
        sys.settrace(before)
    return count


def refused(message: type[Message], data: bytes | memoryview, version: int) -> None:
    with pytest.raises(MalformedMessage):
        message.decode(data, version)


def peak_bytes(action: Callable[[], object]) -> int:
    """The most memory in use at once while `action` ran, its result included."""
    action()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        kept = action()
        _, peak = tracemalloc.get_traced_memory()
        del kept
        return peak - before
    finally:
        tracemalloc.stop()
