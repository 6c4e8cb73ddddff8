"""SIGKILL in the middle of writing: nothing acknowledged is lost, nothing is doubled, every client writes on.

Idempotent producers with acks=all, each with a codec of its own, keep a window of numbered records on their way while
the node is killed and started again. Afterwards another client reads everything, and the judge of `support.history`
compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from clients.conftest import create_topic
from support.clients import PATIENCE_S, Client, Message, Sending, Stream, produce
from support.engines import Node, started
from support.history import Outcome, Poll, Send, check
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(400)

ROUNDS = 2
PARTITIONS = 3
PROGRESS = 100
"""Acknowledgements each producer must get between two kills."""
MARKER = b"the end"


@pytest.mark.needs("stream")
def test_nothing_acknowledged_is_lost_or_doubled(
    client: Client, engine: str, tmp_path: Path, cast: Callable[[str], Client]
) -> None:
    with started(engine, tmp_path) as node:
        judge(node, [client, client], reader=cast("librdkafka"))


@pytest.mark.java
def test_nor_when_all_clients_write_at_once(engine: str, tmp_path: Path, cast: Callable[[str], Client]) -> None:
    everyone = [cast(name) for name in ("librdkafka", "kafka-python", "aiokafka", "java")]
    with started(engine, tmp_path) as node:
        judge(node, everyone, reader=cast("kcat"))


@pytest.mark.needs("stream")
def test_an_orderly_restart_loses_nothing_either(
    client: Client, engine: str, tmp_path: Path, cast: Callable[[str], Client]
) -> None:
    with started(engine, tmp_path) as node:
        judge(node, [client], reader=cast("kafka-python"), end=node.stop)


def judge(node: Node, clients: Sequence[Client], reader: Client, end: Callable[[], None] | None = None) -> None:
    create_topic(node.address, "orders", PARTITIONS)
    streams = [
        client.stream(node.address, f"{client.name}-{number}", "orders", PARTITIONS)
        for number, client in enumerate(clients)
    ]
    try:
        for _ in range(ROUNDS):
            make_progress(streams)
            (end or node.kill)()
            node.start()
        make_progress(streams)
    finally:
        sends = [send for stream in streams for send in stream.stop()]
    polls = [final_read(node, reader, partition) for partition in range(PARTITIONS)]
    assert check(sends, polls) == []
    assert_all_took_part(sends, len(clients))


def make_progress(streams: Sequence[Stream]) -> None:
    goals = [stream.acknowledged() + PROGRESS for stream in streams]
    wait_until(
        lambda: all(stream.acknowledged() >= goal for stream, goal in zip(streams, goals, strict=True)),
        f"{PROGRESS} more acknowledgements from every producer",
        timeout_s=PATIENCE_S * 4,
    )


def final_read(node: Node, reader: Client, partition: int) -> Poll:
    """Everything up to a marker that is written now."""
    produce(reader, node.address, "orders", [Message(MARKER)], partition=partition, sending=Sending(linger_ms=0))
    seen: list[tuple[int, int]] = []
    with reader.reader(node.address, "orders", partition, 0) as records:
        while (record := records.next()) is not None and record.value != MARKER:
            seen.append((record.offset, int(record.value or b"-1")))
    assert record is not None, f"the marker at the end of partition {partition} did not come"
    return Poll(f"final read by {reader.name}", ("orders", partition), tuple(seen), final=True)


def assert_all_took_part(sends: Sequence[Send], producers: int) -> None:
    acknowledged = {send.process for send in sends if send.outcome is Outcome.OK}
    assert len(acknowledged) == producers
