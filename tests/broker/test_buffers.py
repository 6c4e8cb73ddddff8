"""Memory for unfinished frames: it grows with what has arrived, under one budget, and nobody waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logctl.engine.buffers import SMALL_BYTES, Buffers, capacity

KIB, MIB = 1 << 10, 1 << 20


@given(arrived=st.integers(1, 100 * MIB), rest=st.integers(0, 100 * MIB))
def test_a_buffer_holds_what_arrived_and_is_never_more_than_twice_that_beyond_64_kib(arrived: int, rest: int) -> None:
    size = capacity(arrived, arrived + rest)
    assert size >= arrived
    assert size <= max(SMALL_BYTES, 2 * arrived)
    assert rest == 0 or size > arrived, "there is room to go on"


def test_a_large_announcement_reserves_little() -> None:
    assert capacity(10, 100 * MIB) == SMALL_BYTES


def test_the_usual_batch_of_a_mebibyte_fits_with_its_headers() -> None:
    assert MIB + KIB < capacity(700 * KIB, MIB + KIB) < MIB + 100 * KIB


def test_buffers_come_back_and_are_used_again() -> None:
    buffers = Buffers(10 * MIB)
    large = buffers.take(MIB, 4 * MIB)
    assert buffers.lent_bytes == len(large)
    buffers.give(large)
    assert buffers.lent_bytes == 0
    assert buffers.take(MIB, 4 * MIB) is large


def test_above_the_budget_one_may_go_on_and_the_others_wait_their_turn() -> None:
    buffers = Buffers(MIB)
    buffers.take(MIB, MIB)
    assert buffers.allows("first", 10), "somebody must get done"
    assert buffers.allows("first", 10 * MIB)
    assert not buffers.allows("second", 10)
    assert not buffers.allows("third", 10)
    assert buffers.next_turn() is None

    buffers.done("first")
    assert buffers.next_turn() == "second"
    assert buffers.allows("second", 10)


@pytest.mark.parametrize("who", ["second", "third"])
def test_with_room_again_those_who_waited_are_named_in_order(who: str) -> None:
    buffers = Buffers(MIB)
    taken = buffers.take(MIB, MIB)
    assert buffers.allows("first", 10)
    assert not buffers.allows("second", 10)
    assert not buffers.allows("third", 10)
    buffers.give(taken)
    assert [buffers.next_turn(), buffers.next_turn(), buffers.next_turn()] == ["second", "third", None]
    assert buffers.allows(who, 10)
