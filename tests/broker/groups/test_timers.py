"""Deadlines that move: never early, hardly late, and cheap to put off."""

from __future__ import annotations

from logctl.engine.broker.groups.names import classic_member_id, partition_for
from logctl.engine.broker.groups.timers import GRAIN_MS, Timer, Timers


def fired(timers: Timers, now_ms: int) -> list[str]:
    return [timer.arguments[0] for timer in timers.due(now_ms)]


def test_a_timer_acts_once_at_its_time():
    timers = Timers()
    timer = Timer(print, "a")
    timers.start(timer, 1_000, 500)
    assert fired(timers, 1_499) == []
    assert fired(timers, 1_500) == ["a"]
    assert fired(timers, 9_999) == []
    assert timers.next_deadline_ms() is None


def test_putting_off_costs_no_place_in_the_queue():
    timers = Timers()
    timer = Timer(print, "a")
    for now_ms in range(0, 45_000, 100):
        timers.start(timer, now_ms, 45_000)
    assert len(timers._queue) == 1
    assert fired(timers, 45_200) == [], "looked at, and put off"
    assert fired(timers, 44_900 + 45_000 + GRAIN_MS) == ["a"]


def test_a_timer_that_is_brought_forward_or_stopped_acts_accordingly():
    timers = Timers()
    early, stopped = Timer(print, "early"), Timer(print, "stopped")
    timers.start(early, 0, 60_000)
    timers.start(early, 0, 1_000)
    timers.start(stopped, 0, 1_000)
    timers.stop(stopped)
    assert fired(timers, 1_000) == ["early"]
    assert fired(timers, 61_000) == []


def test_many_sessions_wake_the_node_a_few_times_a_second_only():
    timers = Timers()
    for number in range(1_000):
        timers.start(Timer(print, number), number, 45_000)
    assert len({queued for queued, _, _ in timers._queue}) <= 9


def test_groups_live_where_java_puts_them():
    """Values from a JVM; the hash of the last one has no absolute value that Java can express."""
    homes = {"console-consumer-12345": 6, "ab": 5, "\U0001f600": 49, "orders.eu-west": 15, "polygenelubricants": 0}
    assert {group: partition_for(group, 50) for group in homes} == homes


def test_member_ids_look_like_apaches():
    assert classic_member_id("client", bytes(16)) == "client-00000000-0000-4000-8000-000000000000"
