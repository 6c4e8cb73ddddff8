"""Real Apache Kafka behind every kind of listener: TLS, mutual TLS, SASL with PLAIN and SCRAM, with and without TLS.

One broker for all stories. What is configured here is what an operator configures: a file for --command-config that
Apache's own kafka-topics takes as well, or -X.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from support.apache import new_apache_node
from support.certificates import Authority, Identity
from support.ports import free_port

from logctl.admin.client import Client
from logctl.admin.deadline import Deadline
from logctl.admin.link import Address
from logctl.admin.properties import ClientProperties, assemble, from_file
from logctl.cli.main import main
from logctl.engine.apache import ApacheNode, run_tool
from logctl.errors import AccessDenied, LogctlError, Unreachable, UsageError
from logctl.wire.messages.metadata import MetadataRequest

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("link-apache")]

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
ODD_PASSWORD = "ﬁsh, \xa0=\"\N{GRINNING FACE}"
"""SASLprep would make another password of it; Kafka takes passwords as they are."""
SESSION_MS = 2000


class Listeners(NamedTuple):
    node: ApacheNode
    ports: dict[str, int]
    authority: Authority
    us: Identity
    folder: Path


@pytest.fixture(scope="module")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listeners]:
    folder = tmp_path_factory.mktemp("apache")
    authority = Authority(folder)
    node = new_apache_node(folder / "node")
    ports = {name: free_port() for name in ("SSL", "MUTUAL", "SASL_SSL", "SASL_PLAINTEXT", "RENEWED")}
    node.settings = {**node.settings, **_settings(node, ports, authority, authority.issue("localhost"))}
    with node:
        _add_users(node.address)
        yield Listeners(node, ports, authority, authority.issue("operator.example"), folder)


def _settings(node: ApacheNode, ports: dict[str, int], authority: Authority, identity: Identity) -> dict[str, str]:
    clients = [f"PLAINTEXT://127.0.0.1:{node.port}"] + [f"{name}://localhost:{port}" for name, port in ports.items()]
    kinds = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,MUTUAL:SSL,SASL_SSL:SASL_SSL,"
    settings = {
        "listeners": ",".join([*clients, f"CONTROLLER://127.0.0.1:{node.controller_port}"]),
        "advertised.listeners": ",".join(clients),
        "listener.security.protocol.map": kinds + "SASL_PLAINTEXT:SASL_PLAINTEXT,RENEWED:SASL_PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(identity.pem),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.trust),
        "listener.name.mutual.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.renewed.connections.max.reauth.ms": str(SESSION_MS),
        "connection.failed.authentication.delay.ms": "0",
    }
    for listener in ("sasl_ssl", "sasl_plaintext", "renewed"):
        settings[f"listener.name.{listener}.plain.sasl.jaas.config"] = f'{PLAIN} user_ann="s3cret";'
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            settings[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = f"{SCRAM};"
    return settings


def _add_users(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        upserts = [
            UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, 4096), password.encode())
            for user, password in (("ann", "s3cret"), ("o=d,d", ODD_PASSWORD))
        ]
        for future in admin.alter_user_scram_credentials(upserts).values():
            future.result(timeout=30)


def nobody(purpose: str) -> str:
    raise UsageError(f"{purpose}: there is no terminal")


def written(listeners: Listeners, **properties: object) -> Path:
    """A client's properties file; names are given with `_` for their dots."""
    path = listeners.folder / "client.properties"
    lines = (f"{name.replace('_', '.')}={_escaped(str(value))}\n" for name, value in properties.items())
    path.write_text("".join(lines), encoding="utf-8")
    path.chmod(0o600)
    return path


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").encode("utf-16-be").decode("utf-16-be")


def meaning(listeners: Listeners, **properties: object) -> ClientProperties:
    given, warnings = from_file(str(written(listeners, **properties)))
    return assemble(given, nobody, warnings)


def meet(listeners: Listeners, listener: str, **properties: object) -> str:
    """The cluster's id, as told behind a listener."""
    port = listeners.ports.get(listener, listeners.node.port)
    deadline = Deadline(15)
    access = meaning(listeners, **properties).access()
    with Client([Address("localhost", port)], "test", access) as client:
        response = client.ask(client.entrance(deadline), MetadataRequest(topics=[]), deadline)
    assert isinstance(response.cluster_id, str)
    return response.cluster_id


def refused(listeners: Listeners, listener: str, **properties: object) -> LogctlError:
    with pytest.raises(LogctlError) as caught:
        meet(listeners, listener, **properties)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def with_login(mechanism: str, user: str = "ann", password: str = "s3cret") -> dict[str, str]:
    return {"sasl_mechanism": mechanism, "sasl_username": user, "sasl_password": password}


# -- the way in --------------------------------------------------------------------------------------------------------


def test_tls_lets_in_whom_it_trusts(listeners: Listeners) -> None:
    trust = {"security_protocol": "SSL", "ssl_truststore_location": listeners.authority.trust}
    known = meet(listeners, "PLAINTEXT")
    assert meet(listeners, "SSL", **trust) == known
    assert meet(listeners, "MUTUAL", **trust, ssl_keystore_type="PEM", ssl_keystore_location=listeners.us.pem) == known


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_a_login_with_every_mechanism(listeners: Listeners, protocol: str, mechanism: str) -> None:
    trust = {"security_protocol": protocol, "ssl_ca_location": listeners.authority.trust}
    assert meet(listeners, protocol, **trust, **with_login(mechanism))


def test_a_name_and_a_password_are_taken_as_they_are(listeners: Listeners) -> None:
    known = {"security_protocol": "SASL_PLAINTEXT"}
    assert meet(listeners, "SASL_PLAINTEXT", **known, **with_login("SCRAM-SHA-512", "o=d,d", ODD_PASSWORD))


def test_the_file_that_apaches_own_tool_takes(listeners: Listeners) -> None:
    """One file, both programs."""
    jaas = f'{SCRAM} username="ann" password="s3cret";'
    path = written(
        listeners, security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-256", sasl_jaas_config=jaas,
        ssl_truststore_type="PEM", ssl_truststore_location=listeners.authority.trust, acks="all", linger_ms="5",
    )  # fmt: skip
    place = f"localhost:{listeners.ports['SASL_SSL']}"
    done = run_tool(
        "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", place, "--command-config", str(path), "--list"
    )
    assert done.code == 0, done.stdout + done.stderr
    given, warnings = from_file(str(path))
    assert not warnings
    deadline = Deadline(15)
    address = Address("localhost", listeners.ports["SASL_SSL"])
    with Client([address], "test", assemble(given, nobody).access()) as client:
        assert client.ask(client.entrance(deadline), MetadataRequest(topics=[]), deadline).cluster_id


# -- no way in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize(("user", "password"), [("ann", "wrong"), ("bob", "wrong")])
def test_a_wrong_password_is_access_denied(listeners: Listeners, mechanism: str, user: str, password: str) -> None:
    login = with_login(mechanism, user, password)
    error = refused(listeners, "SASL_PLAINTEXT", security_protocol="SASL_PLAINTEXT", **login)
    assert isinstance(error, AccessDenied)
    assert f"'{user}' was not let in with {mechanism}" in error.message
    assert error.kafka_name == "SASL_AUTHENTICATION_FAILED"


def test_a_login_where_none_is_wanted(listeners: Listeners) -> None:
    error = refused(listeners, "PLAINTEXT", security_protocol="SASL_PLAINTEXT", **with_login("PLAIN"))
    assert isinstance(error, UsageError)
    assert "the listener takes no login" in error.message


def test_no_login_where_one_is_wanted(listeners: Listeners) -> None:
    error = refused(listeners, "SASL_PLAINTEXT", security_protocol="PLAINTEXT")
    assert isinstance(error, Unreachable)
    assert "security.protocol=SASL_PLAINTEXT" in error.hint


def test_a_broker_that_is_not_trusted_is_not_told_the_password(listeners: Listeners, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").trust
    error = refused(listeners, "SASL_SSL", security_protocol="SASL_SSL", ssl_ca_location=other, **with_login("PLAIN"))
    assert isinstance(error, Unreachable)
    assert "not signed by an authority that is trusted here" in error.message


def test_a_certificate_is_asked_for_and_weighed(listeners: Listeners, tmp_path: Path) -> None:
    trust = {"security_protocol": "SSL", "ssl_ca_location": listeners.authority.trust}
    unnamed = refused(listeners, "MUTUAL", **trust)
    assert isinstance(unnamed, AccessDenied)
    assert "asks for a certificate of this side" in unnamed.message
    stranger = Authority(tmp_path, "other").issue("stranger.example")
    unknown = refused(listeners, "MUTUAL", **trust, ssl_keystore_location=stranger.pem)
    assert isinstance(unknown, AccessDenied)
    assert "does not accept the certificate of this side" in unknown.message


def test_the_wrong_port_is_told_apart(listeners: Listeners) -> None:
    trust = {"security_protocol": "SSL", "ssl_ca_location": listeners.authority.trust}
    plain = refused(listeners, "PLAINTEXT", **trust)
    assert isinstance(plain, Unreachable)
    assert "closed the connection when TLS was offered" in plain.message
    assert "security.protocol=PLAINTEXT" in plain.hint
    secured = refused(listeners, "SSL", security_protocol="PLAINTEXT")
    assert isinstance(secured, Unreachable)
    assert "security.protocol=SSL" in secured.hint


# -- a login that ends -------------------------------------------------------------------------------------------------


def test_a_login_is_renewed_before_it_ends(listeners: Listeners) -> None:
    """The broker closes a connection whose login has ended at the next request; ours goes on, over three lifetimes."""
    access = meaning(listeners, security_protocol="SASL_PLAINTEXT", **with_login("SCRAM-SHA-512")).access()
    address = Address("localhost", listeners.ports["RENEWED"])
    with Client([address], "test", access) as client:
        deadline = Deadline(30)
        client.entrance(deadline)
        link = client._link(address)
        end_s = time.monotonic() + 3 * SESSION_MS / 1000
        while time.monotonic() < end_s:
            client.ask(address, MetadataRequest(topics=[]), deadline)
            time.sleep(0.05)
        assert client._link(address) is link


# -- the same from the shell -------------------------------------------------------------------------------------------


def test_a_context_leads_in_and_every_refusal_has_its_exit_code(
    listeners: Listeners, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(listeners.folder / "config"))
    monkeypatch.setenv("ANN_PASSWORD", "s3cret")
    monkeypatch.delenv("LOGCTL_BOOTSTRAP_SERVER", raising=False)
    place = f"localhost:{listeners.ports['SASL_SSL']}"
    login = {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "ann"}
    files = {"sasl.password": "env:ANN_PASSWORD", "ssl.ca.location": str(listeners.authority.trust)}
    properties = [word for name, value in {**login, **files}.items() for word in ("-X", f"{name}={value}")]

    def logctl(*arguments: str, code: int = 0) -> str:
        assert main(arguments) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return said.out + said.err

    logctl("context", "add", "apache", "-b", place, *properties, "--use")
    (tested,) = json.loads(logctl("context", "test", "-o", "json"))["contexts"]
    assert (tested["login"], tested["tls_version"]) == ("SCRAM-SHA-512 as ann", "TLSv1.3")
    assert tested["certificate_until_ms"] > time.time() * 1000
    logctl("topic", "create", "by-context", "--partitions", "2", "-y")
    assert "by-context" in logctl("topic", "list", "-o", "name").splitlines()
    monkeypatch.setenv("ANN_PASSWORD", "wrong")
    assert "was not let in" in logctl("topic", "list", code=8)
    by_number = ("-C", "apache", "-b", place.replace("localhost", "127.0.0.1"))
    assert "is not for 127.0.0.1" in logctl("topic", "list", *by_number, code=7)
    assert "does not speak Kerberos" in logctl("topic", "list", "-X", "sasl.mechanism=GSSAPI", code=2)
    assert "cannot be read" in logctl("topic", "list", "-X", "ssl.ca.location=/absent", code=2)
    assert "trusted here" in logctl("topic", "list", "-X", f"ssl.ca.location={listeners.us.certificate}", code=7)
