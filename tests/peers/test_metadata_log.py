"""The metadata log in both directions: Apache Kafka reads ours and takes our directory over; we read Apache's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
from support.apache import apache_node, classpath, new_apache_node
from support.controller import CLUSTER_ID, registration
from support.metadata import OneNode, running
from support.waiting import wait_until

from logctl.engine import apache
from logctl.engine.broker.metadata_records import Batch, decode_batches
from logctl.engine.broker.metadata_snapshot_keeping import Options
from logctl.engine.broker.metadata_snapshots import decode_snapshot, list_snapshots
from logctl.engine.controller.brokers import start_broker
from logctl.engine.controller.image import Image
from logctl.engine.controller.replay import apply
from logctl.engine.directory import read_identity
from logctl.engine.log.disk import RealDisk
from logctl.engine.quorum.election_state import decode_state
from logctl.wire.messages.broker_registration import Feature
from logctl.wire.primitives import uuid_text

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("metadata-log")]


def admin_of(node: apache.ApacheNode) -> AdminClient:
    """A client that does not complain when its broker stops before it does."""
    return AdminClient({"bootstrap.servers": node.address, "log_level": 0})


def busy_node(directory: Path) -> OneNode:
    """A node with some history: topics made and deleted, restarts, snapshots."""
    node = running(directory, Options(snapshot_interval_bytes=3_000))
    node.create("orders", partitions=3)
    for number in range(20):
        node.create(f"topic-{number}", partitions=2)
    node.stop()
    node.open(clean=True)
    node.register()
    return node


def test_kafka_dump_log_reads_our_log_our_snapshots_and_our_bootstrap(tmp_path: Path) -> None:
    classpath()
    node = busy_node(tmp_path)
    topic_id = uuid_text(node.metadata.image.topics["orders"].topic_id)
    node.stop()
    files = [*sorted(node.log_directory.glob("*.log")), *sorted(node.log_directory.glob("*.checkpoint"))]
    assert len(files) >= 3
    files.append(tmp_path / "bootstrap.checkpoint")
    names = ",".join(str(file) for file in files)
    dump = apache.run_tool(
        "org.apache.kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--deep-iteration", "--files", names
    )
    assert dump.code == 0, dump.stderr
    assert "isvalid: false" not in dump.stdout
    assert "Could not deserialize" not in dump.stdout + dump.stderr
    for expected in (
        'LeaderChange: {"version":0,"leaderId":1,"voters":[{"voterId":1}],"grantingVoters":[{"voterId":1}]}',
        'SnapshotHeader {"version":0,"lastContainedLogTimestamp":1700000000000}',
        'SnapshotFooter {"version":0}',
        '"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"metadata.version","featureLevel":30}',
        f'"type":"TOPIC_RECORD","version":0,"data":{{"name":"orders","topicId":"{topic_id}"}}',
        '"type":"REGISTER_BROKER_RECORD","version":4',
        '"type":"PARTITION_RECORD","version":2',
    ):
        assert expected in dump.stdout


@pytest.fixture(scope="module")
def apache_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an Apache Kafka node that has made and changed a few things, and has stopped in order."""
    settings = {"metadata.log.max.record.bytes.between.snapshots": "100", "metadata.max.idle.interval.ms": "0"}
    directory = tmp_path_factory.mktemp("apache")
    with apache_node(directory, settings) as node:
        admin = admin_of(node)
        wanted = [NewTopic("orders", 3, 1, config={"retention.ms": "1000"}), NewTopic("gone", 1, 1)]
        for future in admin.create_topics(wanted).values():
            future.result()
        for future in admin.delete_topics(["gone"]).values():
            future.result()
        for future in admin.create_partitions([NewPartitions("orders", 5)]).values():
            future.result()
    return node.data


def _batches(directory: Path) -> list[Batch]:
    segments = sorted((directory / "__cluster_metadata-0").glob("*.log"))
    return [batch for segment in segments for batch in decode_batches(segment.read_bytes())]


def _known(image: Image) -> Image:
    """Without the order in which a broker lists what it supports."""
    brokers = {broker_id: broker._replace(features={}) for broker_id, broker in image.brokers.items()}
    return image._replace(brokers=brokers, controllers={})


def test_replaying_apache_s_log_gives_what_its_snapshots_say(apache_directory: Path) -> None:
    snapshots = list_snapshots(RealDisk(), str(apache_directory / "__cluster_metadata-0"))
    assert len(snapshots) > 3
    for snapshot in snapshots:
        file = apache_directory / "__cluster_metadata-0" / snapshot.file_name
        from_snapshot = apply(Image(), decode_snapshot(file.read_bytes()).records)
        image = Image()
        for batch in _batches(apache_directory):
            if batch.header.base_offset < snapshot.end_offset:
                image = apply(image, batch.records)
        assert _known(image) == _known(from_snapshot)
    assert sorted(image.topics) in ([], ["orders"])


def test_apache_s_small_files_say_what_ours_would(apache_directory: Path) -> None:
    identity = read_identity(RealDisk(), str(apache_directory))
    assert identity is not None
    assert identity.node_id == 1
    state = decode_state((apache_directory / "__cluster_metadata-0" / "quorum-state").read_bytes())
    assert state.epoch == 1
    [broker] = [record for batch in _batches(apache_directory) for record in batch.records if record.api_key == 0]
    assert broker.log_dirs == [identity.directory_id]


def test_a_directory_of_apache_s_is_used_with_all_it_has_finalized(apache_directory: Path, tmp_path: Path) -> None:
    node = OneNode(Path(shutil.copytree(apache_directory, tmp_path / "copy")))
    image = node.open(start=False).image
    assert image.features == {
        "metadata.version": 30,
        "group.version": 1,
        "transaction.version": 2,
        "eligible.leader.replicas.version": 1,
        "share.version": 1,
        "streams.version": 1,
    }
    assert {partition.leader for partition in image.topics["orders"].partitions.values()} == {-1}
    node.crash()
    node.open()
    features = [Feature(name, 0, level) for name, level in image.features.items()]
    identity = read_identity(node.disk, str(node.directory))
    assert identity is not None
    broker = registration(1, features=features, log_dirs=[identity.directory_id])
    node.decide(lambda controller: start_broker(controller, broker))
    partitions = node.metadata.image.topics["orders"].partitions.values()
    assert {(partition.leader, partition.isr, partition.elr) for partition in partitions} == {(1, (1,), ())}


def test_apache_kafka_takes_our_directory_over(tmp_path: Path) -> None:
    peer = new_apache_node(tmp_path / "node")
    node = busy_node(peer.data)
    before = node.metadata.image
    node.stop()
    peer.cluster_id = CLUSTER_ID
    with peer:
        admin = admin_of(peer)
        listed = admin.list_topics(timeout=20)
        assert listed.cluster_id == CLUSTER_ID
        assert sorted(listed.topics) == sorted(before.topics)
        assert len(listed.topics["orders"].partitions) == 3
        wait_until(lambda: _leaders(admin, "orders") == {1}, "Apache Kafka to lead our partitions")
        resource = ConfigResource(ConfigResource.Type.TOPIC, "orders")
        [configs] = [future.result() for future in admin.describe_configs([resource]).values()]
        assert configs["retention.ms"].value == "604800000"
        [described] = [future.result() for future in admin.describe_topics(TopicCollection(["orders"])).values()]
        assert str(described.topic_id) == uuid_text(before.topics["orders"].topic_id)


def _leaders(admin: AdminClient, topic: str) -> set[int]:
    partitions = admin.list_topics(topic, timeout=20).topics[topic].partitions
    return {partition.leader for partition in partitions.values()}
