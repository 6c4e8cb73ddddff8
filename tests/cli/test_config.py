"""logctl config, and topic add-partitions, on our node, to the letter; tests/peers/behaviour has every world."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from cli.conftest import Logctl, make_topic


def test_a_setting_is_set_shown_and_put_back(logctl: Logctl, topic: str) -> None:
    done = logctl("config", "set", "--topic", topic, "retention.ms=60000", "segment.ms=7000")
    assert done == (
        0,
        "",
        f"warning: a lower retention.ms deletes records of topic {topic} that lie beyond it, for good\n"
        f"changed topic {topic}: retention.ms=60000, segment.ms=7000\n",
    )
    listed = logctl("config", "list", "--topic", topic)
    assert [line.split() for line in listed.out.splitlines()] == [
        ["NAME", "VALUE", "FROM"],
        ["retention.ms", "60000", "topic"],
        ["segment.ms", "7000", "topic"],
    ]
    assert logctl("config", "get", "--topic", topic, "retention.ms") == (0, "60000\n", "")
    unset = logctl("config", "unset", "--topic", topic, "retention.ms")
    assert unset == (0, "", f"changed topic {topic}: retention.ms back to its default\n")
    assert logctl("config", "get", "--topic", topic, "retention.ms").out == "604800000\n"


def test_what_is_so_already_is_left_alone(logctl: Logctl, name: str) -> None:
    topic = make_topic(logctl, name, "--config", "retention.ms=5")
    again = logctl("config", "set", "--topic", topic, "retention.ms=5")
    assert again == (0, "", f"retention.ms is 5 on topic {topic} already; nothing to do\n")
    absent = logctl("config", "unset", "--topic", topic, "segment.ms")
    assert absent == (0, "", f"segment.ms is not set on topic {topic}; nothing to do\n")


def test_everything_is_told_to_a_machine(logctl: Logctl, name: str) -> None:
    topic = make_topic(logctl, name, "--config", "max.message.bytes=5000")
    document = json.loads(logctl("config", "list", "--topic", topic, "--all", "-o", "json").out)
    assert {(one["entity_kind"], one["entity_name"]) for one in document["settings"]} == {("topic", topic)}
    settings = {setting["name"]: setting for setting in document["settings"]}
    assert len(settings) >= 33
    told = settings["max.message.bytes"]
    assert (told["value"], told["source"], told["set_here"], told["type"]) == ("5000", "topic", True, "int")
    assert told["layers"][0] == {"name": "max.message.bytes", "value": "5000", "source": "topic"}
    assert told["documentation"]


def test_a_trial_changes_nothing(logctl: Logctl, topic: str) -> None:
    tried = logctl("config", "set", "--topic", topic, "retention.ms=5", "--dry-run", "--exit-code")
    assert tried.code == 3
    assert tried.out == (
        f"set retention.ms=5 on topic {topic}\ntopic {topic}\n  + configs.retention.ms: 5\n"
    )
    assert logctl("config", "list", "--topic", topic, "--no-headers").out == ""


@pytest.fixture
def broker_left_as_it_was(logctl: Logctl) -> Iterator[None]:
    yield
    for entity in (("--broker", "1"), ("--broker-defaults",)):
        logctl("config", "unset", *entity, "log.retention.ms")


@pytest.mark.usefixtures("broker_left_as_it_was")
def test_a_broker_s_setting_comes_before_that_of_all_brokers(logctl: Logctl) -> None:
    assert logctl("config", "set", "--broker-defaults", "log.retention.ms=7000").err == (
        "changed all brokers: log.retention.ms=7000\n"
    )
    assert logctl("config", "get", "--broker", "1", "log.retention.ms").out == "7000\n"
    assert logctl("config", "set", "--broker", "1", "log.retention.ms=8000").code == 0
    shown = json.loads(logctl("config", "get", "--broker", "1", "log.retention.ms", "-o", "json").out)
    assert [(layer["value"], layer["source"]) for layer in shown["settings"][0]["layers"]][:2] == [
        ("8000", "broker"),
        ("7000", "all brokers"),
    ]


def test_apaches_way_to_write_it_is_understood(logctl: Logctl, topic: str) -> None:
    entity = ("--entity-type", "topics", "--entity-name", topic)
    assert logctl("config", "set", *entity, "retention.ms=5").code == 0
    assert logctl("config", "get", *entity, "retention.ms").out == "5\n"
    assert logctl("config", "list", "--entity-type", "brokers", "--entity-default").code == 0


def test_a_name_that_was_meant_is_suggested(logctl: Logctl, topic: str) -> None:
    assert "did you mean retention.ms" in logctl("config", "set", "--topic", topic, "retentoin.ms=5").err
    unknown = logctl("config", "get", "--topic", topic, "retentoin.ms")
    assert (unknown.code, unknown.out) == (1, "")
    assert "did you mean retention.ms" in unknown.err
    nowhere = logctl("config", "set", "--topic", f"{topic}x", "retention.ms=5")
    assert nowhere.code == 1
    assert f"did you mean {topic}" in nowhere.err
    assert logctl("config", "list", "--topic", f"{topic}x").code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list"], "say whose settings are meant"),
        (["list", "--topic", "a", "--broker", "1"], "one kind of thing at a time"),
        (["list", "--broker", "one"], "a broker is named by its id"),
        (["get", "--topic", "a"], "no setting was named"),
        (["set", "--topic", "a"], "no setting was named"),
        (["set", "--topic", "a", "retention.ms"], "a setting has the form name=value"),
        (["set", "--topic", "a", "x=1", "x=2"], "x is given twice"),
        (["unset", "--topic", "a"], "no setting was named"),
        (["list", "--entity-type", "users", "--entity-name", "a"], "that is looked after by `logctl user`"),
        (["list", "--entity-type", "moons", "--entity-name", "a"], "it is one of topics, brokers"),
        (["list", "--entity-type", "topics", "--entity-default"], "there are no defaults of topics"),
        (["diff", "--topic", "a"], "only one was named"),
        (["append", "--topic", "a", "cleanup.policy="], "no entry was named"),
        (["set", "--broker", "1", "ssl.key.password=hush"], "a secret on the command line can be read by others"),
        (["set", "--broker", "1", "ssl.key.password=env:NOT_THERE"], "NOT_THERE is not set"),
    ],
)
def test_what_is_said_wrongly_is_found_before_anything_is_sent(
    logctl: Logctl, arguments: list[str], says: str
) -> None:
    refused = logctl("config", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert says in refused.err


# -- topic add-partitions --------------------------------------------------------------------------------------------


def test_a_topic_grows(logctl: Logctl, topic: str) -> None:
    done = logctl("topic", "add-partitions", topic, "3")
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith(f"changed topic {topic}: partitions 3, replication factor 1\n")
    assert "records with a key may go to another partition" in done.err
    assert json.loads(logctl("topic", "list", topic, "-o", "json").out)["topics"][0]["partitions"] == 3


def test_it_grows_as_apache_writes_it_too(logctl: Logctl, topic: str) -> None:
    flags = ("--topic", topic, "--partitions", "2", "--replica-assignment", "1")
    assert logctl("topic", "add-partitions", *flags).code == 0
    again = logctl("topic", "add-partitions", topic, "2")
    assert again == (0, "", f"topic {topic} has 2 partitions already; nothing to do\n")


def test_partitions_only_become_more(logctl: Logctl, name: str) -> None:
    topic = make_topic(logctl, name, "--partitions", "3")
    fewer = logctl("topic", "add-partitions", topic, "2")
    assert (fewer.code, fewer.out) == (1, "")
    assert fewer.err.startswith(f"error: topic {topic} has 3 partitions, and they can only become more\n")
    assert logctl("topic", "add-partitions", topic, "5", "--replica-assignment", "1").code == 2
    placed = logctl("topic", "add-partitions", topic, "4", "--replica-assignment", "99", "--dry-run")
    assert "INVALID_REPLICA_ASSIGNMENT" in placed.err
    assert logctl("topic", "add-partitions", f"{topic}x", "4").code == 1
    assert logctl("topic", "add-partitions", topic).code == 2
