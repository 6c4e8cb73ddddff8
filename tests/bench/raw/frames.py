"""Request frames for load.c, made by the project's own codec: all of one size, one for each of the four partitions."""

from __future__ import annotations

import os
from typing import NamedTuple

from logctl.wire.frames import request_frame
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch

PARTITIONS = 4
TOPIC = "bench"
PRODUCE_VERSION, FETCH_VERSION = 7, 11
"""What floor.c understands."""

PRODUCE_ERROR_AT = 4 + 4 + 4 + 2 + len(TOPIC) + 4 + 4
FETCH_ERROR_AT = 4 + 4 + 4 + 2 + 4 + 4 + 2 + len(TOPIC) + 4 + 4


class Frames(NamedTuple):
    """`data`: the frames in a row, `frame_bytes` each. `batch_bytes`: the record batch in one of them, of `records`."""

    data: bytes
    frame_bytes: int
    batch_bytes: int
    records: int = 0


def produce(batch_bytes: int, record_bytes: int, acks: int) -> Frames:
    """One batch of about `batch_bytes`, filled with records of `record_bytes` that don't compress."""
    count = max(1, batch_bytes // (record_bytes + 8))
    batch = bytes(build_batch([NewRecord(None, os.urandom(record_bytes))] * count))
    frames = []
    for partition in range(PARTITIONS):
        data = [TopicProduceData(name=TOPIC, partition_data=[PartitionProduceData(partition, batch)])]
        body = ProduceRequest(acks=acks, timeout_ms=30_000, topic_data=data)
        frames.append(request_frame(0, PRODUCE_VERSION, partition, "bench", body))
    return Frames(b"".join(frames), len(frames[0]), len(batch), count)


def fetch(max_bytes: int, offsets: list[int]) -> Frames:
    """For each offset a fetch from every partition."""
    frames = []
    for offset in offsets:
        for partition in range(PARTITIONS):
            asked = FetchPartition(partition, fetch_offset=offset, partition_max_bytes=max_bytes)
            body = FetchRequest(
                max_wait_ms=500, min_bytes=1, max_bytes=50 << 20, topics=[FetchTopic(TOPIC, partitions=[asked])]
            )
            frames.append(request_frame(1, FETCH_VERSION, partition, "bench", body))
    return Frames(b"".join(frames), len(frames[0]), max_bytes)
