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

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.event_loop import asyncio
from logctl.engine.simulation.administrator import ClusterAdministrator
from logctl.engine.simulation.agreement import Agreement
from logctl.engine.simulation.caretaker import Caretaker
from logctl.engine.simulation.clients import Client, Committer, Consumer, IdempotentProducer, PatientProducer, Producer
from logctl.engine.simulation.clock import VirtualLoop
from logctl.engine.simulation.coordination import Coordination
from logctl.engine.simulation.disk import ProcessEnds
from logctl.engine.simulation.fate import CLIENTS, Fate
from logctl.engine.simulation.machine import START_MS, Machine
from logctl.engine.simulation.members import Member
from logctl.engine.simulation.network import CallingEnd, ClientEnd, ServerEnd
from logctl.engine.simulation.node import SimulatedNode
from logctl.engine.simulation.promises import Broken, Promises
from logctl.engine.simulation.routes import Routes
from logctl.engine.simulation.trace import Trace

if TYPE_CHECKING:
    from logctl.engine.controller.image import Image

_TURN_S: Final = (0.02, 0.3)
_EVENT_S: Final = (0.05, 2.5)
_DOWN_S: Final = (0.01, 3.0)
_REST_S: Final = 40.0
_AT_ELECTIONS: Final = 0.1


class Cluster:
    """`run` plays, rests and compares. Everything random comes from `random` and its children."""

    def __init__(
        self, seed: int, nodes: int = 3, settings: Mapping[str, str] = {}, features: Mapping[str, int] = {}
    ) -> None:
        """`settings` of all nodes instead of what the seed would choose, and feature levels beside the usual ones."""
        self.seed = seed
        self.random = Random(seed)
        eligible = self.random.choice((0, 0, 1))
        least = str(self.random.choice((1, min(2, nodes))))
        self.settings: Mapping[str, str] = {"min.insync.replicas": least, **settings}
        self.features: Mapping[str, int] = {"eligible.leader.replicas.version": eligible, **features}
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(self._exception)
        self.trace = Trace(self.loop.time)
        self.promises = Promises()
        self.problem: BaseException | None = None
        self.resting = False
        self.node_ids = list(range(1, nodes + 1))
        self.agreement = Agreement(self.promises, self.node_ids)
        self.coordination = Coordination()
        self.attempted = self.agreement.attempted
        self.ends = 0
        """How many lives have ended."""
        self._ids = Random(self.random.random())
        self._values = 0
        self._soon = False
        self._epochs: dict[int, int] = {}
        self.fate = Fate(self, Random(self.random.random()))
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
        there, back = self.fate.cables[CLIENTS, node_id], self.fate.cables[node_id, CLIENTS]
        if machine.node is None or not machine.serves or there.is_cut:
            return None
        return machine.node.connect(received, ended, (there, back))

    def _people(self) -> list[Client]:
        self.caretaker = Caretaker(self, "caretaker", self.node_ids)
        return [
            ClusterAdministrator(self, "admin"),
            Producer(self, "plain", -1),
            Producer(self, "hasty", 1),
            PatientProducer(self, "careful-1"),
            PatientProducer(self, "careful-2"),
            Consumer(self, "reader-1"),
            Consumer(self, "reader-2"),
            Committer(self, "committer"),
            self.caretaker,
            Member(self, "member-1"),
            Member(self, "member-2"),
        ]

    # What machines may ask.

    def new_uuid(self) -> bytes:
        return self._ids.randbytes(16)

    def _dial(self, source: int, target: int, lane: str) -> CallingEnd:
        def reach() -> ServerEnd | None:
            node = self.machines[target].node
            return node.accept(source) if node is not None else None

        way = self.fate.between(source, target, lane)
        return CallingEnd(self.loop, Random(self.random.random()), way, reach, lingers=lane != "forward")

    def looked(self, machine: Machine) -> None:
        if machine.node is None:
            return
        self.agreement.look(machine.node_id, machine.node)
        self.coordination.look(machine.node, self.time())
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
            self.coordination.died(node)
        self.loop.call_later(0.01 if self._soon else self.random.uniform(*_DOWN_S), self._start, machine)
        if not self.resting and self.random.random() < 0.1:
            machine.disk.end_after(self.random.randint(0, 40), power=self.random.random() < 0.5)

    def may_lose(self, machine: Machine, logs: list[str]) -> bool:
        """Whether the logs of a machine may be lost: others are well, and will be for a while."""
        others = [one for one in self.machines.values() if one is not machine]
        return bool(logs) and all(one.serves and not one.suspended and not one.sick for one in others)

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
        self.fate.happen()

    # The end.

    def _begin_rest(self) -> None:
        self.resting = True
        self.trace.note("world", "rests")
        self.fate.mend()
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
        return f"{busy} wait for acknowledgements" if busy else self._uneven(image)

    def _uneven(self, image: Image) -> str:
        """What replicas still have to copy."""
        for topic in image.topics.values():
            for number, one in topic.partitions.items():
                if one.adding or one.removing:
                    return f"the reassignment of {topic.name}-{number} is not done"
                if set(one.isr) != set(one.replicas):
                    return f"{topic.name}-{number} is in sync on {one.isr} of {one.replicas} alone"
        return ""

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
