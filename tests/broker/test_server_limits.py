"""What a peer cannot do to the server: hold memory, keep places, say nothing, never read, speak another language."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from support.broker_room import batch
from support.live_server import LiveServer
from support.waiting import wait_until

from logctl.engine.connection import Connection
from logctl.engine.limits import Limits
from logctl.wire import errors
from logctl.wire.messages.api_versions import ApiVersionsRequest
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

HELLO = ApiVersionsRequest("test", "1")


def connections(live: LiveServer) -> list[Connection]:
    return list(live.server.connections.values())


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), "speaks TLS"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "speaks HTTP"),
        (b"POST /topics HTTP/1.1\r\n\r\n", "speaks HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "speaks HTTP"),
        (struct.pack(">i", 100 * 1024 * 1024 + 1), "socket.request.max.bytes"),
        (struct.pack(">i", -1), "which is none"),
        (struct.pack(">i", 0), "which is none"),
        (struct.pack(">i", 8) + bytes([0, 18, 0, 3, 0, 0, 0, 1]), "cannot be read"),
        (struct.pack(">i", 30) + b"\0\x12\0\3\0\0\0\1" + b"\xff" * 22, "cannot be read"),
        (struct.pack(">i", 10) + b"\x03\xe7\0\3\0\0\0\1\xff\xff", "999"),
    ],
)
def test_who_does_not_speak_the_protocol_is_hung_up_on_with_a_sentence(
    tmp_path: Path, first: bytes, words: str
) -> None:
    with LiveServer(tmp_path) as live:
        good, bad = live.connect(), live.connect()
        bad.sock.sendall(first)
        assert bad.is_closed()
        assert live.said(words)
        assert len(live.room.diary) == 1
        assert not live.said("Traceback")
        assert good.ask(HELLO, 3).error_code == errors.NONE


def test_an_announcement_reserves_nothing(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as live:
        for _ in range(50):
            live.connect().sock.sendall(struct.pack(">i", 100 * 1024 * 1024) + b"only this")
        wait_until(lambda: len(live.server.patience) == 50, "all to be received", 10)
        assert live.server.buffers.lent_bytes <= 50 * 64 * 1024


def test_silence_is_borne_for_a_while_before_the_first_request_and_longer_after_it(tmp_path: Path) -> None:
    with LiveServer(tmp_path, Limits(first_byte_ms=10_000, idle_ms=600_000)) as live:
        silent, known = live.connect(), live.connect()
        assert known.ask(HELLO, 3).error_code == errors.NONE
        live.pass_time(9_000)
        assert len(live.server.connections) == 2
        live.pass_time(2_000)
        assert silent.is_closed()
        assert live.said("said nothing for 10 seconds")
        assert known.ask(HELLO, 3).error_code == errors.NONE
        live.pass_time(600_001)
        assert known.is_closed()


def test_a_frame_must_be_completed_in_time_and_more_time_is_given_for_more_bytes(tmp_path: Path) -> None:
    with LiveServer(tmp_path, Limits(partial_frame_ms=30_000)) as live:
        slow, slower = live.connect(), live.connect()
        slow.sock.sendall(struct.pack(">i", 90 << 20) + bytes(640 << 10))
        slower.sock.sendall(struct.pack(">i", 100) + bytes(10))
        arrived = [14, 4 + (640 << 10)]
        wait_until(lambda: sorted(one.filled for one in connections(live)) == arrived, "the bytes", 10)
        live.pass_time(31_000)
        assert slower.is_closed()
        assert live.said("did not complete a request: 14 bytes in 31 s")
        assert len(live.server.connections) == 1
        live.pass_time(10_000)
        assert slow.is_closed()
        wait_until(lambda: live.server.buffers.lent_bytes == 0, "the buffers to come back", 10)


def test_a_fetch_that_waits_long_is_not_idle(tmp_path: Path) -> None:
    with LiveServer(tmp_path, Limits(idle_ms=1_000)) as live:
        live.create("orders")
        client = live.connect()
        asked = [FetchTopic("orders", partitions=[FetchPartition(0, partition_max_bytes=1000)])]
        client.send(FetchRequest(max_wait_ms=60_000, min_bytes=1, session_epoch=-1, topics=asked), 12)
        wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
        live.pass_time(5_000)
        assert len(live.server.connections) == 1
        live.pass_time(55_000)
        assert client.receive()[1].error_code == errors.NONE


def test_too_many_connections_are_refused(tmp_path: Path) -> None:
    with LiveServer(tmp_path, Limits(connections_max=3, reserved_for_own_machine=2)) as live:
        clients = [live.connect() for _ in range(5)]
        for client in clients:
            assert client.ask(HELLO, 3).error_code == errors.NONE
        assert live.connect().is_closed()
        assert live.said("max.connections")
        clients[0].close()
        wait_until(lambda: len(live.server.connections) == 4, "one to leave", 10)
        assert live.connect().ask(HELLO, 3).error_code == errors.NONE


def test_who_does_not_read_is_not_read_from_and_gets_everything_in_the_end(tmp_path: Path) -> None:
    """2,000 fetches of 50 KB are asked for, and none is read: the server keeps ranges and little else."""
    limit_bytes = 100_000
    with LiveServer(tmp_path, Limits(send_queue_max_bytes=limit_bytes)) as live:
        live.create("orders")
        client = live.connect(receive_buffer_bytes=4096)
        data = [TopicProduceData("orders", partition_data=[PartitionProduceData(0, batch(b"x" * 50_000))])]
        client.ask(ProduceRequest(acks=-1, topic_data=data), 9)
        asked = [FetchTopic("orders", partitions=[FetchPartition(0, partition_max_bytes=1 << 20)])]
        request = FetchRequest(max_wait_ms=0, min_bytes=1, session_epoch=-1, topics=asked)
        wanted = 2_000
        frames = b"".join(client.frame(request, 12) for _ in range(wanted))
        client.sock.settimeout(0)
        sent = client.sock.send(frames)
        client.sock.settimeout(10)
        [connection] = live.server.connections.values()
        wait_until(lambda: connection.stalled, "the server to stop reading", 10)
        assert connection.unsent_bytes < 2 * limit_bytes

        answers = 0
        remaining = memoryview(frames)[sent:]
        while answers < wanted:
            _, response = client.receive()
            assert len(response.responses[0].partitions[0].records) > 50_000
            answers += 1
            if remaining:
                client.sock.settimeout(0)
                try:
                    remaining = remaining[client.sock.send(remaining) :]
                except BlockingIOError:
                    pass
                client.sock.settimeout(10)
        assert client.ask(HELLO, 3).error_code == errors.NONE


def test_a_peer_that_talks_on_while_it_must_wait_is_kept_small(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as live:
        live.create("orders")
        client = live.connect()
        asked = [FetchTopic("orders", partitions=[FetchPartition(0, partition_max_bytes=1000)])]
        client.send(FetchRequest(max_wait_ms=60_000, min_bytes=1, session_epoch=-1, topics=asked), 12)
        wait_until(lambda: len(live.room.waiting) == 1, "the fetch to be parked", 10)
        [connection] = live.server.connections.values()
        client.sock.settimeout(0)
        flood = client.frame(HELLO, 3) * 5000
        sent = 0
        try:
            while sent < 64 << 20:
                sent += client.sock.send(flood)
        except BlockingIOError:
            pass
        client.sock.settimeout(10)
        wait_until(lambda: not connection.reading, "the server to stop reading", 10)
        assert live.server.buffers.lent_bytes <= 2 << 20


def test_out_of_descriptors_the_server_waits_instead_of_spinning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LiveServer(tmp_path) as live:
        known = live.connect()
        assert known.ask(HELLO, 3).error_code == errors.NONE
        [listening] = live.server._listening
        problem = OSError(24, "Too many open files")
        live.run(lambda: live.server._breathe(listening, "PLAINTEXT", problem))
        assert live.said("ulimit -n")
        assert known.ask(HELLO, 3).error_code == errors.NONE
        assert live.connect().ask(HELLO, 3).error_code == errors.NONE, "it listens again after a second"


def test_a_flood_of_strangers_does_not_fill_the_diary(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as live:
        for _ in range(100):
            stranger = live.connect()
            stranger.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.is_closed()
            stranger.close()
        assert len(live.room.diary) == 20
        live.pass_time(10_000)
        assert live.room.diary[-1] == ("connection", "The same 80 times more within 10 seconds")
