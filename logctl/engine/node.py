"""A node: the life of the process around a broker.

Start: settings are checked, the log directories are locked, the listeners are bound, the metadata log is opened and
its controller takes office, the broker registers, its logs are opened (and recovered, where the last stop was not
orderly). `ready` is said when all of that holds; then the loop runs and the first request is answered. Stop, on
SIGTERM or SIGINT: nothing more is accepted, what was asked is answered, every log is flushed and closed, checkpoints
and the marks of an orderly stop are written. A second signal ends the process at once; the next start then recovers.

Runs inside `logctl up` and `logctl node start`, by itself in the background (`python -m logctl.engine`), and in a
thread of somebody's test suite (`logctl.embedded`). That process is left as it is found: `run` alone raises the limit
of open files, tunes the collector and takes the signals.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import randrange
from threading import Event, Thread
from typing import Final

from logctl import local
from logctl.engine.assembly import Assembly
from logctl.engine.broker.damages import Finding, look_over_all
from logctl.engine.broker.life import Stage
from logctl.engine.broker.metadata_snapshot_keeping import SnapshotTask
from logctl.engine.config_file import Entry
from logctl.engine.diary import Diary
from logctl.engine.event_loop import asyncio
from logctl.engine.folders import Folders
from logctl.engine.limits import Limits
from logctl.engine.log.disk import DiskFault, RealDisk
from logctl.engine.peers import Endpoint, Peers
from logctl.engine.poller import TickLoop
from logctl.engine.port_owner import port_owner
from logctl.engine.quorum.voters import Address
from logctl.engine.server import Server, wall_ms
from logctl.engine.settings import Listener, Settings
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.local import LocalNode
from logctl.wire.primitives import uuid_text

_LEAVE_S: Final = 5.0
_NO_DOOR: Final = (
    "A broker without a vote needs a listener of the name that inter.broker.listener.name has on every node (INTERNAL "
    "where it is not set)"
)
_PIECE_PAUSE_S: Final = 0.05
"""Between two pieces of what is looked over: 20 MB/s."""
_GC_THRESHOLD: Final = (20_000, 20, 50)


def run(
    entries: Sequence[Entry],
    *,
    log_format: str = "text",
    format_if_new: bool = False,
    diary: Diary | None = None,
    diary_path: str | None = None,
    ready: Callable[[list[str]], None] | None = None,
    leash: int | None = None,
) -> None:
    """Run a node until it is told to stop, or until the descriptor `leash` comes to its end: whoever holds the other
    one has gone. `ready` is told the addresses. Raises LogctlError when the node cannot start."""
    settings = Settings.of(entries)
    node = Node(settings, diary or Diary(sys.stderr, log_format), diary_path)
    if ready is not None:
        node.on_ready.append(ready)
    try:
        _raise_file_limit()
        node.start(format_if_new=format_if_new)
        node.obey_signals()
        if leash is not None:
            node.obey_leash(leash)
        _settle_memory()
        node.serve()
    finally:
        node.let_go()


def format_node(entries: Sequence[Entry], cluster_id: str | None, controllers: str = "") -> list[str]:
    """Prepare the log directories that the settings name; sentences about what was done. `controllers`: see
    `Folders.prepare`. Raises LogctlError."""
    folders = Folders(Settings.of(entries), RealDisk(), lambda kind, sentence: None)
    try:
        folders.lock()
        return folders.prepare(cluster_id, new_uuid, wall_ms(), controllers)
    finally:
        folders.unlock()


class Node:
    """One node's life, in the order of its methods."""

    def __init__(self, settings: Settings, diary: Diary, diary_path: str | None = None) -> None:
        self.settings = settings
        self.on_ready: list[Callable[[list[str]], None]] = []
        """Called with the addresses when the first request can be answered."""
        self._diary_path = diary_path
        self._say = diary.say
        self._disk = RealDisk()
        self._folders = Folders(settings, self._disk, self._say)
        self._loop = TickLoop()
        self._parts: Assembly
        self._server: Server
        self._peers: Peers | None = None
        self._snapshot: Thread | None = None
        self._reader: Thread | None = None
        self._ends = Event()
        self._told: LocalNode | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._despaired_of = ""

    def start(self, *, format_if_new: bool) -> None:
        """Everything up to `ready`. Raises LogctlError; `let_go` must be called then."""
        begun = time.monotonic()
        self._folders.lock()
        if format_if_new and self._folders.are_new:
            for sentence in self._folders.prepare(None, new_uuid, wall_ms()):
                self._say("start", sentence)
        identities = self._folders.identities()
        cluster_id = identities[0].cluster_id
        self._say("start", f"Node {self.settings.node_id} of cluster {cluster_id} starts, process {os.getpid()}")
        for remark in self.settings.remarks:
            self._say("settings", remark)
        self._describe(cluster_id, "starting", [])
        self._parts = Assembly(
            self.settings,
            self._disk,
            self._folders.paths,
            identities,
            say=self._say,
            new_uuid=new_uuid,
            clock=wall_ms,
            jitter=randrange,
        )
        self._server = Server(self._parts.broker, limits(self.settings), self._say)
        self._parts.check_doors()
        bound = self._listen()
        self._parts.settings_listeners.append(lambda: self._server.obey(limits(self.settings)))
        if self._parts.takes_part:
            self._join(cluster_id, bound, begun)
        else:
            self._parts.open(_advertised(self.settings, bound))
            self._describe(cluster_id, "running", self._for_clients(bound))
            self._loop.call_soon(self._say_ready, begun)
        self._parts.metadata.snapshots.run = self._snapshot_aside

    def _join(self, cluster_id: str, bound: list[Listener], begun: float) -> None:
        """Among other nodes: ready is when the controller has let this broker in."""
        addresses = self._parts.addresses

        unknown: set[int] = set()

        def find(node_id: int, lane: str) -> Endpoint | None:
            found = addresses.find(node_id)
            if found is None and node_id not in unknown:
                unknown.add(node_id)
                self._say("peers", f"Nobody has told where node {node_id} is reached by other nodes. {_NO_DOOR}")
            return None if found is None else Endpoint(found.host, found.port)

        self._peers = Peers(
            self._loop,
            find,
            client_id=f"node-{self.settings.node_id}",
            timeout_ms=self.settings.integer("controller.quorum.request.timeout.ms"),
            heard=self._server.tick_soon,
            say=self._say,
        )

        def let_in() -> None:
            if self._told is not None and self._told.state == "starting":
                self._server.admit_clients()
                self._describe(cluster_id, "running", self._for_clients(bound))
                self._say_ready(begun)
                self._look_over_aside()

        self._parts.join(
            self._peers, _advertised(self.settings, bound), let_in=let_in, hopeless=self._give_up
        )
        self._server.tick_soon()

    def _for_clients(self, bound: list[Listener]) -> list[str]:
        """The addresses at which clients are heard."""
        apart = self.settings.inter_broker_listener if self._parts.takes_part else None
        return [one.address for one in bound if apart is None or one.name != apart.name]

    def _give_up(self, reason: str) -> None:
        self._despaired_of = reason
        self._say("stop", reason)
        self._stop_because("it cannot take part in this cluster")

    def _listen(self) -> list[Listener]:
        """The listeners of brokers, with the ports they really have."""
        settings, wanted = self.settings, self.settings.listeners
        between: list[Listener] = []
        if self._parts.takes_part:
            apart = settings.inter_broker_listener
            between = [*settings.controller_listeners, *([apart] if apart else [])]
        else:
            for name in settings.items("controller.listener.names"):
                self._say("settings", f"listener {name} is not opened: the quorum has no other member")
        try:
            bound = self._server.start(self._loop, [one for one in wanted if one not in between], between)
        except UsageError as error:
            raise _with_port_owner(error, settings) from error
        ports = {name: port for name, _, port in bound}
        self._parts.addresses.own = tuple(
            Address(one.name, one.host or socket.gethostname(), one.port or ports[one.name])
            for one in settings.advertised_controllers
            if one.name in ports
        )
        return [one._replace(port=ports[one.name]) for one in wanted]

    def _snapshot_aside(self, task: SnapshotTask) -> None:
        """Write a metadata snapshot in a thread of its own, and report on the loop's."""
        metadata, post = self._parts.metadata, self._loop.call_soon_threadsafe

        def write() -> None:
            try:
                task.run()
            except DiskFault as fault:
                post(metadata.snapshots.failed, task, fault)
            else:
                post(metadata.snapshots.written, task)

        self._snapshot = Thread(target=write, name="snapshot")
        self._snapshot.start()

    def _look_over_aside(self) -> None:
        """Read in a thread of its own what other nodes hold, too: who finds damage can be given it anew."""
        damages = self._parts.replicas.damages
        folders = damages.folders()

        def found(finding: Finding) -> None:
            damages.found(finding)
            self._server.ring()

        def read() -> None:
            for finding in look_over_all(self._disk, folders):
                if self._ends.wait(_PIECE_PAUSE_S):
                    return
                if finding is not None:
                    self._loop.call_soon_threadsafe(found, finding)

        self._reader = Thread(target=read, name="look-over", daemon=True)
        self._reader.start()

    def _say_ready(self, begun: float) -> None:
        assert self._told is not None
        addresses = self._told.addresses
        took_ms = int((time.monotonic() - begun) * 1000)
        server = "" if addresses[0].endswith(":9092") else f" -b {addresses[0]}"
        sentence = f"Ready at {' and '.join(addresses)} after {took_ms} ms; next: logctl topic create NAME{server}"
        self._say("ready", sentence)
        for listener in self.on_ready:
            listener(addresses)

    def _describe(self, cluster_id: str, state: str, addresses: list[str]) -> None:
        self._told = LocalNode(
            node_id=self.settings.node_id,
            cluster_id=cluster_id,
            log_dir=self._folders.paths[0],
            state=state,
            pid=os.getpid(),
            addresses=addresses,
            roles=["broker", "controller"] if self.settings.is_controller else ["broker"],
            log_dirs=self._folders.paths,
            started_ms=wall_ms(),
            diary=self._diary_path,
        )
        local.publish(self._told)

    def serve(self) -> None:
        """Answer until told to stop; then stop in order. Raises OperationFailed when the node had to give up."""
        self._loop.run_forever()
        if self._stopping is not None and self._stopping.done():
            self._stopping.result()
        if self._despaired_of:
            raise OperationFailed(self._despaired_of)

    def obey_signals(self) -> None:
        """SIGTERM and SIGINT stop the node. Only in the main thread of a process that is the node's."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._signalled, number)

    def obey_leash(self, descriptor: int) -> None:
        """The end of a pipe or terminal stops the node. Raises UsageError when the descriptor cannot be waited for."""
        try:
            self._loop.add_reader(descriptor, self._pulled, descriptor)
        except PermissionError:
            raise UsageError(
                "the end of standard input cannot be waited for: it is neither a pipe nor a terminal",
                "start the node with a pipe as its standard input",
            ) from None

    def _pulled(self, descriptor: int) -> None:
        if not os.read(descriptor, 65536):
            self._loop.remove_reader(descriptor)
            self._stop_because("whoever started this node has gone")

    def stop(self) -> None:
        """Stop in order; to be called from another thread."""
        self._loop.call_soon_threadsafe(self._stop_because, "asked to")

    def _signalled(self, number: signal.Signals) -> None:
        if self._stopping is not None:
            self._say("stop", f"{number.name} again: ending at once")
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self._stop_because(number.name)

    def _stop_because(self, reason: str) -> None:
        if self._stopping is None:
            if self._told is not None:
                self._told = replace(self._told, state="stopping")
                local.publish(self._told)
            self._say("stop", f"Stopping in order ({reason})")
            self._stopping = self._loop.create_task(self._stop())

    async def _stop(self) -> None:
        begun = time.monotonic()
        try:
            if self._peers is not None:
                await self._take_leave()
            await self._server.stop()
            if self._peers is not None:
                self._peers.close()
            self._ends.set()
            for thread in (self._snapshot, self._reader):
                if thread is not None:
                    thread.join()
            self._parts.metadata.snapshots.run = SnapshotTask.run
            self._parts.close()
            self._say("stop", f"Stopped in order in {time.monotonic() - begun:.1f} s")
        finally:
            self._loop.stop()

    async def _take_leave(self) -> None:
        """Hand over what this node leads: its partitions, and the quorum."""
        life, metadata = self._parts.broker.life, self._parts.metadata
        assert life is not None
        deadline_s = self._loop.time() + _LEAVE_S
        life.leave()
        while life.stage is not Stage.GONE and self._loop.time() < deadline_s:
            self._server.tick_soon()
            await asyncio.sleep(0.01)
        if metadata.is_leader:
            metadata.resign()
            self._server.tick_soon()
            await asyncio.sleep(0.05)

    def let_go(self) -> None:
        """Give up what the process holds. A node that could not start, or stopped, is not described any more."""
        if self._told is not None:
            local.withdraw(self._told)
        self._ends.set()
        if self._reader is not None:
            self._reader.join()
        self._loop.close()
        self._folders.unlock()


def new_uuid() -> bytes:
    """Sixteen random bytes in the form of a version 4 UUID, as Apache makes them."""
    made = bytearray(os.urandom(16))
    made[6] = made[6] & 0x0F | 0x40
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


def new_cluster_id() -> str:
    """The same as text, as a cluster is called."""
    return uuid_text(new_uuid())


def limits(settings: Settings) -> Limits:
    """What the settings say about connections; where Apache sets no bound, the node's own holds until one is given."""
    queued = settings.integer("queued.max.request.bytes")
    own = Limits()

    def bound(name: str, otherwise: int) -> int:
        return settings.integer(name) if name in settings.given else otherwise

    return Limits(
        request_max_bytes=settings.integer("socket.request.max.bytes"),
        in_flight_max_bytes=queued if queued > 0 else own.in_flight_max_bytes,
        connections_max=bound("max.connections", own.connections_max),
        connections_per_ip_max=bound("max.connections.per.ip", own.connections_per_ip_max),
        creation_rate_per_ip=bound("max.connection.creation.rate", own.creation_rate_per_ip),
        idle_ms=settings.integer("connections.max.idle.ms"),
    )


def _advertised(settings: Settings, bound: Sequence[Listener]) -> list[Listener]:
    """What clients are told: the addresses set, with the ports that a listener on port 0 got."""
    told = settings.advertised
    return [
        one._replace(host=one.host or socket.gethostname(), port=one.port or real.port)
        for one, real in zip(told, bound, strict=True)
    ]


def _settle_memory() -> None:
    """What was loaded stays: the collector need not look at it again, and looks less often at the rest."""
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    gc.enable()


def _raise_file_limit() -> None:
    """Every partition keeps files open: ask for as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            pass


def _with_port_owner(error: UsageError, settings: Settings) -> LogctlError:
    """Say who holds the port, when that can be found out."""
    for listener in settings.listeners:
        owner = port_owner(listener.port) if f":{listener.port}" in error.message else ""
        if owner:
            return UsageError(f"{error.message}; it is used by {owner}", error.hint)
    return error
