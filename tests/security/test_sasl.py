"""SCRAM word for word (RFC 7677), against another implementation's server, and against servers that lie."""

from __future__ import annotations

import base64

import pytest
from scramp import ScramMechanism

from logctl.errors import AccessDenied, UsageError
from logctl.security.sasl import Login, check_mechanism
from logctl.security.scram import ScramDialogue
from logctl.security.secrets import Secret

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROOF = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SIGNATURE = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def dialogue(password: str = "pencil") -> ScramDialogue:
    return ScramDialogue("SCRAM-SHA-256", "user", Secret(password), lambda: NONCE)


def test_the_conversation_of_the_standard() -> None:
    talk = dialogue()
    assert talk.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = SERVER_FIRST.split(b",")[0]
    assert talk.respond(SERVER_FIRST) == b"c=biws," + nonce + b",p=" + PROOF
    assert talk.respond(SIGNATURE) is None


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("user", ["ann", "o=d,d", "käthe"])
def test_another_implementation_lets_us_in(mechanism: str, user: str) -> None:
    theirs = ScramMechanism(mechanism)
    known = theirs.make_auth_info("s3cret, really", iteration_count=4096)
    server = theirs.make_server(lambda name: known if name == user else None)
    ours = Login(mechanism, user, Secret("s3cret, really")).dialogue()
    server.set_client_first(ours.first().decode())
    proof = ours.respond(server.get_server_first().encode())
    assert proof is not None
    server.set_client_final(proof.decode())
    assert ours.respond(server.get_server_final().encode()) is None


def test_no_two_conversations_begin_alike() -> None:
    login = Login("SCRAM-SHA-256", "ann", Secret("x"))
    assert login.dialogue().first() != login.dialogue().first()


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        (b"r=someone-else,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "does not go on from what was sent"),
        (b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "does not go on from what was sent"),
        (SERVER_FIRST.replace(b"i=4096", b"i=999999999"), "asks for 999999999 iterations"),
        (SERVER_FIRST.replace(b"i=4096", b"i=-1"), "asks for -1 iterations"),
        (SERVER_FIRST.replace(b"s=W22", b"s=*22"), "not in base 64"),
        (b"\xff\xfe", "not text"),
        (b"", "does not go on"),
        (b"e=unknown-user", "ended the SCRAM login: unknown-user"),
    ],
)
def test_a_server_that_does_not_follow_is_left(token: bytes, complaint: str) -> None:
    with pytest.raises(AccessDenied, match=complaint):
        dialogue().respond(token)


@pytest.mark.parametrize("last", [b"v=" + base64.b64encode(b"x" * 32), b"v=", b"", b"x"])
def test_a_server_that_does_not_know_the_password_is_found_out(last: bytes) -> None:
    talk = dialogue()
    talk.respond(SERVER_FIRST)
    with pytest.raises(AccessDenied, match="without knowing the password"):
        talk.respond(last)


def test_plain_says_it_all_at_once() -> None:
    talk = Login("PLAIN", "ann", Secret("s3cret")).dialogue()
    assert talk.first() == b"\0ann\0s3cret"
    assert talk.respond(b"") is None


def test_a_mechanism_that_is_not_spoken_is_named_with_those_that_are() -> None:
    assert check_mechanism("scram-sha-256") == "SCRAM-SHA-256"
    for name in ("GSSAPI", "OAUTHBEARER", "NTLM", "", None):
        with pytest.raises(UsageError) as caught:
            check_mechanism(name)
        assert "SCRAM-SHA-512" in caught.value.hint
