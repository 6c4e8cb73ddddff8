"""One load, by librdkafka, in a process of its own; one line of JSON tells how it went.

    load.py produce ADDRESS TOPIC --seconds 8 --bytes 1024 [--codec lz4]     as fast as it goes, batches of the client's
    load.py singles ADDRESS TOPIC --seconds 8 --bytes 1024                   one record in each request
    load.py pace    ADDRESS TOPIC --seconds 8 --bytes 1024 --rate 1000       open loop; latency from call to report
    load.py fill    ADDRESS TOPIC --total 1000000000 --bytes 1024            until so many bytes are there
    load.py consume ADDRESS TOPIC --seconds 8                                all partitions, over and over

acks=all throughout. Records are dealt to the partitions in turns; their text is alike log lines (lz4 makes a third of
it). With an open loop a stall is not hidden: what was due while the broker stood still counts from when it was due.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

WORDS = """GET POST /api/v1/orders /api/v1/users status=200 status=404 latency_ms= trace_id= host=web- INFO WARN level=
           region=eu-west message= request completed user_id= bytes="""
CHUNK = 500
"""Records between two looks at the clock and the reports."""


def main() -> None:
    options = parse()
    loads = {"produce": produce, "singles": produce, "fill": produce, "pace": pace, "consume": consume}
    print(json.dumps(loads[options.load](options)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("load", choices=("produce", "singles", "pace", "fill", "consume"))
    parser.add_argument("address")
    parser.add_argument("topic")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--bytes", type=int, default=1024, help="of one record's value")
    parser.add_argument("--codec", default="none")
    parser.add_argument("--rate", type=int, default=1000, help="records a second of the open loop")
    parser.add_argument("--partitions", type=int, default=4, help="of the topic")
    parser.add_argument("--total", type=int, default=1 << 29, help="bytes to fill a topic with")
    return parser.parse_args()


def produce(options: argparse.Namespace) -> dict[str, float]:
    """Throughput is of acknowledged records: the clock stops when the last report is in."""
    singles = options.load == "singles"
    reports = Reports()
    producer = a_producer(options, singles, reports)
    pool = payloads(options.bytes)
    enough = options.total // options.bytes if options.load == "fill" else None
    chunk = 100 if singles else CHUNK
    sent, partition = 0, 0
    began = time.monotonic()
    until = began + options.seconds
    while (time.monotonic() < until) if enough is None else (sent < enough):
        partition = (partition + 1) % options.partitions
        sent += send_some(producer, options.topic, partition, pool, chunk)
        producer.poll(0)
    left = producer.flush(60)
    took = time.monotonic() - began
    reports.check(left)
    return {"records": sent, "seconds": took, "bytes": sent * options.bytes, "records_s": sent / took,
            "mb_s": sent * options.bytes / took / 1e6}  # fmt: skip


def send_some(producer: Producer, topic: str, partition: int, pool: list[bytes], count: int) -> int:
    send = producer.produce
    for number in range(count):
        try:
            send(topic, pool[number], partition=partition)
        except BufferError:  # the queue is full: let reports make room
            producer.poll(0.002)
            return number
    return count


class Reports:
    """Failures that librdkafka reports; successes are counted by it alone, which is far cheaper."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failures.append(error.str())

    def check(self, left: int) -> None:
        assert left == 0, f"{left} records had no answer"
        assert not self.failures, f"{len(self.failures)} records failed: {self.failures[0]}"


def a_producer(options: argparse.Namespace, singles: bool, reports: Reports) -> Producer:
    settings: dict[str, Any] = {
        "bootstrap.servers": options.address,
        "acks": "all",
        "linger.ms": 0 if singles or options.load == "pace" else 5,
        "compression.type": options.codec,
        "queue.buffering.max.messages": 2000 if singles else 1_000_000,
        "queue.buffering.max.kbytes": 131072,
        "topic.metadata.refresh.interval.ms": -1,
        "delivery.report.only.error": options.load != "pace",
        "on_delivery": reports,
    }
    if singles:
        settings["batch.num.messages"] = 1
    producer = Producer(settings)
    producer.list_topics(options.topic, timeout=10)
    return producer


def pace(options: argparse.Namespace) -> dict[str, float]:
    """Latencies in ms; the first tenth is warm-up and left out."""
    producer = a_producer(options, singles=False, reports=Reports())
    pool = payloads(options.bytes)
    latencies: list[float] = []
    failures: list[str] = []

    def report(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error.str())
        else:
            latencies.append(message.latency() * 1e3)

    stop = threading.Event()
    reporter = threading.Thread(target=lambda: poll_until(producer, stop))
    reporter.start()
    sent, began = 0, time.monotonic()
    while (now := time.monotonic()) < began + options.seconds:
        while began + sent / options.rate <= now:
            producer.produce(options.topic, pool[sent % CHUNK], partition=sent % options.partitions, on_delivery=report)
            sent += 1
        time.sleep(max(0.0, began + sent / options.rate - time.monotonic()))
    left = producer.flush(120)
    stop.set()
    reporter.join()
    assert not left, f"{left} records had no answer"
    assert not failures, failures[0]
    steady = sorted(latencies[len(latencies) // 10 :])
    return {"records": sent, "p50_ms": quantile(steady, 0.5), "p99_ms": quantile(steady, 0.99),
            "p999_ms": quantile(steady, 0.999), "max_ms": steady[-1]}  # fmt: skip


def poll_until(producer: Producer, stop: threading.Event) -> None:
    while not stop.is_set():
        producer.poll(0.1)


def consume(options: argparse.Namespace) -> dict[str, float]:
    """Reads the topic from its beginning again and again until the time is up."""
    consumer = Consumer(
        {
            "bootstrap.servers": options.address,
            "group.id": "bench",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "fetch.message.max.bytes": 1 << 20,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 262144,
            "fetch.queue.backoff.ms": 2,
            "topic.metadata.refresh.interval.ms": -1,
            "check.crcs": False,
            "enable.partition.eof": True,
            "error_cb": lambda error: None,
        }
    )
    whole = [TopicPartition(options.topic, partition, OFFSET_BEGINNING) for partition in range(options.partitions)]
    consumer.assign(whole)
    records = size = ends = 0
    began = time.monotonic()
    while time.monotonic() - began < options.seconds:
        for message in consumer.consume(10_000, 0.5):
            if message.error() is None:
                records += 1
                size += len(message)
            else:
                ends += 1
        if ends >= options.partitions:
            ends = 0
            consumer.assign(whole)
    took = time.monotonic() - began
    consumer.close()
    assert records, "nothing was read"
    return {"records": records, "seconds": took, "bytes": size, "records_s": records / took, "mb_s": size / took / 1e6}


def payloads(size: int) -> list[bytes]:
    """`CHUNK` texts of `size` bytes, always the same ones."""
    chance = random.Random(7)
    words = WORDS.split()
    texts = []
    for _ in range(CHUNK):
        text = ""
        while len(text) < size:
            text += chance.choice(words) + (f"{chance.getrandbits(40):x}" if chance.random() < 0.45 else "") + " "
        texts.append(text[:size].encode())
    return texts


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
