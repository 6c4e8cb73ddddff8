"""A node, its disk, its clients, and what befalls them: everything decided by one seed.

Theory of operation. The clients act on their own, every few milliseconds of virtual time. Beside them runs a play of
events, each a few dozen to a few hundred milliseconds after the one before: the power fails, the process is killed
(between two callbacks, or in the middle of a change to the disk, also while it recovers), the disk is full for a
while, a write or a sync is refused, the node is stopped in order, a client hangs up. Whatever ends the node, it is
started again on what its disk kept, and `Promises.check` compares that with what clients were told.

When the play is over all faults end, and the world must come to rest: every client makes progress again, and every
idempotent producer gets its acknowledgements. `run` raises `Broken` at the first promise that was not kept.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random
from typing import Any, Final

from logctl.engine.config_file import Entry
from logctl.engine.directory import format_directories
from logctl.engine.event_loop import asyncio
from logctl.engine.log.disk import DiskFault
from logctl.engine.settings import Settings
from logctl.engine.simulation.administrator import Administrator
from logctl.engine.simulation.clients import Client, Committer, Consumer, IdempotentProducer, Producer
from logctl.engine.simulation.clock import VirtualLoop
from logctl.engine.simulation.disk import ProcessEnds, SimulatedDisk
from logctl.engine.simulation.network import ClientEnd
from logctl.engine.simulation.node import SimulatedNode
from logctl.engine.simulation.promises import Broken, Promises, ensure
from logctl.engine.simulation.session import Session
from logctl.engine.simulation.trace import Trace
from logctl.errors import LogctlError

START_MS: Final = 1_700_000_000_000
NODE: Final = 1
CLUSTER: Final = "aaaaaaaaaaaaaaaaaaaaaa"
_TURN_S: Final = (0.004, 0.06)
_EVENT_S: Final = (0.02, 0.25)
_REST_S: Final = 30.0
_OWN_FAULT: Final = "fault of the node"

EVENTS: Final = {
    "quiet": 12,
    "power": 8,
    "power soon": 8,
    "kill": 6,
    "kill soon": 6,
    "stop": 6,
    "full disk": 5,
    "bad write": 4,
    "bad sync": 4,
    "hang up": 8,
}
"""What may happen, and how often beside the others."""


class World:
    """`play` and `rest` are `run`'s two acts. Everything random comes from `random` and its children."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(self._exception)
        self.trace = Trace(self.loop.time)
        self.promises = Promises()
        self.disk = SimulatedDisk(Random(self.random.random()))
        self.node: SimulatedNode | None = None
        self.problem: BaseException | None = None
        self.resting = False
        self._ids = Random(self.random.random())
        self._values = 0
        self._faulty = False
        self._live: dict[str, Any] = {}
        self._settings = self._choose_settings()
        self._format()
        self.clients = self._people()

    # What the people of the world may ask.

    def time(self) -> float:
        return self.loop.time()

    def now_ms(self) -> int:
        return START_MS + int(self.loop.time() * 1000)

    @property
    def life(self) -> int:
        """Which life the node is in; 0 while it is dead."""
        return self.trace.life if self.node is not None else 0

    def next_value(self) -> int:
        self._values += 1
        return self._values

    def way(self, name: str, lost: Callable[[], None]) -> Session:
        return Session(self, name, lost)

    def connect(self, received: Callable[[bytes], None], ended: Callable[[], None]) -> ClientEnd | None:
        if self.node is None or self.node.stopping:
            return None
        return self.node.connect(received, ended)

    # Making it.

    def _choose_settings(self) -> Settings:
        choose = self.random.choice
        directories = choose(("/data/a", "/data/a", "/data/a,/data/b"))
        given = {
            "node.id": str(NODE),
            "log.dirs": directories,
            "offsets.topic.num.partitions": "2",
            "log.flush.offset.checkpoint.interval.ms": choose(("200", "1000", "60000")),
            "metadata.log.max.record.bytes.between.snapshots": choose(("1000", "5000", "20971520")),
        }
        self.trace.note("world", "settings", " ".join(f"{name}={value}" for name, value in given.items()))
        return Settings.of(Entry(name, text, "simulation") for name, text in given.items())

    def _format(self) -> None:
        self.disk.mkdirs("/data")
        for path in self._settings.log_dirs:
            self.disk.mkdirs(path)
        self.disk.sync_dir("")
        self.disk.sync_dir("/data")
        format_directories(
            self.disk,
            self._settings.log_dirs,
            cluster_id=CLUSTER,
            node_id=NODE,
            new_uuid=self._new_uuid,
            now_ms=START_MS,
        )

    def _new_uuid(self) -> bytes:
        return self._ids.randbytes(16)

    def _people(self) -> list[Client]:
        return [
            Administrator(self, "admin"),
            Producer(self, "plain", -1),
            Producer(self, "hasty", 1),
            IdempotentProducer(self, "careful-1"),
            IdempotentProducer(self, "careful-2"),
            Consumer(self, "reader-1"),
            Consumer(self, "reader-2"),
            Committer(self, "committer"),
        ]

    # Running it.

    def run(self, events: int) -> None:
        """Play, rest, and compare once more. Raises Broken, or whatever went wrong; the trace tells the story."""
        self._events_left = events
        self.start()
        for client in self.clients:
            self._take_turns(client)
        self.loop.call_later(self.random.uniform(*_EVENT_S), self._next_event)
        try:
            if self.problem is None:
                self.loop.run_forever()
        finally:
            self.loop.close()
        if self.problem is not None:
            self.trace.note("world", "broken", str(self.problem))
            raise self.problem

    def _exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, ProcessEnds):
            self._process_ended()
        else:
            self._fail(error or Broken(str(context)))

    def _fail(self, problem: BaseException) -> None:
        if self.problem is None:
            self.problem = problem
        self.loop.stop()

    def _take_turns(self, client: Client) -> None:
        self.loop.call_later(client.random.uniform(*_TURN_S), self._take_turns, client)
        client.turn()

    def _next_event(self) -> None:
        if not self._events_left:
            self._begin_rest()
            return
        self._events_left -= 1
        self.loop.call_later(self.random.uniform(*_EVENT_S), self._next_event)
        if self.node is None or self.node.stopping:
            return
        if self._sick():
            self._end_node(self.random.choice(("kill", "power", "stop")))
            return
        event = self.random.choices(list(EVENTS), list(EVENTS.values()))[0]
        self._happen(event)

    def _happen(self, event: str) -> None:
        random, disk = self.random, self.disk
        if event in ("kill", "power", "stop"):
            self._end_node(event)
            return
        self.trace.note("world", event)
        if event in ("kill soon", "power soon"):
            disk.end_after(random.choice((0, 1, 3, 10, 30)), power=event == "power soon")
        elif event == "full disk":
            self._faulty = True
            disk.capacity_bytes = disk.used_bytes() + random.randint(0, 3000)
            self.loop.call_later(random.uniform(0.02, 0.5), self._make_room)
        elif event in ("bad write", "bad sync"):
            self._faulty = True
            where = random.choice(("", "/data/a", ".log"))
            disk.fail(event[4:], errno.EIO, path_part=where, after=random.randint(0, 4))
        elif event == "hang up":
            random.choice(self.clients).session.hang_up()

    def _make_room(self) -> None:
        self.disk.capacity_bytes = None
        self.trace.note("world", "room again")

    def _heal(self) -> None:
        self.disk.heal()
        self.disk.capacity_bytes = None
        self._faulty = False

    # The life of the node.

    def _sick(self) -> bool:
        """Whether a log directory is closed: only another start helps."""
        return self.node is not None and self.node.sick

    def start(self) -> None:
        """Another life, on what the disk kept."""
        self.trace.life += 1
        self.disk.now_ms = self.now_ms()
        self.trace.note("node", "starts")
        try:
            self.node = SimulatedNode(
                self.loop,
                Random(self.random.random()),
                self.disk,
                self._settings,
                new_uuid=self._new_uuid,
                clock=self.now_ms,
                say=self._say,
            )
            self._compare(self.node)
        except ProcessEnds:
            self._process_ended()
        except (LogctlError, DiskFault) as refusal:
            if not self._faulty:
                raise Broken(f"start: nothing is wrong, but the node refuses: {refusal}") from refusal
            self.trace.note("node", "cannot start", str(refusal))
            self._ended()
        except BaseException as problem:
            self._fail(problem)

    def _compare(self, node: SimulatedNode) -> None:
        if node.sick:
            ensure(self._faulty, "start: nothing is wrong, but a log directory is closed")
            return
        self.promises.check(node.broker)
        live, self._live = self._live, {}
        for what, before in live.items():
            after = node.state(groups="groups" in live)[what]
            for where in sorted(before.keys() & after.keys(), key=str):
                was, now = before[where], after[where]
                ensure(was == now, f"replay: {what} of {where} were {was}, and are {now} after the restart")
        ends = " ".join(f"{one.topic}-{one.partition}:{one.log.end_offset}" for one in node.broker.replicas)
        self.trace.note("node", "holds", ends)

    def _say(self, kind: str, sentence: str) -> None:
        self.trace.note("node", kind, sentence)
        if _OWN_FAULT in sentence:
            self._fail(Broken(f"fault: {sentence}"))

    def _end_node(self, how: str) -> None:
        node = self.node
        assert node is not None
        self.trace.note("world", how)
        if how == "stop":
            node.stopping = True
            self.loop.create_task(self._stop(node)).add_done_callback(self._stopped)
            return
        self._live = node.state(groups=False) if how == "kill" and node.at_rest else {}
        self.disk = self.disk.kill() if how == "kill" else self._without_power(self.disk.crash())
        self._ended()

    async def _stop(self, node: SimulatedNode) -> None:
        await node.finish()
        live = node.state(groups=True) if node.at_rest else {}
        node.close()
        if node is self.node:
            self._live = {} if node.sick else live
            self.trace.note("node", "stopped")
            if self.random.random() < 0.5:
                self.trace.note("world", "power")
                self.disk = self._without_power(self.disk.crash())
            self._ended()

    def _stopped(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if isinstance(error, ProcessEnds):
            self._process_ended()
        elif error is not None:
            self._fail(error)

    def _process_ended(self) -> None:
        """In the middle of a change to its disk."""
        survivor = self.disk.survivor()
        with_power = survivor is self.disk
        self.trace.note("world", "killed" if with_power else "power failed", "in the middle of a change to the disk")
        self.disk = survivor if with_power else self._without_power(survivor)
        self._live = {}
        self._ended()

    def _without_power(self, survivor: SimulatedDisk) -> SimulatedDisk:
        self.promises.page_cache_lost()
        return survivor

    def _ended(self) -> None:
        if self.node is not None:
            self.node.end()
            self.node = None
        self._heal()
        self.loop.call_later(self.random.uniform(0.001, 0.1), self.start)
        if not self.resting and self.random.random() < 0.1:
            self.trace.note("world", "ends again soon")
            self.disk.end_after(self.random.randint(0, 40), power=self.random.random() < 0.5)

    # The end.

    def _begin_rest(self) -> None:
        self.resting = True
        self.trace.note("world", "rests")
        self._heal()
        self.disk.end_after_all()
        if self.node is not None and not self.node.stopping:
            self._end_node("power")
        self._goal = {client: client.progress + 3 for client in self.clients}
        self._deadline_s = self.time() + _REST_S
        self.loop.call_later(0.5, self._watch_rest)

    def _watch_rest(self) -> None:
        late = [client.name for client, goal in self._goal.items() if client.progress < goal]
        for client in self.clients:
            client.finishing = not late
        busy = [one.name for one in self.clients if isinstance(one, IdempotentProducer) and not one.idle]
        if not late and not busy and self.node is not None and not self.node.stopping:
            self._last_comparison()
            return
        if self.time() > self._deadline_s:
            self._fail(Broken(f"liveness: no fault for {_REST_S:.0f} s, but {late or busy} made no progress"))
            return
        self.loop.call_later(0.1, self._watch_rest)

    def _last_comparison(self) -> None:
        """Once more from the disk alone."""
        node = self.node
        assert node is not None
        self.disk = self._without_power(self.disk.crash())
        node.end()
        self.node = None
        self.start()
        self.loop.stop()
