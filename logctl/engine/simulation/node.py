"""One life of a node: the production parts of `assembly.py` and the production server, around a simulated disk.

What the simulation replaces is only what would touch the machine: listening, the flusher's thread, the snapshot's
thread. Connections, ticks, held answers, group commit and recovery are the node's own.

A life ends by `stop` (in order), or by `end`: from then on none of its callbacks runs any more. Until then it may be
suspended (`LifeLoop.suspend`): its callbacks are kept, and run when it goes on.

Given a way to `dial` other nodes it joins them, as one voter and broker of several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, cast

from logctl.engine.assembly import Assembly
from logctl.engine.broker.life import Stage
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
from logctl.engine.simulation.lines import Dial, SimulatedPeers, endpoint_of
from logctl.engine.simulation.network import Cable, CallingEnd, ClientEnd, ServerEnd, SocketEnd

ADDRESS = Listener("PLAINTEXT", "PLAINTEXT", "10.0.0.1", 9092)
BETWEEN_NODES = "CONTROLLER"
_SWEEP_S = 1.0
_LEAVE_S = 5.0
_ROUNDING_S = 1e-6


class LifeLoop:
    """The loop as one process sees it: whatever it has scheduled dies with it. Its time passes at `pace`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pace: float = 1.0) -> None:
        self.alive = True
        self._loop = loop
        self._pace = pace
        self._kept: list[tuple[Callable[..., object], Sequence[Any]]] | None = None
        self._unheard: list[SocketEnd] = []

    def time(self) -> float:
        return self._loop.time() * self._pace

    def suspend(self) -> None:
        """As SIGSTOP does."""
        self._kept = []

    def go_on(self) -> None:
        kept, self._kept = self._kept or [], None
        for callback, args in kept:
            self.call_soon(callback, *args)
        unheard, self._unheard = self._unheard, []
        for end in unheard:
            end.wake()

    def call_soon(self, callback: Callable[..., object], *args: Any) -> asyncio.Handle:
        return self._loop.call_soon(self._run, callback, args)

    call_soon_threadsafe = call_soon

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        return self._loop.call_later(delay_s / self._pace, self._run, callback, args)

    def call_at(self, when_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        return self._loop.call_at(when_s / self._pace + _ROUNDING_S, self._run, callback, args)

    def _run(self, callback: Callable[..., object], args: Sequence[Any]) -> None:
        if not self.alive:
            return
        if self._kept is not None:
            self._kept.append((callback, args))
        else:
            callback(*args)

    def _hear(self, end: SocketEnd, callback: Callable[[], object]) -> bool:
        """Whether the process has looked at what its socket has for it."""
        if self._kept is not None:
            self._unheard.append(end)
            return False
        self._run(callback, ())
        return True

    def add_reader(self, end: SocketEnd, callback: Callable[[], object]) -> None:
        end.reader = lambda: self._hear(end, callback)
        end.wake()

    def remove_reader(self, end: SocketEnd) -> None:
        end.reader = None

    def add_writer(self, end: SocketEnd, callback: Callable[[], object]) -> None:
        end.writer = lambda: self._hear(end, callback)
        end.wake()

    def remove_writer(self, end: SocketEnd) -> None:
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

    after_tick: Callable[[], None] | None = None

    def begin(self, loop: LifeLoop, random: Random, between_nodes: frozenset[str] = frozenset()) -> None:
        self._between_nodes = between_nodes
        self.loop = cast(asyncio.AbstractEventLoop, loop)
        self._clock_ahead_ms = self._clock() - int(loop.time() * 1000)
        self._flusher = SimulatedFlusher(loop, random, self._flush_done)
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep_again)
        self.tick_soon()

    def admit(self, end: ServerEnd, port: int, host: str = "10.0.0.2", listener: str = ADDRESS.name) -> None:
        self.now_ms = self._clock()
        self._admit(cast(Any, end), host, port, listener)

    def end_tick(self) -> None:
        super().end_tick()
        if self.after_tick is not None:
            self.after_tick()


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
        pace: float = 1.0,
        dial: Dial | None = None,
        address: Listener = ADDRESS,
    ) -> None:
        """Starts. Raises LogctlError, DiskFault, and whatever a disk raises that loses its power."""
        self.stopping = False
        self.let_in = dial is None
        """Whether clients are heard."""
        self._loop = loop
        self._random = random
        self._life = LifeLoop(loop, pace)
        self._calls: list[CallingEnd] = []
        self._peers: SimulatedPeers | None = None
        self._ends: list[ServerEnd] = []
        paths = list(dict.fromkeys([settings.metadata_dir, *settings.log_dirs]))
        identities = open_directories(disk, paths, node_id=settings.node_id)
        jitter: Callable[[int], int] = _no_jitter if dial is None else random.randrange
        self.parts = Assembly(
            settings, disk, paths, identities, say=say, new_uuid=new_uuid, clock=clock, jitter=jitter
        )
        self.server = SimulatedServer(self.parts.broker, Limits(), say, clock=clock)
        if dial is None:
            self.parts.open([address])
        else:
            self.server.begin(self._life, random, frozenset((BETWEEN_NODES,)))
            try:
                self._join(dial, address, say)
            except BaseException:
                self.end()
                raise
        self.parts.metadata.snapshots.run = self._snapshot_aside
        if dial is None:
            self.server.begin(self._life, random)

    def _join(self, dial: Dial, address: Listener, say: Callable[[str, str], None]) -> None:
        settings = self.parts.settings
        self._peers = peers = SimulatedPeers(
            cast(asyncio.AbstractEventLoop, self._life),
            lambda node_id, lane: endpoint_of(node_id),
            client_id=f"node-{settings.node_id}",
            timeout_ms=settings.integer("controller.quorum.request.timeout.ms"),
            heard=self.server.tick_soon,
            say=say,
        )

        def dial_for_life(node_id: int, lane: str) -> CallingEnd:
            end = dial(node_id, lane)
            self._calls.append(end)
            return end

        peers.dial = dial_for_life

        def let_in() -> None:
            self.let_in = True

        self.parts.join(peers, [address], let_in=let_in, hopeless=partial(say, "hopeless"))
        self.server.tick_soon()

    @property
    def broker(self) -> Any:
        return self.parts.broker

    def connect(
        self,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
        cables: tuple[Cable | None, Cable | None] = (None, None),
    ) -> ClientEnd:
        end = ServerEnd(self._loop, self._random)
        client = ClientEnd(self._loop, self._random, end, received, ended, cables)
        self._ends.append(end)
        self.server.admit(end, 40_000 + len(self._ends))
        return client

    def accept(self, caller: int) -> ServerEnd:
        """Another node has called."""
        end = ServerEnd(self._loop, self._random)
        self._ends.append(end)
        self._life.call_soon(self.server.admit, end, 50_000 + len(self._ends), f"10.0.1.{caller}", BETWEEN_NODES)
        return end

    def slow_down(self, slowest_s: float) -> None:
        """From now on a flush may take so long."""
        flusher = self.server._flusher
        assert isinstance(flusher, SimulatedFlusher)
        flusher.slowest_s = slowest_s

    def break_lines(self, random: Random) -> None:
        """Some connections to this node end."""
        for end in self._ends:
            if random.random() < 0.5:
                end.fail()

    def suspend(self) -> None:
        self._life.suspend()

    def go_on(self) -> None:
        self._life.go_on()

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
        """The first half of an orderly stop: hand over, answer what was asked, flush."""
        self.stopping = True
        if self._peers is not None:
            await self._take_leave()
        await self.server.stop()
        if self._peers is not None:
            self._peers.close()

    async def _take_leave(self) -> None:
        """As `node.py` does."""
        life, metadata = self.broker.life, self.parts.metadata
        deadline_s = self._loop.time() + _LEAVE_S
        life.leave()
        while self._life.alive and life.stage is not Stage.GONE and self._loop.time() < deadline_s:
            self.server.tick_soon()
            await asyncio.sleep(0.01)
        if self._life.alive and metadata.is_leader:
            metadata.resign()
            self.server.tick_soon()
            await asyncio.sleep(0.05)

    def close(self) -> None:
        """The second half."""
        self.parts.metadata.snapshots.run = SnapshotTask.run
        self.parts.close()

    def end(self) -> None:
        """The process is no more."""
        self._life.alive = False
        for end in (*self._ends, *self._calls):
            end.close()


def _no_jitter(limit: int) -> int:
    return 0
