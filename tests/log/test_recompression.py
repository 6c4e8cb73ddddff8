"""compression.type: what a topic keeps when it asks for a codec that the producer did not use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.logs import NOW, append, batch, headers, numbered, real_log, stored

from logctl.engine.log.log import LogConfig
from logctl.wire import compression, errors
from logctl.wire.checksum import crc32c
from logctl.wire.errors import WireError
from logctl.wire.records import iter_records

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TYPES = {"uncompressed": "none", **{name: name for name in CODECS[1:]}}


@pytest.mark.parametrize("wanted", TYPES)
@pytest.mark.parametrize("sent", CODECS)
def test_the_records_stay_what_they_were(tmp_path: Path, sent: str, wanted: str) -> None:
    log = real_log(tmp_path, config=LogConfig(compression_type=wanted))
    produced = batch(20, compression=sent)
    before = [(record.timestamp, record.key, record.value) for record in iter_records(bytes(produced))]
    append(log, produced, batch(1), epoch=3)
    first, second = headers(log)
    assert compression.NAMES[first.compression] == TYPES[wanted]
    assert (first.base_offset, first.last_offset, first.leader_epoch, first.max_timestamp) == (0, 19, 3, NOW + 19)
    assert second.base_offset == 20
    kept = list(iter_records(stored(log)[0]))
    assert [(record.timestamp, record.key, record.value) for record in kept] == before
    assert [record.offset for record in kept] == list(range(20))


def test_a_batch_of_the_topic_s_codec_is_kept_as_it_is(tmp_path: Path) -> None:
    log = real_log(tmp_path, config=LogConfig(compression_type="gzip"))
    produced = bytes(batch(20, compression="gzip", level=1))
    append(log, memoryview(bytearray(produced)))
    assert stored(log)[0][61:] == produced[61:]


def test_the_broker_s_time_and_the_producer_s_numbers_survive(tmp_path: Path) -> None:
    config = LogConfig(compression_type="zstd", message_timestamp_type="LogAppendTime")
    log = real_log(tmp_path, config=config)
    [appended] = append(log, numbered(7, 0, 5), now_ms=NOW + 1000)
    assert appended.log_append_time_ms == NOW + 1000
    [kept] = headers(log)
    assert (kept.producer_id, kept.base_sequence, kept.has_log_append_time) == (7, 0, True)
    assert kept.max_timestamp == NOW + 1000
    [again] = append(log, numbered(7, 0, 5))
    assert again.duplicate


def test_what_grows_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    small = batch(50, size=200, compression="zstd")
    log = real_log(tmp_path, config=LogConfig(compression_type="uncompressed", max_message_bytes=len(small)))
    with pytest.raises(WireError) as refused:
        append(log, small)
    assert refused.value.code == errors.MESSAGE_TOO_LARGE
    assert log.end_offset == 0


@pytest.mark.parametrize("level", [1, 9])
def test_a_level_is_obeyed(tmp_path: Path, level: int) -> None:
    payload = batch(500, size=100)
    plain = bytes(payload[61:])
    log = real_log(tmp_path, config=LogConfig(compression_type="gzip", compression_gzip_level=level))
    append(log, payload)
    assert stored(log)[0][61:] == compression.compress("gzip", plain, level)


def test_records_that_make_no_sense_are_found_on_the_way(tmp_path: Path) -> None:
    damaged = batch(2)
    damaged[61:62] = b"\x7f"
    damaged[17:21] = crc32c(damaged[21:]).to_bytes(4, "big")
    log = real_log(tmp_path, config=LogConfig(compression_type="gzip"))
    with pytest.raises(WireError):
        append(log, damaged)
    log.config = replace(log.config, compression_type="producer")
    append(log, batch(1))
    assert log.end_offset == 1
