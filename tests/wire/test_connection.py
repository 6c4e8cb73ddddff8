"""Conversations between the two ends, written as dialogues: what one says is handed to the other byte by byte."""

from __future__ import annotations

import struct

import pytest

from logctl.wire import errors
from logctl.wire.api import API, API_VERSIONS, Api
from logctl.wire.connection import (
    ClientConversation,
    FrameBuffer,
    NotOffered,
    PeerFault,
    Received,
    Refused,
    ServerConversation,
    before_authentication,
    foreign_protocol,
)
from logctl.wire.frames import RequestHeader, request_frame
from logctl.wire.messages.api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from logctl.wire.messages.fetch import FetchRequest
from logctl.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from logctl.wire.messages.metadata import MetadataRequest, MetadataResponse
from logctl.wire.messages.produce import ProduceRequest
from logctl.wire.schema import Message, Versions

SERVED = {18: Versions(0, 4), 3: Versions(0, 12), 12: Versions(0, 4), 0: Versions(0, 13)}


def server(**options: object) -> ServerConversation:
    return ServerConversation(SERVED, **options)  # type: ignore[arg-type]


def offer_of(served: dict[int, Versions]) -> ApiVersionsResponse:
    return ApiVersionsResponse(api_keys=[ApiVersion(key, low, high) for key, (low, high) in served.items()])


def the_only(said: list[Received | Refused]) -> Received | Refused:
    (one,) = said
    return one


def received(said: list[Received | Refused]) -> Received:
    one = the_only(said)
    assert isinstance(one, Received), one
    return one


def refused(said: list[Received | Refused]) -> Refused:
    one = the_only(said)
    assert isinstance(one, Refused), one
    return one


def negotiated(served: dict[int, Versions] = SERVED) -> ClientConversation:
    client = ClientConversation("test")
    question = received(server().receive(client.negotiate()))
    client.receive(server().answer(question.header, offer_of(served)))
    assert client.negotiated
    return client


# The client asks


def test_a_client_asks_what_is_served_and_then_speaks_the_newest_common_version() -> None:
    broker, client = server(), ClientConversation("me", software=("logctl", "0.1"))

    question = received(broker.receive(client.negotiate()))
    assert question.header.client_id == "me"
    assert question.header.version == 4
    assert question.body == ApiVersionsRequest(client_software_name="logctl", client_software_version="0.1")
    (answer,) = client.receive(broker.answer(question.header, offer_of(SERVED)))
    assert answer.request == question.body

    question = received(broker.receive(client.send(MetadataRequest(topics=None))))
    assert question.header.version == 12  # the broker's limit; ours is 13
    (answer,) = client.receive(broker.answer(question.header, MetadataResponse(cluster_id="c")))
    assert answer.response.cluster_id == "c"
    assert client.unanswered == []


def test_a_broker_that_knows_an_older_form_is_asked_again_in_that_form() -> None:
    old = {18: Versions(0, 2), 12: Versions(0, 1)}
    broker, client = ServerConversation(old), ClientConversation()

    surprise = refused(broker.receive(client.negotiate()))
    assert surprise.code == errors.UNSUPPORTED_VERSION
    assert surprise.answer is not None
    (answer,) = client.receive(broker.answer(surprise.header, surprise.answer))
    assert answer.response.error_code == errors.UNSUPPORTED_VERSION
    assert not client.negotiated

    question = received(broker.receive(client.negotiate()))
    assert question.header.version == 2
    client.receive(broker.answer(question.header, offer_of(old)))
    assert client.negotiated
    assert client.version_for(12) == 1


def test_a_broker_that_does_not_say_which_form_it_knows_is_asked_in_the_oldest() -> None:
    client = ClientConversation()
    client.negotiate()
    client.receive(struct.pack(">iihi", 10, 1, errors.UNSUPPORTED_VERSION, 0))
    header = received(server().receive(client.negotiate())).header
    assert header.version == 0


def test_a_broker_that_refuses_even_form_zero_ends_the_conversation() -> None:
    client = ClientConversation()
    client.negotiate()
    client.receive(struct.pack(">iihi", 10, 1, errors.UNSUPPORTED_VERSION, 0))
    client.negotiate()
    with pytest.raises(PeerFault, match="refuses every form of ApiVersions"):
        client.receive(struct.pack(">iihi", 10, 2, errors.UNSUPPORTED_VERSION, 0))


def test_an_api_that_is_not_served_or_only_in_foreign_versions_is_named() -> None:
    client = negotiated({18: Versions(0, 4), 1: Versions(0, 3)})
    with pytest.raises(NotOffered, match=r"does not serve Metadata \(key 3\)"):
        client.send(MetadataRequest())
    with pytest.raises(NotOffered, match="serves Fetch in versions 0-3, logctl speaks 4-18"):
        client.send(FetchRequest())
    assert client.unanswered == []


def test_a_version_that_is_only_advertised_is_not_spoken() -> None:
    """Produce is advertised from 0, but 0 to 2 have no form any more."""
    client = negotiated({18: Versions(0, 4), 0: Versions(0, 2)})
    with pytest.raises(NotOffered):
        client.version_for(0)


def test_answers_arrive_in_the_order_of_the_questions_however_the_stream_is_cut() -> None:
    broker, client = server(), negotiated()
    stream = b""
    for name in ("a", "b", "c"):
        question = received(broker.receive(client.send(HeartbeatRequest(group_id=name))))
        stream += broker.answer(question.header, HeartbeatResponse(error_code=ord(name)))
    assert [request.group_id for request in client.unanswered] == ["a", "b", "c"]  # type: ignore[attr-defined]

    heard = [answer for byte in stream for answer in client.receive(bytes([byte]))]
    assert [(answer.request.group_id, chr(answer.response.error_code)) for answer in heard] == [  # type: ignore[attr-defined]
        ("a", "a"),
        ("b", "b"),
        ("c", "c"),
    ]


def test_a_produce_without_acknowledgement_awaits_no_answer() -> None:
    broker, client = server(), negotiated()
    received(broker.receive(client.send(ProduceRequest(acks=0))))
    question = received(broker.receive(client.send(HeartbeatRequest())))
    (answer,) = client.receive(broker.answer(question.header, HeartbeatResponse(error_code=27)))
    assert answer.response.error_code == 27


def test_an_answer_to_another_question_ends_the_conversation() -> None:
    client = negotiated()
    with pytest.raises(PeerFault, match="answered request 77, but none is waiting"):
        client.receive(struct.pack(">ii", 4, 77))
    client.send(HeartbeatRequest())
    with pytest.raises(PeerFault, match="answered request 1, but 2 is the next one waiting"):
        client.receive(struct.pack(">ii", 4, 1))


@pytest.mark.parametrize("broken", [b"", b"\0\0", b"\0\0\0\2", b"\0\0\0\2\0\0\0"])
def test_an_answer_cut_short_is_a_fault_of_the_peer(broken: bytes) -> None:
    client = negotiated()
    client.send(HeartbeatRequest())
    with pytest.raises(PeerFault, match=r"sent an? (Heartbeat )?answer"):
        client.receive(struct.pack(">i", len(broken)) + broken)


def test_bytes_behind_an_answer_are_ignored_as_apache_does() -> None:
    client = negotiated()
    client.send(HeartbeatRequest())
    body = struct.pack(">i", 2) + b"\0" + HeartbeatResponse(error_code=27).encode(4) + b"more"
    (answer,) = client.receive(struct.pack(">i", len(body)) + body)
    assert answer.response.error_code == 27


# Strangers


@pytest.mark.parametrize(
    ("bytes_", "sentence"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x0a", "speaks TLS on a connection that is plaintext here"),
        (b"\x16\x03\x01\x02\x00\x01", "speaks TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n", "speaks HTTP, not the Kafka protocol"),
        (b"GET / HTTP/1.1\r\n", "speaks HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "speaks SSH"),
        (b"\xff\xff\xff\xff", "announced a frame of -1 bytes"),
        (b"\x7f\xff\xff\xff", "announced a frame of 2147483647 bytes, above the limit"),
    ],
)
def test_a_stranger_is_recognised_from_either_end(bytes_: bytes, sentence: str) -> None:
    client = ClientConversation(who="kafka.example:9092")
    client.negotiate()
    with pytest.raises(PeerFault, match=sentence) as seen:
        client.receive(bytes_)
    assert seen.value.message.startswith("kafka.example:9092 ")
    assert seen.value.hint
    with pytest.raises(PeerFault, match=sentence):
        server().receive(bytes_)


def test_four_bytes_are_enough_to_recognise_a_stranger_and_a_length_is_none() -> None:
    assert foreign_protocol(b"GET ") == "HTTP"
    assert foreign_protocol(struct.pack(">i", 100 << 20)) is None


def test_a_frame_is_held_back_until_it_is_whole_and_the_ceiling_is_the_callers() -> None:
    frames = FrameBuffer(limit_bytes=3, who="the peer")
    assert frames.feed(b"\0\0\0\3ab") == []
    assert frames.feed(b"c\0\0\0\0") == [b"abc", b""]
    with pytest.raises(PeerFault, match="above the limit of 3"):
        frames.feed(b"\0\0\0\4")


# The server answers


@pytest.mark.parametrize(
    ("key", "version", "sentence"),
    [
        (3, 13, "asked Metadata (key 3) in version 13; served here: 0-12"),
        (1, 12, "asked Fetch (key 1) in version 12; not served here"),
        (999, 0, "asked an unknown API (key 999)"),
    ],
)
def test_an_unserved_api_or_version_is_refused_without_an_answer(key: int, version: int, sentence: str) -> None:
    refusal = refused(server().receive(struct.pack(">ihhihB", 11, key, version, 5, -1, 0)))
    assert refusal.code == errors.UNSUPPORTED_VERSION
    assert refusal.answer is None
    assert refusal.header == RequestHeader(key, version, 5, None)
    assert sentence in refusal.reason


def test_a_produce_in_an_advertised_form_that_no_longer_exists_is_refused() -> None:
    refusal = refused(server().receive(struct.pack(">ihhih", 10, 0, 1, 5, -1)))
    assert refusal.code == errors.UNSUPPORTED_VERSION
    assert refusal.answer is None


def test_before_authentication_only_the_three_first_questions_pass() -> None:
    broker = server(gate=before_authentication)
    client = negotiated()
    refusal = refused(broker.receive(client.send(HeartbeatRequest())))
    assert refusal.code == errors.ILLEGAL_SASL_STATE
    assert "asked Heartbeat before authenticating" in refusal.reason
    assert received(broker.receive(client.send(ApiVersionsRequest()))).body == ApiVersionsRequest()

    broker.gate = lambda header: True
    assert received(broker.receive(client.send(HeartbeatRequest()))).header.api_key == 12


def test_a_body_behind_the_closed_gate_is_never_decoded() -> None:
    frame = struct.pack(">ihhih", 14, 12, 4, 5, -1) + b"\0\xff\xff\xff"
    refusal = refused(server(gate=before_authentication).receive(frame))
    assert refusal.code == errors.ILLEGAL_SASL_STATE


def test_a_body_that_cannot_be_read_is_refused_with_the_reason() -> None:
    frame = struct.pack(">ihhih", 14, 12, 4, 5, -1) + b"\0\x7f\xff\xff"
    refusal = refused(server().receive(frame))
    assert refusal.code == errors.INVALID_REQUEST
    assert "Heartbeat that cannot be read: string is longer than its message" in refusal.reason
    assert refusal.header.correlation_id == 5


LONG_CLIENT_ID, NO_TAGS = struct.pack(">hhih", 3, 12, 1, 50), struct.pack(">hhih", 3, 12, 1, -1)


@pytest.mark.parametrize("frame", [b"", b"\0\3", LONG_CLIENT_ID, NO_TAGS])
def test_a_frame_without_a_readable_header_is_a_fault_of_the_peer(frame: bytes) -> None:
    with pytest.raises(PeerFault, match="without a readable header"):
        server().receive(struct.pack(">i", len(frame)) + frame)


def test_bytes_behind_a_request_are_ignored_as_apache_does() -> None:
    whole = request_frame(12, 4, 9, "me", HeartbeatRequest(group_id="g")) + b"more"
    question = received(server().receive(struct.pack(">i", len(whole) - 4) + whole[4:]))
    assert question.body.group_id == "g"


def test_every_other_api_can_be_asked_and_answered_in_its_newest_version() -> None:
    served = {key: api.versions for key, api in API.items()}
    broker, client = ServerConversation(served), negotiated(served)
    for api in (api for api in API.values() if api.key != API_VERSIONS):
        question = received(broker.receive(client.send(ask(api))))
        assert question.header.version == api.versions.highest, api.name
        (answer,) = client.receive(broker.answer(question.header, api.response()))
        assert answer.response == api.response(), api.name


def ask(api: Api) -> Message:
    return ProduceRequest(acks=-1) if api.key == 0 else api.request()
