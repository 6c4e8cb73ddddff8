"""Accidents that replication is known to stumble over, each told by name in the simulation of three nodes.

They come from Apache Kafka's improvement proposals and from Jepsen's reports; what is asserted besides is what the
simulation always watches (`simulation/agreement.py`, `promises.py`): a story passes when nobody loses anything.
"""

from __future__ import annotations

from support.scene import Scene, Script, calm


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


def _apart_from_governor(scene: Scene) -> tuple[int, int]:
    """Two nodes that do not lead the quorum."""
    first, second = (one for one in (1, 2, 3) if one != scene.governor())
    return first, second


def _lead(scene: Scene, node_id: int) -> Script:
    """Let this node lead the partition."""
    from logctl.wire.messages.alter_partition_reassignments import (
        AlterPartitionReassignmentsRequest,
        ReassignablePartition,
        ReassignableTopic,
    )
    from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions

    order = [node_id, *(one for one in (1, 2, 3) if one != node_id)]
    wanted = ReassignableTopic("orders", [ReassignablePartition(0, order)])
    moved = scene.ask(node_id, AlterPartitionReassignmentsRequest(topics=[wanted]), 1)
    yield lambda: moved
    request = ElectLeadersRequest(election_type=0, topic_partitions=[TopicPartitions("orders", [0])])
    elected = scene.ask(node_id, request, 2)
    yield lambda: elected
    yield lambda: scene.leads(node_id) and len(scene.partition.isr) == 3
