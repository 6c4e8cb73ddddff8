"""ApiVersions: what the node says it can do."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from support.assembled import Assembled

from logctl.engine.broker.dispatch import SERVED
from logctl.engine.broker.exchange import answer_parts, read_request
from logctl.engine.controller.decision import Decision
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from logctl.wire.stored.feature_level_record import FeatureLevelRecord

# What Apache Kafka 4.3.1 answers. Old librdkafka releases switch whole features by the lower bounds.
APACHE_SAYS = """
    0:0-13 1:4-18 2:1-11 3:0-13 8:2-10 9:1-10 10:0-6 11:0-9 12:0-4 13:0-5 14:0-5 15:0-6 16:0-5 17:0-1 18:0-4 19:2-7
    20:1-6 21:0-2 22:0-5 23:2-4 24:0-5 25:0-4 26:0-5 27:1-2 28:0-5 29:1-3 30:1-3 31:1-3 32:1-4 33:0-2 34:1-2 35:1-5
    36:0-2 37:0-3 38:1-3 39:1-2 40:1-2 41:1-3 42:0-2 43:0-2 44:0-1 45:0-1 46:0-0 47:0-0 48:0-1 49:0-1 50:0-0 51:0-0
    55:0-2 57:0-2 60:0-2 61:0-0 64:0-0 65:0-0 66:0-2 68:0-1 69:0-1 74:0-1 75:0-0 80:0-1 81:0-0
"""
APACHE_RANGES = {int(key): span for key, _, span in (entry.partition(":") for entry in APACHE_SAYS.split())}


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    return Assembled(tmp_path)


def test_ranges_are_exactly_apaches(node: Assembled) -> None:
    answer = node.ask(ApiVersionsRequest("test", "1.0"), 4)
    said = {api.api_key: f"{api.min_version}-{api.max_version}" for api in answer.api_keys}
    assert said.items() <= APACHE_RANGES.items()
    assert said.keys() == set(SERVED)


def test_features_tell_what_the_cluster_runs_at(node: Assembled) -> None:
    answer = node.ask(ApiVersionsRequest("test", "1.0"), 4)
    supported = {one.name: (one.min_version, one.max_version) for one in answer.supported_features}
    assert supported["metadata.version"] == (7, 30)
    finalized = {one.name: (one.min_version_level, one.max_version_level) for one in answer.finalized_features}
    assert finalized["metadata.version"] == (30, 30)
    assert answer.finalized_features_epoch >= 0


def test_what_the_cluster_has_finalized_and_this_node_does_not_serve_is_not_told(node: Assembled) -> None:
    carried = [FeatureLevelRecord(name="share.version", feature_level=1)]
    carried.append(FeatureLevelRecord(name="transaction.version", feature_level=2))
    node.parts.metadata.decide(lambda controller: Decision(carried, None), lambda decision: None)
    node.settle()
    answer = node.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 4)
    assert {one.name for one in answer.finalized_features} == {"metadata.version", "group.version"}
    supported = {one.name for one in answer.supported_features}
    assert not supported & {"share.version", "transaction.version"}
    node.restart()
    assert node.parts.metadata.image.features["transaction.version"] == 2


def test_a_client_that_cannot_read_a_lowest_level_of_zero_is_not_told_of_it(node: Assembled) -> None:
    answer = node.ask(ApiVersionsRequest("test", "1.0"), 3)
    assert "metadata.version" in {one.name for one in answer.supported_features}
    assert all(one.min_version > 0 for one in answer.supported_features)


def test_the_client_is_remembered_by_its_name(node: Assembled) -> None:
    node.ask(ApiVersionsRequest("apache-kafka-java", "4.3.1"), 4)
    assert (node.peer.client_software_name, node.peer.client_software_version) == ("apache-kafka-java", "4.3.1")


@pytest.mark.parametrize("name", ["", "a b", "-java", "java-", "\x1b[2J"])
def test_a_name_that_is_none_is_refused(node: Assembled, name: str) -> None:
    answer = node.ask(ApiVersionsRequest(name, "1.0"), 3)
    assert answer.error_code == errors.INVALID_REQUEST
    assert answer.api_keys == []


def test_a_version_from_the_future_is_answered_in_the_form_of_version_0(node: Assembled) -> None:
    frame = struct.pack(">hhih", 18, 77, 5, -1) + b"\0whatever version 77 looks like"
    request = read_request(memoryview(frame), node.peer, node.now_ms)
    answer = node.broker.handle(request, node.now_ms)
    whole = b"".join(answer_parts(request, answer))
    assert struct.unpack_from(">ii", whole) == (len(whole) - 4, 5)
    decoded, end = ApiVersionsResponse.decode(whole, 0, 8)
    assert end == len(whole)
    assert decoded.error_code == errors.UNSUPPORTED_VERSION
    assert {api.api_key for api in decoded.api_keys} == set(SERVED)


def test_the_answers_header_is_that_of_version_0_in_every_version() -> None:
    assert not any(API[18].response_header_is_flexible(version) for version in range(5))
