"""Whatever happens in whatever order: what must always hold of every partition, and nothing is lost in a snapshot."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.controller import Cluster, new_topic, numbered_id, registration
from support.isr import proposal

from logctl.engine.controller.balancing import fill_leaderless, give_back
from logctl.engine.controller.brokers import fence_broker, register_broker
from logctl.engine.controller.directories import assign_replicas, assignment
from logctl.engine.controller.elections import elect_leaders
from logctl.engine.controller.heartbeats import heartbeat
from logctl.engine.controller.image import NO_LEADER, Image, Partition
from logctl.engine.controller.isr import alter_partition
from logctl.engine.controller.reassignments import alter_reassignments
from logctl.engine.controller.replay import apply
from logctl.engine.controller.snapshot import image_records
from logctl.engine.controller.versions import record_version
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from logctl.wire.messages.elect_leaders import ElectLeadersRequest

BROKERS = (1, 2, 3, 4)
some_broker = st.sampled_from(BROKERS)
some_brokers = st.lists(some_broker, max_size=4)
events = st.one_of(
    st.tuples(st.just("fence"), some_broker),
    st.tuples(st.just("crash"), some_broker),
    st.tuples(st.just("restart"), some_broker),
    st.tuples(st.just("let in"), some_broker),
    st.tuples(st.just("leave"), some_broker),
    st.tuples(st.just("lose directory"), some_broker),
    st.tuples(st.just("move directory"), some_broker),
    st.tuples(st.just("propose"), some_brokers),
    st.tuples(st.just("reassign"), some_brokers),
    st.tuples(st.just("take back"), st.none()),
    st.tuples(st.just("elect"), st.sampled_from((0, 1))),
    st.tuples(st.just("balance"), st.none()),
)


def directories(broker_id: int) -> list[bytes]:
    return [numbered_id(1000 * broker_id), numbered_id(1000 * broker_id + 1)]


def cluster_of(*, eligible: bool, least: int, unclean: bool) -> Cluster:
    cluster = Cluster(brokers=0)
    if eligible:
        cluster.keep_eligible()
    for broker_id in BROKERS:
        cluster.decide(register_broker, registration(broker_id, log_dirs=directories(broker_id)))
        happen(cluster, "let in", broker_id)
    configs: dict[str, str | None] = {
        "min.insync.replicas": str(least),
        "unclean.leader.election.enable": str(unclean).lower(),
    }
    cluster.create(new_topic("orders", assignment={0: [1, 2, 3]}, configs=configs))
    return cluster


def pulse(cluster: Cluster, broker_id: int, **said: Any) -> BrokerHeartbeatRequest:
    return BrokerHeartbeatRequest(
        broker_id=broker_id, broker_epoch=cluster.epoch(broker_id), current_metadata_offset=10_000, **said
    )


def request_for(cluster: Cluster, what: str, whom: Any) -> tuple[Any, Any]:
    """The decision that an event asks for, and its request."""
    match what:
        case "fence":
            return fence_broker, whom
        case "crash" | "restart":
            return register_broker, registration(
                whom,
                incarnation_id=numbered_id(10_000 + len(cluster.log)),
                previous_broker_epoch=cluster.epoch(whom) if what == "restart" else -1,
                log_dirs=directories(whom),
            )
        case "let in":
            return heartbeat, pulse(cluster, whom)
        case "leave":
            return heartbeat, pulse(cluster, whom, want_shut_down=True)
        case "lose directory":
            return heartbeat, pulse(cluster, whom, offline_log_dirs=directories(whom)[:1])
        case "move directory":
            place = (cluster.image.topics["orders"].topic_id, 0)
            return assign_replicas, assignment(whom, cluster.epoch(whom), {place: directories(whom)[0]})
        case "propose":
            return alter_partition, proposal(cluster, whom, leader=max(cluster.partition().leader, 1))
        case "reassign" | "take back":
            wanted = [ReassignableTopic("orders", [ReassignablePartition(0, whom)])]
            return alter_reassignments, AlterPartitionReassignmentsRequest(topics=wanted)
        case _:
            return elect_leaders, ElectLeadersRequest(election_type=whom, topic_partitions=None)


def happen(cluster: Cluster, what: str, whom: Any) -> None:
    if what == "balance":
        for decide in (give_back, fill_leaderless):
            cluster.take(decide(cluster.controller).records)
        return
    try:
        cluster.decide(*request_for(cluster, what, whom))
    except WireError:
        assert what in ("propose", "move directory", "let in"), f"{what} is always possible"


def check(partition: Partition) -> None:
    assert len(set(partition.replicas)) == len(partition.replicas) == len(partition.directories) > 0
    assert partition.leader == NO_LEADER or partition.leader in partition.isr
    assert set(partition.isr) <= set(partition.replicas)
    assert set(partition.elr) <= set(partition.replicas)
    assert not set(partition.elr) & set(partition.isr)
    assert not set(partition.last_known_elr) & {*partition.isr, *partition.elr}
    assert {*partition.adding, *partition.removing} <= set(partition.replicas)
    assert not set(partition.adding) & set(partition.removing)
    assert partition.isr or partition.elr or partition.last_known_elr, "somebody is known to have had the records"


def check_step(before: Partition, after: Partition, changes: int) -> None:
    assert after.partition_epoch == before.partition_epoch + changes
    left = after.leader != NO_LEADER and not set(before.replicas) <= set(after.replicas)
    if after.leader != before.leader or left:
        assert after.leader_epoch > before.leader_epoch


def again(image: Image) -> Image:
    """Through the bytes of a snapshot."""
    records = []
    for record in image_records(image):
        version = record_version(record.api_key, image.metadata_version)
        records.append(type(record).decode(record.encode(version), version)[0])
    return apply(Image(), records)


@settings(max_examples=150, deadline=None)
@given(
    happens=st.lists(events, max_size=25),
    eligible=st.booleans(),
    least=st.sampled_from((1, 2, 3)),
    unclean=st.booleans(),
)
def test_what_must_hold_holds(happens: list[tuple[str, Any]], eligible: bool, least: int, unclean: bool) -> None:
    cluster = cluster_of(eligible=eligible, least=least, unclean=unclean)
    for what, whom in happens:
        before, records = cluster.partition(), len(cluster.log)
        happen(cluster, what, whom)
        changes = sum(record.api_key == 5 for record in cluster.log[records:])
        check(cluster.partition())
        check_step(before, cluster.partition(), changes)
    assert apply(Image(), cluster.log) == cluster.image
    assert again(cluster.image) == cluster.image
