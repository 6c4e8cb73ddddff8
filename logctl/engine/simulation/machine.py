"""One machine of a simulated cluster: a disk, a clock that is a little wrong, and the node that lives on them.

A node that starts finds what its disk kept. Whatever it must bring back from there (`Promises.check_log`, sequence
numbers, committed offsets) is compared once its logs are open, which is when the controller has taken it in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final, Protocol

from logctl.engine.broker.life import Stage
from logctl.engine.config_file import Entry
from logctl.engine.directory import DEFAULT_FEATURES, format_directories
from logctl.engine.event_loop import asyncio
from logctl.engine.log.disk import DiskFault
from logctl.engine.settings import Listener, Settings
from logctl.engine.simulation.disk import ProcessEnds, SimulatedDisk
from logctl.engine.simulation.lines import Dial
from logctl.engine.simulation.node import BETWEEN_NODES, SimulatedNode
from logctl.engine.simulation.promises import Broken, Promises, ensure
from logctl.engine.simulation.trace import Trace
from logctl.errors import LogctlError

START_MS: Final = 1_700_000_000_000
CLUSTER: Final = "aaaaaaaaaaaaaaaaaaaaaa"
_FLUSH_S: Final = 0.003
_OWN_FAULT: Final = "fault of the node"
_STORIES: Final = ("stands", "leads", "resigns", "fenced", "snapshot", "not followed")
"""What of a node's diary is worth a line of the trace."""


class Surroundings(Protocol):
    """What a machine needs of its world."""

    trace: Trace
    promises: Promises
    settings: Mapping[str, str]
    features: Mapping[str, int]

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    def new_uuid(self) -> bytes: ...
    def looked(self, machine: Machine) -> None: ...
    def ended(self, machine: Machine, node: SimulatedNode | None, *, power: bool) -> None: ...
    def fail(self, problem: BaseException) -> None: ...


class Machine:
    """`node` is None while nothing runs here."""

    def __init__(self, world: Surroundings, node_id: int, node_ids: list[int], random: Random, dial: Dial) -> None:
        self.node_id = node_id
        self.node: SimulatedNode | None = None
        self.lives = 0
        self.faulty = False
        self.suspended = False
        self._world = world
        self._random = random
        self._dial = dial
        self.disk = SimulatedDisk(Random(random.random()))
        self._pace = 1 + random.choice((0.0, 0.0, 0.001, 0.02)) * random.choice((-1, 1))
        self._skew_ms = random.choice((0, 0, 30, 5000)) * random.choice((-1, 1))
        self._settings = self._choose_settings(node_ids)
        self._live: dict[str, Any] = {}
        self._compared = False
        self._format()

    def _choose_settings(self, node_ids: list[int]) -> Settings:
        choose = self._random.choice
        address = f"10.0.0.{self.node_id}"
        given = {
            "node.id": str(self.node_id),
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://{address}:9092,{BETWEEN_NODES}://{address}:9093",
            "controller.listener.names": BETWEEN_NODES,
            "controller.quorum.voters": ",".join(f"{one}@10.0.0.{one}:9093" for one in node_ids),
            "log.dirs": choose(("/data/a", "/data/a", "/data/a,/data/b")),
            "offsets.topic.num.partitions": "2",
            "log.flush.offset.checkpoint.interval.ms": choose(("1000", "60000")),
            "metadata.log.max.record.bytes.between.snapshots": choose(("3000", "20971520")),
            "replica.lag.time.max.ms": choose(("700", "700", "2000", "30000")),
            "replica.fetch.wait.max.ms": choose(("50", "500")),
            "replica.fetch.max.bytes": choose(("1", "2000", "1048576")),
            "replica.fetch.response.max.bytes": choose(("1000", "10485760")),
            "leader.imbalance.check.interval.seconds": choose(("3", "300")),
            "group.consumer.session.timeout.ms": "3000",
            "group.consumer.min.session.timeout.ms": "3000",
            "group.consumer.heartbeat.interval.ms": "500",
            "group.consumer.min.heartbeat.interval.ms": "500",
        }
        given |= self._world.settings
        self._note("settings", f"pace {self._pace} skew {self._skew_ms} ms, {given['log.dirs']}")
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
            node_id=self.node_id,
            new_uuid=self._world.new_uuid,
            now_ms=START_MS,
            features={**DEFAULT_FEATURES, **self._world.features},
        )

    @property
    def name(self) -> str:
        return f"node-{self.node_id}"

    @property
    def serves(self) -> bool:
        """Whether clients are heard."""
        return self.node is not None and self.node.let_in and not self.node.stopping

    @property
    def is_idle(self) -> bool:
        """Whether something may happen to it."""
        return self.node is not None and not self.node.stopping

    def now_ms(self) -> int:
        """The wall clock here."""
        return START_MS + self._skew_ms + int(self._world.loop.time() * 1000 * self._pace)

    def _note(self, what: str, details: str = "") -> None:
        self._world.trace.note(self.name, what, details)

    # Life.

    def start(self) -> None:
        if self.node is not None:
            return
        self.lives += 1
        self._world.trace.life += 1
        self._compared = self.suspended = False
        self.disk.now_ms = self.now_ms()
        self._note("starts")
        try:
            self.node = SimulatedNode(
                self._world.loop,
                Random(self._random.random()),
                self.disk,
                self._settings,
                new_uuid=self._world.new_uuid,
                clock=self.now_ms,
                say=self._say,
                pace=self._pace,
                dial=self._dial,
                address=Listener("PLAINTEXT", "PLAINTEXT", f"10.0.0.{self.node_id}", 9092),
            )
            self.node.server.after_tick = self._ticked
        except ProcessEnds:
            self.process_ended()
        except (LogctlError, DiskFault) as refusal:
            if not self.faulty:
                self._world.fail(Broken(f"start: nothing is wrong, but {self.name} refuses: {refusal}"))
                return
            self._note("cannot start", str(refusal))
            self._end(power=False)
        except BaseException as problem:
            self._world.fail(problem)

    def _say(self, kind: str, sentence: str) -> None:
        if kind != "metadata" or any(word in sentence for word in _STORIES):
            self._note(kind, sentence)
        if kind == "hopeless" and self.faulty:
            self.later(0, self._despair)
        elif _OWN_FAULT in sentence or kind == "hopeless" or "not followed" in sentence:
            self._world.fail(Broken(f"fault: {self.name}: {sentence}"))

    def _ticked(self) -> None:
        node = self.node
        if node is None:
            return
        try:
            if not self._compared and node.broker.life.stage not in (Stage.REGISTERING, Stage.CATCHING_UP):
                self._compared = True
                self._compare(node)
            self._world.looked(self)
        except ProcessEnds:
            raise
        except Exception as problem:
            self._world.fail(problem)

    def _compare(self, node: SimulatedNode) -> None:
        """The logs are open: do they hold what was promised?"""
        if node.sick:
            ensure(self.faulty, f"start: nothing is wrong, but a log directory of {self.name} is closed")
            return
        if self.faulty:
            return  # logs that are not open yet may refuse to be opened
        self.check_logs(node)
        live, self._live = self._live, {}
        for what, before in live.items():
            after = node.state(groups=False)[what]
            for where in sorted(before.keys() & after.keys(), key=str):
                was, now = before[where], after[where]
                ensure(was == now, f"replay: {what} of {where} were {was}, and are {now} after the restart")
        ends = " ".join(f"{one.topic}-{one.partition}:{one.log.end_offset}" for one in node.broker.replicas)
        self._note("holds", ends)

    def check_logs(self, node: SimulatedNode) -> None:
        """Everything promised of partitions that only this node has; the others are held by who leads them."""
        promises = self._world.promises
        for topic in promises.topics.values():
            for number in range(topic.partitions):
                replica = node.broker.replicas.get(topic.name, number)
                if replica is None or replica.topic_id != topic.topic_id or replica.fenced:
                    continue
                if topic.copies == 1 or replica.is_leader:
                    promises.check_log((topic.topic_id, number), replica, settled=topic.copies == 1)

    def _despair(self) -> None:
        """The node says that it must end."""
        if self.is_idle:
            self.end("stop")

    @property
    def sick(self) -> bool:
        return self.node is not None and self.node.sick

    def suspend(self) -> None:
        if self.node is not None and not self.suspended:
            self.suspended = True
            self.node.suspend()
            self._note("suspended")

    def go_on(self) -> None:
        if self.node is not None and self.suspended:
            self.suspended = False
            self._note("goes on")
            self.node.go_on()

    def end(self, how: str) -> None:
        """`kill`, `power` or `stop`."""
        node = self.node
        assert node is not None
        self._note(how)
        if how == "stop":
            self.go_on()
            node.stopping = True
            self._world.loop.create_task(self._stop(node)).add_done_callback(self._stopped)
            return
        self._live = node.state(groups=False) if how == "kill" and node.at_rest else {}
        self.disk = self.disk.kill() if how == "kill" else self.disk.crash()
        self._end(power=how == "power")

    def lose(self, folders: list[str]) -> None:
        """The power fails, if it has not, and these logs are gone: another disk, or a file system that was repaired."""
        if self.node is not None:
            self.end("power")
        for path in self._settings.log_dirs:
            for folder in folders:
                self.disk.lose(f"{path}/{folder}")
        self._live = {}
        self._note("loses", " ".join(folders))

    async def _stop(self, node: SimulatedNode) -> None:
        await node.finish()
        if node is not self.node:
            return
        live = node.state(groups=False) if node.at_rest else {}
        node.close()
        self._live = {} if node.sick else live
        self._note("stopped")
        power = self._random.random() < 0.3
        if power:
            self.disk = self.disk.crash()
        self._end(power=power)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if isinstance(error, ProcessEnds):
            self.process_ended()
        elif error is not None:
            self._world.fail(error)

    def process_ended(self) -> None:
        """In the middle of a change to its disk."""
        survivor = self.disk.survivor()
        power = survivor is not self.disk
        self._note("power failed" if power else "killed", "in the middle of a change to the disk")
        self.disk = survivor
        self._live = {}
        self._end(power=power)

    def _end(self, *, power: bool) -> None:
        node, self.node = self.node, None
        self.suspended = False
        if node is not None:
            node.end()
        self.heal()
        self._world.ended(self, node, power=power)

    def heal(self) -> None:
        self.disk.heal()
        self.disk.capacity_bytes = None
        self.faulty = False
        if self.node is not None:
            self.node.slow_down(_FLUSH_S)

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Do something to this life of the node, if it still lasts then."""
        life = self.lives

        def call() -> None:
            if self.lives == life:
                callback()

        self._world.loop.call_later(delay_s, call)
