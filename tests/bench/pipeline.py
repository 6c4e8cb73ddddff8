"""Produce requests that are made before the clock starts and sent as fast as they are answered: a client that costs
next to nothing, so that nearly all of the machine is the brokers'.

    pipeline.py ADDRESS TOPIC --partitions 12 --seconds 8 --batch-records 64 --in-flight 5

One connection to each broker that leads, acks=all, records of 1 KiB, so many requests in flight on each connection, the
partitions of that leader in turns. One line of JSON tells how it went.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import struct
import sys
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench.load import payloads, quantile  # noqa: E402
from bench.wire import CLIENT_ID, Conversation  # noqa: E402

from logctl.wire.api import API  # noqa: E402
from logctl.wire.frames import read_response_header, request_frame  # noqa: E402
from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic  # noqa: E402
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData  # noqa: E402
from logctl.wire.records import NewRecord, build_batch  # noqa: E402

VERSION = 9
_INT32 = struct.Struct(">i")


class Line:
    """One connection to one leader."""

    def __init__(self, address: str, frames: list[bytes], in_flight: int) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.frames = frames
        self.in_flight = in_flight
        self.sent_at: list[float] = []
        self.numbers = 0
        self.answered = 0
        self.out: list[memoryview] = []
        self.got = bytearray()
        self.latencies: list[float] = []

    def fill(self, more: bool) -> None:
        """Send what the socket takes, never more requests than may be in flight."""
        while True:
            if not self.out:
                if not more or self.numbers - self.answered >= self.in_flight:
                    return
                frame = self.frames[self.numbers % len(self.frames)]
                self.numbers += 1
                self.sent_at.append(time.monotonic())
                self.out = [memoryview(frame)]
            try:
                sent = self.socket.send(self.out[0])
            except BlockingIOError:
                return
            self.out = [self.out[0][sent:]] if sent < len(self.out[0]) else []

    def receive(self) -> None:
        data = self.socket.recv(1 << 16)
        assert data, "the broker hung up"
        self.got += data
        while len(self.got) >= 4 and len(self.got) >= 4 + (size := _INT32.unpack_from(self.got)[0]):
            self._check(bytes(self.got[4 : 4 + size]))
            del self.got[: 4 + size]
            self.latencies.append(time.monotonic() - self.sent_at[self.answered])
            self.answered += 1

    def _check(self, frame: bytes) -> None:
        _, position = read_response_header(memoryview(frame), 0, VERSION)
        told = API[0].response.decode(memoryview(frame), VERSION, position)[0].responses[0].partition_responses[0]
        assert not told.error_code, f"refused with {told.error_code}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("topic")
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--batch-records", type=int, default=64)
    parser.add_argument("--in-flight", type=int, default=5)
    options = parser.parse_args()
    lines = connect(options)
    began = time.monotonic()
    run(lines, began + options.seconds)
    took = time.monotonic() - began
    requests = sum(line.answered for line in lines)
    latencies = sorted(one for line in lines for one in line.latencies)
    records = requests * options.batch_records
    size = records * 1024
    p50_ms, p99_ms = (quantile(latencies, share) * 1e3 for share in (0.5, 0.99))
    print(json.dumps({
        "records": records, "seconds": took, "bytes": size, "records_s": records / took, "mb_s": size / took / 1e6,
        "requests_s": requests / took, "p50_ms": p50_ms, "p99_ms": p99_ms,
    }))  # fmt: skip


def connect(options: argparse.Namespace) -> list[Line]:
    frames = defaultdict(list)
    with Conversation(options.address.split(",")[0]) as talk:
        told = talk.ask(MetadataRequest(topics=[MetadataRequestTopic(name=options.topic)]), 12)
    addresses = {one.node_id: f"{one.host}:{one.port}" for one in told.brokers}
    values = payloads(1024)[: options.batch_records]
    batch = build_batch([NewRecord(None, value, (), int(time.time() * 1000)) for value in values])
    for one in sorted(told.topics[0].partitions, key=lambda one: one.partition_index):
        data = PartitionProduceData(one.partition_index, memoryview(batch))
        topic = TopicProduceData(options.topic, bytes(16), [data])
        request = ProduceRequest(acks=-1, timeout_ms=30_000, topic_data=[topic])
        frames[addresses[one.leader_id]].append(request_frame(0, VERSION, 1, CLIENT_ID, request))
    return [Line(address, several, options.in_flight) for address, several in frames.items()]


def run(lines: list[Line], until: float) -> None:
    """Until the time is up and all that was sent is answered."""
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
        while True:
            more = time.monotonic() < until
            for line in lines:
                line.fill(more)
                selector.modify(line.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if line.out else 0), line)
            if not more and all(line.answered == line.numbers and not line.out for line in lines):
                return
            for key, mask in selector.select(30):
                if mask & selectors.EVENT_READ:
                    key.data.receive()


if __name__ == "__main__":
    main()
