"""logctl config, in every world: what is changed is read back by others, and what others change is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.worlds import Done, Witness, World

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]


@pytest.fixture
def topic(logctl: Logctl, fresh: Fresh) -> str:
    name = fresh("settings")
    logctl("topic", "create", name)
    return name


def settings(logctl: Logctl, *of: str) -> dict[str, Any]:
    """What is set there, by name."""
    return {one["name"]: one["value"] for one in logctl("config", "list", *of, "-o", "json").json["settings"]}


def test_what_is_set_is_seen_by_others_and_what_they_set_is_seen(
    logctl: Logctl, topic: str, witness: Witness
) -> None:
    logctl("config", "set", "--topic", topic, "segment.ms=70000", "cleanup.policy=compact")
    where = "--entity-type", "topics", "--entity-name", topic
    told = witness.script("kafka-configs", *where, "--describe")
    assert "segment.ms=70000" in told
    assert "cleanup.policy=compact" in told
    witness.script("kafka-configs", *where, "--alter", "--add-config", "segment.ms=80000", "--delete-config", _POLICY)
    assert settings(logctl, "--topic", topic) == {"segment.ms": "80000"}
    logctl("config", "set", *where, "--alter", "--add-config", "max.message.bytes=2000,cleanup.policy=[compact,delete]")
    logctl("config", "unset", *where, "--delete-config", "segment.ms")
    assert settings(logctl, *where, "--describe") == {
        "cleanup.policy": "compact,delete",
        "max.message.bytes": "2000",
    }


_POLICY = "cleanup.policy"


def test_entries_come_and_go_without_touching_others(logctl: Logctl, topic: str) -> None:
    done = logctl("config", "append", "--topic", topic, "cleanup.policy=compact")
    assert done.err == f"changed topic {topic}: cleanup.policy=delete,compact\n"
    again = logctl("config", "append", "--topic", topic, "cleanup.policy=compact")
    assert again.err == f"compact is in cleanup.policy on topic {topic} already; nothing to do\n"
    logctl("config", "subtract", "--topic", topic, "cleanup.policy=delete")
    assert settings(logctl, "--topic", topic) == {"cleanup.policy": "compact"}
    refused = logctl("config", "append", "--topic", topic, "retention.ms=5", code=1)
    assert "retention.ms is not a list" in refused.err


def test_several_topics_are_changed_alike_and_compared(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    one, two = fresh("alike-a"), fresh("alike-b")
    for name in (one, two):
        logctl("topic", "create", name)
    both = "--topic", one, "--topic", two
    logctl("config", "set", *both, "segment.ms=70000")
    assert "have the same settings" in logctl("config", "diff", *both).err
    logctl("config", "set", "--topic", two, "segment.ms=90000")
    document = logctl("config", "diff", *both, "-o", "json").json
    [difference] = document["differences"]
    assert (difference["name"], document["left"], document["right"]) == ("segment.ms", f"topic {one}", f"topic {two}")
    assert difference["left"] == {"value": "70000", "source": "topic", "known": True}
    assert difference["right"] == {"value": "90000", "source": "topic", "known": True}
    pattern = "--topic", "alike-*"
    listed = logctl("config", "list", *pattern, "-o", "json").json["settings"]
    assert {(row["entity_name"], row["value"]) for row in listed} >= {(one, "70000"), (two, "90000")}
    logctl("config", "unset", *both, "segment.ms")
    assert settings(logctl, *both) == {}


def test_a_topic_is_compared_with_one_elsewhere(world: World, logctl: Logctl, topic: str, fresh: Fresh) -> None:
    there = "--to-bootstrap", world.bootstrap
    assert "have the same settings" in logctl("config", "diff", "--topic", topic, *there).err
    other = fresh("there")
    logctl("topic", "create", other, "--config", "segment.ms=70000")
    document = logctl("config", "diff", "--topic", topic, "--topic", other, *there, "-o", "json").json
    assert [one["name"] for one in document["differences"]] == ["segment.ms"]
    assert document["right"] == f"topic {other} of {world.bootstrap}"
    logctl("context", "add", "elsewhere", "-b", world.bootstrap)
    told = logctl("config", "diff", "--topic", topic, "--topic", other, "--to-context", "elsewhere").out
    assert told.splitlines()[1].split() == ["segment.ms", "604800000", "70000", "default", "topic"]
    assert "not both" in logctl("config", "diff", "--topic", topic, *there, "--to-context", "x", code=2).err


@pytest.fixture
def broker_left_as_it_was(logctl: Logctl) -> Iterator[None]:
    yield
    for entity in (("--broker", "1"), ("--broker-defaults",)):
        logctl("config", "unset", *entity, "log.retention.ms")


@pytest.mark.usefixtures("broker_left_as_it_was")
def test_a_broker_has_settings_of_its_own_before_those_of_all(logctl: Logctl, witness: Witness) -> None:
    logctl("config", "set", "--broker-defaults", "log.retention.ms=700000000")
    assert logctl("config", "get", "--broker", "1", "log.retention.ms").out == "700000000\n"
    logctl("config", "set", "--entity-type", "brokers", "--entity-name", "1", "--add-config", f"{_RETENTION}=800000000")
    [shown] = logctl("config", "get", "--broker", "1", "log.retention.ms", "-o", "json").json["settings"]
    assert (shown["value"], shown["source"], shown["set_here"]) == ("800000000", "broker", True)
    assert [layer["source"] for layer in shown["layers"]][:2] == ["broker", "all brokers"]
    everyone = logctl("config", "list", "--entity-type", "brokers", "-o", "json").json["settings"]
    told = {(one["entity_kind"], one["entity_name"], one["value"]) for one in everyone if one["name"] == _RETENTION}
    assert told >= {("broker", "1", "800000000"), ("all", "brokers", "700000000")}


_RETENTION = "log.retention.ms"


def test_groups_and_client_metrics_have_settings_too(logctl: Logctl, fresh: Fresh) -> None:
    group, metrics = fresh("group"), fresh("metrics")
    logctl("config", "set", "--group", group, "consumer.session.timeout.ms=50000")
    assert settings(logctl, "--group", group) == {"consumer.session.timeout.ms": "50000"}
    logctl("config", "set", "--client-metrics", metrics, "interval.ms=10000")
    every = logctl("config", "list", "--entity-type", "client-metrics", "-o", "json").json["settings"]
    assert (metrics, "10000") in {(one["entity_name"], one["value"]) for one in every}
    logctl("config", "unset", "--group", group, "consumer.session.timeout.ms")
    logctl("config", "unset", "--client-metrics", metrics, "interval.ms")
    assert settings(logctl, "--group", group) == {}


def test_loggers_tell_their_levels(world: World, logctl: Logctl) -> None:
    levels = settings(logctl, "--broker-logger", "1")
    assert levels["root"] in ("INFO", "WARN", "ERROR", "OFF", "DEBUG", "TRACE")


def test_a_change_is_taken_back(logctl: Logctl, topic: str) -> None:
    logctl("config", "set", "--topic", topic, "segment.ms=70000")
    logctl("config", "set", "--topic", topic, "segment.ms=80000", "cleanup.policy=compact")
    undone = logctl("audit", "undo", _newest(logctl), "-y")
    assert "segment.ms=70000" in undone.err
    assert settings(logctl, "--topic", topic) == {"segment.ms": "70000"}


def _newest(logctl: Logctl) -> str:
    return logctl("audit", "list", "-o", "name").out.splitlines()[-1].strip()


def test_a_plan_kept_in_a_file_is_carried_out_later(logctl: Logctl, topic: str, tmp_path: Path) -> None:
    plan = logctl("config", "append", "--topic", topic, "cleanup.policy=compact", "--dry-run", "-o", "json").out
    (tmp_path / "plan.json").write_text(plan)
    logctl("config", "append", "--plan", str(tmp_path / "plan.json"))
    assert settings(logctl, "--topic", topic) == {"cleanup.policy": "delete,compact"}


def test_secrets_come_from_elsewhere_and_are_shown_nowhere(
    logctl: Logctl, tmp_path: Path, home: Path, world: World
) -> None:
    open_wide = "listener.name.other.ssl.key.password=CANARY-1"
    assert "can be read by others" in logctl("config", "set", "--broker", "1", open_wide, code=2).err
    file = tmp_path / "secrets.properties"
    file.write_text("listener.name.other.ssl.key.password=CANARY-2\n")
    file.chmod(0o644)
    given = "config", "set", "--broker", "1", "--add-config-file", str(file)
    assert "chmod 600" in logctl(*given, code=2).err
    file.chmod(0o600)
    tried = logctl(*given, "--dry-run", "-o", "json")
    assert "(not shown)" in tried.out
    by_reference = "listener.name.other.ssl.key.password=env:HIDDEN"
    again = logctl("config", "set", "--broker", "1", by_reference, "--dry-run", env={"HIDDEN": "CANARY-3"})
    assert "CANARY" not in tried.out + tried.err + again.out + again.err
    assert all(b"CANARY" not in path.read_bytes() for path in (home / "state").rglob("*") if path.is_file())


def test_what_cannot_be_is_refused_by_name(logctl: Logctl, topic: str) -> None:
    assert "INVALID_CONFIG" in logctl("config", "set", "--topic", topic, "retention.ms=many", code=1).err
    for setting in ("log.retention.ms=soon", "log.dirs=/elsewhere"):
        for dry in ([], ["--dry-run"]):
            assert "INVALID_REQUEST" in logctl("config", "set", "--broker", "1", setting, *dry, code=1).err
    assert "did you mean retention.ms" in logctl("config", "get", "--topic", topic, "retention.sm", code=1).err
    assert f"did you mean {topic}" in logctl("config", "set", "--topic", f"{topic}x", "segment.ms=70000", code=1).err
    assert "no topic matches" in logctl("config", "list", "--topic", "no-such-*", code=1).err
    part = logctl("config", "list", "--topic", topic, "--topic", f"{topic}x", "-o", "json", code=4)
    assert [one["name"] for one in part.json["errors"]] == [f"topic {topic}x"]
    assert "every topic would be changed" in logctl("config", "set", "--entity-type", "topics", "a=1", code=2).err
    assert "is not among the brokers" in logctl("config", "list", "--broker", "77", code=7).err
