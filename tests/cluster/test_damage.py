"""A replica whose bytes rotted while its node was down: set aside whole, copied anew, and not led by meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Producer
from support.accidents import Accidents
from support.node import Node
from support.waiting import wait_until

RECORDS = 40


def fill(room: Accidents, topic: str, replicas: list[int]) -> None:
    """Four segments of a megabyte, with ten records each."""
    room.create(topic, replicas=replicas, min_insync_replicas="2", segment_bytes=str(1 << 20))
    producer = Producer({"bootstrap.servers": room.bootstrap, "acks": "all", "batch.num.messages": 1})
    for number in range(RECORDS):
        producer.produce(topic, b"%d " % number + b"x" * 100_000)
    assert not producer.flush(60)
    room.wait_in_sync(topic)


def segments(node: Node, topic: str) -> list[Path]:
    return sorted((node.log_dir / f"{topic}-0").glob("*.log"))


def flip_a_bit(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    data[len(data) // 3] ^= 4
    segment.write_bytes(data)


def cut_nine_records_off(segment: Path) -> None:
    data = segment.read_bytes()
    segment.write_bytes(data[: len(data) // 10])


DAMAGE: dict[str, tuple[int, Callable[[Path], None]]] = {
    "flipped": (1, flip_a_bit),
    "holed": (1, Path.unlink),
    "shortened": (-1, cut_nine_records_off),
}
"""By topic, what is done to which of its segments."""


def set_aside(node: Node, topic: str) -> list[Path]:
    return list(node.log_dir.glob(f"{topic}-0.*-stray"))


def test_damaged_replicas_are_set_aside_and_copied_anew(room: Accidents) -> None:
    """Node 1 led them, and would again, being the preferred one; where node 3 leads, it followed."""
    for topic in DAMAGE:
        fill(room, topic, [1, 2, 3])
    fill(room, "followed", [3, 2, 1])
    damage = {**DAMAGE, "followed": (1, flip_a_bit)}
    node = room.nodes[1]
    node.stop()
    for topic, (place, harm) in damage.items():
        harm(segments(node, topic)[place])
    before = {(topic, one.name): one.read_bytes() for topic in damage for one in segments(node, topic)}
    node.start()
    for topic in damage:
        wait_until(lambda topic=topic: set_aside(node, topic), f"the folder of {topic} to be set aside")
        room.wait_in_sync(topic)
        room.replicas_match(topic)
    kept = {(topic, one.name): one.read_bytes() for topic in damage for one in set_aside(node, topic)[0].glob("*.log")}
    assert kept == before
    assert all(room.leader(topic) != 1 for topic in damage)
