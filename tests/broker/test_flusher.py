"""The flusher: one round at a time in its own thread, with what came of it reported through `post`."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from logctl.engine.flusher import Flushed, Flusher
from logctl.engine.log.config import LogConfig
from logctl.engine.log.disk import DiskFault, RealDisk, Volume
from logctl.engine.log.flush import Flush
from logctl.engine.log.log import CLIENT, Log
from logctl.wire.records import NewRecord, build_batch


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


def dirty_logs(directory: Path, count: int) -> set[Log]:
    """Logs with a record each that is not on disk yet."""
    made = set()
    for number in range(count):
        log = Log.open(
            RealDisk(),
            str(directory / f"orders-{number}"),
            topic="orders",
            partition=number,
            topic_id=b"t" * 16,
            config=LogConfig(),
            now_ms=0,
            clean=True,
        )
        log.stage(memoryview(build_batch([NewRecord(None, b"value")])), 0, 0, CLIENT)
        log.write()
        made.add(log)
    return made


def flush_all(logs: set[Log]) -> list[Flushed]:
    flusher, posts, rounds = make()
    flusher.start(logs)
    callback, *arguments = posts.get(timeout=30)
    callback(*arguments)
    flusher.close()
    for one in rounds[0]:
        if one.fault is None:
            one.log.flushed(one.flush)
    return rounds[0]


def test_very_many_logs_are_synced_with_their_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Volume] = []
    monkeypatch.setattr(Volume, "sync", lambda volume: bool(synced.append(volume)) or True)
    logs = dirty_logs(tmp_path, 70)
    monkeypatch.setattr(Flush, "run", None)
    assert all(one.fault is None for one in flush_all(logs))
    assert len(synced) == 1
    assert {log.flushed_end for log in logs} == {1}
    assert all((tmp_path / f"orders-{number}" / "leader-epoch-checkpoint").exists() for number in range(70))


def test_a_volume_that_cannot_be_synced_at_once_is_synced_file_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Volume, "sync", lambda volume: False)
    logs = dirty_logs(tmp_path, 70)
    assert all(one.fault is None for one in flush_all(logs))
    assert {log.flushed_end for log in logs} == {1}


def test_a_volume_whose_sync_fails_makes_nothing_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(volume: Volume) -> bool:
        raise DiskFault("Flushing the file system of", "/d", 5)

    monkeypatch.setattr(Volume, "sync", fail)
    logs = dirty_logs(tmp_path, 70)
    assert all(one.fault is not None for one in flush_all(logs))
    assert {log.flushed_end for log in logs} == {0}


def test_real_volumes_can_be_synced_again_and_again(tmp_path: Path) -> None:
    volume = Volume(str(tmp_path))
    assert volume.sync() == volume.sync()
    volume.close()
