"""Health checks as data: a cluster as it was seen, and the findings that follow. Then faults, told by a script."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.checks import CHECKS, Finding, Severity, find, judge, verdict
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.health import ClusterView, Move, _watched, look
from logctl.admin.link import Address
from logctl.admin.logdirs import LogDir
from logctl.admin.logdirs import Replica as HeldReplica
from logctl.admin.observe import Partition, Topic
from logctl.admin.quorum import Quorum, Replica
from logctl.admin.routing import Broker, Cluster, refusal
from logctl.errors import AccessDenied, LogctlError, Unreachable, UsageError
from logctl.wire import errors
from logctl.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    ReplicaState,
)

BROKERS = {node: Broker(node, Address("host", 9092 + node), None) for node in (1, 2, 3)}


def partition(number: int = 0, leader: int | None = 1, isr: tuple[int, ...] = (1, 2, 3)) -> Partition:
    return Partition(number, leader, 0, (1, 2, 3), isr, ())


def topic(*partitions: Partition, name: str = "orders") -> Topic:
    return Topic(name, b"", False, partitions)


def replica(node: int, behind_ms: int | None = 0, behind_records: int | None = 0) -> Replica:
    return Replica(node, None, 100, None, None, behind_records, behind_ms)


QUORUM = Quorum(1, 4, 100, (replica(1), replica(2), replica(3)), (), {})
GOOD_DIR = LogDir(2, "/data", 100, 60, False, (HeldReplica("orders", 0, 10, 0, False),))
HEALTHY = ClusterView(
    "id",
    1,
    BROKERS,
    topics={"orders": topic(partition(0), partition(1, leader=1))},
    log_dirs=dict.fromkeys(BROKERS, (GOOD_DIR,)),
    quorum=QUORUM,
)


def changed(**parts: Any) -> ClusterView:
    return HEALTHY._replace(**parts)


def with_partition(one: Partition, **parts: Any) -> ClusterView:
    return changed(topics={"orders": topic(one)}, **parts)


def directory(**parts: Any) -> ClusterView:
    return changed(log_dirs={2: (GOOD_DIR._replace(**parts),)})


def voters(*late_ms: int | None) -> Quorum:
    return QUORUM._replace(voters=tuple(replica(node, ms) for node, ms in enumerate(late_ms, 1)))


def test_a_cluster_without_fault_gives_no_finding() -> None:
    assert judge(HEALTHY) == []
    assert verdict([]) == "healthy"


FOUND: list[tuple[str, ClusterView, str, str, str]] = [
    (
        "offline-partitions",
        with_partition(partition(leader=None, isr=(2,))),
        "critical",
        "topic orders",
        "1 of 1 partition without a leader: 0",
    ),
    (
        "under-replicated",
        with_partition(partition(isr=(1, 2))),
        "warning",
        "topic orders",
        "1 of 1 partition with a replica that is not in sync: 0",
    ),
    (
        "under-min-isr",
        with_partition(partition(isr=(1,)), min_isr={"orders": 2}),
        "critical",
        "topic orders",
        "1 of 1 partition with fewer replicas in sync than min.insync.replicas, which refuse writes with acks=all: 0",
    ),
    (
        "at-min-isr",
        with_partition(partition(isr=(1, 2)), min_isr={"orders": 2}),
        "warning",
        "topic orders",
        "1 of 1 partition with just as many replicas in sync as min.insync.replicas asks for: 0",
    ),
    (
        "no-preferred-leader",
        with_partition(partition(leader=2)),
        "info",
        "broker 1",
        "leads 0 of the 1 partitions that should prefer it and could have it",
    ),
    ("controller", changed(quorum=QUORUM._replace(leader_id=None)), "critical", "cluster", "no active controller"),
    (
        "controller",
        changed(quorum=None, unseen={"quorum": Unreachable("b:1: did not answer in time")}),
        "critical",
        "cluster",
        "no controller answers: b:1: did not answer in time",
    ),
    ("controller", changed(quorum=None, controller_id=-1), "critical", "cluster", "no active controller"),
    (
        "controller",
        changed(quorum=None, silent={1: Unreachable("it is mute")}),
        "critical",
        "broker 1",
        "it is the controller and does not answer: it is mute",
    ),
    (
        "lagging-quorum",
        changed(quorum=voters(0, 0, 45_000)),
        "warning",
        "node 3",
        "votes in the metadata quorum and is 45 s behind its leader",
    ),
    ("lagging-quorum", changed(quorum=voters(0, 45_000, 45_000)), "critical", "node 2", "45 s behind its leader"),
    (
        "lagging-quorum",
        changed(brokers={**BROKERS, 9: BROKERS[1]}, quorum=QUORUM._replace(observers=(replica(9, None, 5000),))),
        "warning",
        "node 9",
        "follows the metadata log and is 5000 records behind its leader",
    ),
    (
        "lagging-quorum",
        changed(quorum=QUORUM._replace(observers=(replica(9, None, None),))),
        "info",
        "node 9",
        "has not been heard of by its leader",
    ),
    (
        "missing-brokers",
        changed(brokers={1: BROKERS[1], 2: BROKERS[2]}, fenced=frozenset({3})),
        "warning",
        "broker 3",
        "is registered and does not serve, and holds 2 replicas",
    ),
    ("missing-brokers", changed(silent={2: Unreachable("mute")}), "warning", "broker 2", "does not answer: mute"),
    ("full-log-dirs", directory(usable_bytes=10), "warning", "broker 2", "the volume of /data is 90% full"),
    ("full-log-dirs", directory(usable_bytes=2), "critical", "broker 2", "the volume of /data is 98% full"),
    ("full-log-dirs", directory(total_bytes=None), "info", "cluster", "Apache Kafka does since 3.3"),
    (
        "offline-log-dirs",
        directory(failure=refusal("/data", errors.KAFKA_STORAGE_ERROR)),
        "critical",
        "broker 2",
        "log directory /data is offline (KAFKA_STORAGE_ERROR)",
    ),
    ("offline-log-dirs", changed(silent={2: Unreachable("mute")}), "warning", "broker 2", "could not be looked at"),
    (
        "stuck-moves",
        changed(moves={("orders", 1): Move((4,), (1,))}),
        "warning",
        "partition orders-1",
        "moves to broker 4, which the cluster does not list",
    ),
    (
        "stuck-moves",
        changed(moves={("orders", 1): Move((2,), (1,), 70, 40.0)}),
        "warning",
        "partition orders-1",
        "has not got on for 40 s, 70 records short",
    ),
    ("stuck-moves", changed(moves={("orders", 1): Move((2,), (1,))}), "info", "cluster", "1 partition under way"),
]


@pytest.mark.parametrize(("check", "view", "severity", "subject", "says"), FOUND)
def test_a_fault_is_found_by_its_check(check: str, view: ClusterView, severity: str, subject: str, says: str) -> None:
    found = judge(view, [check])
    assert [one.check for one in found if says in one.sentence] != [], found
    assert (found[0].severity.value, found[0].subject) == (severity, subject)


def test_every_check_has_a_story() -> None:
    assert {row[0] for row in FOUND} == set(CHECKS)


def test_replicas_that_a_move_is_adding_are_not_missed() -> None:
    moving = with_partition(partition(isr=(1, 2)), moves={("orders", 0): Move((3,), (), None, 0.0)})
    assert judge(moving, ["under-replicated", "at-min-isr"]) == []


def test_more_replicas_than_there_are_cannot_be_demanded() -> None:
    alone = Topic("orders", b"", False, (Partition(0, 1, 0, (1,), (1,), ()),))
    assert judge(changed(topics={"orders": alone}, min_isr={"orders": 2}), ["under-min-isr", "at-min-isr"]) == []


def test_many_partitions_of_a_topic_are_one_finding() -> None:
    view = changed(topics={"orders": topic(*(partition(number, isr=(1,)) for number in range(25)))})
    [found] = judge(view, ["under-replicated"])
    assert found.sentence.endswith("0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 15 more")


def test_the_worst_comes_first_and_gives_the_verdict() -> None:
    view = with_partition(partition(leader=None, isr=(1,)), silent={2: Unreachable("mute")})
    found = judge(view)
    assert [one.severity for one in found] == sorted((one.severity for one in found), key=list(Severity).index)
    assert verdict(found) == "critical"
    assert verdict([Finding("x", Severity.INFO, "a", "b")]) == "healthy"
    assert verdict([Finding("x", Severity.WARNING, "a", "b")]) == "degraded"


@pytest.mark.parametrize("part", ["min_isr", "moves", "log_dirs", "quorum"])
def test_what_could_not_be_seen_is_not_taken_for_healthy(part: str) -> None:
    denied: LogctlError = AccessDenied("CLUSTER_AUTHORIZATION_FAILED: not for you")
    found = judge(changed(unseen={part: denied}, quorum=None))
    hindered = {one.check for one in found if one.sentence.startswith("could not be checked: CLUSTER_AUTH")}
    assert hindered == {name for name, check in CHECKS.items() if part in check.needs} | (
        {"controller"} if part == "quorum" else set()
    )
    assert all(one.serious for one in found)


def test_a_check_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no health check 'offlin'"):
        judge(HEALTHY, ["offlin"])


@pytest.mark.parametrize(
    ("before", "now", "still_s"),
    [
        (Move((2,), (), 70), Move((2,), ()), 5.0),
        (Move((2,), (), 70, 20.0), Move((2,), ()), 25.0),
        (Move((2,), (), 80, 20.0), Move((2,), ()), 0.0),
        (Move((3,), (), 70, 20.0), Move((2,), ()), 0.0),
    ],
)
def test_how_long_a_move_stands_still_shows_from_look_to_look(before: Move, now: Move, still_s: float) -> None:
    place = ("orders", 0)
    earlier = changed(moves={place: before}, taken_s=100.0)
    coming = GOOD_DIR._replace(replicas=(HeldReplica(*place, 10, 70, True),))
    view = changed(moves={place: now}, log_dirs={2: (coming,)}, taken_s=105.0)
    assert _watched(view, earlier)[place] == Move((2,), (), 70, still_s)
    assert _watched(view, None)[place].still_s is None


# -- faults, told by a script ------------------------------------------------------------------------------------------


def log_dirs(request: Any, version: int) -> DescribeLogDirsResponse:
    replicas = [DescribeLogDirsPartition(partition_index=0, partition_size=7)]
    topics = [DescribeLogDirsTopic(name="orders", partitions=replicas)]
    return DescribeLogDirsResponse(
        results=[DescribeLogDirsResult(log_dir="/data", topics=topics, total_bytes=100, usable_bytes=50)]
    )


def quorum(leader: int = 1, code: int = errors.NONE) -> Any:
    def answer(request: Any, version: int) -> DescribeQuorumResponse:
        voters = [ReplicaState(replica_id=1, log_end_offset=9, last_caught_up_timestamp=5)]
        partition = DescribeQuorumResponsePartitionData(
            error_code=code, leader_id=leader, leader_epoch=2, high_watermark=8, current_voters=voters
        )
        topics = [DescribeQuorumResponseTopicData(topic_name="__cluster_metadata", partitions=[partition])]
        return DescribeQuorumResponse(topics=topics)

    return answer


def checked(scripted: ScriptedCluster, *names: str, timeout_s: float = 10.0) -> list[Finding]:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        return find(Cluster(client), names, Deadline(timeout_s))


def test_a_check_asks_for_no_more_than_it_needs() -> None:
    with ScriptedCluster(1, topics={"orders": [1]}) as scripted:
        scripted.answer("DescribeLogDirs", log_dirs)
        scripted.answer("DescribeQuorum", quorum())
        assert checked(scripted, "offline-partitions") == []
        assert [name for name, _, _ in scripted.brokers[1].asked] == ["ApiVersions", "Metadata"]


def test_a_silent_broker_costs_its_own_part_and_is_named() -> None:
    with ScriptedCluster(1, 2, topics={"orders": [1]}) as scripted:
        scripted.answer("DescribeLogDirs", log_dirs)
        scripted.brokers[2].answer("DescribeLogDirs", lambda request, version: SILENCE)
        found = checked(scripted, "full-log-dirs", "missing-brokers", timeout_s=2.0)
    told = {(one.check, one.subject): one.sentence for one in found if one.serious}
    assert "did not answer in time" in told["full-log-dirs", "broker 2"]
    assert "is listed by the cluster and does not answer" in told["missing-brokers", "broker 2"]
    assert set(told) == {("full-log-dirs", "broker 2"), ("missing-brokers", "broker 2")}


def test_without_a_controller_the_cluster_is_critical() -> None:
    with ScriptedCluster(1) as scripted:
        scripted.answer("DescribeQuorum", quorum(code=errors.LEADER_NOT_AVAILABLE))
        [found] = checked(scripted, "controller", timeout_s=1.0)
    assert (found.severity, found.subject) == (Severity.CRITICAL, "cluster")
    assert found.sentence.startswith("no controller answers: the quorum of controllers: LEADER_NOT_AVAILABLE")


def test_while_the_lead_changes_hands_the_quorum_is_asked_again() -> None:
    with ScriptedCluster(1) as scripted:

        def moved(request: Any, version: int) -> Any:
            scripted.answer("DescribeQuorum", quorum(leader=1))
            return quorum(code=errors.NOT_LEADER_OR_FOLLOWER)(request, version)

        scripted.answer("DescribeQuorum", moved)
        assert checked(scripted, "controller", "lagging-quorum") == []
        assert scripted.brokers[1].count("DescribeQuorum") == 2


def test_a_controller_that_says_nothing_is_told() -> None:
    with ScriptedCluster(1) as scripted:
        scripted.answer("DescribeQuorum", lambda request, version: SILENCE)
        [found] = checked(scripted, "controller", timeout_s=1.0)
    assert found.severity is Severity.CRITICAL
    assert "did not answer in time" in found.sentence


def test_what_a_cluster_does_not_offer_is_said_and_no_fault() -> None:
    with ScriptedCluster(1, topics={"orders": [1]}) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        found = judge(look(Cluster(client), Deadline(10)))
        assert find(Cluster(client), (), Deadline(10)) == [], "no gate is shut by it"
    assert {one.check for one in found} == {"full-log-dirs", "offline-log-dirs", "lagging-quorum", "stuck-moves"}
    assert verdict(found) == "healthy"
    assert found[0].sentence == (
        "could not be checked: this cluster does not offer DescribeQuorum (key 55); Apache Kafka does since 2.8"
    )


def test_a_view_tells_what_was_not_seen() -> None:
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("DescribeLogDirs", log_dirs)
        view = look(Cluster(client), Deadline(10))
    assert set(view.unseen) == {"moves", "quorum", "fenced"}
    assert view.log_dirs[1][0].used_share == 0.5


def test_a_directory_that_its_node_has_no_more_is_no_laggard() -> None:
    gone, here = replica(9, 90_000), replica(9, 0)
    assert judge(changed(quorum=QUORUM._replace(observers=(gone, here))), ["lagging-quorum"]) == []
