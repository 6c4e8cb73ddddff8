"""Nodes on this machine: where their data lies, who is running, and where it can be reached.

A data folder holds one log directory for each node (`node-1/`) and the diaries of nodes in the background
(`node-1.log`). A running node holds the lock `.lock` in each of its log directories, as Apache Kafka does, and says
who it is in `.logctl-node.json` beside it. The lock alone tells whether a node runs: the kernel drops it with the
process, so nothing here can be stale. A description without a holder is that of a node that did not stop in order.

Where Apache Kafka runs the nodes of a folder, `apache/cluster.json` remembers it. Such a node is described by whoever
started it, and takes its lock a second after its process has begun; until then the process itself is looked at.

A node is stopped by SIGTERM, and has gone when the lock on its log directory is free.

Needs nothing but the standard library, so that the engine, the admin room and the shell commands can share it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from logctl.errors import DeadlineExceeded, OperationFailed

LOCK: Final = ".lock"
DESCRIPTION: Final = ".logctl-node.json"
APACHE_FOLDER: Final = "apache"
APACHE_MEMORY: Final = "cluster.json"
CLEAN_SHUTDOWN: Final = ".kafka_cleanshutdown"

_POLL_S: Final = 0.02
_BATCH_HEAD = struct.Struct(">qiibihi")
_POSIX_LOCK = "qqihh" if sys.platform == "darwin" else "hhqqi"


@dataclass(frozen=True, slots=True)
class LocalNode:
    """A node as it describes itself. `state`: starting, running or stopping; `stopped` and `died` are concluded from
    the lock. `addresses`: where clients reach it, as host:port. `diary`: the file it writes to, if any. `engine`:
    "logctl" for the bundled one, or "apache"."""

    node_id: int
    cluster_id: str
    log_dir: str
    state: str
    pid: int | None = None
    addresses: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    log_dirs: list[str] = field(default_factory=list)
    started_ms: int = 0
    diary: str | None = None
    engine: str = "logctl"

    @property
    def is_running(self) -> bool:
        return self.pid is not None


def data_home() -> Path:
    """The data folder that is used when none is named."""
    named = os.environ.get("LOGCTL_DATA")
    if named:
        return Path(named)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "logctl"


def log_dir_of(data: Path, node_id: int) -> Path:
    return data / f"node-{node_id}"


def nodes_in(data: Path) -> list[LocalNode]:
    """The nodes of a data folder, or the one node whose log directory this is; empty when there is none."""
    if (data / "meta.properties").exists():
        return [describe(data)]
    found = [path for path in data.glob("node-*") if (path / "meta.properties").exists()]
    return [describe(path) for path in sorted(found, key=lambda path: (len(path.name), path.name))]


def engine_of(data: Path) -> str:
    """Which engine runs the nodes of a data folder, as far as that is remembered: "logctl" or "apache"."""
    try:
        said = json.loads((data / APACHE_FOLDER / APACHE_MEMORY).read_text(encoding="utf-8"))
        return "apache" if said["engine"] == "apache" else "logctl"
    except (OSError, ValueError, TypeError, KeyError):
        return "logctl"


def describe(log_dir: Path) -> LocalNode:
    """What is known about the node of a formatted log directory, running or not."""
    holder = lock_holder(log_dir)
    said = _said(log_dir)
    if said is None or (holder is not None and said.pid != holder):
        identity = read_properties(log_dir / "meta.properties")
        node_id, cluster_id = int(identity.get("node.id", -1)), identity.get("cluster.id", "")
        state, engine = "starting" if holder else "stopped", engine_of(log_dir.parent)
        return LocalNode(node_id, cluster_id, str(log_dir), state, holder, engine=engine)
    if holder is not None or is_apache_process(said):
        return said
    in_order = said.engine == "apache" and (log_dir / CLEAN_SHUTDOWN).exists()
    return _with(said, state="stopped" if in_order else "died", pid=None, addresses=[])


def is_apache_process(node: LocalNode) -> bool:
    """Is the process that a description of Apache Kafka names still that node's?"""
    if node.engine != "apache" or node.pid is None:
        return False
    return f"{apache_file(Path(node.log_dir), 'properties')}" in _command_line(node.pid)


def apache_file(log_dir: Path, ending: str) -> Path:
    """A file of Apache Kafka's that belongs to a node but must not lie in its log directory."""
    return log_dir.parent / APACHE_FOLDER / f"{log_dir.name}.{ending}"


def memory_bytes(pid: int) -> int | None:
    """How much memory a process occupies, or None when that cannot be seen."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        kib = _ps(pid, "rss=").strip()
        return int(kib) * 1024 if kib.isdecimal() else None


def _command_line(pid: int) -> str:
    """What a process was started with; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "" if Path("/proc/self").exists() else _ps(pid, "command=")


def _ps(pid: int, field: str) -> str:
    import subprocess  # only where there is no /proc

    try:
        return subprocess.run(
            ["ps", "-ww", "-o", field, "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""


def default_address() -> tuple[str, int] | None:
    """Where the node of the default data folder is reached, when it runs."""
    for address in addresses_in(data_home()):
        host, _, port = address.rpartition(":")
        return host.strip("[]"), int(port)
    return None


def addresses_in(data: Path) -> list[str]:
    """Where the brokers of a data folder that run are reached, as host:port."""
    running = (node for node in nodes_in(data) if node.is_running and "broker" in node.roles)
    return [node.addresses[0] for node in running if node.addresses]


def publish(node: LocalNode) -> None:
    """Write a node's description; done by the node itself, while it holds the lock."""
    path = Path(node.log_dir) / DESCRIPTION
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(node)), encoding="utf-8")
    temporary.replace(path)


def withdraw(node: LocalNode) -> None:
    """Remove a node's description: it stops in order."""
    (Path(node.log_dir) / DESCRIPTION).unlink(missing_ok=True)


def stop(node: LocalNode, timeout_s: float) -> None:
    """Stop a running node in order, and wait until it is gone. Raises DeadlineExceeded or OperationFailed."""
    ask_to_stop(node)
    wait_for_end(node, timeout_s)


def ask_to_stop(node: LocalNode) -> None:
    """Once: a node that is asked again ends at once. Raises OperationFailed."""
    assert node.pid is not None
    try:
        os.kill(node.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise OperationFailed(
            f"node {node.node_id} (process {node.pid}) belongs to another user", "stop it as that user"
        ) from None


def wait_for_end(node: LocalNode, timeout_s: float) -> None:
    """Until its directory is let go. Raises DeadlineExceeded."""
    deadline = time.monotonic() + timeout_s
    while lock_holder(Path(node.log_dir)) == node.pid:
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                f"node {node.node_id} (process {node.pid}) is still stopping after {timeout_s:g} s",
                f"wait for it, or end it at once with `kill {node.pid}`: nothing acknowledged is lost, "
                "but the next start has to recover",
            )
        time.sleep(_POLL_S)


def take_lock(log_dir: Path) -> int | None:
    """Hold the directory for this process; the descriptor that holds it, or None when another process does.

    The lock belongs to the process: opening and closing the file anywhere else in it would give it up.
    """
    fd = os.open(log_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(fd)
        return None
    return fd


def lock_holder(log_dir: Path) -> int | None:
    """The process that holds the directory, or None. Takes nothing itself."""
    try:
        fd = os.open(log_dir / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, _question())
    finally:
        os.close(fd)
    fields = struct.unpack_from(_POSIX_LOCK, answer)
    kind, pid = (fields[3], fields[2]) if sys.platform == "darwin" else (fields[0], fields[4])
    return None if kind == fcntl.F_UNLCK else pid


def _question() -> bytes:
    if sys.platform == "darwin":
        return struct.pack(_POSIX_LOCK, 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    return struct.pack(_POSIX_LOCK + "4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def read_properties(path: Path) -> dict[str, str]:
    """`name=value` lines of a file that a node wrote; empty when it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#!")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _said(log_dir: Path) -> LocalNode | None:
    try:
        return LocalNode(**json.loads((log_dir / DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _with(node: LocalNode, **changes: object) -> LocalNode:
    return LocalNode(**{**asdict(node), **changes})


def metadata_end(node: LocalNode) -> int | None:
    """The offset after the last record of a node's metadata log, read from its files; None when there are none."""
    folder = Path(node.log_dir) / "__cluster_metadata-0"
    segments = sorted(folder.glob("[0-9]" * 20 + ".log"))
    if not segments:
        return None
    try:
        with open(segments[-1], "rb") as file:
            return _end_of_batches(file, _near_the_end(segments[-1].with_suffix(".index")), int(segments[-1].stem))
    except OSError:
        return None


def _near_the_end(index: Path) -> int:
    """The position of the last entry of a sparse index; what was reserved behind it is zero."""
    position = 0
    try:
        entries = index.read_bytes()
    except OSError:
        return 0
    for offset, found in struct.iter_unpack(">ii", entries[: len(entries) // 8 * 8]):
        if offset == 0 and found == 0:
            break
        position = found
    return position


def _end_of_batches(file: BinaryIO, position: int, end: int) -> int:
    """Walk the heads of whole batches from `position` on; see wire/records for the layout."""
    size = os.fstat(file.fileno()).st_size
    while position + _BATCH_HEAD.size <= size:
        file.seek(position)
        base_offset, length, _, _, _, _, last_delta = _BATCH_HEAD.unpack(file.read(_BATCH_HEAD.size))
        if length <= 0 or position + 12 + length > size:
            break
        end = base_offset + last_delta + 1
        position += 12 + length
    return end
