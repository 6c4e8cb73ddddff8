"""What befalls the machines of a cluster, one thing after another, as the seed has it.

Some events are blind: any machine, any cable, any time. Others aim at what replication finds hard: a follower that is
kept from copying and leads next, leaders that fall one soon after the other, a broker that comes back without its logs
while it is still believed to have them, power that fails in the moment in which something was decided. What lasts ends
after a while, and everything when the play is over.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterable
from functools import partial
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Final

from logctl.engine.simulation.network import Cable, Strand

if TYPE_CHECKING:
    from logctl.engine.controller.image import Partition
    from logctl.engine.simulation.cluster import Cluster
    from logctl.engine.simulation.machine import Machine

CLIENTS: Final = 0
"""The place of the clients among the machines, whose numbers begin with 1."""
COPYING: Final = "replica"
_FAULT_S: Final = (0.1, 6.0)
_PATIENCE_S: Final = 4.0
_SPARED_S: Final = 4.0
"""Nothing else happens for so long, where everything hangs by what others have."""
_OWN_TOPICS: Final = "__"

Script = Generator[float | Callable[[], object], None, None]
"""Steps: seconds to wait, or a condition to wait for."""

EVENTS: Final = {
    "quiet": 10,
    "power": 6,
    "power soon": 5,
    "kill": 5,
    "kill soon": 4,
    "stop": 6,
    "suspend": 5,
    "power for all": 1,
    "full disk": 3,
    "bad write": 2,
    "bad sync": 2,
    "slow disk": 3,
    "hang up": 4,
    "cut one way": 6,
    "cut": 6,
    "isolate": 8,
    "isolate leader": 5,
    "fall behind": 5,
    "slow cables": 4,
    "break lines": 5,
    "mend": 6,
    "stop copying": 8,
    "uneven copies": 7,
    "handed over": 7,
    "leaders fall": 7,
    "late proposal": 6,
    "lose logs": 5,
    "coordinator falls": 4,
}
"""What may happen, and how often beside the others."""
_TO_ONE: Final = frozenset(
    {
        "power",
        "power soon",
        "kill",
        "kill soon",
        "stop",
        "suspend",
        "full disk",
        "bad write",
        "bad sync",
        "slow disk",
        "cut one way",
        "cut",
        "isolate",
        "slow cables",
        "break lines",
    }
)


class Fate:
    """The cables are its own; machines and clients are the world's."""

    def __init__(self, world: Cluster, random: Random) -> None:
        self.cables = {pair: Cable() for pair in product([CLIENTS, *world.node_ids], repeat=2)}
        self._copying = {pair: Strand(cable) for pair, cable in self.cables.items()}
        self._world = world
        self._random = random
        self._spared_until_s = 0.0

    def between(self, source: int, target: int, lane: str) -> tuple[Cable, Cable]:
        """The way there and the way back, for a lane of one node to another."""
        known = self._copying if lane == COPYING else self.cables
        return known[source, target], known[target, source]

    def happen(self) -> None:
        """One event; nothing, where it cannot be."""
        if self._world.time() < self._spared_until_s:
            return
        event = self._random.choices(list(EVENTS), list(EVENTS.values()))[0]
        if event in _TO_ONE:
            machine = self._world.machines[self._random.choice(self._world.node_ids)]
            if machine.is_idle:
                self._happen_to(machine, event)
            return
        self._world.trace.note("world", event)
        {
            "quiet": lambda: None,
            "mend": self.mend,
            "hang up": lambda: self._random.choice(self._world.clients).session.hang_up(),
            "power for all": self._power_for_all,
            "fall behind": self._fall_behind,
            "isolate leader": self._isolate_leader,
            "stop copying": self._stop_copying,
            "uneven copies": lambda: self._tell(self._uneven_copies()),
            "handed over": lambda: self._tell(self._handed_over()),
            "leaders fall": lambda: self._tell(self._leaders_fall()),
            "late proposal": lambda: self._tell(self._late_proposal()),
            "lose logs": self._lose_logs,
            "coordinator falls": self._coordinator_falls,
        }[event]()

    # To one machine.

    def _happen_to(self, machine: Machine, event: str) -> None:
        random, disk = self._random, machine.disk
        if event in ("kill", "power", "stop"):
            machine.end(event)
            return
        if event == "suspend":
            self._strike(machine, event)
            return
        self._world.trace.note(machine.name, event)
        if event in ("kill soon", "power soon"):
            disk.end_after(random.choice((0, 1, 3, 10, 30)), power=event == "power soon")
        elif event == "full disk":
            machine.faulty = True
            disk.capacity_bytes = disk.used_bytes() + random.randint(0, 3000)
            machine.later(random.uniform(0.02, 2.0), partial(setattr, disk, "capacity_bytes", None))
        elif event in ("bad write", "bad sync"):
            machine.faulty = True
            where = random.choice(("", "/data/a", ".log", "__cluster_metadata"))
            disk.fail(event[4:], errno.EIO, path_part=where, after=random.randint(0, 4))
        elif event == "slow disk":
            assert machine.node is not None
            machine.node.slow_down(random.choice((0.05, 0.3, 1.0)))
        else:
            self._happen_to_cables(machine, event)

    def _strike(self, machine: Machine, how: str) -> None:
        """End it, or suspend it for a while."""
        if how != "suspend":
            machine.end(how)
            return
        machine.suspend()
        machine.later(self._random.uniform(*_FAULT_S), machine.go_on)

    def _happen_to_cables(self, machine: Machine, event: str) -> None:
        others = [one for one in (CLIENTS, *self._world.node_ids) if one != machine.node_id]
        other = self._random.choice(others)
        there, back = (machine.node_id, other), (other, machine.node_id)
        if event == "cut one way":
            self._cut([self._random.choice((there, back))])
        elif event == "cut":
            self._cut([there, back])
        elif event == "isolate":
            self._isolate(machine)
        elif event == "slow cables":
            slowest_s = self._random.choice((0.02, 0.2, 1.0))
            for pair in (there, back):
                self.cables[pair].slowest_s = slowest_s
        elif event == "break lines":
            assert machine.node is not None
            machine.node.break_lines(self._random)

    # The quorum and the cables.

    def _power_for_all(self) -> None:
        for machine in self._world.machines.values():
            if machine.is_idle:
                machine.end("power")

    def _fall_behind(self) -> None:
        """A follower of the quorum is cut off while things are decided, and is back when the leader goes."""
        machines = self._world.machines.values()
        followers = [one for one in machines if one.node and not one.node.parts.metadata.is_leader]
        if not followers:
            return
        behind = self._random.choice(followers)
        pairs = self._around(behind.node_id)
        self._cut(pairs)

        def swap() -> None:
            self.mend(pairs)
            for machine in machines:
                if machine is not behind and machine.is_idle and machine.node and machine.node.parts.metadata.is_leader:
                    machine.end("power")

        self._world.loop.call_later(self._random.uniform(1.8, 4.0), swap)

    def _isolate_leader(self) -> None:
        for machine in self._world.machines.values():
            if machine.node and machine.node.parts.metadata.is_leader:
                self._isolate(machine)

    def _around(self, node_id: int) -> list[tuple[int, int]]:
        pairs = [(node_id, one) for one in self._world.node_ids if one != node_id]
        return pairs + [(b, a) for a, b in pairs]

    def _isolate(self, machine: Machine) -> None:
        """From the other machines; from clients too, or not; or one way only."""
        others = [one for one in self._world.node_ids if one != machine.node_id]
        if self._random.random() < 0.3:
            others.append(CLIENTS)
        ways = self._random.choice(((True, True), (True, True), (True, False), (False, True)))
        pairs = [(machine.node_id, one) for one in others if ways[0]]
        self._cut(pairs + [(one, machine.node_id) for one in others if ways[1]])

    def _cut(self, pairs: list[tuple[int, int]], *, copying: bool = False) -> None:
        """`copying`: only what replicas copy, while all else that the nodes say to each other arrives."""
        words = " ".join(f"{a}>{b}" for a, b in pairs)
        self._world.trace.note("world", "cuts", f"the copying {words}" if copying else words)
        for pair in pairs:
            (self._copying if copying else self.cables)[pair].cut()
        if self._random.random() < 0.7:
            self._world.loop.call_later(self._random.uniform(*_FAULT_S), self.mend, pairs)

    def mend(self, pairs: list[tuple[int, int]] | None = None) -> None:
        """All cables, or some."""
        for pair in pairs or self.cables:
            self.cables[pair].mend()
            self._copying[pair].mend()
            if pairs is None:
                self.cables[pair].slowest_s = Cable().slowest_s
        if pairs:
            self._world.trace.note("world", "mends", " ".join(f"{a}>{b}" for a, b in pairs))

    # Replicas.

    def _some_partition(self, wanted: Callable[[str, Partition], bool] | None = None) -> tuple[str, int] | None:
        """One that several nodes hold."""
        image = self._world.agreement.newest
        found = [
            (topic.name, number)
            for topic in (image.topics.values() if image is not None else ())
            for number, one in topic.partitions.items()
            if len(one.replicas) > 1 and one.leader >= 0 and (wanted is None or wanted(topic.name, one))
        ]
        return self._random.choice(found) if found else None

    def _partition(self, place: tuple[str, int]) -> Partition | None:
        image = self._world.agreement.newest
        topic = image.topics.get(place[0]) if image is not None else None
        return topic.partitions.get(place[1]) if topic is not None else None

    def _leader_of(self, place: tuple[str, int]) -> Machine | None:
        partition = self._partition(place)
        machine = self._world.machines.get(partition.leader) if partition is not None else None
        return machine if machine is not None and machine.is_idle else None

    def _stop_copying(self) -> None:
        """A follower hears everything but the records."""
        place = self._some_partition()
        partition = self._partition(place) if place is not None else None
        if partition is None:
            return
        behind = self._random.choice([one for one in partition.replicas if one != partition.leader])
        self._cut([(behind, partition.leader), (partition.leader, behind)], copying=True)

    def _uneven_copies(self) -> Script:
        """Some followers are kept from copying for a moment; then the leader goes, or has to hand over."""
        place = self._some_partition()
        partition = self._partition(place) if place is not None else None
        if place is None or partition is None:
            return
        followers = [one for one in partition.replicas if one != partition.leader]
        behind = self._random.sample(followers, self._random.randint(1, len(followers)))
        pairs = self._ways(behind, partition.leader)
        self._cut(pairs, copying=True)
        yield self._random.choice((0.02, 0.1, 0.4))
        epoch, leader = self._epoch_of(place), self._leader_of(place)
        if leader is not None:
            self._strike(leader, self._random.choice(("power", "kill", "suspend")))
        yield self._random.choice((0.0, 0.5, 2.0))
        self.mend(pairs)
        yield lambda: self._epoch_of(place) > epoch

    def _handed_over(self) -> Script:
        """The preferred replica, which lacks the newest records, takes over from a leader that lives on; soon it falls,
        and the other one may lead again."""
        place = self._some_partition(lambda name, one: one.leader != one.replicas[0] and one.replicas[0] in one.isr)
        partition = self._partition(place) if place is not None else None
        if place is None or partition is None:
            return
        heir = partition.replicas[0]
        pairs = self._ways([heir], partition.leader)
        self._cut(pairs, copying=True)
        yield self._random.choice((0.1, 0.3))
        self._world.caretaker.elect(*place)
        yield lambda: self._led_by(place) == heir
        yield self._random.choice((0.02, 0.2, 0.6))
        self.mend(pairs)
        if self._world.machines[heir].is_idle:
            self._strike(self._world.machines[heir], self._random.choice(("power", "kill", "suspend", "stop")))

    def _ways(self, some: Iterable[int], other: int) -> list[tuple[int, int]]:
        pairs = [(one, other) for one in some]
        return pairs + [(b, a) for a, b in pairs]

    def _leaders_fall(self) -> Script:
        """Whoever leads a partition falls, and so does who leads it next, before or just after all have followed."""
        place = self._some_partition()
        first = self._leader_of(place) if place is not None else None
        if place is None or first is None:
            return
        epoch = self._epoch_of(place)
        self._strike(first, self._random.choice(("power", "kill", "suspend", "stop")))
        yield lambda: self._epoch_of(place) > epoch and self._leader_of(place) not in (None, first)
        yield self._random.choice((0.0, 0.02, 0.1, 0.5))
        second = self._leader_of(place)
        if second is not None:
            self._strike(second, self._random.choice(("power", "kill", "suspend")))

    def _late_proposal(self) -> Script:
        """A follower that has caught up is killed, or stops in order and loses its log, while its leader's proposal to
        take it in is on the way."""
        governor = next((m for m in self._world.machines.values() if m.node and m.node.parts.metadata.is_leader), None)
        place = self._some_partition(
            lambda name, one: governor is not None and one.leader != governor.node_id and len(one.replicas) > 2
        )
        leader = self._leader_of(place) if place is not None else None
        if governor is None or place is None or leader is None:
            return
        followers = [m for m in self._world.machines.values() if m not in (governor, leader)]
        follower = self._random.choice(followers)
        pairs = self._ways([follower.node_id], leader.node_id)
        self._cut(pairs, copying=True)
        yield lambda: follower.node_id not in (self._isr(place) or [follower.node_id])
        way = self._ways([governor.node_id], leader.node_id)
        self._cut(way)
        self.mend(pairs)
        replica = leader.node.broker.replicas.get(*place) if leader.node is not None else None
        yield lambda: replica is not None and follower.node_id in (getattr(replica.followers, "proposed", None) or ())
        lost = f"{place[0]}-{place[1]}"
        if not follower.is_idle or follower.node_id in (self._isr(place) or ()):
            return
        self._cut(pairs, copying=True)
        if self._random.random() < 0.4:
            follower.end("kill")
            yield lambda: self._is_fenced(follower)
        else:
            yield from self._come_back_without(follower, lost)
        self.mend(way)
        yield 1.0
        self.mend(pairs)

    def _come_back_without(self, machine: Machine, lost: str) -> Script:
        self._spared_until_s = self._world.time() + _SPARED_S
        life = machine.lives
        machine.end("stop")
        yield lambda: machine.node is None
        machine.lose([lost])
        self._world.agreement.lost(machine.node_id, [lost])
        yield lambda: machine.lives > life and machine.serves

    def _is_fenced(self, machine: Machine) -> bool:
        image = self._world.agreement.newest
        return image is None or image.brokers[machine.node_id].fenced

    def _tell(self, script: Script) -> None:
        """Go on with what takes several steps. It is given up when it waits too long, or when the play is over."""
        self._go_on(script, 0.0, None)

    def _go_on(self, script: Script, since_s: float, condition: Callable[[], object] | None) -> None:
        now_s, later = self._world.time(), self._world.loop.call_later
        if self._world.resting or (condition is not None and now_s - since_s > _PATIENCE_S):
            script.close()
        elif condition is not None and not condition():
            later(0.02, self._go_on, script, since_s, condition)
        elif (step := next(script, None)) is None:
            return
        elif callable(step):
            self._go_on(script, now_s, step)
        else:
            later(step, self._go_on, script, now_s, None)

    def _led_by(self, place: tuple[str, int]) -> int:
        partition = self._partition(place)
        return partition.leader if partition is not None else -1

    def _isr(self, place: tuple[str, int]) -> tuple[int, ...] | None:
        partition = self._partition(place)
        return partition.isr if partition is not None else None

    def _epoch_of(self, place: tuple[str, int]) -> int:
        partition = self._partition(place)
        return partition.leader_epoch if partition is not None else -1

    def _coordinator_falls(self) -> None:
        place = self._some_partition(lambda name, one: name.startswith(_OWN_TOPICS))
        machine = self._leader_of(place) if place is not None else None
        if machine is not None:
            self._strike(machine, self._random.choice(("power", "kill", "stop", "suspend")))

    def _lose_logs(self) -> None:
        """The power fails, and the logs of partitions go with it that others hold, too: who is in sync, others are as
        well, and who leads loses nothing, since it may be about to be the only one in sync."""
        machine = self._world.machines[self._random.choice(self._world.node_ids)]
        image = self._world.agreement.newest
        if not machine.is_idle or image is None:
            return
        node_id = machine.node_id
        lost = [
            f"{topic.name}-{number}"
            for topic in image.topics.values()
            for number, one in topic.partitions.items()
            if node_id in one.replicas and one.leader not in (node_id, -1) and len(set(one.isr) - {node_id}) > 1
        ]
        if self._world.may_lose(machine, lost):
            self.mend()
            self._spared_until_s = self._world.time() + _SPARED_S
            machine.lose(lost)
            self._world.agreement.lost(node_id, lost)
