"""Adding up what brokers tell of their log directories."""

from __future__ import annotations

from logctl.admin.logdirs import Directories, LogDir, Replica
from logctl.admin.observe import Partition, Topic
from logctl.admin.sizes import OnBroker, sum_up
from logctl.errors import LogctlError, OperationFailed


def topic(name: str, *led: tuple[int | None, tuple[int, ...]]) -> Topic:
    """A topic with a partition for each (leader, replicas)."""
    rows = [Partition(number, leader, 0, replicas, replicas, ()) for number, (leader, replicas) in enumerate(led)]
    return Topic(name, bytes(16), False, tuple(rows))


def directory(broker: int, *held: Replica, path: str = "/data", failure: LogctlError | None = None) -> LogDir:
    return LogDir(broker, path, None, None, False, held, failure)


def test_leaders_tell_what_a_topic_holds_and_all_replicas_what_it_takes() -> None:
    told = Directories(
        [
            directory(1, Replica("a", 0, 100, 0, False), Replica("a", 1, 7, 3, False), Replica("b", 0, 9, 0, False)),
            directory(2, Replica("a", 0, 90, 0, False), Replica("a", 1, 8, 0, False)),
        ],
        {},
        "c",
        (1, 2),
    )
    [size] = sum_up([topic("a", (1, (1, 2)), (2, (2, 1)))], told)
    assert (size.leader_bytes, size.all_bytes, size.complete) == (108, 205, True)
    assert size.brokers == (OnBroker(1, 2, 107), OnBroker(2, 2, 98))


def test_a_copy_in_the_making_takes_room_and_holds_nothing() -> None:
    told = Directories(
        [
            directory(1, Replica("a", 0, 100, 0, False)),
            directory(1, Replica("a", 0, 40, 60, True), path="/other"),
        ],
        {},
        "c",
        (1,),
    )
    [size] = sum_up([topic("a", (1, (1,)))], told)
    assert (size.leader_bytes, size.all_bytes) == (100, 140)


def test_what_is_not_told_is_unknown() -> None:
    failed = directory(2, path="/lost", failure=OperationFailed("KAFKA_STORAGE_ERROR"))
    told = Directories([directory(1, Replica("a", 0, 5, 0, False)), failed], {}, "c", (1, 2))
    led_there, led_by_nobody, elsewhere = sum_up(
        [topic("a", (1, (1,)), (2, (2,))), topic("n", (None, (1,))), topic("e", (1, (1, 3)))], told
    )
    assert (led_there.leader_bytes, led_there.all_bytes, led_there.complete) == (None, 5, False)
    assert led_there.brokers == (OnBroker(1, 1, 5), OnBroker(2, 1, None))
    assert (led_by_nobody.leader_bytes, led_by_nobody.complete) == (None, True)
    assert elsewhere.complete is False, "broker 3 was not asked"
