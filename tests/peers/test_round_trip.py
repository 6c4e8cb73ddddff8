"""One directory, two engines: what one of them wrote, the other serves, adds to, and hands back.

Apache Kafka 4.3.1 as one combined node with static voters, under the node id that our node has. Whoever takes over
must show its clients exactly what the other one showed (`support.inventory`), and after an orderly stop it must find
nothing to recover or to complain of.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from clients.conftest import create_topic
from clients.test_kill import PARTITIONS, assert_all_took_part, final_read, make_progress
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from support.busy import (
    CLASSIC,
    GROUPS,
    MODERN,
    NOW_MS,
    admin_of,
    commit,
    create,
    fill,
    live_through,
    run_transactions,
    set_topic_config,
)
from support.clients import PATIENCE_S, Message, produce
from support.clients.librdkafka import SILENCE, Librdkafka
from support.dump_log import DECODERS, dump_directory
from support.history import check
from support.inventory import Inventory, take
from support.two_engines import Shared

from logctl.engine.apache import ApacheNode, run_tool
from logctl.engine.broker.metadata_snapshots import list_snapshots
from logctl.engine.broker.metadata_store import DIRECTORY, load
from logctl.engine.controller.image import Image
from logctl.engine.log.disk import RealDisk

pytestmark = [pytest.mark.java, pytest.mark.timeout(300)]

def test_a_directory_goes_from_our_node_to_apache_kafka_and_back_and_back_again(tmp_path: Path) -> None:
    shared = Shared(tmp_path)
    with shared.ours() as ours:
        live_through(ours.address, "first")
        before = take(ours.address, GROUPS)
    assert len(before.records["read_uncommitted", ("first.orders", 0)]) == 1000

    with shared.apache() as peer:
        same(take(peer.address, GROUPS), before)
        live_through(peer.address, "second")
        run_transactions(peer.address, "second.orders", "first.orders")
        set_topic_config(peer.address, "first.orders", "retention.bytes", None)
        fill(peer.address, "first.orders", 0, count=30)
        after = take(peer.address, GROUPS)
    nothing_was_recovered(shared)
    assert len(after.records["read_uncommitted", ("first.orders", 0)]) == 1150
    assert len(after.records["read_committed", ("second.orders", 0)]) == 1020

    with shared.ours() as ours:
        same(take(ours.address, GROUPS), after)
        assert "recovery" not in ours.diary, ours.diary
        fill(ours.address, "first.orders", 0, count=10)
        fill(ours.address, "second.orders", 0, count=10)
        commit(ours.address, MODERN, "second.orders", 99, "consumer")
        last = take(ours.address, GROUPS)

    with shared.apache() as peer:
        same(take(peer.address, GROUPS), last)
        run_transactions(peer.address, "second.orders", "first.orders")
    nothing_was_recovered(shared)


# What Apache Kafka serves and our node only keeps.

ALL_OF_APACHE = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
SHARERS = "sharers"
ANY_ACL = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)


def tool(peer: ApacheNode, name: str, *args: str) -> str:
    done = run_tool(name, "--bootstrap-server", peer.address, *args)
    assert done.code == 0, done.stdout + done.stderr
    return done.stdout


def configure(peer: ApacheNode, kind: str, name: str, value: str) -> None:
    what = "--entity-type", kind, "--entity-name", name
    tool(peer, "kafka.admin.ConfigCommand", "--alter", *what, "--add-config", value)


def read_shared(peer: ApacheNode, count: int) -> list[str]:
    what = "--topic", "shared", "--group", SHARERS, "--max-messages", str(count), "--timeout-ms", "30000"
    return tool(peer, "org.apache.kafka.tools.consumer.ConsoleShareConsumer", *what).split()


def use_all_of(peer: ApacheNode) -> None:
    admin = admin_of(peer.address)
    allowed = AclOperation.READ, AclPermissionType.ALLOW
    acl = AclBinding(ResourceType.TOPIC, "shared", ResourcePatternType.LITERAL, "User:alice", "*", *allowed)
    [granted] = admin.create_acls([acl]).values()
    granted.result()
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    [known] = admin.alter_user_scram_credentials([UserScramCredentialUpsertion("alice", scram, b"secret")]).values()
    known.result()
    configure(peer, "users", "alice", "producer_byte_rate=1048576,request_percentage=12.5")
    configure(peer, "client-metrics", "watched", "interval.ms=60000,metrics=org.apache.kafka.producer.")
    configure(peer, "groups", SHARERS, "share.auto.offset.reset=earliest")
    create(peer.address, "shared", 1)
    produce(Librdkafka(), peer.address, "shared", [Message(b"%d" % number) for number in range(10)])
    assert read_shared(peer, 3) == ["0", "1", "2"]


def kept_for(peer: ApacheNode) -> list[str]:
    """What Apache Kafka says of all that, in its own words."""
    admin = admin_of(peer.address)
    scram = admin.describe_user_scram_credentials(["alice"])["alice"].result().scram_credential_infos
    return [
        *sorted(map(str, admin.describe_acls(ANY_ACL).result())),
        *(f"{one.mechanism} {one.iterations}" for one in scram),
        tool(peer, "kafka.admin.ConfigCommand", "--describe", "--entity-type", "users"),
        tool(peer, "org.apache.kafka.tools.FeatureCommand", "describe").partition("Epoch")[0],
    ]


def image_of(data: Path, scratch: Path) -> Image:
    """What the metadata log of a stopped node amounts to, read from a copy."""
    shutil.copytree(data / DIRECTORY, scratch / DIRECTORY)
    return load(RealDisk(), str(scratch), 1 << 30, now_ms=NOW_MS, clean=True).image


def test_what_our_node_does_not_serve_goes_through_its_hands_unharmed(tmp_path: Path) -> None:
    """A directory as Apache Kafka 4.3.1 formats it for one node that stands alone: with every feature, and its voter
    named in the metadata log. Our node even rewrites that log to a snapshot.
    """
    often = {"metadata.log.max.record.bytes.between.snapshots": "2000"}
    shared = Shared(tmp_path, often, ALL_OF_APACHE, voters_in_log=True)
    with shared.apache() as peer:
        use_all_of(peer)
        live_through(peer.address, "first")
        run_transactions(peer.address, "first.orders", "first.orders")
        before, kept = take(peer.address, GROUPS), kept_for(peer)
    image = image_of(shared.data, tmp_path / "before")
    assert image.features.keys() >= {"share.version", "transaction.version", "eligible.leader.replicas.version"}
    assert {kind for kind, *_ in image.kept} == {11, 14, 18}, "a SCRAM credential, a quota and an ACL"

    with shared.ours() as ours:
        same(take(ours.address, GROUPS), before)
        live_through(ours.address, "second")
        after = take(ours.address, GROUPS)
    rewritten = image_of(shared.data, tmp_path / "after")
    newest = list_snapshots(RealDisk(), str(shared.data / DIRECTORY))[0]
    assert newest.epoch == 2, "the next start begins with a snapshot that our node made"
    assert b"currentVoters" not in (shared.data / DIRECTORY / "quorum-state").read_bytes()
    assert rewritten.features == image.features
    assert rewritten.kept == image.kept
    assert rewritten.configs.items() >= image.configs.items()
    assert dump_directory(shared.data).keys() >= DECODERS.keys()

    with shared.apache() as peer:
        same(take(peer.address, GROUPS), after)
        assert kept_for(peer) == kept
        run_transactions(peer.address, "first.orders", "first.orders")
        assert read_shared(peer, 4) == ["3", "4", "5", "6"]
    nothing_was_recovered(shared)


def note_offset(address: str, offset: int) -> None:
    """Commit without being a member."""
    keeper = Consumer({"bootstrap.servers": address, "group.id": CLASSIC, "logger": SILENCE})
    try:
        keeper.commit(offsets=[TopicPartition("orders", 0, offset)], asynchronous=False)
    finally:
        keeper.close()


def noted_offset(address: str) -> int:
    keeper = Consumer({"bootstrap.servers": address, "group.id": CLASSIC, "logger": SILENCE})
    try:
        [place] = keeper.committed([TopicPartition("orders", 0)], timeout=PATIENCE_S)
    finally:
        keeper.close()
    offset: int = place.offset
    return offset


def test_kill_9_under_load_and_the_other_engine_goes_on(tmp_path: Path) -> None:
    """Idempotent producers with acks=all never learn that there are two engines. Nothing acknowledged is lost, nothing
    is doubled, and a committed offset stays committed.
    """
    shared = Shared(tmp_path, apache_settings={"broker.session.timeout.ms": "2000"})
    client = Librdkafka()
    with shared.ours():
        create_topic(shared.address, "orders", PARTITIONS)
        streams = [client.stream(shared.address, name, "orders", PARTITIONS) for name in ("one", "two")]
        try:
            make_progress(streams)
            note_offset(shared.address, 1)
            shared.node.kill()
            with shared.apache():
                make_progress(streams)
                assert noted_offset(shared.address) == 1
                note_offset(shared.address, 2)
                shared.peer.kill()
            shared.node.start()
            make_progress(streams)
            assert noted_offset(shared.address) == 2
        finally:
            sends = [send for stream in streams for send in stream.stop()]
        polls = [final_read(shared.node, client, partition) for partition in range(PARTITIONS)]
    assert check(sends, polls) == []
    assert not list(shared.data.rglob("*.damaged*")), "what a kill leaves is no damage"
    assert_all_took_part(sends, 2)


def same(found: Inventory, expected: Inventory) -> None:
    assert found.topics == expected.topics
    assert found.bounds == expected.bounds
    assert found.committed == expected.committed
    for where, records in expected.records.items():
        assert found.records[where] == records, where


def nothing_was_recovered(shared: Shared) -> None:
    assert not shared.apache_complaints()
    assert any("since clean shutdown file was found" in line for line in shared.apache_said())
