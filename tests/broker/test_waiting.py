"""Parked requests: tried when one of their places moves, once a round; given up at their deadline; cancelled."""

from __future__ import annotations

from typing import Any

from logctl.engine.broker.request import Peer, Request
from logctl.engine.broker.waiting import Parked, Place, Waiting


class Guest(Parked):
    """Is ready when told so, and remembers what was done with it."""

    def __init__(self, places: list[Place], deadline_ms: int) -> None:
        super().__init__(Request(1, 12, 7, None, None, Peer(1, "127.0.0.1", 5000), 0), places, deadline_ms)
        self.ready = False
        self.story: list[Any] = []

    def attempt(self, now_ms: int) -> bool:
        self.story.append(("tried", now_ms))
        return self.ready

    def give_up(self, now_ms: int) -> None:
        self.story.append(("gave up", now_ms))


def test_a_guest_is_tried_when_its_place_moves_and_leaves_when_it_is_ready() -> None:
    waiting, place = Waiting(), Place()
    guest = Guest([place], deadline_ms=500)
    waiting.park(guest)

    waiting.settle(10)
    assert guest.story == []

    waiting.stir(place)
    waiting.settle(20)
    assert guest.story == [("tried", 20)]
    assert len(waiting) == 1

    guest.ready = True
    waiting.stir(place)
    waiting.settle(30)
    assert guest.story[-1] == ("tried", 30)
    assert len(waiting) == 0
    assert place.watchers is None


def test_a_round_tries_a_guest_once_however_many_of_its_places_moved() -> None:
    waiting, places = Waiting(), [Place() for _ in range(4)]
    guest = Guest(places, deadline_ms=500)
    waiting.park(guest)
    for place in places:
        waiting.stir(place)
    waiting.settle(1)
    assert guest.story == [("tried", 1)]


def test_deadlines_come_in_order_and_name_the_next() -> None:
    waiting, place = Waiting(), Place()
    late, early = Guest([place], 900), Guest([place], 300)
    waiting.park(late)
    waiting.park(early)
    assert waiting.next_deadline_ms() == 300

    waiting.expire(299)
    assert early.story == []
    waiting.expire(300)
    assert early.story == [("gave up", 300)]
    assert late.story == []
    assert waiting.next_deadline_ms() == 900


def test_who_was_answered_does_not_give_up_later() -> None:
    waiting, place = Waiting(), Place()
    guest = Guest([place], 100)
    guest.ready = True
    waiting.park(guest)
    waiting.stir(place)
    waiting.settle(50)
    waiting.expire(1_000)
    assert guest.story == [("tried", 50)]
    assert waiting.next_deadline_ms() is None


def test_a_cancelled_guest_is_forgotten_and_a_stranger_cannot_be_cancelled() -> None:
    waiting, place = Waiting(), Place()
    guest, stranger = Guest([place], 100), Guest([place], 100)
    waiting.park(guest)
    waiting.stir(place)
    waiting.cancel(guest.request)
    waiting.cancel(guest.request)
    waiting.cancel(stranger.request)
    waiting.settle(1)
    waiting.expire(1_000)
    assert guest.story == []
    assert place.watchers is None


def test_a_clock_set_back_or_a_stop_makes_everybody_give_up() -> None:
    waiting, place = Waiting(), Place()
    guests = [Guest([place], 1_000_000) for _ in range(3)]
    for guest in guests:
        waiting.park(guest)
    waiting.expire_all(5)
    assert [guest.story for guest in guests] == [[("gave up", 5)]] * 3
    assert len(waiting) == 0


def test_answered_guests_do_not_pile_up_until_their_deadlines() -> None:
    waiting, place = Waiting(), Place()
    for _ in range(10_000):
        guest = Guest([place], 1_000_000)
        guest.ready = True
        waiting.park(guest)
        waiting.stir(place)
        waiting.settle(1)
    assert len(waiting._deadlines) < 200


class Broken(Guest):
    """Cannot be answered."""

    def attempt(self, now_ms: int) -> bool:
        raise ZeroDivisionError

    give_up = attempt  # type: ignore[assignment]


def test_a_guest_that_breaks_is_reported_and_does_not_keep_the_others_waiting() -> None:
    waiting, place = Waiting(), Place()
    broken, late, good = Broken([place], 100), Broken([Place()], 100), Guest([place], 100)
    for guest in (broken, late, good):
        waiting.park(guest)
    waiting.stir(place)
    waiting.settle(1)
    assert good.story == [("tried", 1)]
    waiting.expire(100)
    assert good.story[-1] == ("gave up", 100)
    assert [request for request, _ in waiting.faults] == [broken.request, late.request]
    assert len(waiting) == 0
