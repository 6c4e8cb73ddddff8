"""DescribeCluster: the brokers, the cluster's id, and what may be done with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.assembled import CLUSTER, NODE, PORT, Assembled

from logctl.wire import errors
from logctl.wire.messages.describe_cluster import DescribeClusterRequest


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    return Assembled(tmp_path, {"broker.rack": "r1"})


@pytest.mark.parametrize("version", range(3))
def test_the_cluster_in_every_version(node: Assembled, version: int) -> None:
    answer = node.ask(DescribeClusterRequest(), version)
    assert (answer.error_code, answer.cluster_id, answer.controller_id) == (errors.NONE, CLUSTER, NODE)
    [broker] = answer.brokers
    assert (broker.broker_id, broker.host, broker.port, broker.rack) == (NODE, "127.0.0.1", PORT, "r1")
    assert not broker.is_fenced
    assert answer.cluster_authorized_operations == -(2**31)


def test_what_may_be_done_is_told_on_demand(node: Assembled) -> None:
    answer = node.ask(DescribeClusterRequest(include_cluster_authorized_operations=True), 1)
    assert answer.cluster_authorized_operations == 0b1111110100000


@pytest.mark.parametrize(
    ("asked", "code"), [(2, errors.MISMATCHED_ENDPOINT_TYPE), (7, errors.UNSUPPORTED_ENDPOINT_TYPE)]
)
def test_controllers_are_described_elsewhere(node: Assembled, asked: int, code: int) -> None:
    answer = node.ask(DescribeClusterRequest(endpoint_type=asked), 1)
    assert answer.error_code == code
    assert answer.error_message
    assert answer.brokers == []
