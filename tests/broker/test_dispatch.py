"""Which requests reach a handler, and what happens to those that don't."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from support.assembled import Assembled

from logctl.engine.broker import dispatch
from logctl.engine.broker.dispatch import SERVED
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.errors import WireError
from logctl.wire.messages.api_versions import ApiVersionsRequest
from logctl.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from logctl.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequestCursor as Cursor
from logctl.wire.messages.get_telemetry_subscriptions import GetTelemetrySubscriptionsRequest
from logctl.wire.messages.init_producer_id import InitProducerIdRequest


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    return Assembled(tmp_path)


@pytest.mark.parametrize("key", SERVED)
def test_a_handler_answers_what_is_advertised(key: int) -> None:
    """Produce 0 to 2 are the exception: advertised for the sake of old clients, refused as in Apache."""
    module = import_module(f"logctl.engine.broker.handlers.{API[key].module_name}")
    assert key == module.API_KEY
    assert dispatch.versions_answered(key) == module.VERSIONS
    advertised = API[key].versions
    assert ((3 if key == 0 else advertised.lowest), advertised.highest) == module.VERSIONS


@pytest.mark.parametrize("key", SERVED)
def test_a_handlers_header_says_what_it_answers(key: int) -> None:
    module = import_module(f"logctl.engine.broker.handlers.{API[key].module_name}")
    assert re.match(rf"{API[key].name} \({key}\), version(s \d+ (to|and) \d+| \d+): ", module.__doc__)


def test_an_api_that_is_not_served_closes_the_connection(node: Assembled) -> None:
    assert node.ask(GetTelemetrySubscriptionsRequest(), 0) is None
    [sentence] = node.said("request")
    assert sentence == "127.0.0.1:50000 asked for API 71 (GetTelemetrySubscriptions), which this node does not serve"


def test_a_version_out_of_range_closes_the_connection(node: Assembled) -> None:
    assert node.ask(InitProducerIdRequest(), 6) is None
    [sentence] = node.said("request")
    assert sentence == "127.0.0.1:50000 asked for InitProducerId in version 6; this node answers 0 to 5"


@pytest.mark.parametrize(
    ("key", "version", "says"),
    [
        (0, 2, "Produce in version 2; this node answers 3 to 13"),
        (999, 0, "API 999 (which does not exist)"),
        (1, 3, "Fetch in version 3"),
        (18, 99, ""),
        (3, 13, ""),
    ],
)
def test_what_is_refused_by_its_header(key: int, version: int, says: str) -> None:
    refusal = dispatch.refusal(key, version)
    assert says in refusal
    assert bool(refusal) == bool(says)


def test_an_error_of_the_whole_request_stands_where_the_api_has_a_place_for_it(node: Assembled) -> None:
    request = FakeRequest(22, 4)
    answer = dispatch.refused(request, WireError(errors.CLUSTER_AUTHORIZATION_FAILED, "no"))
    assert answer is not None
    assert answer.error_code == errors.CLUSTER_AUTHORIZATION_FAILED
    assert dispatch.refused(FakeRequest(75, 0), WireError(errors.INVALID_REQUEST)) is None


def test_an_error_without_a_place_closes_the_connection(node: Assembled) -> None:
    assert node.ask(DescribeTopicPartitionsRequest(cursor=Cursor("orders", -1)), 0) is None


class FakeRequest:
    """As much of a request as `refused` looks at."""

    def __init__(self, api_key: int, version: int) -> None:
        self.api_key = api_key
        self.version = version


def test_api_versions_is_answered_in_every_version(node: Assembled) -> None:
    for version in range(5):
        answer = node.ask(ApiVersionsRequest("test", "1.0"), version)
        assert answer.error_code == errors.NONE
        assert [api.api_key for api in answer.api_keys] == list(SERVED)
