"""Accidents that replication is known to stumble over, each told by name in the simulation of three nodes.

They come from Apache Kafka's improvement proposals and from Jepsen's reports; what is asserted besides is what the
simulation always watches (`simulation/agreement.py`, `promises.py`): a story passes when nobody loses anything.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import planted_in_replicas as planted
from support.planted import Plant
from support.scene import Scene, Script, calm

from logctl.engine.simulation.promises import Broken
from logctl.wire import errors
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions


def test_a_follower_that_leads_next_keeps_what_it_did_not_know_as_committed() -> None:
    """KIP-101, first scenario: it had the record, not the watermark, when both fell."""
    scene = Scene()

    def script() -> Script:
        yield from calm(scene, [1, 2])
        first = scene.produce(1, 1)
        yield lambda: first
        told = scene.produce(1, 2)
        yield lambda: scene.replica(2).log.flushed_end == 2
        scene.fate._cut([(1, 2)])
        yield lambda: told
        assert not told[0].error_code
        assert scene.replica(2).high_watermark < 2, "it has not heard that the second is committed"
        scene.machines[2].end("power")
        yield lambda: scene.machines[2].node is not None
        scene.machines[1].end("power")
        scene.fate.mend()
        yield scene.all_in

    scene.perform(script())


def test_after_two_fast_failovers_histories_part_where_the_older_epoch_ended() -> None:
    """KIP-279: one writes in an epoch that the next leader has never heard of."""
    scene = Scene()

    def script() -> Script:
        yield from calm(scene, [1, 2, 3])
        first = scene.produce(1, 1)
        yield lambda: first
        both = [scene.stop_copying(2, 1), scene.stop_copying(3, 1), scene.stop_copying(3, 2), scene.stop_copying(2, 3)]
        scene.produce(1, 2, acks=1)
        yield lambda: scene.replica(1).log.flushed_end == 2
        scene.machines[1].end("power")
        yield lambda: scene.partition.leader != 1 and scene.leads(scene.partition.leader)
        second = scene.partition.leader
        scene.produce(second, 3, acks=1)
        yield lambda: scene.replica(second).log.flushed_end == 2
        scene.machines[second].end("power")
        third = 5 - second
        yield lambda: scene.partition.leader == third and scene.leads(third)
        scene.produce(third, 4)
        for go_on in both:
            go_on()
        yield lambda: scene.all_in() and len(scene.partition.isr) == 3
        logs = [scene.replica(one).log for one in (1, 2, 3)]
        yield lambda: {log.end_offset for log in logs} == {2}

    scene.perform(script())


def test_a_broker_that_came_back_without_its_logs_is_not_taken_in_for_what_it_was() -> None:
    """KIP-903: the leader's proposal is late, and meanwhile the follower has lost everything and is there again."""
    scene = Scene({"replica.lag.time.max.ms": "700", "broker.session.timeout.ms": "9000"})

    def script() -> Script:
        yield from calm(scene, [1, 2, 3])
        leader, follower = _apart_from_governor(scene)
        yield from _lead(scene, leader)
        go_on = scene.stop_copying(follower, leader)
        for value in range(1, 4):
            told = scene.produce(leader, value)
            yield lambda told=told: told
        yield lambda: follower not in scene.partition.isr
        way = [(leader, scene.governor()), (scene.governor(), leader)]
        for pair in way:
            scene.fate.cables[pair].cut()
        go_on()
        yield lambda: follower in (scene.replica(leader).followers.proposed or ())
        before = scene.agreement.newest.brokers[follower].epoch
        scene.machines[follower].end("stop")
        yield lambda: scene.machines[follower].node is None
        scene.machines[follower].disk.lose("/data/a/orders-0")
        scene.agreement.lost(follower, ["orders-0"])
        hold = scene.stop_copying(follower, leader)
        yield lambda: scene.machines[follower].serves
        assert scene.agreement.newest.brokers[follower].epoch > before
        scene.fate.mend(way)
        yield 1.0
        assert follower not in scene.partition.isr, "it has nothing"
        hold()
        yield lambda: follower in scene.partition.isr

    scene.perform(script())


def test_histories_part_where_the_followers_own_epoch_ended() -> None:
    """KIP-279: the leader has more of the last epoch that both know, and the follower went on in another from there."""
    scene = Scene()

    def script() -> Script:
        yield from calm(scene, [1, 2, 3])
        first = scene.produce(1, 1)
        yield lambda: first
        go_on = [scene.stop_copying(2, 1), scene.stop_copying(3, 2), scene.stop_copying(2, 3)]
        for value in (2, 3):
            scene.produce(1, value, acks=1)
        yield lambda: scene.replica(3).log.flushed_end == 3
        scene.hold_back(1)
        scene.machines[1].end("power")
        yield lambda: scene.leads(2)
        scene.produce(2, 4, acks=1)
        yield lambda: scene.replica(2).log.flushed_end == 2
        go_on.append(scene.stop_copying(1, 2))
        scene.let_start(1)
        yield lambda: scene.machines[1].serves
        scene.machines[2].end("power")
        yield lambda: scene.leads(3)
        for mend in go_on:
            mend()
        yield lambda: scene.all_in() and len(scene.partition.isr) == 3
        assert scene.replica(2).log.end_offset == 3

    scene.perform(script())


def test_what_followers_had_in_an_earlier_epoch_does_not_count() -> None:
    """KIP-320: it leads again, and one that had more then has cut it since."""
    scene = Scene()

    def script() -> Script:
        yield from calm(scene, [1, 2, 3])
        first = scene.produce(1, 1)
        yield lambda: first
        go_on = scene.stop_copying(2, 1)
        scene.produce(1, 2, acks=1)
        yield lambda: scene.replica(3).log.flushed_end == 2
        yield from _lead(scene, 2)
        go_on()
        yield lambda: scene.replica(1).log.end_offset == scene.replica(3).log.end_offset == 1
        hold = scene.stop_copying(3, 1)
        yield from _lead(scene, 1)
        again = scene.produce(1, 3)
        yield lambda: scene.replica(2).log.flushed_end == 2
        yield 0.5
        assert not again, "one of three does not have it yet"
        hold()
        yield lambda: again
        assert again[0].base_offset == 1

    scene.perform(script())


def _apart_from_governor(scene: Scene) -> tuple[int, int]:
    """Two nodes that do not lead the quorum."""
    first, second = (one for one in (1, 2, 3) if one != scene.governor())
    return first, second


def _reassign(scene: Scene, replicas: list[int]) -> Script:
    wanted = ReassignableTopic("orders", [ReassignablePartition(0, replicas)])
    moved = scene.ask(replicas[0], AlterPartitionReassignmentsRequest(topics=[wanted]), 1)
    yield lambda: moved
    assert not moved[0].responses[0].partitions[0].error_code


def _lead(scene: Scene, node_id: int) -> Script:
    """Let this node lead the partition."""
    yield from _reassign(scene, [node_id, *(one for one in (1, 2, 3) if one != node_id)])
    request = ElectLeadersRequest(election_type=0, topic_partitions=[TopicPartitions("orders", [0])])
    elected = scene.ask(node_id, request, 2)
    yield lambda: elected
    yield lambda: scene.leads(node_id) and len(scene.partition.isr) == 3


def test_the_last_replica_standing_may_lose_everything() -> None:
    """KIP-966: the others left the in-sync set while nothing could be acknowledged, so each of them may lead."""
    scene = Scene({"replica.lag.time.max.ms": "700"}, {"eligible.leader.replicas.version": 1})

    def script() -> Script:
        yield from calm(scene, [1, 2, 3], min_insync_replicas="2")
        first = scene.produce(1, 1)
        yield lambda: first
        go_on = [scene.stop_copying(2, 1), scene.stop_copying(3, 1)]
        late = scene.produce(1, 2)
        yield lambda: scene.partition.isr == (1,)
        yield lambda: late
        assert late[0].error_code == errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND
        assert set(scene.partition.elr) == {2, 3}
        refused, alone = scene.produce(1, 3), scene.produce(1, 4, acks=1)
        yield lambda: refused and alone
        assert refused[0].error_code == errors.NOT_ENOUGH_REPLICAS
        assert not alone[0].error_code
        assert scene.replica(1).high_watermark == 1, "nobody may see what one alone has"
        scene.machines[1].lose(["orders-0"])
        scene.agreement.lost(1, ["orders-0"])
        yield lambda: scene.partition.leader in (2, 3) and scene.leads(scene.partition.leader)
        for mend in go_on:
            mend()
        yield lambda: scene.all_in() and len(scene.partition.isr) == 3
        assert scene.replica(1).log.end_offset == 1

    scene.perform(script())


def test_who_gives_a_replica_away_neither_answers_for_it_nor_keeps_it() -> None:
    scene = Scene()

    def script() -> Script:
        yield from calm(scene, [1, 2])
        first = scene.produce(1, 1)
        yield lambda: first
        yield from _reassign(scene, [3, 2])
        yield lambda: scene.partition.replicas == (3, 2) and scene.leads(3)
        yield lambda: scene.replica(1) is None
        refused = scene.produce(1, 2, acks=1)
        yield lambda: refused
        assert refused[0].error_code == errors.NOT_LEADER_OR_FOLLOWER
        assert not scene.machines[1].disk.exists("/data/a/orders-0")
        scene.machines[1].end("power")
        yield lambda: scene.all_in()
        again = scene.produce(3, 3)
        yield lambda: again
        assert again[0].base_offset == 1

    scene.perform(script())


def test_two_folders_of_a_partition_that_others_hold_now_are_both_set_aside() -> None:
    """Seed 504: the node ended in the middle of a move, and the partition was given to others before it was back."""
    scene = Scene({"log.dirs": "/data/a,/data/b"})

    def script() -> Script:
        yield from calm(scene, [1, 2])
        [held] = [path for path in ("/data/a", "/data/b") if scene.machines[1].disk.exists(f"{path}/orders-0")]
        machine = scene.machines[1]
        machine.end("kill")
        machine.disk.mkdirs("/data/b/orders-0" if held == "/data/a" else "/data/a/orders-0")
        scene.hold_back(1)
        yield from _reassign(scene, [2, 3])
        yield lambda: scene.partition.replicas == (2, 3)
        scene.let_start(1)
        yield scene.all_in
        names = [name for path in ("/data/a", "/data/b") for name in machine.disk.listdir(path)]
        assert len([name for name in names if name.startswith("orders-0.") and name.endswith("-stray")]) == 2

    scene.perform(script())


def test_a_batch_may_be_taken_whose_predecessor_found_no_topic() -> None:
    """As with Apache Kafka: a producer that nobody knows may have a past that has expired. Who waits for the first
    acknowledgement of a partition is safe."""
    scene = Scene()

    def script() -> Script:
        yield scene.all_in
        leader, _ = _apart_from_governor(scene)
        way = [(scene.governor(), leader)]
        scene.fate.cables[way[0]].cut()
        scene.create([leader, 6 - leader - scene.governor()])
        yield lambda: "orders" in scene.promises.topics
        first = scene.produce(leader, 1, producer=(7, 0, 0))
        yield lambda: first
        assert first[0].error_code == errors.UNKNOWN_TOPIC_ID
        scene.fate.mend(way)
        yield lambda: scene.leads(leader)
        second = scene.produce(leader, 2, producer=(7, 0, 1))
        yield lambda: second
        assert second[0].base_offset == 0
        first = scene.produce(leader, 3, producer=(7, 0, 0))
        yield lambda: first
        assert first[0].error_code == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
        patient = scene.produce(leader, 4, producer=(8, 0, 0))
        yield lambda: patient
        patient = scene.produce(leader, 5, producer=(8, 0, 1))
        yield lambda: patient
        assert patient[0].base_offset == 2

    scene.perform(script())


BUGS: dict[Plant, Callable[[], None]] = {
    planted.cuts_to_the_watermark: test_a_follower_that_leads_next_keeps_what_it_did_not_know_as_committed,
    planted.compares_the_last_epoch_alone: test_after_two_fast_failovers_histories_part_where_the_older_epoch_ended,
    planted.agrees_to_another_life: test_a_broker_that_came_back_without_its_logs_is_not_taken_in_for_what_it_was,
    planted.parts_where_the_leader_says: test_histories_part_where_the_followers_own_epoch_ended,
    planted.remembers_followers_of_another_epoch: test_what_followers_had_in_an_earlier_epoch_does_not_count,
    planted.counts_when_too_few_are_in_sync: test_the_last_replica_standing_may_lose_everything,
}


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_the_story_of_a_bug_finds_it(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises((Broken, AssertionError)):
        BUGS[plant]()
