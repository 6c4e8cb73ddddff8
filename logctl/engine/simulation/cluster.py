"""Several machines, the cables between them, their clients, and what befalls all of them: decided by one seed.

Theory of operation. Every machine has a disk that forgets, a clock that is a little wrong and a cable to and from every
other, and to the clients. The nodes are the production core with its own lines (`lines.py`). Clients act every few
milliseconds; beside them runs a play of events: power, kill, both in the middle of a change to the disk, an orderly
stop, a suspended process; full, failing and slow disks; cables cut one way, both ways or around one machine, slow
cables, connections that break; all at once. Faults that last end after a while, and all of them when the play is over.

`Agreement.look` is called at the end of every tick of every node, `Promises` when clients hear something and when a
node has opened its logs. Then the world must come to rest within a bounded time: a leader of the quorum that all know,
all brokers let in, a leader for every partition, and progress for every client, the one who creates topics among them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from itertools import product
from random import Random
from typing import Any, Final

from logctl.engine.event_loop import asyncio
from logctl.engine.simulation.administrator import ClusterAdministrator
from logctl.engine.simulation.agreement import Agreement
from logctl.engine.simulation.clients import Client, Committer, Consumer, IdempotentProducer, PatientProducer, Producer
from logctl.engine.simulation.clock import VirtualLoop
from logctl.engine.simulation.disk import ProcessEnds
from logctl.engine.simulation.machine import START_MS, Machine
from logctl.engine.simulation.network import Cable, CallingEnd, ClientEnd, ServerEnd
from logctl.engine.simulation.node import SimulatedNode
from logctl.engine.simulation.promises import Broken, Promises
from logctl.engine.simulation.routes import Routes
from logctl.engine.simulation.trace import Trace

CLIENTS: Final = 0
"""The place of the clients among the machines, whose numbers begin with 1."""
_TURN_S: Final = (0.02, 0.3)
_EVENT_S: Final = (0.05, 2.5)
_FAULT_S: Final = (0.1, 6.0)
_DOWN_S: Final = (0.01, 3.0)
_REST_S: Final = 40.0
_AT_ELECTIONS: Final = 0.1

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
    "isolate leader": 6,
    "fall behind": 6,
    "slow cables": 4,
    "break lines": 5,
    "mend": 6,
}
"""What may happen, and how often beside the others."""


class Cluster:
    """`run` plays, rests and compares. Everything random comes from `random` and its children."""

    def __init__(self, seed: int, nodes: int = 3) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(self._exception)
        self.trace = Trace(self.loop.time)
        self.promises = Promises()
        self.problem: BaseException | None = None
        self.resting = False
        self.node_ids = list(range(1, nodes + 1))
        self.agreement = Agreement(self.promises, self.node_ids)
        self.attempted = self.agreement.attempted
        self.ends = 0
        """How many lives have ended."""
        self._ids = Random(self.random.random())
        self._values = 0
        self._soon = False
        self._epochs: dict[int, int] = {}
        self._cables = {pair: Cable() for pair in product([CLIENTS, *self.node_ids], repeat=2)}
        self.machines = {
            node_id: Machine(self, node_id, self.node_ids, Random(self.random.random()), partial(self._dial, node_id))
            for node_id in self.node_ids
        }
        self.clients = self._people()

    # What the people of the world may ask.

    def time(self) -> float:
        return self.loop.time()

    def now_ms(self) -> int:
        return START_MS + int(self.loop.time() * 1000)

    @property
    def life(self) -> int:
        """Grows with every end of a node."""
        return self.ends

    @property
    def most_copies(self) -> int:
        """How many replicas a topic may have."""
        return min(3, len(self.node_ids))

    def next_value(self) -> int:
        self._values += 1
        return self._values

    def way(self, name: str, lost: Callable[[], None]) -> Routes:
        return Routes(self, name, lost)

    def connect(self, received: Callable[[bytes], None], ended: Callable[[], None]) -> ClientEnd | None:
        return self.connect_to(self.random.choice(self.node_ids), received, ended)

    def connect_to(
        self, node_id: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> ClientEnd | None:
        machine = self.machines[node_id]
        if machine.node is None or not machine.serves or self._cables[CLIENTS, node_id].is_cut:
            return None
        return machine.node.connect(received, ended, (self._cables[CLIENTS, node_id], self._cables[node_id, CLIENTS]))

    def _people(self) -> list[Client]:
        return [
            ClusterAdministrator(self, "admin"),
            Producer(self, "plain", -1),
            Producer(self, "hasty", 1),
            PatientProducer(self, "careful-1"),
            PatientProducer(self, "careful-2"),
            Consumer(self, "reader-1"),
            Consumer(self, "reader-2"),
            Committer(self, "committer"),
        ]

    # What machines may ask.

    def new_uuid(self) -> bytes:
        return self._ids.randbytes(16)

    def _dial(self, source: int, target: int, lane: str) -> CallingEnd:
        def reach() -> ServerEnd | None:
            node = self.machines[target].node
            return node.accept(source) if node is not None else None

        cables = self._cables[source, target], self._cables[target, source]
        return CallingEnd(self.loop, Random(self.random.random()), cables, reach, lingers=lane != "forward")

    def looked(self, machine: Machine) -> None:
        if machine.node is None:
            return
        self.agreement.look(machine.node_id, machine.node)
        metadata = machine.node.parts.metadata
        if metadata.epoch > self._epochs.get(machine.node_id, 0):
            self._epochs[machine.node_id] = metadata.epoch
            if not self.resting and self.random.random() < _AT_ELECTIONS:
                machine.later(self.random.choice((0.0, 0.01, 0.1)), partial(self._cut_short, machine))

    def _cut_short(self, machine: Machine) -> None:
        """The power fails while it votes or has just been told of another epoch; it is back at once."""
        if machine.is_idle:
            self._soon = True
            machine.end("power")
            self._soon = False

    def ended(self, machine: Machine, node: SimulatedNode | None, *, power: bool) -> None:
        """A life is over: another one begins after a while."""
        self.ends += 1
        if power:
            self.promises.page_cache_lost()
        if node is not None:
            self.agreement.died(machine.node_id, node)
        self.loop.call_later(0.01 if self._soon else self.random.uniform(*_DOWN_S), self._start, machine)
        if not self.resting and self.random.random() < 0.1:
            machine.disk.end_after(self.random.randint(0, 40), power=self.random.random() < 0.5)

    def _start(self, machine: Machine) -> None:
        machine.start()

    def fail(self, problem: BaseException) -> None:
        if self.problem is None:
            self.problem = problem
        self.loop.stop()

    # Running it.

    def run(self, minutes: float) -> None:
        """Play for so long in virtual time, rest, compare. Raises Broken, or whatever went wrong."""
        self._play_ends_s = minutes * 60
        for machine in self.machines.values():
            self.loop.call_later(self.random.uniform(0, 0.5), self._start, machine)
        for client in self.clients:
            self._take_turns(client)
        self.loop.call_later(2.0, self._next_event)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()
        if self.problem is not None:
            self.trace.note("world", "broken", str(self.problem))
            raise self.problem

    def _exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, ProcessEnds):
            for machine in self.machines.values():
                if machine.disk.has_ended:
                    machine.process_ended()
        else:
            self.fail(error or Broken(str(context)))

    def _take_turns(self, client: Client) -> None:
        self.loop.call_later(client.random.uniform(*_TURN_S), self._take_turns, client)
        try:
            client.turn()
        except ProcessEnds:
            raise
        except Exception as problem:
            self.fail(problem)

    def _next_event(self) -> None:
        if self.time() > self._play_ends_s:
            self._begin_rest()
            return
        self.loop.call_later(self.random.uniform(*_EVENT_S), self._next_event)
        self.agreement.check_promises()
        sick = [machine for machine in self.machines.values() if machine.is_idle and machine.sick]
        if sick:
            self.random.choice(sick).end(self.random.choice(("kill", "power", "stop")))
            return
        event = self.random.choices(list(EVENTS), list(EVENTS.values()))[0]
        machine = self.machines[self.random.choice(self.node_ids)]
        if event in ("mend", "quiet", "power for all", "hang up", "isolate leader", "fall behind"):
            self._happen(event)
        elif machine.is_idle:
            self._happen_to(machine, event)

    def _happen(self, event: str) -> None:
        self.trace.note("world", event)
        if event == "mend":
            self._mend()
        elif event == "hang up":
            self.random.choice(self.clients).session.hang_up()
        elif event == "power for all":
            for machine in self.machines.values():
                if machine.is_idle:
                    machine.end("power")
        elif event == "fall behind":
            self._fall_behind()
        elif event == "isolate leader":
            leading = [one for one in self.machines.values() if one.node and one.node.parts.metadata.is_leader]
            for machine in leading:
                self._isolate(machine)

    def _fall_behind(self) -> None:
        """A follower is cut off while things are decided, and is back when the leader goes."""
        followers = [one for one in self.machines.values() if one.node and not one.node.parts.metadata.is_leader]
        if not followers:
            return
        behind = self.random.choice(followers)
        pairs = [(behind.node_id, one) for one in self.node_ids if one != behind.node_id]
        self._cut(pairs := pairs + [(b, a) for a, b in pairs])

        def swap() -> None:
            self._mend(pairs)
            for machine in self.machines.values():
                if machine is not behind and machine.is_idle and machine.node and machine.node.parts.metadata.is_leader:
                    machine.end("power")

        self.loop.call_later(self.random.uniform(1.8, 4.0), swap)

    def _happen_to(self, machine: Machine, event: str) -> None:
        random, disk = self.random, machine.disk
        if event in ("kill", "power", "stop"):
            machine.end(event)
            return
        if event == "suspend":
            machine.suspend()
            machine.later(random.uniform(*_FAULT_S), machine.go_on)
            return
        self.trace.note(machine.name, event)
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

    def _happen_to_cables(self, machine: Machine, event: str) -> None:
        other = self.random.choice([one for one in (CLIENTS, *self.node_ids) if one != machine.node_id])
        there, back = (machine.node_id, other), (other, machine.node_id)
        if event == "cut one way":
            self._cut([self.random.choice((there, back))])
        elif event == "cut":
            self._cut([there, back])
        elif event == "isolate":
            self._isolate(machine)
        elif event == "slow cables":
            slowest_s = self.random.choice((0.02, 0.2, 1.0))
            for pair in (there, back):
                self._cables[pair].slowest_s = slowest_s
        elif event == "break lines":
            assert machine.node is not None
            machine.node.break_lines(self.random)

    def _isolate(self, machine: Machine) -> None:
        """From the other machines; from clients too, or not; or one way only."""
        others = [one for one in self.node_ids if one != machine.node_id]
        if self.random.random() < 0.3:
            others.append(CLIENTS)
        ways = self.random.choice(((True, True), (True, True), (True, False), (False, True)))
        pairs = [(machine.node_id, one) for one in others if ways[0]]
        self._cut(pairs + [(one, machine.node_id) for one in others if ways[1]])

    def _cut(self, pairs: list[tuple[int, int]]) -> None:
        self.trace.note("world", "cuts", " ".join(f"{a}>{b}" for a, b in pairs))
        for pair in pairs:
            self._cables[pair].cut()
        if self.random.random() < 0.7:
            self.loop.call_later(self.random.uniform(*_FAULT_S), self._mend, pairs)

    def _mend(self, pairs: list[tuple[int, int]] | None = None) -> None:
        for pair in pairs or self._cables:
            if self._cables[pair].is_cut:
                self._cables[pair].mend()
            if pairs is None:
                self._cables[pair].slowest_s = Cable().slowest_s
        if pairs:
            self.trace.note("world", "mends", " ".join(f"{a}>{b}" for a, b in pairs))

    # The end.

    def _begin_rest(self) -> None:
        self.resting = True
        self.trace.note("world", "rests")
        self._mend()
        for machine in self.machines.values():
            machine.heal()
            machine.disk.end_after_all()
            machine.go_on()
            if machine.is_idle and (machine.sick or self.random.random() < 0.5):
                machine.end("power")
        self._goal = {client: client.progress + 3 for client in self.clients}
        self._deadline_s = self.time() + _REST_S
        self.loop.call_later(0.5, self._watch_rest)

    def _watch_rest(self) -> None:
        late = self._late()
        if not late:
            self._last_comparison()
        elif self.time() > self._deadline_s:
            self.fail(Broken(f"liveness: no fault for {_REST_S:.0f} s, but {late}"))
        else:
            self.loop.call_later(0.1, self._watch_rest)

    def _late(self) -> str:
        """What is still to come before the world is at rest."""
        nodes = [machine.node for machine in self.machines.values() if machine.serves and machine.node is not None]
        if len(nodes) < len(self.machines):
            return "not every broker is let in"
        if len({node.parts.metadata.leader_id for node in nodes} - {-1}) != 1:
            return "the nodes do not agree on a leader of the quorum"
        image = self.agreement.newest
        assert image is not None
        fenced = [one.broker_id for one in image.brokers.values() if not one.active]
        if fenced:
            return f"brokers {fenced} are fenced"
        for topic in image.topics.values():
            headless = [number for number, one in topic.partitions.items() if one.leader < 0]
            if headless:
                return f"partitions {headless} of {topic.name} have no leader"
        late = [client.name for client, goal in self._goal.items() if client.progress < goal]
        for client in self.clients:
            client.finishing = not late
        if late:
            return f"{late} made no progress"
        busy = [one.name for one in self.clients if isinstance(one, IdempotentProducer) and not one.idle]
        return f"{busy} wait for acknowledgements" if busy else ""

    def _last_comparison(self) -> None:
        try:
            self.agreement.check_promises()
            nodes = {one.node_id: one.node for one in self.machines.values() if one.node is not None}
            for machine in self.machines.values():
                if machine.node is not None:
                    machine.check_logs(machine.node)
            self.agreement.match(nodes, partial(self.trace.note, "world", "compares"))
        except Exception as problem:
            self.fail(problem)
        self.loop.stop()
