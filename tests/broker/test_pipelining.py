"""Many requests of one connection that wait for other nodes at once: real sockets, and a follower that a test plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.broker_room import NODE, batch
from support.live_server import Client, LiveServer
from support.waiting import wait_until

from logctl.engine import connection as connection_room
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

OTHER = 2


@pytest.fixture(params=(True, False), ids=("flushed", "unflushed"))
def live(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    with LiveServer(tmp_path, flush_every_batch=request.param) as live:
        monkeypatch.setattr(live.server, "_watch_clock", lambda now_ms: None)  # it stands, which is no step back
        live.create("orders", partitions=2, min_insync_replicas="2")
        for partition in range(2):
            lead(live, partition)
            live.run(live.room.replica("orders", partition).wake)
        yield live


def lead(live: LiveServer, partition: int = 0, **more: Any) -> None:
    """Both nodes hold the partition, this one leads it unless told otherwise."""
    both = {"replicas": (NODE, OTHER), "isr": (NODE, OTHER), "directories": (b"d" * 16, b"e" * 16)}
    live.run(lambda: live.room.change("orders", partition, **{**both, **more}))


def produce(*partitions: int, acks: int = -1, timeout_ms: int = 30_000) -> ProduceRequest:
    data = [PartitionProduceData(partition, batch(b"v")) for partition in partitions]
    topic = TopicProduceData("orders", partition_data=data)
    return ProduceRequest(acks=acks, timeout_ms=timeout_ms, topic_data=[topic])


def send(live: LiveServer, client: Client, *partitions: int, **options: Any) -> None:
    """One request for each, and wait until all are in the log."""
    ends = [end(live, partition) + partitions.count(partition) for partition in range(2)]
    for partition in partitions:
        client.send(produce(partition, **options), 9)
    wait_until(lambda: [end(live, partition) for partition in range(2)] == ends, "the batches to be appended")


def end(live: LiveServer, partition: int = 0) -> int:
    return live.room.replica("orders", partition).log.written_end


def asks_from(live: LiveServer, offset: int, partition: int = 0) -> None:
    """The follower has everything below `offset`."""

    def ask() -> None:
        live.room.replica("orders", partition).follower_asked(OTHER, 0, offset, 0, live.room.now_ms)
        live.server.tick_soon()

    live.run(ask)


def offsets(client: Client, count: int) -> list[tuple[int, int]]:
    """(number of the request, base offset or error) of the next answers."""
    found = []
    for _ in range(count):
        number, response = client.receive()
        told = response.responses[0].partition_responses[0]
        found.append((number, -told.error_code or told.base_offset))
    return found


def nothing_comes(client: Client) -> bool:
    client.sock.settimeout(0.1)
    try:
        client.sock.recv(1)
    except TimeoutError:
        return True
    finally:
        client.sock.settimeout(10)
    return False


def test_many_requests_wait_at_once_and_are_answered_in_order(live: LiveServer) -> None:
    client = live.connect()
    send(live, client, 0, 0, 0, 0, 0)
    assert nothing_comes(client)
    asks_from(live, 3)
    assert offsets(client, 3) == [(1, 0), (2, 1), (3, 2)]
    assert nothing_comes(client)
    asks_from(live, 5)
    assert offsets(client, 2) == [(4, 3), (5, 4)]


def test_an_answer_does_not_overtake_one_that_waits(live: LiveServer) -> None:
    client = live.connect()
    send(live, client, 0, 1)
    send(live, client, 1, acks=1)
    client.send(ApiVersionsRequest("test", "1"), 3)
    asks_from(live, 1, partition=1)
    assert nothing_comes(client)
    asks_from(live, 1, partition=0)
    assert offsets(client, 3) == [(1, 0), (2, 0), (3, 1)]
    number, response = client.receive()
    assert number == 4
    assert isinstance(response, ApiVersionsResponse)


def test_a_request_for_several_partitions_waits_for_all_of_them(live: LiveServer) -> None:
    client = live.connect()
    client.send(produce(0, 1), 9)
    wait_until(lambda: (end(live, 0), end(live, 1)) == (1, 1), "the batches to be appended")
    send(live, client, 1)
    asks_from(live, 2, partition=1)
    assert nothing_comes(client)
    asks_from(live, 1, partition=0)
    assert offsets(client, 2) == [(1, 0), (2, 1)]


def test_a_broken_promise_in_the_middle_is_told_in_its_place(live: LiveServer) -> None:
    client = live.connect()
    send(live, client, 0, 1, 0)
    lead(live, 1, leader=OTHER, leader_epoch=1, partition_epoch=1)
    assert nothing_comes(client)
    asks_from(live, 2)
    assert offsets(client, 3) == [(1, 0), (2, -errors.NOT_LEADER_OR_FOLLOWER), (3, 1)]


def test_a_new_leader_ends_all_that_waits_and_the_connection_goes_on(live: LiveServer) -> None:
    client = live.connect()
    send(live, client, *[0] * 50)
    lead(live, leader=OTHER, leader_epoch=1, partition_epoch=1)
    live.run(live.server.tick_soon)
    broken = -errors.NOT_LEADER_OR_FOLLOWER
    assert offsets(client, 50) == [(number + 1, broken) for number in range(50)]
    client.send(produce(0), 9)
    assert offsets(client, 1) == [(51, broken)]
    send(live, client, 1)
    asks_from(live, 1, partition=1)
    assert offsets(client, 1) == [(52, 0)]


def test_who_waits_for_a_topic_that_is_deleted_is_told_so_though_nobody_knows_its_id_any_more(live: LiveServer) -> None:
    client, topic = live.connect(), live.room.metadata.image.topics["orders"]
    request = produce(0)
    request.topic_data[0].topic_id = topic.topic_id
    for _ in range(3):
        client.send(request, 13)
    wait_until(lambda: end(live) == 3, "the batches to be appended")
    live.run(lambda: live.room.delete("orders"))
    live.run(live.server.tick_soon)
    gone = -errors.UNKNOWN_TOPIC_OR_PARTITION
    assert offsets(client, 3) == [(1, gone), (2, gone), (3, gone)]


def test_what_waited_is_not_kept_by_leading_again(live: LiveServer) -> None:
    client = live.connect()
    send(live, client, 0)
    lead(live, leader=NODE, leader_epoch=2, partition_epoch=2)
    asks_from(live, 1)
    assert offsets(client, 1) == [(1, -errors.NOT_LEADER_OR_FOLLOWER)]


def test_nobody_is_missed_when_a_client_leaves_with_many_waiting(live: LiveServer) -> None:
    client, stayer = live.connect(), live.connect()
    send(live, client, *[0] * 20)
    send(live, stayer, 0)
    client.close()
    wait_until(lambda: len(live.server.connections) == 1, "the node to notice")
    asks_from(live, 21)
    assert offsets(stayer, 1) == [(1, 20)]
    assert not live.room.replica("orders")._promises


def test_a_client_that_is_owed_too_much_is_not_read_from(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_room, "OWED_MAX", 8)
    client = live.connect()
    for _ in range(20):
        client.send(produce(0), 9)
    wait_until(lambda: end(live) == 8, "as many as may wait")
    assert nothing_comes(client)
    assert end(live) == 8
    for reached in (8, 16, 20):
        asks_from(live, reached)
        wait_until(lambda reached=reached: end(live) == min(20, reached + 8), "the next to be taken")
    assert [offset for _, offset in offsets(client, 20)] == list(range(20))


def test_time_runs_out_for_each_request_by_its_own_measure(live: LiveServer) -> None:
    client, hasty = live.connect(), live.connect()
    send(live, client, 0)
    send(live, hasty, 0, timeout_ms=1_000)
    live.pass_time(1_500)
    assert offsets(hasty, 1) == [(1, -errors.REQUEST_TIMED_OUT)]
    assert nothing_comes(client)
    live.pass_time(30_000)
    assert offsets(client, 1) == [(1, -errors.REQUEST_TIMED_OUT)]
    send(live, client, 0)
    asks_from(live, 3)
    assert offsets(client, 1) == [(2, 2)]


def test_a_batch_that_did_not_reach_the_file_takes_nobody_along(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = live.connect()
    send(live, client, 0)
    log = live.room.replica("orders").log

    def refuse() -> None:
        log.discard_staged()
        raise DiskFault("Writing to", log.path, 28, "")

    with monkeypatch.context() as patch:
        patch.setattr(type(log), "write", lambda self: refuse())
        client.send(produce(0), 9)
        wait_until(lambda: live.said("Lost an append"), "the disk to refuse")
    assert nothing_comes(client)
    send(live, client, 0)
    asks_from(live, 2)
    assert offsets(client, 3) == [(1, 0), (2, -errors.KAFKA_STORAGE_ERROR), (3, 1)]


def test_a_batch_sent_twice_is_promised_twice(live: LiveServer) -> None:
    client = live.connect()
    again = produce(0)
    again.topic_data[0].partition_data[0].records = batch(b"v", producer_id=7, producer_epoch=0, base_sequence=0)
    client.send(again, 9)
    wait_until(lambda: end(live) == 1, "the batch to be appended")
    send(live, client, 0)
    client.send(again, 9)
    client.send(ApiVersionsRequest("test", "1"), 3)
    wait_until(lambda: end(live) == 2, "both to be appended")
    asks_from(live, 2)
    assert offsets(client, 3) == [(1, 0), (2, 1), (3, 0)]


def test_who_waits_when_too_few_are_in_sync_is_told_so(live: LiveServer) -> None:
    client = live.connect()
    send(live, client, 0)
    lead(live, isr=(NODE,), partition_epoch=1)
    live.run(live.server.tick_soon)
    assert offsets(client, 1) == [(1, -errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND)]
