"""What one client writes, that client and every other reads back: each codec, each kind of acknowledgement."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable

import pytest
from clients.conftest import CLIENTS, MakeTopic
from support.clients import CODECS, Client, Message, Read, Refused, Sending, Start, produce, read

PAST_MS = 1_700_000_000_000

EVERY_SHAPE = [
    Message(b"a value alone"),
    Message(b"a value with its key", key=b"key"),
    Message("déjà vu, 既視感".encode(), key="ключ".encode()),
    Message(b"one header", headers=(("trace", b"1"),)),
    Message(b"a header twice", key=b"k", headers=(("trace", b"1"), ("trace", b"2"), ("other", b"3"))),
    Message(None, key=b"a tombstone"),
    Message(b"x" * 5000, key=b"longer than most"),
]
ONLY_WITH = {
    "binary": [
        Message(b"", key=b"an empty value is not a null one"),
        Message(b"an empty key is not a null one", key=b""),
        Message(bytes(range(256)), key=bytes(reversed(range(256)))),
    ],
    "null headers": [Message(b"a header without value", headers=(("flag", None), ("empty", b"")))],
    "timestamps": [
        Message(b"long ago", timestamp_ms=PAST_MS),
        Message(b"before that", timestamp_ms=PAST_MS - 5),
    ],
}


def shapes_for(client: Client) -> list[Message]:
    more = [messages for feature, messages in ONLY_WITH.items() if feature not in client.lacks]
    return EVERY_SHAPE + list(itertools.chain.from_iterable(more))


def assert_same(records: list[Read], messages: list[Message], first_offset: int = 0) -> None:
    """The records are the messages, in order, at consecutive offsets; a time is compared when the message had one."""
    assert [record.offset for record in records] == list(range(first_offset, first_offset + len(messages)))
    for record, message in zip(records, messages, strict=True):
        assert (record.key, record.value, record.headers) == (message.key, message.value, message.headers)
        if message.timestamp_ms is not None:
            assert record.timestamp_ms == message.timestamp_ms


@pytest.mark.parametrize("acks", ["0", "1", "all"])
@pytest.mark.parametrize("codec", CODECS)
def test_what_goes_in_comes_out(client: Client, bootstrap: str, topic: str, codec: str, acks: str) -> None:
    messages = shapes_for(client)
    began_ms = int(time.time() * 1000)
    offsets = produce(client, bootstrap, topic, messages, sending=Sending(acks=acks, codec=codec))
    records = read(client, bootstrap, topic, len(messages))
    assert_same(records, messages)
    untimed = [record for record, message in zip(records, messages, strict=True) if message.timestamp_ms is None]
    assert all(began_ms <= record.timestamp_ms <= time.time() * 1000 for record in untimed)
    if acks != "0" and "offsets" not in client.lacks:
        assert offsets == list(range(len(messages)))


@pytest.mark.java
@pytest.mark.parametrize("codec", CODECS)
def test_what_one_client_writes_every_client_reads(
    writer: Client, cast: Callable[[str], Client], bootstrap: str, topic: str, codec: str
) -> None:
    messages = shapes_for(writer)
    produce(writer, bootstrap, topic, messages, sending=Sending(codec=codec))
    for name in CLIENTS:
        assert_same(read(cast(name), bootstrap, topic, len(messages)), messages)


@pytest.mark.parametrize("size", [1_000_000, 5_000_000])
def test_a_large_record_passes_whole(client: Client, bootstrap: str, make_topic: MakeTopic, size: int) -> None:
    topic = make_topic(max_message_bytes=6_000_000)
    noise = random.Random(size).randbytes(size) if "binary" not in client.lacks else b"0123456789" * (size // 10)
    small = Message(b"a small one behind it")
    produce(client, bootstrap, topic, [Message(noise), small], sending=Sending(batch_bytes=1 << 20))
    assert_same(read(client, bootstrap, topic, 2), [Message(noise), small])


@pytest.mark.on_both
def test_a_record_too_large_for_the_topic_is_refused_by_name(
    client: Client, bootstrap: str, make_topic: MakeTopic
) -> None:
    topic = make_topic(max_message_bytes=10_000)
    produce(client, bootstrap, topic, [Message(b"fits")])
    with pytest.raises(Refused) as refusal:
        produce(client, bootstrap, topic, [Message(b"x" * 20_000)])
    assert refusal.value.error == "MESSAGE_TOO_LARGE"
    produce(client, bootstrap, topic, [Message(b"fits, too")])
    assert_same(read(client, bootstrap, topic, 2), [Message(b"fits"), Message(b"fits, too")])


@pytest.mark.on_both
def test_an_idempotent_producer_writes_each_record_once_in_order(client: Client, bootstrap: str, topic: str) -> None:
    messages = [Message(b"%d" % number, key=b"k") for number in range(2000)]
    produce(client, bootstrap, topic, messages, sending=Sending(idempotent=True, batch_bytes=1000, linger_ms=1))
    assert_same(read(client, bootstrap, topic, len(messages)), messages)


def test_two_idempotent_producers_one_after_the_other(client: Client, bootstrap: str, topic: str) -> None:
    first = [Message(b"first %d" % number) for number in range(50)]
    second = [Message(b"second %d" % number) for number in range(50)]
    for messages in (first, second):
        produce(client, bootstrap, topic, messages, sending=Sending(idempotent=True))
    assert_same(read(client, bootstrap, topic, 100), first + second)


def test_a_topic_comes_into_being_when_it_is_written_to(client: Client, bootstrap: str, topic_name: str) -> None:
    produce(client, bootstrap, topic_name, [Message(b"hello", key=b"k")], partition=None)
    assert_same(read(client, bootstrap, topic_name, 1), [Message(b"hello", key=b"k")])


def test_partitions_are_apart(client: Client, bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic(partitions=3)
    for partition in range(3):
        produce(client, bootstrap, topic, [Message(b"for %d" % partition)] * (partition + 1), partition=partition)
    for partition in range(3):
        records = read(client, bootstrap, topic, partition + 1, partition=partition)
        assert_same(records, [Message(b"for %d" % partition)] * (partition + 1))


@pytest.mark.needs("timestamps")
def test_a_topic_may_keep_the_brokers_time(client: Client, bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic(message_timestamp_type="LogAppendTime")
    began_ms = int(time.time() * 1000)
    produce(client, bootstrap, topic, [Message(b"%d" % n, timestamp_ms=PAST_MS + n) for n in range(3)])
    records = read(client, bootstrap, topic, 3)
    assert [record.value for record in records] == [b"0", b"1", b"2"]
    assert all(began_ms <= record.timestamp_ms <= time.time() * 1000 for record in records)


def test_a_reader_at_the_end_is_woken_by_what_comes(client: Client, bootstrap: str, topic: str) -> None:
    """The reader lets the broker wait longer than the story is ready to: a broker that does not wake it fails."""
    produce(client, bootstrap, topic, [Message(b"history")])
    with client.reader(bootstrap, topic, 0, 1, max_wait_ms=28_000) as reader:
        for turn in range(5):
            produce(client, bootstrap, topic, [Message(b"turn %d" % turn)], sending=Sending(linger_ms=0))
            arrived = reader.next(timeout_s=10)
            assert arrived is not None
            assert (arrived.offset, arrived.value) == (1 + turn, b"turn %d" % turn)


@pytest.mark.needs("position")
def test_the_end_is_where_writing_goes_on(client: Client, bootstrap: str, topic: str) -> None:
    produce(client, bootstrap, topic, [Message(b"before")] * 7)
    with client.reader(bootstrap, topic, 0, Start.END) as reader:
        produce(client, bootstrap, topic, [Message(b"after")])
        arrived = reader.next()
    assert arrived is not None
    assert (arrived.offset, arrived.value) == (7, b"after")


def test_noise_is_not_shrunk_and_text_is(client: Client, bootstrap: str, topic: str) -> None:
    """Batches of every fill: one record, many, and so many that they are cut."""
    random_text = os.urandom(3000).hex().encode()
    messages = [Message(random_text[at : at + 600]) for at in range(0, 6000, 20)]
    for codec in CODECS:
        produce(client, bootstrap, topic, messages, sending=Sending(codec=codec, batch_bytes=4000))
    assert_same(read(client, bootstrap, topic, len(messages) * len(CODECS)), messages * len(CODECS))
