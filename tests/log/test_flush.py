"""A flush that runs while its log goes elsewhere promises what it can and harms nobody."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from support.logs import append, batch, real_log

from logctl.engine.log.disk import DiskFault, RealDisk
from logctl.engine.log.log import Log


@pytest.fixture
def log(tmp_path: Path) -> Log:
    log = real_log(tmp_path)
    append(log, batch(3))
    return log


def test_a_topic_deleted_under_a_flush_is_no_failure_of_the_disk(log: Log) -> None:
    flush = log.flush_targets()
    assert flush.directories
    assert flush.replacement
    log.retire("0" * 32)
    flush.run()


def test_a_directory_that_cannot_be_flushed_is_one(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: RealDisk, path: str) -> None:
        raise DiskFault("Flushing the directory", path, errno.EIO)

    monkeypatch.setattr(RealDisk, "sync_dir", fail)
    with pytest.raises(DiskFault):
        log.flush_targets().run()
