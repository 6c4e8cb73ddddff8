"""One life of a node: the production parts of `assembly.py` and the production server, around a simulated disk.

What the simulation replaces is only what would touch the machine: listening, the flusher's thread, the snapshot's
thread. Connections, ticks, held answers, group commit and recovery are the node's own.

A life ends by `stop` (in order), or by `end`: from then on none of its callbacks runs any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, cast

from logctl.engine.assembly import Assembly
from logctl.engine.broker.metadata_snapshot_keeping import SnapshotTask
from logctl.engine.directory import open_directories
from logctl.engine.event_loop import asyncio
from logctl.engine.flusher import Flushed, Flusher
from logctl.engine.limits import Limits
from logctl.engine.log.disk import DiskFault
from logctl.engine.log.flush import Flush
from logctl.engine.log.log import Log
from logctl.engine.server import Server
from logctl.engine.settings import Listener, Settings
from logctl.engine.simulation.disk import SimulatedDisk
from logctl.engine.simulation.network import ClientEnd, ServerEnd

ADDRESS = Listener("PLAINTEXT", "PLAINTEXT", "10.0.0.1", 9092)
_SWEEP_S = 1.0


class LifeLoop:
    """The loop as one process sees it: whatever it has scheduled dies with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.alive = True
        self._loop = loop

    def time(self) -> float:
        return self._loop.time()

    def call_soon(self, callback: Callable[..., object], *args: Any) -> asyncio.Handle:
        return self._loop.call_soon(self._run, callback, args)

    call_soon_threadsafe = call_soon

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        return self._loop.call_later(delay_s, self._run, callback, args)

    def _run(self, callback: Callable[..., object], args: Sequence[Any]) -> None:
        if self.alive:
            callback(*args)

    def add_reader(self, end: ServerEnd, callback: Callable[[], object]) -> None:
        end.reader = lambda: self._run(callback, ())
        end.wake()

    def remove_reader(self, end: ServerEnd) -> None:
        end.reader = None

    def add_writer(self, end: ServerEnd, callback: Callable[[], object]) -> None:
        end.writer = lambda: self._run(callback, ())
        end.wake()

    def remove_writer(self, end: ServerEnd) -> None:
        end.writer = None


class SimulatedFlusher(Flusher):
    """Group commit without a thread: the logs of a round are synced one by one, in any order, each after a while."""

    def __init__(self, loop: LifeLoop, random: Random, done: Callable[[list[Flushed]], None]) -> None:
        self.busy = False
        self.slowest_s = random.choice((0.0005, 0.003, 0.02))
        self._loop = loop
        self._random = random
        self._done = done
        self._left: list[tuple[Log, Flush]] = []
        self._outcome: list[Flushed] = []

    def start(self, logs: set[Log]) -> None:
        assert not self.busy
        self.busy = True
        self._left = [(log, log.flush_targets()) for log in sorted(logs, key=lambda log: log.path)]
        self._random.shuffle(self._left)
        self._outcome = []
        self._wait()

    def close(self) -> None:
        """The thread finishes what it has begun."""
        while self._left:
            self._sync()

    def _wait(self) -> None:
        self._loop.call_later(self._random.random() * self.slowest_s, self._proceed)

    def _proceed(self) -> None:
        if self._left:
            self._sync()
            self._wait()
        else:
            self._report(self._outcome)

    def _sync(self) -> None:
        log, flush = self._left.pop()
        try:
            flush.run()
        except DiskFault as fault:
            self._outcome.append(Flushed(log, flush, fault))
        else:
            self._outcome.append(Flushed(log, flush, None))


class SimulatedServer(Server):
    """The production server, with connections that are handed to it."""

    def begin(self, loop: LifeLoop, random: Random) -> None:
        self.loop = cast(asyncio.AbstractEventLoop, loop)
        self._clock_ahead_ms = self._clock() - int(loop.time() * 1000)
        self._flusher = SimulatedFlusher(loop, random, self._flush_done)
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep_again)
        self.tick_soon()

    def admit(self, end: ServerEnd, port: int) -> None:
        self.now_ms = self._clock()
        self._admit(cast(Any, end), "10.0.0.2", port, ADDRESS.name)


class SimulatedNode:
    """A running process. `random` decides about everything a machine would: delays, pieces, fresh ids."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        disk: SimulatedDisk,
        settings: Settings,
        *,
        new_uuid: Callable[[], bytes],
        clock: Callable[[], int],
        say: Callable[[str, str], None],
    ) -> None:
        """Starts. Raises LogctlError, DiskFault, and whatever a disk raises that loses its power."""
        self.stopping = False
        self._loop = loop
        self._random = random
        self._life = LifeLoop(loop)
        self._ends: list[ServerEnd] = []
        paths = list(dict.fromkeys([settings.metadata_dir, *settings.log_dirs]))
        identities = open_directories(disk, paths, node_id=settings.node_id)
        self.parts = Assembly(settings, disk, paths, identities, say=say, new_uuid=new_uuid, clock=clock)
        self.server = SimulatedServer(self.parts.broker, Limits(), say, clock=clock)
        self.parts.open([ADDRESS])
        self.parts.metadata.snapshots.run = self._snapshot_aside
        self.server.begin(self._life, random)

    @property
    def broker(self) -> Any:
        return self.parts.broker

    def connect(self, received: Callable[[bytes], None], ended: Callable[[], None]) -> ClientEnd:
        end = ServerEnd(self._loop, self._random)
        client = ClientEnd(self._loop, self._random, end, received, ended)
        self._ends.append(end)
        self.server.admit(end, 40_000 + len(self._ends))
        return client

    def _snapshot_aside(self, task: SnapshotTask) -> None:
        self._life.call_later(self._random.random() * 0.05, self._snapshot, task)

    def _snapshot(self, task: SnapshotTask) -> None:
        metadata = self.parts.metadata
        try:
            task.run()
        except DiskFault as fault:
            metadata.snapshots.failed(task, fault)
        else:
            self._life.call_later(self._random.random() * 0.01, metadata.snapshots.written, task)

    @property
    def sick(self) -> bool:
        """A log directory is closed until the next start."""
        return any(one.failed for one in self.parts.directories) or self.parts.metadata.log.failed is not None

    @property
    def at_rest(self) -> bool:
        """What is in memory is in files, too."""
        return not self.sick and not self.parts.appends.staged

    def state(self, *, groups: bool) -> dict[str, Any]:
        """What the logs must bring back: sequence numbers by log, and committed offsets by partition."""
        found: dict[str, Any] = {
            "producers": {
                f"{one.topic}-{one.partition}": {
                    producer_id: (state.epoch, state.batches)
                    for producer_id, state in one.log.producers.items()
                    if state.batches
                }
                for one in self.broker.replicas
            }
        }
        if groups:
            found["groups"] = self._offsets()
        return found

    def _offsets(self) -> dict[int, Any]:
        """Loads what is not loaded yet."""
        coordinator = self.broker.groups
        for _ in range(1000):
            coordinator.tick(self.server.now_ms)
            if not any(home.loading for home in coordinator._homes.values()):
                break
        return {number: home.shard.offsets.by_group for number, home in coordinator._homes.items()}

    async def finish(self) -> None:
        """The first half of an orderly stop: answer what was asked, flush."""
        self.stopping = True
        await self.server.stop()

    def close(self) -> None:
        """The second half."""
        self.parts.metadata.snapshots.run = SnapshotTask.run
        self.parts.close()

    def end(self) -> None:
        """The process is no more."""
        self._life.alive = False
        for end in self._ends:
            end.close()
