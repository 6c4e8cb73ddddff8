"""logctl topic on our node, to the letter; what it means in every world is told in tests/peers/behaviour."""

from __future__ import annotations

import csv
import io
import json

import pytest
import yaml
from cli.conftest import Logctl, make_topic

# -- create ----------------------------------------------------------------------------------------------------------


def test_a_topic_is_created_seen_and_told_of(logctl: Logctl, name: str) -> None:
    done = logctl(
        "topic", "create", name, "--partitions", "3", "--replication-factor", "1", "--config", "retention.ms=60000"
    )
    assert done == (0, "", f"created topic {name}: partitions 3, replication factor 1, retention.ms=60000\n")


def test_the_clusters_defaults_fill_in_what_was_not_said(logctl: Logctl, name: str) -> None:
    done = logctl("topic", "create", name)
    assert done.err == f"created topic {name}: partitions 1, replication factor 1\n"


def test_apaches_way_to_write_it_is_understood(logctl: Logctl, name: str) -> None:
    assert logctl("topic", "create", "--topic", name, "--replica-assignment", "1,1", "--if-not-exists").code == 0
    described = json.loads(logctl("topic", "describe", "--topic", name, "-o", "json").out)
    assert [row["replicas"] for row in described["topics"][0]["partitions"]] == [[1], [1]]


def test_what_exists_is_refused_or_accepted_as_asked(logctl: Logctl, topic: str) -> None:
    again = logctl("topic", "create", topic)
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith(f"error: topic {topic} exists already\nhint: add --if-not-exists")
    accepted = logctl("topic", "create", topic, "--partitions", "2", "--if-not-exists")
    assert accepted == (
        0,
        "",
        f"warning: topic {topic} has partitions 1, not 2\ntopic {topic} exists already; nothing to do\n",
    )


def test_a_dry_run_shows_the_plan_and_creates_nothing(logctl: Logctl, name: str) -> None:
    done = logctl(
        "topic", "create", name, "--partitions", "2", "--config", "retention.ms=5", "--dry-run", "--exit-code"
    )
    assert done == (
        3,
        f"create topic {name} with 2 partitions and the cluster's replication factor\n"
        f"topic {name}\n  + partitions: 2\n  + configs.retention.ms: 5\n",
        "nothing was changed: this was a dry run\n",
    )
    plan = json.loads(logctl("topic", "create", name, "--dry-run", "-o", "json").out)
    assert plan["steps"][0]["action"] == "topic.create"
    assert logctl("topic", "describe", name).code == 1


def test_a_change_is_reported_to_machines_as_well(logctl: Logctl, name: str) -> None:
    report = json.loads(logctl("topic", "create", name, "-o", "json").out)
    assert report["changed"] is True
    assert report["changes"][0]["name"] == name
    assert report["changes"][0]["now"]["partitions"] == 1
    nothing = yaml.safe_load(logctl("topic", "create", name, "--if-not-exists", "-o", "yaml").out)
    assert (nothing["changed"], nothing["notes"]) == (False, [f"topic {name} exists already"])


# -- list ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(logctl: Logctl, name: str) -> str:
    """Two topics, `<name>.a` with one partition and `<name>.b` with two."""
    make_topic(logctl, f"{name}.b", "--partitions", "2")
    make_topic(logctl, f"{name}.a")
    return name


def test_a_list_is_a_table_with_numbers_to_the_right(logctl: Logctl, pair: str) -> None:
    width = len(pair) + 2
    assert logctl("topic", "list", f"{pair}.*") == (
        0,
        f"{'NAME':<{width}}  PARTITIONS  REPLICATION\n"
        f"{pair}.a           1            1\n"
        f"{pair}.b           2            1\n",
        "",
    )


def test_a_list_has_every_form(logctl: Logctl, pair: str) -> None:
    names = [f"{pair}.a", f"{pair}.b"]
    pattern = f"{pair}.?"
    document = json.loads(logctl("topic", "list", pattern, "-o", "json").out)
    assert (document["complete"], document["errors"]) == (True, [])
    assert [(one["name"], one["partitions"], one["replication_factor"]) for one in document["topics"]] == [
        (names[0], 1, 1),
        (names[1], 2, 1),
    ]
    assert yaml.safe_load(logctl("topic", "list", pattern, "-o", "yaml").out) == document
    assert logctl("topic", "list", pattern, "-o", "name").out.split() == names
    rows = list(csv.reader(io.StringIO(logctl("topic", "list", pattern, "-o", "csv").out)))
    assert rows[0] == ["name", "partitions", "replication", "id", "internal"]
    assert rows[1][:3] == [names[0], "1", "1"]
    wide = logctl("topic", "list", pattern, "-o", "wide").out.splitlines()
    assert wide[0].split() == ["NAME", "PARTITIONS", "REPLICATION", "ID", "INTERNAL"]
    assert wide[1].split()[3] == document["topics"][0]["id"]
    assert logctl("topic", "list", pattern, "--no-headers").out.split() == [names[0], "1", "1", names[1], "2", "1"]


def test_topics_are_chosen_by_name_pattern_and_expression(logctl: Logctl, pair: str) -> None:
    def chosen(*arguments: str) -> list[str]:
        return [one.removeprefix(pair) for one in logctl("topic", "list", *arguments, "-o", "name").out.split()]

    assert chosen(f"{pair}.a") == [".a"]
    assert chosen(f"{pair}.b", f"{pair}.a") == [".a", ".b"]
    assert chosen("--topic", f"{pair}[.].") == [".a", ".b"]
    assert chosen(f"{pair}*", "--exclude-internal") == [".a", ".b"]
    assert chosen("no-such-topic-*") == []


def test_a_name_that_does_not_exist_leaves_the_others_standing(logctl: Logctl, pair: str) -> None:
    done = logctl("topic", "list", f"{pair}.a", f"{pair}.c", "-o", "json")
    assert done.code == 4
    document = json.loads(done.out)
    assert [one["name"] for one in document["topics"]] == [f"{pair}.a"]
    assert document["complete"] is False
    [error] = document["errors"]
    assert (error["name"], error["message"]) == (f"{pair}.c", f"topic {pair}.c does not exist")
    assert f"{pair}.b" in error["hint"]
    assert done.err == f"error: the answer is not complete\n  topic {pair}.c does not exist\n"


# -- describe --------------------------------------------------------------------------------------------------------


def test_a_topic_is_described_with_its_settings_and_partitions(logctl: Logctl, name: str) -> None:
    make_topic(logctl, name, "--partitions", "2", "--config", "cleanup.policy=compact", "--config", "retention.ms=1000")
    found = json.loads(logctl("topic", "describe", name, "-o", "json").out)["topics"][0]
    assert found["configs"] == {"cleanup.policy": "compact", "retention.ms": "1000"}
    assert [(row["partition"], row["leader"], row["replicas"], row["isr"]) for row in found["partitions"]] == [
        (0, 1, [1], [1]),
        (1, 1, [1], [1]),
    ]
    assert logctl("topic", "describe", name).out == (
        f"topic {name}, id {found['id']}, partitions 2, replication factor 1\n"
        "  cleanup.policy=compact\n"
        "  retention.ms=1000\n"
        "PARTITION  LEADER  REPLICAS  ISR\n"
        "        0       1  1         1\n"
        "        1       1  1         1\n"
    )


def test_a_description_has_every_form(logctl: Logctl, topic: str) -> None:
    document = json.loads(logctl("topic", "describe", topic, "-o", "json").out)
    assert yaml.safe_load(logctl("topic", "describe", topic, "-o", "yaml").out) == document
    assert logctl("topic", "describe", topic, "-o", "name").out == f"{topic}\n"
    head, row = logctl("topic", "describe", topic, "-o", "csv").out.splitlines()
    assert head == "topic,partition,leader,replicas,isr,offline,adding,removing,epoch,elr,last_known_elr"
    assert row.startswith(f"{topic},0,1,1,1,-,")
    wide = logctl("topic", "describe", topic, "-o", "wide").out.splitlines()
    assert wide[1] == "PARTITION  LEADER  REPLICAS  ISR  OFFLINE  ADDING  REMOVING  EPOCH  ELR  LAST-KNOWN-ELR"


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(logctl: Logctl, topic: str) -> None:
    done = logctl("topic", "describe", f"{topic}x")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: topic {topic}x does not exist\nhint: did you mean {topic}")


# -- delete ----------------------------------------------------------------------------------------------------------


def test_a_topic_is_deleted_and_gone(logctl: Logctl, topic: str) -> None:
    assert logctl("topic", "delete", topic, "-y") == (0, "", f"deleted topic {topic}\n")
    assert logctl("topic", "describe", topic).code == 1


def test_nothing_is_deleted_without_a_word_from_somebody(logctl: Logctl, topic: str) -> None:
    done = logctl("topic", "delete", topic)
    assert (done.code, done.out) == (5, "")
    assert "no terminal to ask at\nhint: add -y to go ahead\n" in done.err
    assert logctl("topic", "describe", topic).code == 0


def test_a_rehearsal_deletes_nothing(logctl: Logctl, topic: str) -> None:
    done = logctl("topic", "delete", topic, "--dry-run")
    assert done.code == 0
    sentence = f"delete topic {topic}, its 1 partition and every record in it [destructive, no way back]"
    assert done.out.startswith(f"{sentence}\ntopic {topic}\n  - id: ")
    assert logctl("topic", "describe", topic).code == 0


def test_a_read_only_shell_changes_nothing_whatever_the_flags(logctl: Logctl, topic: str) -> None:
    done = logctl("topic", "delete", topic, "-y", env={"LOGCTL_READ_ONLY": "1"})
    assert done.code == 5
    assert "LOGCTL_READ_ONLY=1 refuses every change" in done.err
    assert logctl("topic", "describe", topic, env={"LOGCTL_READ_ONLY": "1"}).code == 0


def test_deleting_what_does_not_exist_is_refused_or_accepted_as_asked(logctl: Logctl, topic: str, name: str) -> None:
    done = logctl("topic", "delete", f"{name}-x", "-y")
    assert done.code == 1
    assert f"topic {name}-x does not exist\nhint: did you mean {name}" in done.err
    accepted = logctl("topic", "delete", topic, f"{name}-x", "--if-exists", "-y", "-o", "name")
    assert accepted == (0, f"{topic}\n", f"deleted topic {topic}\n")
    assert logctl("topic", "delete", topic, "--if-exists", "-y") == (
        0,
        "",
        f"topic {topic} does not exist; nothing to do\n",
    )
