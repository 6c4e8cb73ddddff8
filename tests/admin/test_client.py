"""Meeting a broker: finding the way in, agreeing on versions, and saying what is wrong with what answers instead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from support.ports import free_port
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.client import Client, Lost, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.link import NotOffered
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, Unreachable
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.messages.api_versions import ApiVersion, ApiVersionsResponse
from logctl.wire.messages.create_topics import CreateTopicsRequest
from logctl.wire.messages.metadata import MetadataRequest


def enter(bootstrap: str, timeout_s: float = 10.0) -> Any:
    """Everything a command does first: find a broker that answers, and ask it for metadata."""
    deadline = Deadline(timeout_s)
    with Client(parse_addresses(bootstrap)) as client:
        return client.ask(client.entrance(deadline), MetadataRequest(topics=[]), deadline)


def refused(bootstrap: str, timeout_s: float = 10.0) -> LogctlError:
    with pytest.raises(LogctlError) as caught:
        enter(bootstrap, timeout_s)
    return caught.value


# -- versions --------------------------------------------------------------------------------------------------------


def test_the_newest_version_that_both_speak_is_used() -> None:
    with ScriptedCluster() as cluster:
        broker = cluster.brokers[1]
        broker.versions["Metadata"] = (0, 9)
        enter(broker.bootstrap)
        assert [(name, version) for name, version, _ in broker.asked] == [("ApiVersions", 4), ("Metadata", 9)]


def test_a_broker_newer_than_us_is_asked_in_our_newest_version() -> None:
    with ScriptedCluster() as cluster:
        broker = cluster.brokers[1]
        broker.versions["Metadata"] = (5, 99)
        enter(broker.bootstrap)
        assert broker.asked[-1][:2] == ("Metadata", 13)


@pytest.mark.parametrize("tells_range", [True, False])
def test_a_broker_that_does_not_know_our_way_of_asking_is_asked_in_its_own(tells_range: bool) -> None:
    def answer(request: Any, version: int) -> Any:
        rows = [ApiVersion(api_key=18, min_version=0, max_version=2), ApiVersion(api_key=3, max_version=8)]
        if version <= 2:
            return ApiVersionsResponse(api_keys=rows)
        said = ApiVersionsResponse(error_code=errors.UNSUPPORTED_VERSION, api_keys=rows[:1] if tells_range else [])
        body = said.encode(0)
        return (len(body) + 4).to_bytes(4, "big") + correlation.pop(0).to_bytes(4, "big") + body

    correlation = [1]
    with ScriptedCluster() as cluster:
        broker = cluster.brokers[1]
        broker.answer("ApiVersions", answer)
        enter(broker.bootstrap)
        versions = [version for name, version, _ in broker.asked if name == "ApiVersions"]
        assert versions == ([4, 2] if tells_range else [4, 0])
        assert broker.asked[-1][:2] == ("Metadata", 8)


def test_an_api_that_the_cluster_lacks_is_said_to_be_lacking() -> None:
    with ScriptedCluster() as cluster, Client(parse_addresses(cluster.bootstrap)) as client:
        deadline = Deadline(10)
        with pytest.raises(NotOffered, match=r"does not offer CreateTopics \(key 19\)"):
            client.ask(client.entrance(deadline), CreateTopicsRequest(), deadline)


# -- nobody, or somebody else ----------------------------------------------------------------------------------------


def test_every_address_that_was_tried_is_named_with_its_reason() -> None:
    port = free_port()
    error = refused(f"127.0.0.1:{port},no-such-host.invalid:9092")
    assert isinstance(error, Unreachable)
    assert f"127.0.0.1:{port}: connection refused" in error.message
    assert "no-such-host.invalid:9092: the name does not resolve" in error.message


def test_the_next_address_is_tried_when_the_first_does_not_answer() -> None:
    with ScriptedCluster() as cluster, silent_port() as silent:
        assert enter(f"127.0.0.1:{free_port()},127.0.0.1:{silent},{cluster.bootstrap}").cluster_id == "scripted"


@pytest.mark.parametrize(
    ("hello", "sentence"),
    [
        (b"\x15\x03\x03\x00\x02\x02\x46", "speaks TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "speaks SSH"),
        (b"\xff\xff\xff\xff", "does not speak the Kafka protocol"),
        (b"", "closed the connection without answering"),
    ],
)
def test_another_protocol_on_the_port_is_told_apart(hello: bytes, sentence: str) -> None:
    with port_that_says(hello) as port:
        error = refused(f"127.0.0.1:{port}")
    assert isinstance(error, Unreachable)
    assert sentence in error.message
    assert error.hint


def test_a_port_that_accepts_and_says_nothing_costs_the_timeout_and_no_more() -> None:
    with silent_port() as port:
        error = refused(f"127.0.0.1:{port}", timeout_s=0.3)
    assert "accepted the connection but said nothing" in error.message
    assert "within 0.3 s" in error.message


def test_an_answer_to_a_question_that_was_not_asked_ends_the_conversation() -> None:
    with ScriptedCluster() as cluster:
        cluster.answer("Metadata", lambda request, version: b"\0\0\0\x08" + b"\0\0\0\x63" + b"\0\0\0\0")
        error = refused(cluster.bootstrap)
    assert isinstance(error, OperationFailed)
    assert "answered request 99, which was not asked" in error.message


def test_an_answer_that_cannot_be_read_is_an_error_and_no_traceback() -> None:
    with ScriptedCluster() as cluster:
        cluster.answer("Metadata", lambda request, version: b"\0\0\0\x08" + b"\0\0\0\x02" + b"\0\xff\xff\xff")
        error = refused(cluster.bootstrap)
    assert isinstance(error, OperationFailed)
    assert "cannot be read" in error.message


# -- requests that are lost ------------------------------------------------------------------------------------------


def test_a_broker_that_does_not_answer_one_request_leaves_its_outcome_unknown() -> None:
    with ScriptedCluster() as cluster:
        cluster.answer("Metadata", lambda request, version: SILENCE)
        error = refused(cluster.bootstrap, timeout_s=0.3)
    assert isinstance(error, DeadlineExceeded)
    assert "Metadata was sent and not answered" in error.message


def test_a_connection_that_breaks_after_the_request_is_told_from_one_that_never_was() -> None:
    with ScriptedCluster() as cluster:
        cluster.answer("Metadata", lambda request, version: None)
        assert isinstance(refused(cluster.bootstrap), Lost)


def test_a_connection_that_was_closed_while_idle_is_made_anew() -> None:
    with ScriptedCluster() as cluster, Client(parse_addresses(cluster.bootstrap)) as client:
        deadline = Deadline(10)
        address = client.entrance(deadline)
        client.ask(address, MetadataRequest(topics=[]), deadline)
        cluster.brokers[1].hang_up()
        assert client.ask(address, MetadataRequest(topics=[]), deadline).cluster_id == "scripted"


def test_what_is_asked_after_a_call_that_timed_out_does_not_wait_behind_it() -> None:
    """Kafka answers in order: on the same connection the second answer would never come."""
    answers = [SILENCE]

    with ScriptedCluster() as cluster, Client(parse_addresses(cluster.bootstrap)) as client:
        tell = cluster._metadata
        cluster.answer("Metadata", lambda request, version: answers.pop() if answers else tell(request, version))
        address = client.entrance(Deadline(10))
        with pytest.raises(DeadlineExceeded, match=r"Metadata was sent and not answered within 0\.2 s"):
            client.ask(address, MetadataRequest(topics=[]), Deadline(0.2))
        assert API[MetadataRequest.api_key].key in client.versions(address)
        assert client.ask(address, MetadataRequest(topics=[]), Deadline(10)).cluster_id == "scripted"


def test_all_calls_to_a_broker_that_falls_silent_say_so() -> None:
    with ScriptedCluster() as cluster, Client(parse_addresses(cluster.bootstrap)) as client:
        cluster.answer("Metadata", lambda request, version: SILENCE)
        address = client.entrance(Deadline(10))
        asked = {name: (address, MetadataRequest(topics=[])) for name in ("first", "second")}
        missing = client.scatter(asked, Deadline(0.2)).missing
    assert [type(error) for error in missing.values()] == [DeadlineExceeded, DeadlineExceeded]


# -- many at once ----------------------------------------------------------------------------------------------------


def test_one_silent_broker_makes_a_partial_answer_not_an_empty_one() -> None:
    with ScriptedCluster(1, 2, 3) as cluster, Client(parse_addresses(cluster.bootstrap)) as client:
        cluster.brokers[2].answer("Metadata", lambda request, version: SILENCE)
        addresses = {node: parse_addresses(broker.bootstrap)[0] for node, broker in cluster.brokers.items()}
        asked = {node: (address, MetadataRequest(topics=[])) for node, address in addresses.items()}
        gathered = client.scatter(asked, Deadline(0.5))
    assert sorted(gathered.answers) == [1, 3]
    assert list(gathered.missing) == [2]
    assert not gathered.complete
    assert "did not answer" in gathered.missing[2].message


# -- helpers ---------------------------------------------------------------------------------------------------------


@contextmanager
def port_that_says(hello: bytes) -> Iterator[int]:
    """A server that greets whoever connects with some bytes and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(hello)
        connection.close()

    thread = Thread(target=greet, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(10)
    listener.close()


@contextmanager
def silent_port() -> Iterator[int]:
    """A server that lets everybody in and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
