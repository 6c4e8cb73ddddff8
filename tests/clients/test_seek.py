"""Reading begins where it is told to: at any offset, in the middle of a batch, at a time."""

from __future__ import annotations

import pytest
from clients.conftest import MakeTopic
from support.clients import Client, Message, Sending, Start, produce, read

BASE_MS = 1_700_000_000_000


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_any_offset_can_be_the_first(client: Client, bootstrap: str, topic: str, codec: str) -> None:
    """Batches of about ten records; brokers answer whole batches, so what lies before the offset must be dropped."""
    messages = [Message(b"record %03d" % number + b"." * 80) for number in range(200)]
    produce(client, bootstrap, topic, messages, sending=Sending(codec=codec, batch_bytes=1000))
    for start in (0, 1, 7, 13, 99, 198, 199):
        records = read(client, bootstrap, topic, min(3, 200 - start), start=start)
        assert [record.offset for record in records] == list(range(start, min(start + 3, 200)))
        assert records[0].value == messages[start].value


def test_the_beginning_is_offset_zero(client: Client, bootstrap: str, topic: str) -> None:
    produce(client, bootstrap, topic, [Message(b"first"), Message(b"second")])
    [record] = read(client, bootstrap, topic, 1, start=Start.BEGINNING)
    assert (record.offset, record.value) == (0, b"first")


@pytest.mark.needs("timestamps")
@pytest.mark.parametrize("codec", ["none", "lz4"])
def test_a_time_finds_the_first_record_not_before_it(client: Client, bootstrap: str, topic: str, codec: str) -> None:
    times = [BASE_MS + 100 * number for number in range(60)]
    messages = [Message(b"." * 50, timestamp_ms=timestamp_ms) for timestamp_ms in times]
    produce(client, bootstrap, topic, messages, sending=Sending(codec=codec, batch_bytes=600))
    cases = {
        0: 0,
        BASE_MS: 0,
        BASE_MS + 1: 1,
        BASE_MS + 100 * 31: 31,
        BASE_MS + 100 * 31 + 1: 32,
        times[-1]: 59,
        times[-1] + 1: None,
    }
    for timestamp_ms, expected in cases.items():
        assert client.offset_at(bootstrap, topic, 0, timestamp_ms) == expected, timestamp_ms
    [record] = read(client, bootstrap, topic, 1, start=31)
    assert record.timestamp_ms == times[31]


@pytest.mark.needs("timestamps")
def test_a_time_is_found_though_the_clock_went_back(client: Client, bootstrap: str, topic: str) -> None:
    for step in (0, 500, 100, 700):
        produce(client, bootstrap, topic, [Message(b"%d" % step, timestamp_ms=BASE_MS + step)])
    found = [client.offset_at(bootstrap, topic, 0, BASE_MS + step) for step in (0, 100, 500, 501, 700)]
    assert found == [0, 1, 1, 3, 3]


def test_kcat_asks_for_a_time(bootstrap: str, topic: str, cast: object) -> None:
    writer, kcat = cast("librdkafka"), cast("kcat")  # type: ignore[operator]
    produce(writer, bootstrap, topic, [Message(b"%d" % n, timestamp_ms=BASE_MS + n) for n in range(10)])
    assert kcat.offset_at(bootstrap, topic, 0, BASE_MS + 4) == 4
    assert kcat.offset_at(bootstrap, topic, 0, BASE_MS + 10) is None


def test_an_empty_partition_has_no_time(client: Client, bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic(partitions=2)
    assert client.offset_at(bootstrap, topic, 1, BASE_MS) is None
