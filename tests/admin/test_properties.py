"""Client properties: of -X, of the files that Apache's tools take, and addresses of -b."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest

from logctl.admin import java_properties
from logctl.admin.client import parse_addresses
from logctl.admin.link import Address
from logctl.admin.properties import ClientProperties, assemble, from_file, from_flags, parse_properties
from logctl.admin.property_names import KNOWN_ELSEWHERE, USED
from logctl.engine.apache import java
from logctl.errors import UsageError
from logctl.security.secrets import Secret


def nobody(purpose: str) -> str:
    raise UsageError(f"{purpose}: there is no terminal")


def from_text(folder: Path, text: str, flags: tuple[str, ...] = (), ask: Any = nobody) -> ClientProperties:
    """What a properties file with this text says, with flags over it."""
    path = folder / "client.properties"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    given, warnings = from_file(str(path))
    return assemble([*given, *from_flags(flags)], ask, warnings)


# -- -X ----------------------------------------------------------------------------------------------------------------


def test_known_properties_are_taken() -> None:
    found = parse_properties(["client.id=ops", "bootstrap.servers=a:1", "security.protocol=plaintext"])
    assert found == ClientProperties("a:1", "ops")


@pytest.mark.parametrize(
    ("pair", "complaint"),
    [
        ("client.id", "has the form name=value"),
        ("clientid=x", "not a client property logctl knows"),
        ("security.protocol=TLS", "one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("request.timeout.ms=1", "there is one timeout"),
        ("linger.ms=5", "changes nothing in logctl"),
        ("sasl.password=canary-1", "can be seen by everybody"),
        ("ssl.keystore.password=canary-1", "can be seen by everybody"),
        ("ssl.keystore.key=canary-1", "can be seen by everybody"),
        ('sasl.jaas.config=x.PlainLoginModule required username="a" password="canary-1";', "can be seen by everybody"),
    ],
)
def test_a_property_that_would_be_ignored_or_seen_is_refused(pair: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        parse_properties([pair])
    assert "canary" not in f"{caught.value} {caught.value.hint}"


def test_a_typing_mistake_is_answered_with_the_name_that_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        parse_properties(["ssl.trustore.location=x"])
    assert "ssl.truststore.location" in caught.value.hint


# -- Java's syntax -----------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_java_reads_it() -> None:
    text = (
        "# a comment\n  ! another \\\n\n"
        "a=1\nb : 2\nc 3\n  d\t=\t4 \ne=\nf\n"
        "long = one \\\n    two\\\\\n"
        "odd\\ name\\:here = x=y:z\n"
        "escapes=\\t\\u00e9\\q\\ud83d\\ude00\r\n"
        "last=line \\"
    )
    assert {pair.name: pair.value for pair in java_properties.parse(text, "x")} == {
        "a": "1", "b": "2", "c": "3", "d": "4 ", "e": "", "f": "", "long": "one two\\",
        "odd name:here": "x=y:z", "escapes": "\té" + "q" + "\N{GRINNING FACE}", "last": "line ",
    }  # fmt: skip


SHOW_JAVA = """
import java.io.*;
import java.util.*;

public class Show {
    public static void main(String[] arguments) throws Exception {
        Properties read = new Properties();
        read.load(new InputStreamReader(System.in, "UTF-8"));
        Base64.Encoder plain = Base64.getEncoder();
        for (String name : read.stringPropertyNames())
            System.out.println(plain.encodeToString(name.getBytes("UTF-8")) + " "
                + plain.encodeToString(read.getProperty(name).getBytes("UTF-8")));
    }
}
"""
ODD_LINES = (
    "a\\=b = c\\\n\t d\nk\\\\=v\n!no\nx:y=z\n\\u0041\\n=\\\\u0041\nq\\uD83D\\uDE00=1\n"
    "  sp  \\  ace  =  e \\ \n\f f=g\n#c\\\nh=i\\\n\\\n  j\nlast"
)


@pytest.mark.java
def test_java_agrees_with_that(tmp_path: Path) -> None:
    source = tmp_path / "Show.java"
    source.write_text(SHOW_JAVA)
    done = subprocess.run([java(), source], input=ODD_LINES.encode(), capture_output=True, check=True)
    words = (line.split(" ") for line in done.stdout.decode().splitlines())
    theirs = {base64.b64decode(name).decode(): base64.b64decode(value).decode() for name, value in words}
    assert {pair.name: pair.value for pair in java_properties.parse(ODD_LINES, "x")} == theirs
    assert len(theirs) == 9


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a=1\n\n = 2\n", "line 3: there is no name"),
        ("a=1\nb=\\u12\n", r"line 2: \\u is not followed"),
        ("b=\\u12_4\n", r"line 1: \\u is not followed"),
    ],
)
def test_a_malformed_file_names_the_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=rf"client\.properties, {complaint}"):
        from_text(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.properties cannot be read: no such file"):
        from_file(str(tmp_path / "absent.properties"))


# -- files made for others ---------------------------------------------------------------------------------------------


def test_what_other_clients_know_is_passed_over_and_what_none_knows_is_warned_about(tmp_path: Path) -> None:
    others = "acks=all\nretries=3\nmax.poll.records=1\nsocket.timeout.ms=5\n"
    found = from_text(tmp_path, others + "ssl.trustore.location=x\n")
    (warning,) = found.warnings
    assert "line 5: ssl.trustore.location is not a property of any client" in warning
    assert "did you mean ssl.truststore.location" in warning


def test_no_name_is_on_both_lists() -> None:
    assert not USED & KNOWN_ELSEWHERE


SASL = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n"
JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule"


@pytest.mark.parametrize(
    "lines",
    [
        f'sasl.jaas.config={JAAS} required username="ann" password="p\\\\"w;=";',
        f'sasl.jaas.config={JAAS} required \\\n  username="ann" \\\n  password="p\\\\"w;=" ;',
        'sasl.username=ann\nsasl.password=p"w;=',
        f'sasl.jaas.config={JAAS} required username="bob" password="x";\nsasl.username=ann\nsasl.password=p"w;=',
        f'sasl.username=bob\nsasl.password=x\nsasl.jaas.config={JAAS} required username=ann password="p\\\\"w;=";',
    ],
)
def test_a_login_is_found_under_java_names_and_librdkafka_names(tmp_path: Path, lines: str) -> None:
    found = from_text(tmp_path, SASL + lines)
    assert found.login == ("SCRAM-SHA-512", "ann", Secret('p"w;='))
    assert not found.warnings


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("security.protocol=SASL_SSL", "sasl.mechanism is not set"),
        ("security.protocol=SASL_SSL\nsasl.mechanism=GSSAPI", "does not speak Kerberos"),
        ("security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER", "does not speak OAUTHBEARER"),
        (SASL, "needs a name to log in with"),
        (SASL + "sasl.username=ann", "no password was given for ann"),
        (SASL + f'sasl.jaas.config={JAAS} username="ann" password="canary-2";', "sasl.jaas.config cannot be read"),
        (SASL + f'sasl.jaas.config={JAAS} required username="ann" password="canary-2;', "quotation mark is not closed"),
        (SASL + f'sasl.jaas.config={JAAS} required username="ann" "canary-2";', "not all of the form name=value"),
        (
            SASL + 'sasl.jaas.config=x.PlainLoginModule required username="ann" password="canary-2";',
            "names PlainLoginModule, which is not for SCRAM-SHA-512",
        ),
    ],
)
def test_a_login_that_is_not_whole_is_a_sentence_without_the_secret(tmp_path: Path, lines: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        from_text(tmp_path, lines)
    assert "canary" not in f"{caught.value} {caught.value.hint}"


def test_what_a_plaintext_cluster_has_no_use_for_is_not_even_read(tmp_path: Path) -> None:
    unread = "sasl.jaas.config=nonsense\nsasl.password=env:NOT_SET\nssl.truststore.location=/absent\n"
    found = from_text(tmp_path, unread)
    assert found == ClientProperties()


# -- where secrets are -------------------------------------------------------------------------------------------------


def password_of(folder: Path, reference: str, ask: Any = nobody) -> str:
    found = from_text(folder, SASL + "sasl.username=ann\n", (f"sasl.password={reference}",), ask)
    assert found.login is not None
    return found.login.password.reveal()


def test_a_secret_comes_from_where_it_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = tmp_path / "password"
    held.write_text("from file \n")
    held.chmod(0o600)
    (tmp_path / "more.properties").write_text("other=x\nkey = from key\n")
    (tmp_path / "more.properties").chmod(0o600)
    monkeypatch.setenv("ANN_PASSWORD", "from environment")
    assert password_of(tmp_path, "env:ANN_PASSWORD") == "from environment"
    assert password_of(tmp_path, f"file:{held}") == "from file "
    assert password_of(tmp_path, "prompt:", lambda purpose: f"typed as {purpose}") == "typed as sasl.password"
    assert password_of(tmp_path, "${env:ANN_PASSWORD}") == "from environment"
    assert password_of(tmp_path, f"${{file:{tmp_path}/more.properties:key}}") == "from key"
    assert password_of(tmp_path, f"${{directory:{tmp_path}:password}}") == "from file "


def test_a_keyring_is_asked_for_service_and_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    monkeypatch.setattr(keyring, "get_password", lambda service, user: {("a/b", "ann"): "kept"}.get((service, user)))
    assert password_of(tmp_path, "keyring:a/b/ann") == "kept"
    with pytest.raises(UsageError, match="holds nothing for bob at a/b") as caught:
        password_of(tmp_path, "keyring:a/b/bob")
    assert caught.value.hint == "run: keyring set a/b bob"


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("env:NOT_SET_ANYWHERE", "sasl.password: the environment variable NOT_SET_ANYWHERE is not set"),
        ("file:/absent/password", "sasl.password: /absent/password cannot be read"),
        ("keyring:nothing", "does not name an entry"),
        ("prompt:", "there is no terminal"),
    ],
)
def test_a_secret_that_is_not_there_is_named_by_its_place(tmp_path: Path, reference: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        password_of(tmp_path, reference)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_may_read_is_refused_with_what_to_run(tmp_path: Path, mode: int) -> None:
    held = tmp_path / "password"
    held.write_text("canary-3")
    held.chmod(mode)
    with pytest.raises(UsageError, match="others than its owner may read or write") as caught:
        password_of(tmp_path, f"file:{held}")
    assert caught.value.hint == f"run: chmod 600 {held}"


def test_a_properties_file_with_a_secret_that_others_may_read_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "admin.properties"
    path.write_text("ssl.keystore.password=canary-4\n")
    path.chmod(0o644)
    _, warnings = from_file(str(path))
    assert warnings == [f"{path} holds a secret, and others than its owner may read it; run: chmod 600 {path}"]


# -- addresses ---------------------------------------------------------------------------------------------------------


def test_addresses_are_read_in_order_and_once() -> None:
    assert parse_addresses("a:1, [::1]:2,b,a:1,::1") == [
        Address("a", 1),
        Address("::1", 2),
        Address("b", 9092),
        Address("::1", 9092),
    ]


@pytest.mark.parametrize("text", ["", ",", "a:", "a:x", "a:0", "a:65536", ":9092", "a:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_addresses(text)
