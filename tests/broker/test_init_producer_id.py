"""InitProducerId: an id for everyone, each once in the life of the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.assembled import Assembled

from logctl.wire import errors
from logctl.wire.messages.init_producer_id import InitProducerIdRequest


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    return Assembled(tmp_path)


def fresh(node: Assembled, version: int = 5) -> int:
    answer = node.ask(InitProducerIdRequest(transactional_id=None), version)
    assert (answer.error_code, answer.producer_epoch) == (errors.NONE, 0)
    producer_id: int = answer.producer_id
    return producer_id


@pytest.mark.parametrize("version", range(6))
def test_an_id_in_every_version(node: Assembled, version: int) -> None:
    assert fresh(node, version) == 0


def test_ids_are_counted_up_and_blocks_follow_each_other(node: Assembled) -> None:
    assert [fresh(node) for _ in range(2500)] == list(range(2500))


def test_no_id_is_given_out_twice_after_a_restart_or_a_crash(node: Assembled) -> None:
    given = [fresh(node)]
    node.restart()
    given.append(fresh(node))
    node.crash()
    given.append(fresh(node))
    assert given == [0, 1000, 2000]


def test_a_producer_that_names_its_id_gets_a_new_one(node: Assembled) -> None:
    fresh(node)
    answer = node.ask(InitProducerIdRequest(transactional_id=None, producer_id=0, producer_epoch=3), 5)
    assert (answer.error_code, answer.producer_id, answer.producer_epoch) == (errors.NONE, 1, 0)


@pytest.mark.parametrize(("producer_id", "epoch"), [(-1, 0), (5, -1)])
def test_half_an_identity_is_an_invalid_request(node: Assembled, producer_id: int, epoch: int) -> None:
    request = InitProducerIdRequest(transactional_id=None, producer_id=producer_id, producer_epoch=epoch)
    assert node.ask(request, 5).error_code == errors.INVALID_REQUEST


def test_an_empty_transactional_id_is_an_invalid_request(node: Assembled) -> None:
    assert node.ask(InitProducerIdRequest(transactional_id=""), 5).error_code == errors.INVALID_REQUEST
