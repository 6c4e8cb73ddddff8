"""Spoilt requests of every API served: whatever arrives, the node neither breaks nor stops serving the others."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from support.broker_room import batch
from support.live_server import Client, LiveServer

from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.frames import request_frame
from logctl.wire.messages.api_versions import ApiVersionsRequest
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

DATA_APIS = (0, 1, 2, 23)
PER_API = 80


def sound_frame(live: LiveServer, key: int, version: int) -> bytes:
    """A request that would be answered, or at least understood."""
    body = API[key].request()
    if key == 0:
        data = [PartitionProduceData(0, batch(b"value" * 20))]
        body = ProduceRequest(acks=-1, timeout_ms=100, topic_data=[TopicProduceData("orders", partition_data=data)])
    elif key == 1:
        asked = [FetchPartition(0, partition_max_bytes=1000)]
        body = FetchRequest(
            max_wait_ms=1, min_bytes=1, session_epoch=0, topics=[FetchTopic("orders", partitions=asked)]
        )
    return request_frame(key, version, 7, "client", body)


def spoil(frame: bytes, dice: random.Random) -> bytes:
    """Change, cut or stretch what lies behind the header; the length in front stays true."""
    head, data = frame[4:14], bytearray(frame[14:])
    for _ in range(dice.randint(1, 4)):
        kind = dice.randrange(4)
        place = dice.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[place] = dice.randrange(256)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            data[place:place] = dice.randbytes(dice.randint(1, 8))
        elif data:
            data[place : place + 4] = struct.pack(">i", dice.choice([-1, -2, 0x7FFFFFFF, -0x80000000, 1 << 20]))
    return struct.pack(">i", len(head) + len(data)) + head + bytes(data)


@pytest.mark.parametrize("key", DATA_APIS)
def test_spoilt_requests_break_nothing(tmp_path: Path, key: int) -> None:
    dice = random.Random(key)
    with LiveServer(tmp_path) as live:
        live.create("orders")
        known = live.connect()
        versions = API[key].request.versions
        for _ in range(PER_API):
            version = dice.randint(versions.lowest, versions.highest)
            stranger = Client(live.port)
            try:
                stranger.sock.sendall(spoil(sound_frame(live, key, version), dice))
                stranger.sock.sendall(stranger.frame(ApiVersionsRequest("t", "1"), 3))
                stranger.sock.recv(4)
            except ConnectionError:
                pass
            finally:
                stranger.close()
        assert not live.said("fault of the node"), live.room.diary
        assert known.ask(ApiVersionsRequest("t", "1"), 3).error_code == errors.NONE


def test_random_bytes_behind_every_key_and_version(tmp_path: Path) -> None:
    dice = random.Random(1)
    with LiveServer(tmp_path) as live:
        known = live.connect()
        for key in range(-1, 93):
            stranger = Client(live.port)
            payload = struct.pack(">hhi", key, dice.randrange(-1, 20), 7) + dice.randbytes(dice.randint(0, 200))
            try:
                stranger.sock.sendall(struct.pack(">i", len(payload)) + payload)
                stranger.sock.sendall(stranger.frame(ApiVersionsRequest("t", "1"), 3))
                stranger.sock.recv(4)
            except ConnectionError:
                pass
            finally:
                stranger.close()
        assert not live.said("fault of the node"), live.room.diary
        assert known.ask(ApiVersionsRequest("t", "1"), 3).error_code == errors.NONE
