"""The nodes of a data folder, started together, watched, and stopped in order.

Theory of operation
-------------------
A node is a JVM in a session of its own: Ctrl-C at the terminal reaches only the one who started it. Whoever starts a
node describes it (`logctl.local`): first as starting, and once it answers as running. From then on everything can be
learnt from that description, the process and the directory's lock, so that any later command finds the nodes, also
those whose starter was killed.

`bring_up` starts nodes side by side and waits until all answer. Either all come up, or those it started are ended
again and the reason is told; only when time runs out they are left alone, because they may still come. `attend` waits
beside running nodes and says what happens to them. `stop` asks brokers first, then controllers that are nothing else:
a broker hands its partitions over with a controller's help.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from logctl import local
from logctl.engine.apache.layout import Layout, Member, load, place_of
from logctl.engine.apache.node import ApacheNode, new_cluster_id, why_failed
from logctl.errors import DeadlineExceeded, Declined, OperationFailed, UsageError
from logctl.local import APACHE_FOLDER, LocalNode

_POLL_S: Final = 0.05
_WATCH_S: Final = 0.25
_TAKE_BACK_S: Final = 15.0
_BOOTSTRAP: Final = "bootstrap.checkpoint"
ORDERLY: Final = (0, 128 + signal.SIGTERM, 128 + signal.SIGINT)
"""How a JVM ends that was asked to."""

Say = Callable[[str, str, int], None]
"""(kind, sentence, node id; 0 for all of them): an entry of the diary."""
Asked = Callable[[], str]
"""The name of the signal that asked for the end, with " again" behind it when there was more than one; or nothing."""


def is_again(asked: str) -> bool:
    return asked.endswith(" again")


class Laid(Protocol):
    """What says which nodes there are and how each is started: a `Layout`, or a config file (by_config.py)."""

    @property
    def cluster_id(self) -> str: ...

    @property
    def members(self) -> tuple[Member, ...]: ...

    @property
    def version(self) -> str: ...

    def node(self, data: Path, member: Member) -> ApacheNode: ...

    def remember(self, data: Path) -> None: ...


class Nodes:
    """The nodes of one folder that this process has started."""

    def __init__(self, data: Path, layout: Laid, say: Say, diary: bool) -> None:
        self.data = data
        self.layout = layout
        self.started: dict[int, ApacheNode] = {}
        self.say = say
        self._diary = diary
        self._told: dict[int, LocalNode] = {}

    # -- start ---------------------------------------------------------------------------------------------------------

    def bring_up(
        self,
        members: Sequence[Member],
        timeout_s: float | None,
        progress: Callable[[str], None] = lambda sentence: None,
        asked: Asked = lambda: "",
    ) -> None:
        """Start these and wait until they answer. Raises UsageError, Declined, OperationFailed, DeadlineExceeded, and
        KeyboardInterrupt when the end was asked for meanwhile."""
        begun = time.monotonic()
        with self._alone():
            nodes = self.prepare(members)
            try:
                for member, node in nodes.items():
                    self._launch(member, node)
                self._wait(nodes, begun, timeout_s, progress, asked)
            except DeadlineExceeded:
                raise
            except BaseException:
                self._take_back(asked)
                raise

    def prepare(self, members: Sequence[Member]) -> dict[Member, ApacheNode]:
        """Everything before the start: directories are formatted where they are new, and the layout is remembered."""
        nodes = {member: self.layout.node(self.data, member) for member in members}
        self._refuse(nodes)
        self._format(nodes)
        self.layout.remember(self.data)
        return nodes

    @contextmanager
    def _alone(self) -> Iterator[None]:
        folder = self.data / APACHE_FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = open(folder / "lock", "w")  # noqa: SIM115 - closed below
        except OSError as error:
            raise OperationFailed(
                f"cannot use the data folder {self.data}: {error.strerror}", "name another one with --data DIR"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Declined(
                    f"another command is starting the nodes of {self.data}", "look again with `logctl node status`"
                ) from None
            yield

    def _refuse(self, nodes: dict[Member, ApacheNode]) -> None:
        """What can be known to be wrong before anything is made."""
        for member, node in nodes.items():
            holder = local.lock_holder(node.data)
            if holder is not None:
                raise Declined(f"another node uses {node.data}: process {holder}", "stop it first")
            _refuse_strangers(node.data, self.layout.cluster_id, member.node_id)
            node.refuse_taken_ports()

    def _format(self, nodes: dict[Member, ApacheNode]) -> None:
        """Apache's own tool prepares one directory; those of the other nodes differ from it in their ids alone."""
        new = [node for node in nodes.values() if not node.is_formatted]
        there = (self.layout.node(self.data, member).data for member in self.layout.members)
        made = next((log_dir for log_dir in there if (log_dir / "meta.properties").exists()), None)
        for node in new:
            if made is None:
                node.format()
                made = node.data
            else:
                _format_like(made, node)
            self.say("start", f"{node.data} is prepared for cluster {self.layout.cluster_id}", node.node_id)

    def _launch(self, member: Member, node: ApacheNode) -> None:
        node.launch()
        self.started[member.node_id] = node
        log_dir = node.data
        self._told[member.node_id] = LocalNode(
            node_id=member.node_id,
            cluster_id=self.layout.cluster_id,
            log_dir=str(log_dir),
            state="starting",
            pid=node.pid,
            addresses=[node.address],
            roles=list(member.roles),
            log_dirs=[str(log_dir)],
            started_ms=time.time_ns() // 1_000_000,
            diary=str(diary_of(log_dir)) if self._diary else None,
            engine="apache",
        )
        self._publish(member.node_id)
        sentence = f"Node {member.node_id} of cluster {self.layout.cluster_id} starts, process {node.pid} "
        self.say("start", sentence + f"(Apache Kafka {self.layout.version}, its log is {node.log})", member.node_id)

    def _wait(
        self,
        nodes: dict[Member, ApacheNode],
        begun: float,
        timeout_s: float | None,
        progress: Callable[[str], None],
        asked: Asked,
    ) -> None:
        waiting, told_s = dict(nodes), begun
        while waiting:
            for member, node in list(waiting.items()):
                if not node.running:
                    raise _died(node)
                if node.answers(0.5):
                    del waiting[member]
                    self._is_ready(member, node, time.monotonic() - begun)
            now = time.monotonic()
            if asked():
                raise KeyboardInterrupt
            if waiting and now - told_s >= 1.0:
                told_s = now
                progress(_so_far(nodes, waiting, now - begun))
            if waiting and timeout_s is not None and now - begun > timeout_s:
                raise DeadlineExceeded(
                    f"{_so_far(nodes, waiting, now - begun)}; there was no more time to wait",
                    "it goes on trying; look with `logctl node status`, or stop it with `logctl down`",
                )
            time.sleep(_POLL_S)

    def _is_ready(self, member: Member, node: ApacheNode, took_s: float) -> None:
        self._told[member.node_id] = replace(self._told[member.node_id], state="running")
        self._publish(member.node_id)
        self.say("start", f"Node {member.node_id} answers at {node.address} after {took_s:.1f} s", member.node_id)

    def _publish(self, node_id: int) -> None:
        local.publish(self._told[node_id])

    # -- life ----------------------------------------------------------------------------------------------------------

    def attend(self, asked: Asked) -> str:
        """Wait until the end is asked for (the name of the signal), or until the last node has ended by itself (an
        empty text). Raises OperationFailed when the last one died."""
        alive = dict(self.started)
        reason = ""
        while alive:
            if asked():
                return asked()
            for node_id, node in list(alive.items()):
                if not node.running:
                    del alive[node_id]
                    reason = self._has_ended(node_id, node) or reason
            time.sleep(_WATCH_S)
        if reason:
            raise OperationFailed(f"no node is left: {reason}", "their logs are beside the data, in the folder apache")
        return ""

    def _has_ended(self, node_id: int, node: ApacheNode) -> str:
        """Say that a node has ended; why, unless it was asked to."""
        assert node.process is not None
        code = node.process.returncode
        if code in ORDERLY:
            local.withdraw(self._told[node_id])
            self.say("stop", f"Node {node_id} was stopped by somebody else", node_id)
            return ""
        reason = _ending(code, node)
        self.say("failed", f"Node {node_id} ended: {reason}", node_id)
        return f"node {node_id} ended: {reason}"

    def stop(self, asked: Asked, timeout_s: float | None = None) -> None:
        """Stop in order what was started and still runs. At a second signal: at once."""
        begun = time.monotonic()
        running = [self._told[node_id] for node_id, node in self.started.items() if node.running]

        def say(node: LocalNode, took_s: float) -> None:
            self.say("stop", f"Node {node.node_id} stopped in {took_s:.1f} s", node.node_id)

        try:
            stop(running, timeout_s, say, self._is_gone, lambda: is_again(asked()))
        except KeyboardInterrupt:
            self.say("stop", f"{asked()}: ending at once", 0)
            self.end_at_once()
            return
        self.say("stop", f"Stopped in order in {time.monotonic() - begun:.1f} s", 0)

    def _take_back(self, asked: Asked) -> None:
        """End what was started a moment ago: in order, while that is quick."""
        running = [self._told[node_id] for node_id, node in self.started.items() if node.running]
        try:
            stop(running, _TAKE_BACK_S, lambda node, took_s: None, self._is_gone, lambda: is_again(asked()))
        except (DeadlineExceeded, KeyboardInterrupt):
            pass
        self.end_at_once()

    def _is_gone(self, node: LocalNode) -> bool:
        return not self.started[node.node_id].running

    def end_at_once(self) -> None:
        """SIGKILL for what was started and still runs."""
        for node_id, node in self.started.items():
            if node.running:
                node.kill()
            local.withdraw(self._told[node_id])


# -- stopping what runs, whoever started it ----------------------------------------------------------------------------


def stop(
    nodes: Sequence[LocalNode],
    timeout_s: float | None,
    say: Callable[[LocalNode, float], None],
    gone: Callable[[LocalNode], bool] | None = None,
    hurried: Callable[[], bool] = lambda: False,
) -> None:
    """Stop running nodes, brokers before controllers, and wait until they are gone. Raises DeadlineExceeded,
    OperationFailed, and KeyboardInterrupt when `hurried`."""
    begun = time.monotonic()
    is_gone = gone or (lambda node: not local.is_apache_process(node))
    brokers = [node for node in nodes if "broker" in node.roles]
    for group in (brokers, [node for node in nodes if node not in brokers]):
        for node in group:
            _ask(node)
        left = list(group)
        while left:
            for node in [one for one in left if is_gone(one)]:
                left.remove(node)
                local.withdraw(node)
                say(node, time.monotonic() - begun)
            if hurried():
                raise KeyboardInterrupt
            if left and timeout_s is not None and time.monotonic() - begun > timeout_s:
                raise _still_there(left, timeout_s)
            time.sleep(_POLL_S)


def _ask(node: LocalNode) -> None:
    assert node.pid is not None
    local.publish(replace(node, state="stopping"))
    try:
        os.kill(node.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise OperationFailed(
            f"node {node.node_id} (process {node.pid}) belongs to another user", "stop it as that user"
        ) from None


def _still_there(left: Sequence[LocalNode], timeout_s: float) -> DeadlineExceeded:
    named = ", ".join(f"node {node.node_id} (process {node.pid})" for node in left)
    pids = " ".join(str(node.pid) for node in left)
    return DeadlineExceeded(
        f"after {timeout_s:g} s there is still {named}, stopping",
        f"wait for it, or end it at once with `kill -9 {pids}`: the next start then has to recover",
    )


# -- small questions ---------------------------------------------------------------------------------------------------


class Missing(NamedTuple):
    """A layout and which of its members do not run."""

    layout: Layout
    members: list[Member]


def missing(data: Path) -> Missing | None:
    """The remembered nodes of a folder that do not run; None when nothing is remembered."""
    layout = load(data)
    if layout is None:
        return None
    running = set(running_ids(data))
    return Missing(layout, [member for member in layout.members if member.node_id not in running])


def running_ids(data: Path) -> list[int]:
    return [node.node_id for node in local.nodes_in(data) if node.is_running]


def diary_of(log_dir: Path) -> Path:
    return log_dir.with_name(f"{log_dir.name}.log")


def why_died(node: LocalNode) -> str | None:
    """The decisive line of the last run of a node that is not there any more; None when its log tells no reason."""
    return why_failed(place_of(Path(node.log_dir)))


def free_port(wanted: int) -> int:
    """The port on loopback if nobody listens there, else another one that is free."""
    for port in (wanted, 0):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OperationFailed("there is no free port on 127.0.0.1")


def _died(node: ApacheNode) -> OperationFailed:
    assert node.process is not None
    return OperationFailed(
        f"node {node.node_id} ended while it was starting: {_ending(node.process.returncode, node)}",
        f"its log is {node.log}",
    )


def _ending(code: int, node: ApacheNode) -> str:
    return signal.Signals(-code).name if code < 0 else node.why_ended()


def _so_far(nodes: dict[Member, ApacheNode], waiting: dict[Member, ApacheNode], took_s: float) -> str:
    left = ", ".join(str(member.node_id) for member in waiting)
    plural = "nodes" if len(waiting) > 1 else "node"
    return f"{len(nodes) - len(waiting)} of {len(nodes)} nodes answer after {took_s:.0f} s; waiting for {plural} {left}"


def _refuse_strangers(log_dir: Path, cluster_id: str, node_id: int) -> None:
    """Raises UsageError when the directory is another node's, or holds what no node has put there."""
    said = local.read_properties(log_dir / "meta.properties")
    if said:
        theirs = said.get("cluster.id", ""), said.get("node.id", "")
        if theirs != (cluster_id, str(node_id)):
            raise UsageError(
                f"{log_dir} belongs to node {theirs[1]} of cluster {theirs[0]}, not to node {node_id} of {cluster_id}",
                "nothing was changed; use another --data folder",
            )
        return
    names = sorted(os.listdir(log_dir)) if log_dir.is_dir() else []
    if names:
        raise UsageError(
            f"{log_dir} has no meta.properties but is not empty: it holds {', '.join(names[:3])}",
            "nothing was changed; use another --data folder",
        )


def _format_like(made: Path, node: ApacheNode) -> None:
    """Prepare a node's directory as another node's of the cluster was: only ids differ. Whole, or not at all."""
    partial = node.data.with_name(f"{node.data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if (made / _BOOTSTRAP).exists():
        shutil.copy(made / _BOOTSTRAP, partial / _BOOTSTRAP)
    identity = {"version": "1", "cluster.id": node.cluster_id, "node.id": str(node.node_id)}
    lines = [f"{name}={value}\n" for name, value in (identity | {"directory.id": new_cluster_id()}).items()]
    (partial / "meta.properties").write_text("".join(lines), encoding="utf-8")
    if node.data.is_dir():
        node.data.rmdir()
    partial.rename(node.data)
