"""Logging in over a link: what brokers say that real ones say seldom. Apache Kafka itself is in test_link_apache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedBroker

from logctl.admin.channel import Access
from logctl.admin.client import Client
from logctl.admin.deadline import Deadline
from logctl.admin.link import Address, NotOffered
from logctl.errors import AccessDenied, LogctlError, Unreachable
from logctl.security.sasl import Login
from logctl.security.secrets import Secret
from logctl.wire import errors
from logctl.wire.messages.metadata import MetadataRequest, MetadataResponse
from logctl.wire.messages.sasl_authenticate import SaslAuthenticateResponse
from logctl.wire.messages.sasl_handshake import SaslHandshakeResponse


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    """Lets everybody in."""
    with ScriptedBroker() as scripted:
        scripted.answer("Metadata", lambda request, version: MetadataResponse(cluster_id="scripted"))
        scripted.answer("SaslHandshake", lambda request, version: SaslHandshakeResponse(mechanisms=["PLAIN"]))
        scripted.answer("SaslAuthenticate", lambda request, version: SaslAuthenticateResponse())
        yield scripted


def client(broker: ScriptedBroker, mechanism: str = "PLAIN") -> Client:
    login = Login(mechanism, "ann", Secret("canary-10"))
    return Client([Address("127.0.0.1", broker.port)], "test", Access(login=login))


def ask(broker: ScriptedBroker, mechanism: str = "PLAIN", timeout_s: float = 10.0) -> Any:
    deadline = Deadline(timeout_s)
    with client(broker, mechanism) as talking:
        return talking.ask(talking.entrance(deadline), MetadataRequest(topics=[]), deadline)


def refused(broker: ScriptedBroker, mechanism: str = "PLAIN", timeout_s: float = 10.0) -> LogctlError:
    with pytest.raises(LogctlError) as caught:
        ask(broker, mechanism, timeout_s)
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def test_the_login_comes_before_everything_but_the_versions(broker: ScriptedBroker) -> None:
    assert ask(broker).cluster_id == "scripted"
    assert [name for name, _, _ in broker.asked] == ["ApiVersions", "SaslHandshake", "SaslAuthenticate", "Metadata"]


def test_a_mechanism_that_is_not_offered_is_answered_with_those_that_are(broker: ScriptedBroker) -> None:
    said = SaslHandshakeResponse(error_code=errors.UNSUPPORTED_SASL_MECHANISM, mechanisms=["SCRAM-SHA-512", "GSSAPI"])
    broker.answer("SaslHandshake", lambda request, version: said)
    error = refused(broker)
    assert isinstance(error, AccessDenied)
    assert "does not offer PLAIN; it offers SCRAM-SHA-512, GSSAPI" in error.message


def test_a_broker_that_knows_no_login_is_said_to_lack_it(broker: ScriptedBroker) -> None:
    broker.forget("SaslHandshake")
    error = refused(broker)
    assert isinstance(error, NotOffered)
    assert "does not offer SaslHandshake (key 17)" in error.message


def test_a_broker_that_lets_in_without_proof_is_not_trusted(broker: ScriptedBroker) -> None:
    """It answers SCRAM as if it knew the password, and does not."""

    def pretend(request: Any, version: int) -> SaslAuthenticateResponse:
        token = bytes(request.auth_bytes).decode()
        if token.startswith("n,,"):
            nonce = token.rpartition("r=")[2]
            return SaslAuthenticateResponse(auth_bytes=f"r={nonce}more,s=c2FsdHNhbHRzYWx0,i=4096".encode())
        return SaslAuthenticateResponse(auth_bytes=b"v=" + b"A" * 44)

    broker.answer("SaslAuthenticate", pretend)
    error = refused(broker, "SCRAM-SHA-256")
    assert isinstance(error, AccessDenied)
    assert "without knowing the password" in error.message
    assert broker.count("Metadata") == 0


def test_a_broker_that_falls_silent_or_hangs_up_at_the_login_is_told_apart(broker: ScriptedBroker) -> None:
    broker.answer("SaslAuthenticate", lambda request, version: SILENCE)
    silent = refused(broker, timeout_s=0.5)
    assert isinstance(silent, Unreachable)
    assert "did not answer the login within 0.5 s" in silent.message
    broker.answer("SaslAuthenticate", lambda request, version: None)
    gone = refused(broker)
    assert isinstance(gone, AccessDenied)
    assert "closed the connection during the login" in gone.message


def test_a_refused_password_is_tried_once(broker: ScriptedBroker) -> None:
    """Others would refuse it as well, and some count."""
    said = SaslAuthenticateResponse(error_code=errors.SASL_AUTHENTICATION_FAILED, error_message="no such luck")
    broker.answer("SaslAuthenticate", lambda request, version: said)
    with ScriptedBroker() as other:
        deadline = Deadline(10)
        with client(broker) as talking:
            talking.bootstrap.append(Address("127.0.0.1", other.port))
            with pytest.raises(AccessDenied, match="no such luck"):
                talking.entrance(deadline)
        assert broker.count("SaslAuthenticate") == 1
        assert not other.asked


def test_calls_wait_while_a_login_is_renewed(broker: ScriptedBroker) -> None:
    """A lifetime of one millisecond is over at about every call; the calls keep their order and lose nothing."""
    broker.answer("SaslAuthenticate", lambda request, version: SaslAuthenticateResponse(session_lifetime_ms=1))
    deadline = Deadline(10)
    with client(broker) as talking:
        address = talking.entrance(deadline)
        while broker.count("SaslAuthenticate") < 5:
            calls = [talking.submit(address, MetadataRequest(topics=[])) for _ in range(3)]
            talking.wait(calls, deadline)
            assert [call.result().cluster_id for call in calls] == ["scripted"] * 3
            assert not deadline.expired
