"""Brokers say how they are: let in, stopping, with directories that failed; and those that are silent."""

from __future__ import annotations

from typing import Any

import pytest
from support.controller import Cluster, new_topic, numbered_id, registration
from support.isr import propose

from logctl.engine.controller.balancing import give_back
from logctl.engine.controller.brokers import fence_broker, register_broker
from logctl.engine.controller.directories import assign_replicas, assignment
from logctl.engine.controller.heartbeats import Sessions, heartbeat, leads_what_others_could
from logctl.engine.controller.image import LOST_DIRECTORY, NO_LEADER
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse

A, B = numbered_id(301), numbered_id(302)


@pytest.fixture
def cluster() -> Cluster:
    """orders on three brokers: 0 on 1 and 2, 1 on 1 alone. Broker 1 has two directories, and 0 lies in A."""
    cluster = Cluster(brokers=0)
    for broker_id in (1, 2, 3):
        said: dict[str, Any] = {"log_dirs": [A, B]} if broker_id == 1 else {}
        cluster.decide(register_broker, registration(broker_id, **said))
        beat(cluster, broker_id)
    cluster.create(new_topic("orders", assignment={0: [1, 2]}), new_topic("alone", assignment={0: [1]}))
    place(cluster, A)
    return cluster


def place(cluster: Cluster, directory: bytes, broker_id: int = 1, number: int = 0) -> int:
    chosen = {(cluster.image.topics["orders"].topic_id, number): directory}
    answer = cluster.decide(assign_replicas, assignment(broker_id, cluster.epoch(broker_id), chosen))
    code: int = answer.directories[0].topics[0].partitions[0].error_code
    return code


def beat(cluster: Cluster, broker_id: int, **said: Any) -> BrokerHeartbeatResponse:
    said = {"current_metadata_offset": 10_000, "broker_epoch": cluster.epoch(broker_id)} | said
    answer: BrokerHeartbeatResponse = cluster.decide(heartbeat, BrokerHeartbeatRequest(broker_id=broker_id, **said))
    return answer


def test_who_stops_hands_over_first_and_is_told_to_stop_then(cluster: Cluster) -> None:
    assert not beat(cluster, 1, want_shut_down=True).should_shut_down
    assert (cluster.partition().leader, cluster.partition().isr) == (2, (2,))
    assert cluster.partition("alone").leader == NO_LEADER, "nobody else could lead it"
    assert cluster.partition("alone").isr == (1,)
    assert beat(cluster, 1, want_shut_down=True).should_shut_down


def test_who_was_not_let_in_may_stop_at_once(cluster: Cluster) -> None:
    cluster.decide(fence_broker, 3)
    assert beat(cluster, 3, want_shut_down=True).should_shut_down


def test_a_directory_that_failed_takes_its_replicas_along(cluster: Cluster) -> None:
    beat(cluster, 1, offline_log_dirs=[A])
    assert cluster.image.brokers[1].log_dirs == (B,)
    assert (cluster.partition().leader, cluster.partition().isr) == (2, (2,))
    assert cluster.partition("alone").leader == 1, "it lies elsewhere"
    before = len(cluster.log)
    beat(cluster, 1, offline_log_dirs=[A])
    assert len(cluster.log) == before, "once is enough"
    assert propose(cluster, [2]).error_code == errors.NONE


def test_without_any_directory_a_broker_is_fenced(cluster: Cluster) -> None:
    assert beat(cluster, 1, offline_log_dirs=[A, B]).is_fenced
    assert (cluster.partition().leader, cluster.partition("alone").leader) == (2, NO_LEADER)
    assert beat(cluster, 1, offline_log_dirs=[A, B]).is_fenced, "it is not let in again like that"


def test_directories_that_take_nothing_new_are_remembered(cluster: Cluster) -> None:
    beat(cluster, 1, cordoned_log_dirs=[A])
    assert cluster.image.brokers[1].cordoned_log_dirs == (A,)
    cluster.create(new_topic("more", assignment={0: [1]}))
    assert cluster.partition("more").directories == (B,)
    beat(cluster, 1, cordoned_log_dirs=[])
    assert not cluster.image.brokers[1].cordoned_log_dirs


def test_replicas_move_between_directories(cluster: Cluster) -> None:
    assert place(cluster, B) == errors.NONE
    assert cluster.partition().directories[0] == B
    assert place(cluster, B, broker_id=3) == errors.NOT_LEADER_OR_FOLLOWER
    assert place(cluster, B, number=9) == errors.UNKNOWN_TOPIC_OR_PARTITION
    gone = assignment(1, cluster.epoch(1), {(numbered_id(99), 0): B})
    assert (
        cluster.decide(assign_replicas, gone).directories[0].topics[0].partitions[0].error_code
        == errors.UNKNOWN_TOPIC_ID
    )
    with pytest.raises(WireError) as refusal:
        cluster.decide(assign_replicas, assignment(1, 999, {}))
    assert refusal.value.code == errors.STALE_BROKER_EPOCH


def test_a_replica_that_is_lost_leads_nothing(cluster: Cluster) -> None:
    place(cluster, LOST_DIRECTORY)
    assert (cluster.partition().leader, cluster.partition().isr) == (2, (2,))


def test_leadership_goes_back_where_it_is_preferred(cluster: Cluster) -> None:
    cluster.decide(fence_broker, 1)
    beat(cluster, 1)
    assert give_back(cluster.controller).response == 0, "it has to catch up first"
    propose(cluster, [1, 2])
    decision = give_back(cluster.controller)
    cluster.take(decision.records)
    assert (decision.response, cluster.partition().leader) == (1, 1)


def test_nobody_registers_under_an_id_that_is_alive(cluster: Cluster) -> None:
    stranger = registration(2, incarnation_id=numbered_id(66), log_dirs=[numbered_id(67)])
    with pytest.raises(WireError) as refusal:
        register_broker(cluster.controller, stranger, heard_of=True)
    assert refusal.value.code == errors.DUPLICATE_BROKER_REGISTRATION
    same = cluster.image.brokers[2]
    assert register_broker(
        cluster.controller, registration(2, incarnation_id=same.incarnation_id), heard_of=True
    ).response.broker_epoch == same.epoch, "it asks again, as the answer was lost"  # fmt: skip
    assert register_broker(cluster.controller, stranger, heard_of=False).records, "the session has ended"
    beat(cluster, 2, want_shut_down=True)
    assert register_broker(cluster.controller, stranger, heard_of=True).records, "it has taken leave"


def test_sessions_end_when_nothing_is_heard() -> None:
    cluster = Cluster(brokers=2)
    sessions = Sessions(timeout_ms=100)
    sessions.begin([1], now_ms=0)
    sessions.touch(2, 50)
    assert (sessions.lasts(1, 99), sessions.lasts(1, 100), sessions.lasts(3, 0)) == (True, False, False)
    assert [one.broker_id for one in sessions.ended(cluster.image, 100)] == [1]
    assert sessions.next_end_ms(cluster.image) == 100
    assert sessions.silent(cluster.image, 60, for_ms=30) == [1]
    assert sessions.next_silence_ms(cluster.image, 30) == 30


def test_a_controller_that_could_not_listen_holds_its_own_silence_against_nobody() -> None:
    cluster = Cluster(brokers=2)
    sessions = Sessions(timeout_ms=100)
    sessions.begin([1, 2], now_ms=0)
    sessions.touch(2, 30)
    sessions.excuse(200, now_ms=210)
    assert [one.broker_id for one in sessions.ended(cluster.image, 299)] == []
    assert [one.broker_id for one in sessions.ended(cluster.image, 300)] == [1]
    assert sessions.next_end_ms(cluster.image) == 300, "nobody is heard of in times to come"


def test_who_leads_what_nobody_else_may_lead_is_not_waited_for() -> None:
    cluster = Cluster(brokers=2)
    cluster.create(new_topic("orders", assignment={0: [1, 2]}))
    assert leads_what_others_could(cluster.image, 1)
    propose(cluster, [1])
    assert not leads_what_others_could(cluster.image, 1)
