"""Apache's own command line tools against our node, and over the directory it leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.clients import CODECS, Message, Sending, produce
from support.clients.librdkafka import Librdkafka
from support.node import running_node
from support.tools import CONFIGS, Shell

from logctl.engine.apache import ToolResult, run_tool

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("scripts")]

TOOLS = "org.apache.kafka.tools"


def test_kafka_topics(shell: Shell) -> None:
    wanted = "--topic", "orders", "--partitions", "3", "--config", "retention.ms=60000"
    shell.ask("TopicCommand", "--create", *wanted)
    assert "orders" in shell.ask("TopicCommand", "--list").split()
    described = shell.ask("TopicCommand", "--describe", "--topic", "orders")
    assert re.search(r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention\.ms=60000", described)
    assert len(re.findall(r"Partition: \d\s+Leader: 1\s+Replicas: 1\s+Isr: 1", described)) == 3
    topic_id = re.search(r"TopicId: (\S+)", described)
    assert topic_id
    by_id = shell.ask("TopicCommand", "--describe", "--topic-id", topic_id[1])
    assert by_id.replace("N/A", "") == described, "by id it asks for Metadata, which has no eligible leaders"
    shell.ask("TopicCommand", "--alter", "--topic", "orders", "--partitions", "4")
    assert "PartitionCount: 4" in shell.ask("TopicCommand", "--describe", "--topics-with-overrides")
    assert shell.ask("TopicCommand", "--describe", "--unavailable-partitions").strip() == ""
    again = shell.run("TopicCommand", "--create", *wanted)
    assert (again.code, "Topic 'orders' already exists" in again.stdout) == (1, True)
    shell.ask("TopicCommand", "--create", "--if-not-exists", *wanted)
    shell.ask("TopicCommand", "--delete", "--topic", "orders")
    assert "orders" not in shell.ask("TopicCommand", "--list").split()


def test_kafka_configs_of_a_topic(shell: Shell) -> None:
    shell.ask("TopicCommand", "--create", "--topic", "set", "--config", "retention.ms=60000")
    topic = "--entity-type", "topics", "--entity-name", "set"
    shell.ask(CONFIGS, *topic, "--alter", "--add-config", "segment.bytes=2000000", "--delete-config", "retention.ms")
    [said] = shell.ask(CONFIGS, *topic, "--describe").splitlines()[1:]
    assert said.strip() == (
        "segment.bytes=2000000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:segment.bytes=2000000, "
        "DEFAULT_CONFIG:log.segment.bytes=1073741824}"
    )
    assert "retention.ms=604800000 sensitive=false" in shell.ask(CONFIGS, *topic, "--describe", "--all")
    wrong = shell.run(CONFIGS, *topic, "--alter", "--add-config", "segment.bytes=much")
    assert (wrong.code, "InvalidConfigurationException" in wrong.stderr) == (1, True)


def test_kafka_configs_of_brokers(shell: Shell) -> None:
    everywhere = "--entity-type", "brokers", "--entity-default"
    here = "--entity-type", "brokers", "--entity-name", "1"
    shell.ask(CONFIGS, *everywhere, "--alter", "--add-config", "log.cleaner.threads=2")
    shell.ask(CONFIGS, *here, "--alter", "--add-config", "log.cleaner.threads=3")
    assert "DYNAMIC_DEFAULT_BROKER_CONFIG:log.cleaner.threads=2" in shell.ask(CONFIGS, *everywhere, "--describe")
    assert re.search(
        r"log.cleaner.threads=3 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:log.cleaner.threads=3, "
        r"DYNAMIC_DEFAULT_BROKER_CONFIG:log.cleaner.threads=2, DEFAULT_CONFIG:log.cleaner.threads=1\}",
        shell.ask(CONFIGS, *here, "--describe", "--all"),
    )
    for who in (everywhere, here):
        shell.ask(CONFIGS, *who, "--alter", "--delete-config", "log.cleaner.threads")
    assert "log.cleaner.threads" not in shell.ask(CONFIGS, *here, "--describe")


def test_kafka_configs_of_groups_and_others(shell: Shell) -> None:
    group = "--entity-type", "groups", "--entity-name", "slow"
    shell.ask(CONFIGS, *group, "--alter", "--add-config", "consumer.session.timeout.ms=46000")
    assert "consumer.session.timeout.ms=46000" in shell.ask(CONFIGS, "--entity-type", "groups", "--describe")
    shell.ask(CONFIGS, *group, "--alter", "--delete-config", "consumer.session.timeout.ms")
    metrics = "--entity-type", "client-metrics", "--entity-name", "some"
    shell.ask(CONFIGS, *metrics, "--alter", "--add-config", "interval.ms=1000")
    assert "interval.ms=1000" in shell.ask(CONFIGS, *metrics, "--describe")
    assert shell.ask("ClientMetricsCommand", "--list").split()[0] == "some"
    assert shell.ask(CONFIGS, "--entity-type", "users", "--describe") == ""


def test_kafka_console_producer_and_consumer(shell: Shell) -> None:
    keyed = "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"
    shell.ask("ConsoleProducer", "--topic", "spoken", *keyed, stdin="a:1\nb:2\na:3\n")
    listen = "--topic", "spoken", "--max-messages", "3", "--formatter-property", "print.key=true"
    said = shell.ask("consumer.ConsoleConsumer", *listen, "--partition", "0", "--offset", "earliest")
    assert said.splitlines() == ["a\t1", "b\t2", "a\t3"]
    said = shell.ask("consumer.ConsoleConsumer", *listen, "--from-beginning", "--group", "listeners")
    assert said.splitlines() == ["a\t1", "b\t2", "a\t3"]
    nothing = shell.run("consumer.ConsoleConsumer", *listen, "--group", "listeners", "--timeout-ms", "1000")
    assert "Processed a total of 0 messages" in nothing.stderr, "it was committed"


def test_kafka_get_offsets_and_delete_records(shell: Shell, tmp_path: Path) -> None:
    messages = [Message(b"x", timestamp_ms=1_700_000_000_000 + number) for number in (0, 9, 2, 3, 4)]
    produce(Librdkafka(), shell.address, "counted", messages)

    def at(time: str) -> str:
        return shell.ask("GetOffsetShell", "--topic", "counted", "--time", time).strip()

    assert (at("latest"), at("earliest"), at("max-timestamp")) == ("counted:0:5", "counted:0:0", "counted:0:1")
    assert (at("1700000000002"), at("1800000000000"), at("-1")) == ("counted:0:1", "", "counted:0:5")
    file = tmp_path / "offsets.json"
    file.write_text('{"partitions":[{"topic":"counted","partition":0,"offset":3}],"version":1}')
    deleted = shell.ask("DeleteRecordsCommand", "--offset-json-file", str(file))
    assert "partition: counted-0\tlow_watermark: 3" in deleted
    assert (at("earliest"), at("earliest-local"), at("latest-tiered")) == ("counted:0:3", "counted:0:3", "")
    file.write_text('{"partitions":[{"topic":"counted","partition":0,"offset":99}],"version":1}')
    beyond = shell.run("DeleteRecordsCommand", "--offset-json-file", str(file))
    assert "OffsetOutOfRangeException" in beyond.stdout + beyond.stderr


def test_kafka_log_dirs(shell: Shell) -> None:
    produce(Librdkafka(), shell.address, "lying", [Message(b"x" * 1000)])
    told = shell.ask("LogDirsCommand", "--describe", "--topic-list", "lying").splitlines()[-1]
    [broker] = json.loads(told)["brokers"]
    [directory] = broker["logDirs"]
    [partition] = directory["partitions"]
    assert (broker["broker"], directory["error"], partition["partition"]) == (1, None, "lying-0")
    assert (partition["size"] > 1000, partition["offsetLag"], partition["isFuture"]) == (True, 0, False)


def test_kafka_leader_election(shell: Shell) -> None:
    shell.ask("TopicCommand", "--create", "--topic", "led")
    one = "--topic", "led", "--partition", "0"
    assert shell.ask("LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions").strip() == ""
    said = shell.ask("LeaderElectionCommand", "--election-type", "preferred", *one)
    assert "Valid replica already elected for partitions led-0" in said
    assert "already elected" in shell.ask("LeaderElectionCommand", "--election-type", "unclean", *one)
    nowhere = shell.run("LeaderElectionCommand", "--election-type", "preferred", "--topic", "no", "--partition", "0")
    assert (nowhere.code, "UnknownTopicOrPartitionException" in nowhere.stdout + nowhere.stderr) == (1, True)


def test_kafka_metadata_quorum(shell: Shell) -> None:
    status = shell.ask("MetadataQuorumCommand", "describe", "--status")
    assert re.search(r"LeaderId:\s+1\n", status)
    assert re.search(r"MaxFollowerLag:\s+0\n", status)
    assert re.search(r'CurrentVoters:\s+\[\{"id": 1, ', status)
    assert re.search(r"CurrentObservers:\s+\[\]", status)
    [node] = shell.ask("MetadataQuorumCommand", "describe", "--replication").splitlines()[1:]
    assert re.match(r"1\s+\S+\s+\d+\s+0\s+\d+\s+\d+\s+Leader\s*$", node)


def test_kafka_features(shell: Shell) -> None:
    told = shell.ask("FeatureCommand", "describe")
    [version] = [line.split() for line in told.splitlines() if "metadata.version" in line]
    assert version[3:8:2] == ["3.3-IV3", "4.3-IV0", "4.3-IV0"], "from, to, finalized"
    dry = shell.ask("FeatureCommand", "downgrade", "--feature", "group.version=0", "--dry-run")
    assert "group.version can be downgraded to 0." in dry
    unknown = shell.run("FeatureCommand", "upgrade", "--feature", "group.version=9")
    assert (unknown.code, "Could not upgrade group.version to 9" in unknown.stdout + unknown.stderr) == (1, True)


def test_kafka_broker_api_versions(shell: Shell) -> None:
    said = shell.ask("BrokerApiVersionsCommand")
    assert f"{shell.address} (id: 1 rack: null isFenced: false)" in said
    assert re.search(r"Produce\(0\): 0 to 13", said)


def test_kafka_cluster(shell: Shell) -> None:
    assert re.fullmatch(r"Cluster ID: \S{22}\n", shell.ask("ClusterTool", "cluster-id"))
    assert re.search(r"\n1\s+127.0.0.1\s+\d+\s+null\s+unfenced\s+broker", shell.ask("ClusterTool", "list-endpoints"))
    nobody = shell.run("ClusterTool", "unregister", "--id", "77")
    assert (nobody.code, "BrokerIdNotRegisteredException" in nobody.stderr) == (1, True)


def test_kafka_perf_tests(shell: Shell) -> None:
    size = "--record-size", "100", "--throughput", "-1"
    said = shell.ask("ProducerPerformance", "--topic", "perf", "--num-records", "5000", *size)
    assert "5000 records sent" in said
    said = shell.ask("ConsumerPerformance", "--topic", "perf", "--num-records", "5000", "--timeout", "20000")
    assert re.search(r", 0\.4768, [\d.]+, 5000, ", said)


def test_kafka_verifiable_producer_and_consumer(shell: Shell) -> None:
    """In JVMs of their own: they do half of what they do when their JVM ends."""
    where = "--bootstrap-server", shell.address, "--topic", "verified", "--max-messages", "20"
    told = spoken(run_tool(f"{TOOLS}.VerifiableProducer", *where, "--throughput", "-1", "--acks", "-1"))
    assert [(one["offset"], one["value"]) for one in told["producer_send_success"]] == [(n, str(n)) for n in range(20)]
    assert [(one["sent"], one["acked"]) for one in told["tool_data"]] == [(20, 20)]
    from_the_start = "--group-id", "verifiers", "--reset-policy", "earliest"
    told = spoken(run_tool(f"{TOOLS}.VerifiableConsumer", *where, *from_the_start))
    assert [one["partitions"] for one in told["partitions_assigned"]] == [[{"topic": "verified", "partition": 0}]]
    assert sum(one["count"] for one in told["records_consumed"]) == 20
    assert told["offsets_committed"][-1]["offsets"] == [{"topic": "verified", "partition": 0, "offset": 20}]
    assert all(one["success"] for one in told["offsets_committed"])


def spoken(done: ToolResult) -> dict[str, list[dict[str, Any]]]:
    """What a verifiable client told, by the names of its events."""
    assert done.code == 0, done.stdout + done.stderr
    told: dict[str, list[dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        told.setdefault(event["name"], []).append(event)
    return told


@pytest.mark.timeout(240)
def test_kafka_dump_log_reads_what_a_node_leaves(tmp_path: Path) -> None:
    """Every codec, several segments, an idempotent producer, a restart after SIGKILL; then every file."""
    settings = {"log.segment.bytes": "1048576", "log.index.interval.bytes": "1024"}
    client, count = Librdkafka(), 1000
    with running_node(tmp_path, settings) as node:
        for codec in CODECS:
            messages = [Message(b"%d " % number * 600, key=b"%d" % number) for number in range(count)]
            produce(client, node.address, "dumped", messages, sending=Sending(codec=codec, idempotent=True))
        node.kill()
        node.start()
        produce(client, node.address, "dumped", [Message(b"after the kill")])
        node.stop()
    [folder] = node.log_dir.glob("dumped-0")
    segments = sorted(folder.glob("*.log"))
    assert len(segments) > 1
    read = [dumped(segment, "--deep-iteration", "--print-data-log") for segment in segments]
    offsets = [int(offset) for said in read for offset in re.findall(r"\| offset: (\d+)", said)]
    assert offsets == list(range(count * len(CODECS) + 1))
    assert "isvalid: false" not in "".join(read)
    for other in sorted([*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")]):
        dumped(other)


def dumped(path: Path, *how: str) -> str:
    done = run_tool(f"{TOOLS}.DumpLogSegments", "--files", str(path), *how)
    assert done.code == 0, done.stdout + done.stderr
    assert not re.search(r"(?i)mismatch|corrupt|exception|could not|invalid", done.stdout + done.stderr), done.stdout
    return done.stdout
