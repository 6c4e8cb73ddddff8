"""The flusher: one round at a time in its own thread, with what came of it reported through `post`."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

from logctl.engine.flusher import Flushed, Flusher
from logctl.engine.log.disk import DiskFault


class SlowLog:
    """Its flush waits until it may end, and may fail."""

    def __init__(self, fault: DiskFault | None = None) -> None:
        self.may_end = threading.Event()
        self.begun = threading.Event()
        self.thread: threading.Thread | None = None
        self.fault = fault

    def flush_targets(self) -> SlowLog:
        return self

    def run(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.may_end.wait(10)
        if self.fault is not None:
            raise self.fault


def make() -> tuple[Flusher, SimpleQueue[Any], list[list[Flushed]]]:
    posts: SimpleQueue[Any] = SimpleQueue()
    rounds: list[list[Flushed]] = []
    return Flusher(lambda *call: posts.put(call), rounds.append), posts, rounds


def test_a_round_runs_aside_and_is_reported_where_it_was_asked_for() -> None:
    flusher, posts, rounds = make()
    log = SlowLog()
    flusher.start({log})  # type: ignore[arg-type]
    assert log.begun.wait(10)
    assert flusher.busy
    assert log.thread is not threading.current_thread()
    log.may_end.set()
    callback, *arguments = posts.get(timeout=10)
    assert flusher.busy, "it is over once the loop has been told"
    callback(*arguments)
    assert not flusher.busy
    assert [(one.log, one.fault) for one in rounds[0]] == [(log, None)]
    flusher.close()


def test_a_failure_is_told_of_its_log_alone() -> None:
    flusher, posts, rounds = make()
    fault = DiskFault("Flushing", "/d/orders-0", 5)
    good, bad = SlowLog(), SlowLog(fault)
    for log in (good, bad):
        log.may_end.set()
    flusher.start({good, bad})  # type: ignore[arg-type]
    callback, *arguments = posts.get(timeout=10)
    callback(*arguments)
    assert {one.log: one.fault for one in rounds[0]} == {good: None, bad: fault}
    flusher.close()


def test_closing_waits_for_the_round_under_way() -> None:
    flusher, posts, _ = make()
    log = SlowLog()
    flusher.start({log})  # type: ignore[arg-type]
    threading.Timer(0.01, log.may_end.set).start()
    flusher.close()
    assert not posts.empty()
