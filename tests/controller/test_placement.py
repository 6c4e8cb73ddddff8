"""Where replicas go, read as rows of brokers."""

from __future__ import annotations

from collections import Counter

import pytest

from logctl.engine.controller.image import Broker
from logctl.engine.controller.placement import place
from logctl.wire import errors
from logctl.wire.errors import WireError


def brokers(racks: str, fenced: str = "") -> list[Broker]:
    """brokers("aab") are 1 and 2 in rack a and 3 in rack b; fenced="2" fences the second."""
    return [
        Broker(number, epoch=number, incarnation_id=bytes(16), rack=rack, fenced=str(number) in fenced)
        for number, rack in enumerate(racks, 1)
    ]


def test_leaders_go_round_and_followers_shift_each_time_round() -> None:
    assert place(brokers("aaa"), partitions=6, replication_factor=2, start=0) == [
        (1, 2),
        (2, 3),
        (3, 1),
        (1, 3),
        (2, 1),
        (3, 2),
    ]


def test_each_rack_gets_a_replica_before_one_gets_two() -> None:
    racks = "aabbcc"
    rack_of = dict(enumerate(racks, 1))
    placed = place(brokers(racks), partitions=60, replication_factor=3, start=4)
    assert all({rack_of[broker_id] for broker_id in replicas} == {"a", "b", "c"} for replicas in placed)
    assert set(Counter(replicas[0] for replicas in placed).values()) == {10}, "leaders are spread evenly"


def test_more_replicas_than_racks_still_go_to_different_brokers() -> None:
    for replicas in place(brokers("aab"), partitions=5, replication_factor=3, start=0):
        assert sorted(replicas) == [1, 2, 3]


def test_a_fenced_broker_never_leads_and_follows_only_when_it_must() -> None:
    cluster = brokers("aaa", fenced="2")
    assert all(2 not in replicas for replicas in place(cluster, 4, 2, start=0))
    assert all(replicas[-1] == 2 for replicas in place(cluster, 4, 3, start=0))


@pytest.mark.parametrize(("cluster", "replicas"), [("a", 2), ("", 1)])
def test_too_few_brokers(cluster: str, replicas: int) -> None:
    with pytest.raises(WireError) as refusal:
        place(brokers(cluster), 1, replicas, start=0)
    assert refusal.value.code == errors.INVALID_REPLICATION_FACTOR


def test_all_brokers_fenced() -> None:
    with pytest.raises(WireError) as refusal:
        place(brokers("ab", fenced="12"), 1, 1, start=0)
    assert refusal.value.code == errors.INVALID_REPLICATION_FACTOR
