"""logctl user, in every world: who can log in is read back by others, and the password is found nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion
from support.settled import settles
from support.waiting import wait_until
from support.worlds import Done, Witness, only

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]

CANARY = "canary-in-the-mine"
NOWHERE = {"LOGCTL_BOOTSTRAP_SERVER": "127.0.0.1:1"}


def seen_by(witness: Witness, name: str) -> dict[str, int]:
    """Mechanism -> iterations, as kafka-python reads them."""
    infos: list[dict[str, Any]] = witness.admin.describe_user_scram_credentials([name])[name]["credential_infos"]
    return {one["mechanism"].name.replace("_", "-"): one["iterations"] for one in infos}


@only("apache", "apache3")
def test_a_user_comes_changes_and_goes(logctl: Logctl, fresh: Fresh, witness: Witness, tmp_path: Path) -> None:
    name, secret = fresh("alice"), tmp_path / "password"
    logctl("user", "create", name, "--password", "-", stdin=f"{CANARY}\n")
    settles(lambda: seen_by(witness, name), {"SCRAM-SHA-256": 8192})
    assert "exists already" in logctl("user", "create", name, "--password", "-", stdin="x", code=1).err
    secret.write_text(f"{CANARY}\n")
    secret.chmod(0o644)
    another = "user", "alter", name, "--mechanism", "scram-sha-512", "--iterations", "4096"
    assert "chmod 600" in logctl(*another, "--password", f"file:{secret}", code=2).err
    secret.chmod(0o600)
    logctl(*another, "--password", f"file:{secret}")
    settles(lambda: seen_by(witness, name), {"SCRAM-SHA-256": 8192, "SCRAM-SHA-512": 4096})
    env = {"PASSWORD_OF_ALICE": CANARY}
    changed = "user", "alter", name, "--password", "env:PASSWORD_OF_ALICE", "--iterations", "5000"
    logctl(*changed, env=env, code=5)
    logctl(*changed, "-y", env=env)
    settles(lambda: seen_by(witness, name), {"SCRAM-SHA-256": 5000, "SCRAM-SHA-512": 4096})
    logctl("user", "delete", name, "--mechanism", "SCRAM-SHA-256", code=5)
    logctl("user", "delete", name, "--mechanism", "SCRAM-SHA-256", "-y")
    settles(lambda: seen_by(witness, name), {"SCRAM-SHA-512": 4096})
    logctl("user", "delete", name, "-y")
    settles(lambda: seen_by(witness, name), {})
    logctl("user", "delete", name, "-y", code=1)
    logctl("user", "delete", name, "-y", "--if-exists")


@only("apache", "apache3")
def test_what_others_made_is_listed(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    name = fresh("bob")
    made = UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_256, "x", iterations=4096)
    witness.admin.alter_user_scram_credentials([made])
    wait_until(lambda: name in logctl("user", "list", "-o", "name").out.split(), "the user to be seen")
    [user] = logctl("user", "list", name, "-o", "json").json["users"]
    assert user == {"name": name, "credentials": [{"mechanism": "SCRAM-SHA-256", "iterations": 4096}]}
    assert name in logctl("user", "list", f"{name[:4]}*", "-o", "name").out.split()
    partial = logctl("user", "list", name, fresh("nobody"), "-o", "json", code=4)
    assert [one["name"] for one in partial.json["users"]] == [name]
    logctl("user", "list", fresh("nobody"), code=1)
    logctl("user", "delete", name, "-y")


@only("apache", "apache3")
def test_the_password_is_in_no_output_plan_or_journal(logctl: Logctl, fresh: Fresh, home: Path) -> None:
    name = fresh("eve")
    env = {"PASSWORD_OF_EVE": CANARY}
    create = "user", "create", name
    said = [
        logctl(*create, "--password", "-", "--dry-run", "-o", "json", stdin=CANARY),
        logctl(*create, "--password", "env:PASSWORD_OF_EVE", "--dry-run", "-o", "json", env=env),
    ]
    asked, found = home / "asked.json", home / "found.json"
    asked.write_bytes(said[0].data)
    found.write_bytes(said[1].data)
    refused = logctl("user", "create", "--plan", str(asked), code=2)
    said += [
        refused,
        logctl("user", "create", "--plan", str(found), env=env),
        logctl("user", "alter", name, "--password", "-", "-y", "-o", "json", stdin=CANARY),
        logctl("user", "alter", name, "--password", "-", "--iterations", "1", stdin=CANARY, code=2),
        logctl("audit", "list", "-o", "json"),
        logctl("user", "delete", name, "-y"),
    ]
    assert not any(CANARY in one.out + one.err for one in said)
    written = [path for path in home.rglob("*") if path.is_file()]
    assert len(written) > 2, "plans and the journal"
    assert not any(CANARY.encode() in path.read_bytes() for path in written)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "--password", "env:X"), "no user was named"),
        (("create", "a", "--password", CANARY), "a password is not written where others can read it"),
        (("create", "a", "--password", "env:NOT_SET_AT_ALL"), "NOT_SET_AT_ALL is not set"),
        (("create", "a", "--password", "file:/nowhere"), "/nowhere cannot be read"),
        (("create", "a"), "there is no terminal to ask at"),
        (("create", "a", "--password", "-"), "the password is empty"),
        (("create", "a", "--password", "-", "--iterations", "100"), "Kafka takes 4096 to 16384"),
        (("create", "a", "--password", "-", "--mechanism", "plain"), "'PLAIN' is no mechanism"),
        (("delete",), "no user was named"),
    ],
)
@only("ours")
def test_what_is_wrong_is_found_before_connecting(logctl: Logctl, arguments: tuple[str, ...], sentence: str) -> None:
    refused = logctl("user", *arguments, env=NOWHERE, code=2)
    assert sentence in refused.err
    assert CANARY not in refused.err


@only("ours")
def test_a_cluster_that_makes_no_users_says_so(logctl: Logctl) -> None:
    assert logctl("user", "list", "-o", "json").json["users"] == []
    refused = logctl("user", "create", "a", "--password", "-", stdin="x\n", code=1)
    assert "this cluster does not offer AlterUserScramCredentials (key 51)" in refused.err
    assert "user a does not exist" in logctl("user", "delete", "a", code=1).err
