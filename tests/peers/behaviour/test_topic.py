"""logctl topic, in every world: what we change is read back by others, and we read what others changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import CoordinatorNotAvailableError
from support.waiting import wait_until
from support.worlds import Done, Witness, World

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]


def described(witness: Witness, name: str) -> dict[str, Any]:
    """The topic as kafka-python sees it."""
    [topic] = witness.admin.describe_topics([name])
    found: dict[str, Any] = topic
    return found


def partitions(witness: Witness, name: str) -> int:
    return len(described(witness, name)["partitions"])


def setting(witness: Witness, name: str, key: str) -> tuple[str, str]:
    """Value and source of a topic's setting as kafka-configs tells them."""
    shown = witness.script("kafka-configs", "--describe", "--all", "--entity-type", "topics", "--entity-name", name)
    found = re.search(rf"\s{re.escape(key)}=(\S*) sensitive=\S+ synonyms=\{{(\w*)", shown)
    assert found, shown
    return found[1], found[2]


def fill(logctl: Logctl, name: str, count: int) -> None:
    """So many records in partition 0."""
    lines = "".join(f"record {number}\n" for number in range(count))
    logctl("record", "produce", name, "--partition", "0", stdin=lines)


def start_of(witness: Witness, name: str, partition: int = 0) -> int:
    """Where the partition begins, in the eyes of Apache's tool."""
    shown = witness.script("kafka-get-offsets", "--topic-partitions", f"{name}:{partition}", "--time", "earliest")
    return int(shown.strip().rpartition(":")[2])


# -- create ----------------------------------------------------------------------------------------------------------


def test_topics_are_created_alike_and_seen_by_others(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    names = [fresh("orders"), fresh("orders")]
    done = logctl("topic", "create", *names, "--partitions", "3", "--config", "retention.ms=86400000", "-o", "json")
    assert [change["name"] for change in done.json["changes"]] == names
    assert [partitions(witness, name) for name in names] == [3, 3]
    assert setting(witness, names[0], "retention.ms") == ("86400000", "DYNAMIC_TOPIC_CONFIG")


def test_one_that_exists_keeps_the_others_from_being_created(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    there, other = fresh("there"), fresh("other")
    logctl("topic", "create", there)
    done = logctl("topic", "create", other, there, code=1)
    assert f"topic {there} exists already" in done.err
    assert other not in witness.admin.list_topics()
    logctl("topic", "create", other, there, "--if-not-exists")
    assert other in witness.admin.list_topics()


@pytest.mark.parametrize(
    ("flags", "kafka_says"),
    [
        (["--replication-factor", "9"], "INVALID_REPLICATION_FACTOR"),
        (["--config", "retention.ms=soon"], "INVALID_CONFIG"),
        (["--config", "no.such.setting=1"], "INVALID_CONFIG"),
        (["--replica-assignment", "99"], "INVALID_REPLICA_ASSIGNMENT"),
    ],
)
def test_what_the_cluster_refuses_is_refused_by_name_in_earnest_and_in_rehearsal(
    logctl: Logctl, fresh: Fresh, flags: list[str], kafka_says: str
) -> None:
    name = fresh("refused")
    for dry in ([], ["--dry-run"]):
        done = logctl("topic", "create", name, *flags, *dry, code=1)
        assert done.out == ""
        assert f"error: cannot create topic {name}: {kafka_says}: " in done.err
    logctl("topic", "describe", name, code=1)


def test_of_three_topics_one_that_is_refused_leaves_the_others(
    logctl: Logctl, fresh: Fresh, witness: Witness, world: World
) -> None:
    """Names that collide in metrics ('.' and '_') are refused by Apache Kafka when the second is created."""
    base = fresh("collide")
    names = [f"{base}.x", f"{base}_x", f"{base}.y"]
    done = logctl("topic", "create", *names, code=4)
    assert "INVALID_TOPIC_EXCEPTION" in done.err
    assert [name in witness.admin.list_topics() for name in names] == [True, False, True]


def test_a_plan_in_a_file_is_carried_out_later(
    logctl: Logctl, fresh: Fresh, witness: Witness, tmp_path: Path
) -> None:
    name, file = fresh("planned"), tmp_path / "plan.json"
    file.write_text(logctl("topic", "create", name, "--partitions", "2", "--dry-run", "-o", "json").out)
    assert name not in witness.admin.list_topics()
    logctl("topic", "create", "--plan", str(file))
    assert partitions(witness, name) == 2


# -- list and describe -----------------------------------------------------------------------------------------------


def test_what_others_created_is_listed_and_described(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    name = fresh("theirs")
    witness.admin.create_topics([NewTopic(name, 2, 1, topic_configs={"cleanup.policy": "compact"})])
    [listed] = logctl("topic", "list", name, "-o", "json").json["topics"]
    assert (listed["partitions"], listed["replication_factor"], listed["internal"]) == (2, 1, False)
    [topic] = logctl("topic", "describe", "--topic", name, "-o", "json").json["topics"]
    assert (topic["configs"], topic["id"]) == ({"cleanup.policy": "compact"}, listed["id"])
    assert f"TopicId: {topic['id']}" in witness.script("kafka-topics", "--describe", "--topic", name)
    [same] = logctl("topic", "describe", "--topic-id", topic["id"], "-o", "json").json["topics"]
    assert same == topic


def test_topics_are_filtered_as_kafka_topics_does(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    base = fresh("filtered")
    plain, made, strict = f"{base}-plain", f"{base}-made", f"{base}-strict"
    once = ["--replication-factor", "1"]
    logctl("topic", "create", plain, *once)
    logctl("topic", "create", made, *once, "--config", "min.insync.replicas=1")
    logctl("topic", "create", strict, *once, "--config", "min.insync.replicas=2")
    listed = logctl("topic", "list", f"{base}-*", "--topics-with-overrides", "-o", "name").out.split()
    assert listed == [made, strict]
    regex = f"{base}-(made|strict)"

    def ours(*flags: str) -> list[str]:
        return logctl("topic", "describe", "--topic", regex, *flags, "-o", "name").out.split()

    def theirs(*flags: str) -> list[str]:
        shown = witness.script("kafka-topics", "--describe", "--topic", regex, *flags)
        return sorted(set(re.findall(r"Topic: (\S+)", shown)))

    for flags, expected in (
        (["--under-min-isr-partitions"], [strict]),
        (["--at-min-isr-partitions"], [made]),
        (["--under-replicated-partitions"], []),
        (["--unavailable-partitions"], []),
    ):
        assert ours(*flags) == expected
        assert theirs(*flags) == expected, flags


def test_names_that_do_not_exist_are_told_or_accepted(logctl: Logctl, fresh: Fresh) -> None:
    name = fresh("missing")
    logctl("topic", "create", name)
    nearly = logctl("topic", "describe", f"{name}x", code=1)
    assert f"did you mean {name}" in nearly.err
    partly = logctl("topic", "describe", name, f"{name}x", "-o", "json", code=4)
    assert [one["name"] for one in partly.json["topics"]] == [name]
    assert [one["name"] for one in partly.json["errors"]] == [f"{name}x"]
    assert logctl("topic", "describe", f"{name}x", "--if-exists", "-o", "json").json["topics"] == []
    assert "no topic has the id AAAA" in logctl("topic", "describe", "--topic-id", "AAAA", code=1).err


# -- alter and grow --------------------------------------------------------------------------------------------------


def test_partitions_and_settings_are_altered_together(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    name = fresh("altered")
    logctl("topic", "create", name, "--config", "segment.ms=70000")
    change = ["--partitions", "3", "--config", "retention.ms=5000000", "--delete-config", "segment.ms"]
    preview = logctl("topic", "alter", name, *change, "--dry-run")
    assert "  ~ partitions: 1 -> 3\n" in preview.out
    logctl("topic", "alter", name, *change)
    assert partitions(witness, name) == 3
    assert setting(witness, name, "retention.ms") == ("5000000", "DYNAMIC_TOPIC_CONFIG")
    assert setting(witness, name, "segment.ms")[1] != "DYNAMIC_TOPIC_CONFIG"
    again = logctl("topic", "alter", name, "--partitions", "3", "--config", "retention.ms=5000000")
    assert again.err == (
        f"topic {name} has 3 partitions already; nothing to do\n"
        f"retention.ms is 5000000 on topic {name} already; nothing to do\n"
    )
    assert "can only become more" in logctl("topic", "alter", "--topic", name, "--partitions", "1", code=1).err
    logctl("topic", "alter", name, "--config", "retention.ms=soon", code=1)


def test_partitions_are_added(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    name = fresh("grown")
    logctl("topic", "create", name)
    done = logctl("topic", "add-partitions", name, "4")
    assert "records with a key may go to another partition" in done.err
    assert partitions(witness, name) == 4


# -- clone -----------------------------------------------------------------------------------------------------------


def test_a_definition_is_cloned(logctl: Logctl, fresh: Fresh, witness: Witness, world: World) -> None:
    source, target, other = fresh("source"), fresh("clone"), fresh("clone")
    witness.admin.create_topics([NewTopic(source, 3, 1, topic_configs={"retention.ms": "7000000"})])
    logctl("topic", "clone", source, target, "--config", "segment.ms=90000")
    assert partitions(witness, target) == 3
    assert setting(witness, target, "retention.ms") == ("7000000", "DYNAMIC_TOPIC_CONFIG")
    assert setting(witness, target, "segment.ms") == ("90000", "DYNAMIC_TOPIC_CONFIG")
    logctl("topic", "clone", source, other, "--from-bootstrap", world.bootstrap, "--partitions", "1")
    assert partitions(witness, other) == 1
    assert "exists already" in logctl("topic", "clone", source, target, code=1).err
    assert f"did you mean {source}" in logctl("topic", "clone", f"{source}x", fresh("clone"), code=1).err


# -- size ------------------------------------------------------------------------------------------------------------


def test_sizes_are_what_the_log_directories_hold(
    logctl: Logctl, fresh: Fresh, witness: Witness, world: World
) -> None:
    base = fresh("sized")
    full, empty = f"{base}-full", f"{base}-empty"
    copies = world.nodes
    logctl("topic", "create", full, empty, "--partitions", "2", "--replication-factor", str(copies))
    fill(logctl, full, 20)
    document = logctl("topic", "size", f"{base}-*", "--sort", "-size", "-o", "json").json
    first, second = document["topics"]
    assert (first["name"], second["name"]) == (full, empty)
    assert (second["leader_size_bytes"], second["size_bytes"]) == (0, 0)
    assert first["complete"]
    assert [one["broker"] for one in first["brokers"]] == list(range(1, copies + 1))
    assert sum(one["size_bytes"] for one in first["brokers"]) == first["size_bytes"]
    shown = witness.script("kafka-log-dirs", "--describe", "--topic-list", full)
    told = json.loads(next(line for line in shown.splitlines() if line.startswith("{")))
    sizes = [
        entry["size"] for broker in told["brokers"] for one in broker["logDirs"] for entry in one["partitions"]
    ]
    assert sum(sizes) == first["size_bytes"] > 0
    assert max(sizes) == first["leader_size_bytes"]
    headline, titles, *_ = logctl("topic", "size", full, "--by-broker").out.splitlines()
    assert headline.startswith(f"topic {full}, ")
    assert titles.split() == ["BROKER", "REPLICAS", "SIZE"]


# -- trim ------------------------------------------------------------------------------------------------------------


def test_records_are_trimmed_before_an_offset(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    name = fresh("trimmed")
    logctl("topic", "create", name, "--partitions", "2")
    fill(logctl, name, 10)
    refused = logctl("topic", "trim", f"{name}:0", "--before-offset", "4", code=5)
    assert "add -y" in refused.err
    preview = logctl("topic", "trim", f"{name}:0", "--before-offset", "4", "--dry-run")
    assert re.match(rf"delete 4 records of topic {name}, about [\d,]+ bytes: partition 0 before 4", preview.out)
    logctl("topic", "trim", f"{name}:0", "--before-offset", "4", "-y")
    assert start_of(witness, name) == 4
    so = logctl("topic", "trim", f"{name}:0", "--before-offset", "4", "-y")
    assert so.err == f"{name}:0 starts at 4 already; nothing to do\n"
    beyond = logctl("topic", "trim", name, "--before-offset", "4", "-y", code=1)
    assert f"{name}:1 ends at 0, so nothing can be cut at 4" in beyond.err


def test_records_are_trimmed_before_a_moment_or_altogether(
    logctl: Logctl, fresh: Fresh, witness: Witness, world: World
) -> None:
    name = fresh("trimmed")
    logctl("topic", "create", name, "--config", "retention.ms=-1")
    with closing(KafkaProducer(bootstrap_servers=world.bootstrap, batch_size=1)) as producer:
        for when_ms in (1_700_000_000_000, 1_700_000_060_000, 1_700_000_120_000):
            producer.send(name, b"old", timestamp_ms=when_ms, partition=0).get(30)
    fill(logctl, name, 3)
    assert "nothing to do" in logctl("topic", "trim", name, "--before", "@1699999999999", "-y").err
    logctl("topic", "trim", name, "--before", "2023-11-14T22:14:20Z", "-y")
    assert start_of(witness, name) == 1
    logctl("topic", "trim", name, "--before", "2h", "-y")
    assert start_of(witness, name) == 3
    whole = logctl("topic", "trim", name, "--to-latest", "-y")
    assert f"warning: every record of {name}:0 goes" in whole.err
    assert start_of(witness, name) == 6
    fill(logctl, name, 1)
    assert logctl("record", "consume", name, "--from", "beginning", "-n", "1").out == "record 0\n"


def test_a_file_for_kafka_delete_records_works_for_both(
    logctl: Logctl, fresh: Fresh, witness: Witness, tmp_path: Path
) -> None:
    name, file = fresh("trimmed"), tmp_path / "offsets.json"
    logctl("topic", "create", name)
    fill(logctl, name, 5)
    file.write_text(json.dumps({"partitions": [{"topic": name, "partition": 0, "offset": 2}], "version": 1}))
    logctl("topic", "trim", "--offset-json-file", str(file), "-y")
    assert start_of(witness, name) == 2
    file.write_text(json.dumps({"partitions": [{"topic": name, "partition": 0, "offset": -1}], "version": 1}))
    witness.script("kafka-delete-records", "--offset-json-file", str(file))
    assert "starts at 5 already" in logctl("topic", "trim", "--offset-json-file", str(file), "-y").err


def test_a_compacted_topic_keeps_its_records(logctl: Logctl, fresh: Fresh) -> None:
    name = fresh("compacted")
    logctl("topic", "create", name, "--config", "cleanup.policy=compact")
    logctl("record", "produce", name, "-K", ":", stdin="a:1\nb:2\n")
    done = logctl("topic", "trim", name, "--before-offset", "1", "-y", code=1)
    assert f"cannot trim {name}:0: POLICY_VIOLATION" in done.err
    assert "add delete to its cleanup.policy" in done.err


# -- delete ----------------------------------------------------------------------------------------------------------


def test_topics_are_deleted_by_name_pattern_and_expression(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    base = fresh("gone")
    names = [f"{base}-{letter}" for letter in "abcde"]
    logctl("topic", "create", *names)
    preview = logctl("topic", "delete", f"{base}-[ab]", "--dry-run").out
    assert f"delete topic {names[0]}, its 1 partition" in preview
    assert f"delete topic {names[1]}, its 1 partition" in preview
    assert "add -y" in logctl("topic", "delete", f"{base}-[ab]", code=5).err
    logctl("topic", "delete", f"{base}-[ab]", names[2], "-y")
    assert [name for name in names if name in witness.admin.list_topics()] == names[3:]
    logctl("topic", "delete", "--topic", f"{base}-.+", "-y")
    assert [name for name in names if name in witness.admin.list_topics()] == []
    assert "nothing to do" in logctl("topic", "delete", names[0], "--if-exists", "-y").err
    assert "does not exist" in logctl("topic", "delete", names[0], "-y", code=1).err


@pytest.fixture
def internal(logctl: Logctl, fresh: Fresh, witness: Witness) -> str:
    """The cluster's own topic of offsets, there since somebody asked about a group."""
    with suppress(CoordinatorNotAvailableError):
        witness.admin.list_group_offsets(fresh("reader"))
    own = "__consumer_offsets"
    wait_until(lambda: own in logctl("topic", "list", "-o", "name").out.split(), f"topic {own}")
    return own


def test_the_clusters_own_topics_are_safe(logctl: Logctl, internal: str, witness: Witness) -> None:
    listed = logctl("topic", "list", "__*", "-o", "json").json["topics"]
    assert internal in [one["name"] for one in listed if one["internal"]]
    assert internal not in logctl("topic", "list", "--exclude-internal", "-o", "name").out.split()
    done = logctl("topic", "delete", internal, "-y", code=5)
    assert f"topic {internal} is the cluster's own\nhint: add --internal" in done.err
    spared = logctl("topic", "delete", "__consumer_off*", "-y")
    assert f"topic {internal} is the cluster's own and is left; nothing to do" in spared.err
    assert internal in witness.admin.list_topics()
