"""TLS: whom this side trusts, who it is, and what it says when the other side is not who it should be.

The other side is a scripted broker behind the standard library's TLS; Apache Kafka itself is in test_link_apache.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.certificates import Authority, Identity
from support.ports import free_port
from support.scripted import ScriptedBroker

from logctl.admin.client import Client
from logctl.admin.deadline import Deadline
from logctl.admin.link import Address
from logctl.admin.properties import Given, assemble
from logctl.engine.apache import java
from logctl.errors import AccessDenied, LogctlError, Unreachable, UsageError
from logctl.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def broker_identity(authority: Authority) -> Identity:
    return authority.issue("localhost")


def nobody(purpose: str) -> str:
    raise UsageError(f"{purpose}: there is no terminal")


def meet(port: int, timeout_s: float = 10.0, host: str = "localhost", **properties: object) -> MetadataResponse:
    """Ask a listener for metadata; a property's name is given with `_` for its dots."""
    named = {"security.protocol": "SSL"} | {name.replace("_", "."): str(value) for name, value in properties.items()}
    known = assemble([Given(name, value, "test") for name, value in named.items()], nobody)
    deadline = Deadline(timeout_s)
    with Client([Address(host, port)], "test", known.access()) as client:
        return client.ask(client.entrance(deadline), MetadataRequest(topics=[]), deadline)


def refused(port: int, timeout_s: float = 10.0, host: str = "localhost", **properties: object) -> LogctlError:
    with pytest.raises(LogctlError) as caught:
        meet(port, timeout_s, host, **properties)
    return caught.value


class TlsBroker(ScriptedBroker):
    """A scripted broker behind TLS; with `trusted` it asks for a client certificate."""

    def __init__(self, identity: Identity, trusted: Path | None = None) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(identity.pem)
        if trusted is not None:
            self._tls.verify_mode = ssl.CERT_REQUIRED
            self._tls.load_verify_locations(trusted)
        super().__init__()
        self.answer("Metadata", _echo)

    def _serve(self, connection: socket.socket) -> None:
        try:
            secured = self._tls.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        super()._serve(secured)


def _echo(request: MetadataRequest, version: int) -> MetadataResponse:
    topics = [MetadataResponseTopic(name=topic.name) for topic in request.topics or ()]
    return MetadataResponse(cluster_id="scripted", topics=topics)


@contextmanager
def listening(identity: Identity, trusted: Path | None = None) -> Iterator[int]:
    with TlsBroker(identity, trusted) as broker:
        yield broker.port


# -- trust -------------------------------------------------------------------------------------------------------------


def test_a_broker_is_trusted_by_the_authority_that_signed_it(authority: Authority, broker_identity: Identity) -> None:
    with listening(broker_identity) as port:
        assert meet(port, ssl_truststore_location=authority.trust).cluster_id == "scripted"
        assert meet(port, ssl_ca_location=authority.trust).cluster_id == "scripted"
        pem = authority.trust.read_text()
        assert meet(port, ssl_truststore_certificates=pem).cluster_id == "scripted"
        assert meet(port, ssl_truststore_certificates=pem.replace("\n", "")).cluster_id == "scripted"


def test_a_stranger_is_not_trusted(authority: Authority, broker_identity: Identity, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    with listening(broker_identity) as port:
        for trust in ({}, {"ssl_ca_location": other.trust}):
            error = refused(port, **trust)
            assert isinstance(error, Unreachable)
            assert "is not signed by an authority that is trusted here" in error.message
            assert "ssl.truststore.location" in error.hint


def test_a_certificate_for_another_name_is_refused_unless_names_do_not_count(authority: Authority) -> None:
    with listening(authority.issue("kafka.example")) as port:
        error = refused(port, ssl_ca_location=authority.trust)
        assert isinstance(error, Unreachable)
        assert "its certificate is not for localhost" in error.message
        assert "its certificate is not for 127.0.0.1" in refused(
            port, host="127.0.0.1", ssl_ca_location=authority.trust
        ).message
        assert meet(port, ssl_ca_location=authority.trust, ssl_endpoint_identification_algorithm="")
        assert meet(port, enable_ssl_certificate_verification="false")


def test_switching_checks_off_is_warned_about() -> None:
    def warned(name: str, value: str) -> str:
        given = [Given("security.protocol", "SSL", "x"), Given(name, value, "x")]
        return " ".join(assemble(given, nobody).warnings)

    assert "host names" in warned("ssl.endpoint.identification.algorithm", "")
    assert "not checked" in warned("enable.ssl.certificate.verification", "false")
    assert not warned("ssl.endpoint.identification.algorithm", "https")


def test_an_expired_certificate_is_said_to_be_expired(authority: Authority) -> None:
    with listening(authority.issue("localhost", expired=True)) as port:
        assert "its certificate has expired" in refused(port, ssl_ca_location=authority.trust).message


# -- who we are --------------------------------------------------------------------------------------------------------


def test_a_broker_that_wants_to_know_us_is_told_in_every_form(
    authority: Authority, broker_identity: Identity, tmp_path: Path
) -> None:
    us = authority.issue("operator.example")
    with listening(broker_identity, trusted=authority.trust) as port:
        trust = {"ssl_ca_location": authority.trust}
        assert meet(port, **trust, ssl_keystore_location=us.pem)
        assert meet(port, **trust, ssl_certificate_location=us.certificate, ssl_key_location=us.key)
        assert meet(port, **trust, ssl_keystore_location=us.locked("s3cret"), ssl_key_password="s3cret")
        assert meet(port, **trust, ssl_keystore_location=us.p12("s3cret"), ssl_keystore_password="s3cret")
        inline = {
            "ssl_keystore_certificate_chain": us.chain_pem().decode(),
            "ssl_keystore_key": us.key_pem().decode().replace("\n", " "),
        }
        assert meet(port, **trust, **inline)


def test_a_broker_that_does_not_know_us_denies_access(
    authority: Authority, broker_identity: Identity, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "other").issue("operator.example")
    with listening(broker_identity, trusted=authority.trust) as port:
        unnamed = refused(port, ssl_ca_location=authority.trust)
        assert isinstance(unnamed, AccessDenied)
        assert "asks for a certificate of this side" in unnamed.message
        unknown = refused(port, ssl_ca_location=authority.trust, ssl_keystore_location=stranger.pem)
        assert isinstance(unknown, AccessDenied)
        assert "does not accept the certificate of this side" in unknown.message


@pytest.mark.java
def test_stores_that_javas_keytool_made(authority: Authority, broker_identity: Identity, tmp_path: Path) -> None:
    """A truststore as Java's documentation tells to make it, and an identity that went through keytool."""
    trust, identity = tmp_path / "trust.p12", tmp_path / "identity.p12"
    us = authority.issue("operator.example").p12("s3cret")
    keytool("-importcert", "-file", authority.trust, "-alias", "ca", "-keystore", trust, "-storepass", "s3cret")
    keytool(
        "-importkeystore", "-srckeystore", us, "-srcstorepass", "s3cret",
        "-destkeystore", identity, "-deststorepass", "s3cret",
    )  # fmt: skip
    with listening(broker_identity, trusted=authority.trust) as port:
        stores = {"ssl_truststore_location": trust, "ssl_truststore_password": "s3cret"}
        assert meet(port, **stores, ssl_keystore_location=identity, ssl_keystore_password="s3cret")
        error = refused(port, ssl_truststore_location=trust)
        assert isinstance(error, UsageError)
        assert error.hint == "set ssl.truststore.password"


def keytool(*arguments: object) -> None:
    tool = java().with_name("keytool")
    command = [str(one) for one in (tool, *arguments, "-noprompt", "-storetype", "PKCS12")]
    if "-importkeystore" in command:
        command[-2] = "-deststoretype"
    subprocess.run(command, check=True, capture_output=True)


# -- files that are not what they should be ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("property_", "content", "complaint"),
    [
        ("ssl_truststore_location", None, "cannot be read: no such file"),
        ("ssl_truststore_location", b"-----BEGIN NOTHING-----", "there is no certificate in it"),
        ("ssl_truststore_location", b"nonsense", "neither PEM nor PKCS#12"),
        ("ssl_truststore_location", b"\xfe\xed\xfe\xed\0\0\0\2", "is in JKS"),
        ("ssl_keystore_location", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "no private key"),
    ],
)
def test_a_store_that_is_no_store_is_named(
    tmp_path: Path, property_: str, content: bytes | None, complaint: str
) -> None:
    store = tmp_path / "store"
    if content is not None:
        store.write_bytes(content)
    error = refused(1, **{property_: store})
    assert isinstance(error, UsageError)
    assert str(store) in error.message
    assert complaint in error.message


def test_jks_comes_with_the_line_that_converts_it(tmp_path: Path) -> None:
    store = tmp_path / "client.jks"
    store.write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2")
    hint = refused(1, ssl_keystore_location=store).hint
    assert f"keytool -importkeystore -srckeystore {store} -destkeystore {store}.p12 -deststoretype PKCS12" in hint


def test_a_key_that_cannot_be_opened_is_said_to_be_locked(authority: Authority) -> None:
    us = authority.issue("operator.example")
    trust = {"ssl_ca_location": authority.trust}
    for flags, complaint in (
        ({"ssl_keystore_location": us.locked("s3cret")}, "the private key is encrypted"),
        ({"ssl_keystore_location": us.locked("s3cret"), "ssl_key_password": "canary-5"}, "cannot be loaded"),
        ({"ssl_keystore_location": us.p12("s3cret"), "ssl_keystore_password": "canary-5"}, "its password is another"),
    ):
        error = refused(1, **trust, **flags)
        assert isinstance(error, UsageError)
        assert complaint in error.message
        assert "canary" not in f"{error.message} {error.hint}"


# -- somebody else on the port -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("greeting", "sentence"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP, and no TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak TLS"),
        (b"", "closed the connection when TLS was offered"),
    ],
)
def test_a_port_without_tls_is_told_apart(greeting: bytes, sentence: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(greeting)
        connection.close()

    threading.Thread(target=greet, daemon=True).start()
    error = refused(listener.getsockname()[1])
    listener.close()
    assert isinstance(error, Unreachable)
    assert sentence in error.message
    assert error.hint


def test_a_port_that_says_nothing_to_tls_costs_the_timeout_and_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = refused(listener.getsockname()[1], timeout_s=0.3)
    assert "accepted the connection but did not answer TLS within 0.3 s" in error.message


def test_plaintext_to_a_tls_port_is_told_what_to_set(broker_identity: Identity) -> None:
    with listening(broker_identity) as port:
        error = refused(port, security_protocol="PLAINTEXT")
    assert isinstance(error, Unreachable)
    assert "security.protocol=SSL" in error.hint


def test_nobody_at_all_is_said_as_without_tls() -> None:
    port = free_port()
    assert f"localhost:{port}: connection refused" in refused(port).message


# -- a connection that lasts -------------------------------------------------------------------------------------------


def test_large_messages_go_through_in_both_directions(authority: Authority, broker_identity: Identity) -> None:
    names = [f"{'t' * 200}-{number}" for number in range(5000)]
    request = MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names])
    given = {"security.protocol": "SSL", "ssl.ca.location": str(authority.trust)}
    access = assemble([Given(name, value, "test") for name, value in given.items()], nobody).access()
    with listening(broker_identity) as port, Client([Address("localhost", port)], "test", access) as client:
        answer = client.ask(Address("localhost", port), request, Deadline(30))
        assert [topic.name for topic in answer.topics] == names
        secured = client.secured(Address("localhost", port))
        assert secured is not None
        assert secured.version == "TLSv1.3"
        assert secured.valid_until_ms is not None


def test_a_connection_that_was_closed_while_idle_is_made_anew(authority: Authority, broker_identity: Identity) -> None:
    given = {"security.protocol": "SSL", "ssl.ca.location": str(authority.trust)}
    access = assemble([Given(name, value, "test") for name, value in given.items()], nobody).access()
    with TlsBroker(broker_identity) as broker, Client([Address("localhost", broker.port)], "test", access) as client:
        deadline = Deadline(10)
        address = client.entrance(deadline)
        for _ in range(2):
            assert client.ask(address, MetadataRequest(topics=[]), deadline).cluster_id == "scripted"
        broker.answer("Metadata", lambda request, version: None)
        with pytest.raises(Unreachable):
            client.ask(address, MetadataRequest(topics=[]), deadline)
        broker.answer("Metadata", _echo)
        assert client.ask(address, MetadataRequest(topics=[]), deadline).cluster_id == "scripted"
