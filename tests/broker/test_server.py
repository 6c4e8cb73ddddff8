"""The server over real sockets: frames in pieces, answers in order, what waits for the disk, and a disk that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.broker_room import batch, values
from support.live_server import Client, LiveServer
from support.waiting import wait_until

from logctl.engine import flusher
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.api_versions import ApiVersionsRequest
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

MIB = 1 << 20


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path) as live:
        live.create("orders", partitions=2)
        yield live


def produce(*records: bytes, acks: int = -1, partition: int = 0, topic: str = "orders") -> ProduceRequest:
    data = [PartitionProduceData(partition, batch(*records))]
    return ProduceRequest(acks=acks, timeout_ms=1000, topic_data=[TopicProduceData(topic, partition_data=data)])


def fetch(offset: int = 0, *, wait_ms: int = 0, max_bytes: int = 16 * MIB, topic: str = "orders") -> FetchRequest:
    asked = [FetchPartition(0, fetch_offset=offset, partition_max_bytes=max_bytes)]
    return FetchRequest(
        max_wait_ms=wait_ms, min_bytes=1, session_epoch=-1, topics=[FetchTopic(topic, partitions=asked)]
    )


def told(response: Any) -> Any:
    return response.responses[0].partition_responses[0]


def fetched(response: Any) -> list[bytes | None]:
    return values(response.responses[0].partitions[0].records)


# Conversation.


def test_what_is_produced_is_fetched(live: LiveServer) -> None:
    client = live.connect()
    assert client.ask(ApiVersionsRequest("test", "1"), 3).error_code == errors.NONE
    assert told(client.ask(produce(b"a", b"b"), 9)).base_offset == 0
    assert told(client.ask(produce(b"c"), 9)).base_offset == 2
    assert fetched(client.ask(fetch(), 12)) == [b"a", b"b", b"c"]
    assert live.server.metrics.requests_quick == 1


def test_answers_come_in_the_order_of_the_requests_whatever_each_waits_for(live: LiveServer) -> None:
    client = live.connect()
    bodies: list[tuple[Any, int]] = []
    for number in range(50):
        bodies += [
            (produce(b"%d" % number, acks=-1), 9),
            (produce(b"%d" % number, acks=1), 9),
            (ApiVersionsRequest("test", "1"), 3),
            (fetch(0, max_bytes=100), 12),
        ]
    client.sock.sendall(b"".join(client.frame(body, version) for body, version in bodies))
    assert [client.receive()[0] for _ in bodies] == list(range(1, len(bodies) + 1))


def test_a_request_may_arrive_byte_by_byte(live: LiveServer) -> None:
    client = live.connect()
    for byte in client.frame(produce(b"slowly"), 9):
        client.sock.sendall(bytes([byte]))
    assert told(client.receive()[1]).error_code == errors.NONE


@pytest.mark.parametrize("size", [10, 60_000, 70_000, 200_000, MIB, 5 * MIB])
def test_requests_of_any_size_arrive_in_pieces_of_any_size(live: LiveServer, size: int) -> None:
    live.create("large", max_message_bytes=str(16 * MIB))
    client = live.connect()
    value = bytes(range(256)) * (size // 256 + 1)
    frames = b"".join(client.frame(produce(value, topic="large"), 9) for _ in range(3))
    for start in range(0, len(frames), 65_537):
        client.sock.sendall(frames[start : start + 65_537])
    assert [told(client.receive()[1]).base_offset for _ in range(3)] == [0, 1, 2]
    assert fetched(client.ask(fetch(topic="large", max_bytes=4 * len(frames)), 12)) == [value] * 3
    wait_until(lambda: live.server.buffers.lent_bytes == 0, "buffers to come back", 10)


def test_many_unfinished_frames_share_a_small_budget_and_all_get_done(tmp_path: Path) -> None:
    from logctl.engine.limits import Limits

    with LiveServer(tmp_path, Limits(in_flight_max_bytes=600_000)) as live:
        live.create("orders")
        clients = [live.connect() for _ in range(8)]
        frames = [client.frame(produce(b"x" * 900_000), 9) for client in clients]
        threads = [
            threading.Thread(target=client.sock.sendall, args=(frame,))
            for client, frame in zip(clients, frames, strict=True)
        ]
        for thread in threads:
            thread.start()
        offsets = sorted(told(client.receive()[1]).base_offset for client in clients)
        for thread in threads:
            thread.join()
        assert offsets == list(range(8))


def test_acks_0_is_not_answered_and_what_follows_is(live: LiveServer) -> None:
    client = live.connect()
    client.sock.sendall(b"".join(client.frame(produce(b"quiet", acks=0), 9) for _ in range(3)))
    number, _ = (client.send(ApiVersionsRequest("test", "1"), 3), client.receive())[1]
    assert number == 4
    assert live.room.replica("orders").log.end_offset == 3


def test_acks_0_with_an_error_hangs_up(live: LiveServer) -> None:
    client = live.connect()
    client.send(produce(b"x", acks=0, partition=9), 9)
    assert client.is_closed()
    assert live.said("acks=0")


# Waiting for data.


def test_a_waiting_fetch_holds_back_what_comes_behind_it_and_wakes_at_once(live: LiveServer) -> None:
    reader, writer = live.connect(), live.connect()
    reader.send(fetch(wait_ms=60_000), 12)
    wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
    reader.send(ApiVersionsRequest("test", "1"), 3)
    wait_until(lambda: any(one.filled for one in live.server.connections.values()), "the second request", 10)
    assert told(writer.ask(produce(b"news"), 9)).error_code == errors.NONE
    number, response = reader.receive()
    assert (number, fetched(response)) == (1, [b"news"])
    assert reader.receive()[0] == 2


def test_a_waiting_fetch_is_answered_at_its_deadline(live: LiveServer) -> None:
    client = live.connect()
    client.send(fetch(wait_ms=500), 12)
    wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
    live.pass_time(499)
    assert len(live.room.waiting) == 1
    live.pass_time(1)
    assert fetched(client.receive()[1]) == []


def test_who_hangs_up_while_waiting_is_forgotten(live: LiveServer) -> None:
    client = live.connect()
    client.send(fetch(wait_ms=60_000), 12)
    wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
    client.close()
    wait_until(lambda: len(live.room.waiting) == 0, "the fetch to be forgotten", 10)
    assert not live.server.connections


def test_a_clock_set_back_does_not_keep_anybody_waiting(live: LiveServer) -> None:
    client = live.connect()
    client.send(fetch(wait_ms=1000), 12)
    wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
    live.pass_time(-3_600_000)
    assert fetched(client.receive()[1]) == []


# Waiting for the disk.


class Gate:
    """Stands in for the flush of one log: lets it through, or fails, when told so."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.fault: DiskFault | None = None
        self.genuine = flusher._flush
        patch.setattr(flusher, "_flush", self)

    def __call__(self, flush: Any) -> DiskFault | None:
        assert self.open.wait(10)
        return self.fault or self.genuine(flush)


def test_acks_all_is_answered_after_the_flush_and_acks_1_before_it(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    patient, hasty = live.connect(), live.connect()
    patient.send(produce(b"a"), 9)
    assert told(hasty.ask(produce(b"b", acks=1, partition=1), 9)).error_code == errors.NONE
    assert not has_answer(patient)
    gate.open.set()
    assert told(patient.receive()[1]).error_code == errors.NONE


def has_answer(client: Client) -> bool:
    client.sock.settimeout(0)
    try:
        return bool(client.sock.recv(1))
    except BlockingIOError:
        return False
    finally:
        client.sock.settimeout(10)


def test_ticks_that_come_during_a_flush_share_the_next(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    clients = [live.connect() for _ in range(10)]
    clients[0].send(produce(b"first"), 9)
    wait_until(lambda: live.server.metrics.flushes == 1, "the flush to begin", 10)
    for client in clients[1:]:
        client.send(produce(b"v"), 9)
    wait_until(lambda: live.room.replica("orders").log.written_end == 10, "all to be written", 10)
    gate.open.set()
    assert sorted(told(client.receive()[1]).base_offset for client in clients) == list(range(10))
    assert live.server.metrics.flushes == 2


def test_a_failed_flush_is_told_to_all_that_waited_for_it_and_fences_the_directory(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    gate.fault = DiskFault("Flushing", "orders-0", 5)
    first, second, reader = live.connect(), live.connect(), live.connect()
    first.sock.sendall(first.frame(produce(b"a"), 9) + first.frame(ApiVersionsRequest("t", "1"), 3))
    wait_until(lambda: live.server.metrics.flushes == 1, "the flush to begin", 10)
    second.send(produce(b"b"), 9)
    wait_until(lambda: live.room.replica("orders").log.written_end == 2, "both to be written", 10)
    reader.send(fetch(wait_ms=60_000), 12)
    wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
    gate.open.set()

    for client in (first, second):
        answer = told(client.receive()[1])
        assert (answer.error_code, answer.base_offset) == (errors.KAFKA_STORAGE_ERROR, -1)
    assert first.receive()[1].error_code == errors.NONE, "what has nothing to do with the disk is answered as ever"
    assert reader.receive()[1].responses[0].partitions[0].error_code == errors.KAFKA_STORAGE_ERROR
    assert told(first.ask(produce(b"c"), 9)).error_code == errors.KAFKA_STORAGE_ERROR
    assert live.said("Input/output error")


def test_an_answer_is_corrected_when_the_broker_itself_closes_the_directory(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the log of another topic cannot be opened there: no flush comes any more for what was written."""
    gate = Gate(monkeypatch)
    first, second = live.connect(), live.connect()
    first.send(produce(b"a"), 9)
    wait_until(lambda: live.server.metrics.flushes == 1, "the flush to begin", 10)
    second.send(produce(b"b"), 9)
    wait_until(lambda: live.room.replica("orders").log.written_end == 2, "both to be written", 10)
    replicas = live.room.broker.replicas
    live.run(lambda: replicas.fail(replicas.directories[0], DiskFault("Writing to", "another-0", 28)))
    gate.open.set()
    assert told(second.receive()[1]).error_code == errors.KAFKA_STORAGE_ERROR


def test_a_full_disk_is_told_and_the_next_try_succeeds(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = live.connect()
    client.ask(produce(b"0"), 9)
    log = live.room.replica("orders").log
    genuine = type(log).write
    failures = iter([True])

    def write(this: Any) -> None:
        if this is log and next(failures, False):
            raise DiskFault("Writing to", log.path, 28)
        genuine(this)

    monkeypatch.setattr(type(log), "write", write)
    frames = client.frame(produce(b"lost"), 9) + client.frame(produce(b"elsewhere", partition=1), 9)
    client.sock.sendall(frames)
    assert told(client.receive()[1]).error_code == errors.KAFKA_STORAGE_ERROR
    assert told(client.receive()[1]).error_code == errors.NONE
    assert told(client.ask(produce(b"kept"), 9)).base_offset == 1
    assert fetched(client.ask(fetch(), 12)) == [b"0", b"kept"]
    assert live.said("Free space")


# Faults of ours, and the end.


def test_a_handler_that_breaks_is_answered_and_the_node_goes_on(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = live.connect()
    with monkeypatch.context() as patch:
        patch.setattr(live.room.broker, "handle", lambda request, now_ms: 1 // 0)
        assert client.ask(ApiVersionsRequest("t", "1"), 3).error_code == errors.UNKNOWN_SERVER_ERROR
        hung_up = live.connect()
        hung_up.send(produce(b"x"), 9)
        assert hung_up.is_closed(), "a Produce answer has no place for an error of its own"
    assert live.said("ZeroDivisionError")
    assert client.ask(ApiVersionsRequest("t", "1"), 3).error_code == errors.NONE


def test_an_answer_that_cannot_be_encoded_does_not_hurt(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from logctl.wire.messages.api_versions import ApiVersionsResponse

    client = live.connect()
    with monkeypatch.context() as patch:
        patch.setattr(live.room.broker, "handle", lambda request, now_ms: ApiVersionsResponse(error_code="what?"))
        assert client.ask(ApiVersionsRequest("t", "1"), 3).error_code == errors.UNKNOWN_SERVER_ERROR
    assert client.ask(ApiVersionsRequest("t", "1"), 3).error_code == errors.NONE


def test_an_orderly_stop_answers_what_was_asked(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    writer, reader = live.connect(), live.connect()
    writer.send(produce(b"a"), 9)
    reader.send(fetch(wait_ms=60_000), 12)
    wait_until(lambda: live.server.metrics.flushes == 1 and len(live.room.waiting) == 1, "both to wait", 10)
    threading.Timer(0.05, gate.open.set).start()
    live.stop(patience_ms=10_000)
    assert told(writer.receive()[1]).error_code == errors.NONE
    assert reader.receive()[1].error_code == errors.NONE
    assert writer.is_closed()
    with pytest.raises(ConnectionRefusedError):
        live.connect()


def test_a_stop_does_not_wait_for_ever(live: LiveServer) -> None:
    live.create("large", max_message_bytes=str(32 * MIB))
    client = live.connect(receive_buffer_bytes=4096)
    client.ask(produce(b"x" * 16 * MIB, topic="large"), 9)
    client.send(fetch(topic="large", max_bytes=32 * MIB), 12)
    wait_until(lambda: any(one.out for one in live.server.connections.values()), "the socket to be full", 10)
    live.stop(patience_ms=50)
    assert not live.server.connections


def test_a_write_that_breaks_in_an_unexpected_way_is_not_acknowledged(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = live.connect()
    log = live.room.replica("orders").log
    with monkeypatch.context() as patch:
        patch.setattr(type(log), "write", lambda this: 1 // 0)
        assert told(client.ask(produce(b"a"), 9)).error_code == errors.KAFKA_STORAGE_ERROR
    assert live.said("ZeroDivisionError")


def test_a_waiting_request_that_breaks_is_hung_up_on(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = live.connect(), live.connect()
    reader.send(fetch(wait_ms=60_000), 12)
    wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
    monkeypatch.setattr("logctl.engine.broker.handlers.fetch.Fetching.read", lambda self: 1 // 0)
    assert told(writer.ask(produce(b"a"), 9)).error_code == errors.NONE
    assert reader.is_closed()
    assert live.said("ZeroDivisionError")
