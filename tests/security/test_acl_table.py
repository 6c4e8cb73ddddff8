"""Every API says what its sender needs; one without a row is refused."""

from __future__ import annotations

import pytest

from logctl.engine.broker.dispatch import SERVED
from logctl.security import acl
from logctl.security.acl import KEYS, Operation, Resource, need_of
from logctl.wire.api import API

DELETE_ANYTHING = (Operation.DELETE, Resource.CLUSTER)
"""No rule names it, but one for all operations holds it."""
WITHOUT_A_ROW_YET = {88, 89, 90, 91, 92}


@pytest.mark.parametrize("key", SERVED)
def test_an_api_that_is_served_has_a_row(key: int) -> None:
    assert key in KEYS


def test_only_the_apis_of_streams_and_share_group_offsets_have_no_row_yet() -> None:
    assert set(API) - KEYS == WITHOUT_A_ROW_YET


@pytest.mark.parametrize("key", sorted(WITHOUT_A_ROW_YET))
def test_an_api_without_a_row_is_refused(key: int) -> None:
    decision = acl.decide_request(key, "User:alice", "127.0.0.1")
    assert not decision.allowed
    assert str(key) in decision.reason


@pytest.mark.parametrize("key", sorted(KEYS))
def test_until_there_are_rules_everyone_may_ask(key: int) -> None:
    assert acl.decide_request(key, "User:ANONYMOUS", "192.0.2.1").allowed


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_row_asks_only_for_what_its_resource_knows(key: int) -> None:
    rights = {right for alternative in need_of(key).any_of for right in alternative} - {DELETE_ANYTHING}
    assert all(operation in acl.OPERATIONS_OF[resource] for operation, resource in rights)


def test_rows_read_as_they_are_written() -> None:
    produce, commit, create = need_of(0), need_of(8), need_of(19)
    assert produce.any_of == (((Operation.WRITE, Resource.TOPIC),),)
    assert commit.any_of == (((Operation.READ, Resource.GROUP), (Operation.READ, Resource.TOPIC)),)
    assert create.any_of == (((Operation.CREATE, Resource.CLUSTER),), ((Operation.CREATE, Resource.TOPIC),))
    assert need_of(18).any_of == ()


def test_authorised_operations_are_a_bit_for_each_operation() -> None:
    field = acl.authorized_operations("User:ANONYMOUS", "127.0.0.1", Resource.TOPIC, "orders")
    assert field & (1 << Operation.READ)
    assert not field & (1 << Operation.CLUSTER_ACTION)
    assert field == 0b110111111000
