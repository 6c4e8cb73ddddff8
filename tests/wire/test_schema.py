"""What a field table gives: constructors, equality, defaults, and the scalars beneath."""

from __future__ import annotations

import subprocess
import sys

import pytest

from logctl.wire.api import API, BY_NAME
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ReplicaState
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from logctl.wire.messages.produce import PartitionProduceData
from logctl.wire.primitives import ZERO_UUID, uuid_from_text, uuid_text, uvarint, uvarint_bytes
from logctl.wire.schema import NEVER, Versions


def test_a_message_is_made_by_keyword_or_by_position_and_the_rest_has_defaults() -> None:
    assert HeartbeatRequest("g", 3, "m") == HeartbeatRequest(group_id="g", generation_id=3, member_id="m")
    request = FetchRequest(max_wait_ms=500)
    assert (request.max_bytes, request.session_epoch, request.topics, request.cluster_id) == (0x7FFFFFFF, -1, [], None)
    assert request.replica_state == ReplicaState(replica_id=-1, replica_epoch=-1)
    assert FetchTopic().topic_id == ZERO_UUID
    with pytest.raises(TypeError):
        FetchRequest(no_such_field=1)


def test_lists_and_structs_are_never_shared() -> None:
    one, other = FetchRequest(), FetchRequest()
    one.topics.append(FetchTopic(topic="t"))
    one.replica_state.replica_id = 7
    assert other == FetchRequest()
    assert other.topics == []


def test_equality_is_by_value_and_needs_the_same_class() -> None:
    assert FetchPartition(partition=1) != FetchPartition(partition=2)
    assert HeartbeatRequest() != FetchRequest()
    with pytest.raises(TypeError, match="unhashable"):
        hash(HeartbeatRequest())


def test_a_message_says_what_it_holds_but_not_whole_batches() -> None:
    assert repr(MetadataRequestTopic(name="t")) == f"MetadataRequestTopic(topic_id={ZERO_UUID!r}, name='t')"
    assert repr(PartitionProduceData(index=1, records=bytes(99))) == "PartitionProduceData(index=1, records=<99 bytes>)"


def test_a_field_that_a_version_lacks_is_left_out_and_comes_back_as_its_default() -> None:
    data = HeartbeatRequest(group_id="g", group_instance_id="static").encode(2)
    assert HeartbeatRequest.decode(data, 2) == (HeartbeatRequest(group_id="g"), len(data))


def test_decoding_begins_where_it_is_told_to() -> None:
    data = b"header" + MetadataRequest(topics=None).encode(12) + b"tail"
    message, end = MetadataRequest.decode(memoryview(data), 12, 6)
    assert message == MetadataRequest(topics=None)
    assert data[end:] == b"tail"


def test_a_version_that_does_not_exist_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="HeartbeatRequest has no version 5"):
        HeartbeatRequest().encode(5)
    with pytest.raises(ValueError, match="FetchRequest has no version 3"):
        FetchRequest.decode(b"", 3)


@pytest.mark.parametrize(
    ("text", "inside", "outside", "shown"),
    [
        ("4-18", (4, 18), (3, 19), "4-18"),
        ("7", (7,), (6, 8), "7"),
        ("3+", (3, NEVER), (2,), f"3-{NEVER}"),
        ("none", (), (0, 1, NEVER), str(NEVER)),
    ],
)
def test_ranges_of_versions(text: str, inside: tuple[int, ...], outside: tuple[int, ...], shown: str) -> None:
    versions = Versions.parse(text)
    assert all(version in versions for version in inside)
    assert not any(version in versions for version in outside)
    assert str(versions) == shown


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16383, 16384, 2**21, 2**28, 2**31, 2**32 - 1])
def test_varints_go_there_and_back(value: int) -> None:
    data = uvarint_bytes(value)
    assert uvarint(b"x" + data + b"x", 1) == (value, 1 + len(data))


def test_identifiers_are_written_as_kafka_writes_them() -> None:
    raw = bytes(range(16))
    assert uuid_text(raw) == "AAECAwQFBgcICQoLDA0ODw"
    assert uuid_from_text(uuid_text(raw)) == raw
    assert uuid_text(ZERO_UUID) == "AAAAAAAAAAAAAAAAAAAAAA"
    for wrong in ("", "AAECAwQFBgcICQoLDA0OD", "AAECAwQFBgcICQoLDA0ODw==x", "not an identifier!!!!!"):
        with pytest.raises(ValueError, match="is not an identifier"):
            uuid_from_text(wrong)


def test_every_api_is_found_by_key_and_by_name() -> None:
    assert len(API) == len(BY_NAME) == 89
    assert BY_NAME["CreateTopics"].module_name == "create_topics"
    for api in API.values():
        assert api.request.api_key == api.response.api_key == api.key
        assert api.request.versions == api.response.versions


def test_nothing_is_loaded_or_compiled_before_it_is_needed() -> None:
    """Naming an API must not cost the import of ninety modules."""
    script = (
        "import sys; from logctl.wire.api import API; API[3].versions;"
        "assert not any(name.startswith('logctl.wire.messages.') for name in sys.modules);"
        "API[3].request; assert 'logctl.wire.codec' not in sys.modules;"
        "loaded = [name for name in sys.modules if name.startswith('logctl.wire.messages.')];"
        "assert loaded == ['logctl.wire.messages.metadata'], loaded"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
