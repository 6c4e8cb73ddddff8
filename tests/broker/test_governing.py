"""What the controller does unasked, while it can listen and after it could not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from logctl.engine.broker.governing import Governing
from logctl.engine.controller.image import Broker, Image
from logctl.engine.settings import Settings

SESSION_MS, HEARTBEAT_MS = 1_500, 200


def governing() -> tuple[Governing, list[str]]:
    """In office, over brokers 1 and 2; and what it says."""
    brokers = {one: Broker(one, one, bytes(16), fenced=False) for one in (1, 2)}
    metadata: Any = SimpleNamespace(is_leader=True, epoch=1, image=Image(brokers=brokers), decide=lambda *_: None)
    settings = Settings.of([])
    settings.overlay(
        {"broker.session.timeout.ms": str(SESSION_MS), "broker.heartbeat.interval.ms": str(HEARTBEAT_MS)}
    )
    said: list[str] = []
    made = Governing(metadata, settings, lambda kind, sentence: said.append(sentence))
    made.advance(0)
    return made, said


def test_a_broker_that_is_silent_while_the_controller_listens_is_fenced() -> None:
    made, said = governing()
    for now_ms in range(HEARTBEAT_MS, SESSION_MS + 1, HEARTBEAT_MS // 2):
        made.sessions.touch(1, now_ms)
        made.advance(now_ms)
    assert [sentence[:8] for sentence in said] == ["Broker 2"]


def test_a_controller_that_was_busy_fences_nobody_for_it() -> None:
    made, said = governing()
    made.advance(10 * SESSION_MS)
    assert said == []
    for later_ms in range(HEARTBEAT_MS, SESSION_MS + 1, HEARTBEAT_MS // 2):
        made.advance(10 * SESSION_MS + later_ms)
    assert sorted(sentence[:8] for sentence in said) == ["Broker 1", "Broker 2"], "silence that was listened to counts"
