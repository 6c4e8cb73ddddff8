"""logctl quota, in every world: Apache's script reads back what is set, and what it sets is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.settled import settles
from support.worlds import Done, Witness, only

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]

NOWHERE = {"LOGCTL_BOOTSTRAP_SERVER": "127.0.0.1:1"}


def limits(logctl: Logctl, *of: str) -> dict[str, Any]:
    """The limits by whose they are."""
    return {one["name"]: one["limits"] for one in logctl("quota", "list", *of, "-o", "json").json["quotas"]}


@only("apache", "apache3")
def test_what_is_set_is_read_by_apaches_script_and_the_other_way_round(
    logctl: Logctl, fresh: Fresh, witness: Witness
) -> None:
    user, client = fresh("alice"), fresh("app")
    logctl("quota", "set", "--user", user, "producer_byte_rate=10MiB", "request_percentage=150%")
    logctl("quota", "set", "--user", user, "--client", client, "--add-config", "consumer_byte_rate=2048")
    described = witness.script("kafka-configs", "--describe", "--entity-type", "users", "--entity-name", user)
    assert "producer_byte_rate=1.048576E7" in described
    assert "request_percentage=150.0" in described
    whose = "--entity-type", "users", "--entity-name", user, "--entity-type", "clients", "--entity-name", client
    assert "consumer_byte_rate=2048.0" in witness.script("kafka-configs", "--describe", *whose)
    change = "producer_byte_rate=4096,controller_mutation_rate=5"
    witness.script("kafka-configs", "--alter", *whose, "--add-config", change)
    own = {"producer_byte_rate": 10485760, "request_percentage": 150}
    pair = {"consumer_byte_rate": 2048, "controller_mutation_rate": 5, "producer_byte_rate": 4096}
    settles(lambda: limits(logctl, "--user", user), {f"user={user}": own, f"user={user} client-id={client}": pair})
    table = logctl("quota", "describe", "--user", user).out
    assert "10 MiB/s" in table
    assert "per broker" in table
    assert "of the controller" in table
    assert "nothing to do" in logctl("quota", "unset", "--user", user, "consumer_byte_rate").err
    logctl("quota", "unset", "--user", user, "producer_byte_rate", "--delete-config", "request_percentage")
    assert f"user={user}" not in limits(logctl, "--user", user)
    undone = logctl("audit", "list", "-o", "name").out.split()[-1]
    logctl("audit", "undo", undone)
    assert limits(logctl, "--user", user)[f"user={user}"] == own
    logctl("quota", "unset", "--user", user, "producer_byte_rate", "request_percentage")
    every = "consumer_byte_rate", "controller_mutation_rate", "producer_byte_rate"
    logctl("quota", "unset", "--user", user, "--client", client, *every)
    settles(lambda: limits(logctl, "--user", user), {})


@only("apache", "apache3")
def test_defaults_and_addresses(logctl: Logctl, witness: Witness) -> None:
    logctl("quota", "set", "--ip", "10.9.8.7", "connection_creation_rate=100")
    logctl("quota", "set", "--ip-defaults", "connection_creation_rate=50")
    logctl("quota", "set", "--client-defaults", "request_percentage=90")
    told = witness.script("kafka-configs", "--describe", "--entity-type", "ips")
    assert "connection_creation_rate=100.0" in told
    assert "connection_creation_rate=50.0" in told
    settles(lambda: limits(logctl, "--ip-defaults"), {"ip=<default>": {"connection_creation_rate": 50}})
    settles(lambda: limits(logctl, "--ip", "10.9.8.7"), {"ip=10.9.8.7": {"connection_creation_rate": 100}})
    settles(lambda: limits(logctl, "--client-defaults"), {"client-id=<default>": {"request_percentage": 90}})
    for whose in (("--ip", "10.9.8.7"), ("--ip-defaults",)):
        logctl("quota", "unset", *whose, "connection_creation_rate")
    logctl("quota", "unset", "--client-defaults", "request_percentage")


@only("apache", "apache3")
def test_a_forgotten_unit_needs_a_confirmation(logctl: Logctl, fresh: Fresh) -> None:
    user = fresh("slow")
    refused = logctl("quota", "set", "--user", user, "producer_byte_rate=10", code=5)
    assert "was a unit forgotten" in refused.err
    settles(lambda: limits(logctl, "--user", user), {})
    logctl("quota", "set", "--user", user, "producer_byte_rate=10", "-y")
    settles(lambda: limits(logctl, "--user", user), {f"user={user}": {"producer_byte_rate": 10}})
    logctl("quota", "unset", "--user", user, "producer_byte_rate")


@only("apache", "apache3")
def test_a_plan_in_a_file_is_refused_when_the_world_has_moved(logctl: Logctl, fresh: Fresh, tmp_path: Path) -> None:
    user, plan = fresh("plans"), tmp_path / "plan.json"
    wanted = "quota", "set", "--user", user, "producer_byte_rate=1MiB"
    plan.write_bytes(logctl(*wanted, "--dry-run", "-o", "json").data)
    logctl("quota", "set", "--user", user, "producer_byte_rate=3MiB")
    logctl("quota", "set", "--plan", str(plan), code=9)
    logctl("quota", "unset", "--user", user, "producer_byte_rate")
    logctl("quota", "set", "--plan", str(plan))
    settles(lambda: limits(logctl, "--user", user), {f"user={user}": {"producer_byte_rate": 1048576}})
    path = tmp_path / "quotas.json"
    path.write_bytes(logctl("quota", "export", "-o", "json").data)
    assert "nothing to do" in logctl("quota", "import", str(path)).err
    logctl("quota", "unset", "--user", user, "producer_byte_rate")
    logctl("quota", "import", str(path))
    settles(lambda: limits(logctl, "--user", user), {f"user={user}": {"producer_byte_rate": 1048576}})
    logctl("quota", "unset", "--user", user, "producer_byte_rate")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("set", "producer_byte_rate=1MiB"), "Nobody was named"),
        (("set", "--user", "a"), "no limit was named"),
        (("set", "--user", "a", "producer_byte_rate=fast"), "'fast' is not a number of bytes"),
        (("set", "--user", "a", "producer_byte_rat=5"), "there is no limit 'producer_byte_rat'"),
        (("set", "--user", "a", "--ip", "10.0.0.1", "request_percentage=5"), "There is none of user with ip"),
        (("set", "--ip", "10.0.0.1", "producer_byte_rate=1MiB"), "cannot be limited for ip 10.0.0.1"),
        (("set", "--user", "a", "--user-defaults", "request_percentage=5"), "exclude each other"),
        (("unset", "--user", "a", "nonsense"), "there is no limit 'nonsense'"),
        (("import", "/nowhere.yaml"), "cannot read /nowhere.yaml"),
    ],
)
@only("ours")
def test_what_is_wrong_is_found_before_connecting(logctl: Logctl, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in logctl("quota", *arguments, env=NOWHERE, code=2).err


@only("ours")
def test_a_cluster_that_changes_no_quotas_says_so(logctl: Logctl) -> None:
    assert limits(logctl) == {}
    assert logctl("quota", "export").out == "quotas: []\n"
    assert "nothing to do" in logctl("quota", "unset", "--user", "a", "producer_byte_rate").err
    refused = logctl("quota", "set", "--user", "a", "producer_byte_rate=1MiB", code=1)
    assert "this cluster does not offer AlterClientQuotas (key 49)" in refused.err
