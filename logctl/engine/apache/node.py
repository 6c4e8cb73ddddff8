"""One Apache Kafka process: its settings, its directory, its start and its end.

`server.properties` is written from settings under Apache's own names at every start, the storage is formatted on first
use, and `start()` returns once the client port has answered ApiVersions. Where the files lie is a `Place`: by default
all in one directory of the node's, for a cluster beside the log directories (see cluster.py).
"""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from logctl.engine.apache.parts import VERSION, artifacts
from logctl.engine.apache.reasons import decisive_line, failure_line
from logctl.engine.apache.scripts import java_command, run_tool
from logctl.engine.lifecycle import answers
from logctl.engine.port_owner import port_owner
from logctl.errors import DeadlineExceeded, OperationFailed, UsageError

BOTH: Final = ("broker", "controller")
JVM_FLAGS: Final = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
_CONSOLE: Final = """\
appender.out.type = Console
"""
_ROLLING: Final = """\
appender.out.type = RollingFile
appender.out.fileName = {path}
appender.out.filePattern = {path}.%i
appender.out.policies.type = Policies
appender.out.policies.size.type = SizeBasedTriggeringPolicy
appender.out.policies.size.size = 20MB
appender.out.strategy.type = DefaultRolloverStrategy
appender.out.strategy.max = 5
"""
_LOG4J_PROPERTIES: Final = """\
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
{appender}appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
"""
_ALONE: Final = (
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
)
_COPIES: Final = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "share.coordinator.state.topic.replication.factor",
)
_COPIES_IN_SYNC: Final = (
    "min.insync.replicas",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.min.isr",
)


class Place(NamedTuple):
    """Where the files of a node lie. `said`: what the JVM itself prints. `log`: what Kafka logs; the same file, unless
    the log is one that is rolled over as it grows."""

    properties: Path
    logging: Path
    said: Path
    log: Path
    data: Path

    @classmethod
    def inside(cls, directory: Path) -> Place:
        """Everything in one directory, the log directory in `data`."""
        log = directory / "node.log"
        return cls(directory / "server.properties", directory / "log4j2.properties", log, log, directory / "data")

    @property
    def log_is_rolled(self) -> bool:
        return self.log != self.said


@dataclass
class ApacheNode:
    """One process: broker and controller in one (KRaft, static voters) unless `roles` or `settings` say otherwise.

    `port` serves clients, `controller_port` the quorum, both on `host`. `brokers`: how many the cluster has, from which
    the copies of topics follow. `settings` are Apache's names and win over what is derived here. With `voters_in_log`
    a new directory names its voter in the metadata log (kraft.version 1), as `kafka-storage format --standalone` does.
    As a context manager it starts on entry and stops on exit. With `dies_with_parent` the kernel kills the process when
    ours ends for any reason, so that an interrupted test run leaves no JVM behind.
    """

    directory: Path
    port: int
    controller_port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    node_id: int = 1
    cluster_id: str = ""
    voters: str = ""
    voters_in_log: bool = False
    host: str = "127.0.0.1"
    heap: str = "1g"
    jvm_flags: Sequence[str] = JVM_FLAGS
    kafka_home: Path | None = None
    version: str = VERSION
    dies_with_parent: bool = False
    process: subprocess.Popen[bytes] | None = None
    roles: Sequence[str] = BOTH
    brokers: int = 0
    elsewhere: Place | None = None

    @property
    def address(self) -> str:
        """Where it answers: clients, or the quorum when it is a controller alone."""
        return f"{self.host}:{self.port if 'broker' in self.roles else self.controller_port}"

    @property
    def place(self) -> Place:
        return self.elsewhere or Place.inside(self.directory)

    @property
    def data(self) -> Path:
        return self.place.data

    @property
    def log(self) -> Path:
        return self.place.log

    @property
    def pid(self) -> int:
        assert self.process is not None, "the node was not started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def __enter__(self) -> ApacheNode:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    # -- settings ------------------------------------------------------------------------------------------------------

    def properties(self) -> dict[str, str]:
        """What `server.properties` will say, derived values first and the caller's over them."""
        derived = {
            "process.roles": ",".join(self.roles),
            "node.id": str(self.node_id),
            **self._listeners(),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.data),
            **self._quorum(),
            **self._copies(),
        }
        return derived | dict(self.settings)

    def _listeners(self) -> dict[str, str]:
        clients = f"PLAINTEXT://{self.host}:{self.port}"
        quorum = f"CONTROLLER://{self.host}:{self.controller_port}"
        if "broker" not in self.roles:
            return {"listeners": quorum}
        return {
            "listeners": f"{clients},{quorum}" if "controller" in self.roles else clients,
            "advertised.listeners": clients,
        }

    def _quorum(self) -> dict[str, str]:
        if self.voters_in_log:
            return {"controller.quorum.bootstrap.servers": f"{self.host}:{self.controller_port}"}
        alone_votes = f"{self.node_id}@{self.host}:{self.controller_port}"
        return {"controller.quorum.voters": self.voters or alone_votes}

    def _copies(self) -> dict[str, str]:
        if self.brokers > 1:
            copies, in_sync = str(min(3, self.brokers)), "2" if self.brokers > 2 else "1"
            return dict.fromkeys(_COPIES, copies) | dict.fromkeys(_COPIES_IN_SYNC, in_sync)
        return {} if self.voters and not self.brokers else dict.fromkeys(_ALONE, "1")

    # -- life ----------------------------------------------------------------------------------------------------------

    @property
    def is_formatted(self) -> bool:
        return (self.data / "meta.properties").exists()

    def format(self) -> None:
        """Prepare the data directory with the cluster id, unless it already belongs to a cluster."""
        if self.is_formatted:
            return
        self.write_files()
        identity = self.cluster_id or new_cluster_id()
        properties = str(self.place.properties)
        storage = ["format", "-t", identity, "-c", properties, *(["--standalone"] if self.voters_in_log else [])]
        done = run_tool("kafka.tools.StorageTool", *storage, version=self.version, kafka_home=self.kafka_home)
        if done.code != 0:
            raise OperationFailed(f"Apache Kafka could not format {self.data}: {decisive_line(done.stderr)}")

    def launch(self) -> None:
        """Start the JVM; whether it comes up is for `why_ended` and `answers` to say. Raises UsageError when a port is
        taken."""
        assert not self.running, "the node is already running"
        self.write_files()
        self.refuse_taken_ports()
        place = self.place
        mark_start(place.log)
        with place.said.open("wb" if place.log_is_rolled else "ab") as said:
            self.process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )

    def start(self, timeout_s: float = 60.0) -> None:
        """Format when new, start the JVM and return once the client port answers ApiVersions."""
        self.format()
        self.launch()
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if not self.running:
                raise self.failure()
            if time.monotonic() > deadline:
                self.kill()
                raise DeadlineExceeded(
                    f"Apache Kafka did not answer on {self.address} in time: {self.why_ended()}",
                    f"Its log is {self.log}.",
                )
            time.sleep(0.02)

    def answers(self, timeout_s: float = 2.0) -> bool:
        return answers(self.address, timeout_s)

    def failure(self) -> OperationFailed:
        """That it ended while it started, with the reason from its log."""
        return OperationFailed(
            f"Apache Kafka ended while it was starting: {self.why_ended()}", f"Its log is {self.log}."
        )

    def why_ended(self) -> str:
        """The line of the last run's log that says why it is not there."""
        return why_ended(self.place)

    def stop(self, timeout_s: float = 30.0) -> None:
        """SIGTERM for an orderly stop; after `timeout_s` SIGKILL. Nothing happens when it is not running."""
        if self.process is None:
            return
        if self.running:
            self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        assert self.process is not None, "the node was not started"
        if self.running:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def tail(self, lines: int = 40) -> str:
        """The last lines the node logged."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def write_files(self) -> None:
        """What the JVM reads: its settings, and how to log."""
        place = self.place
        for path in place:
            path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={_escaped(value)}\n" for name, value in self.properties().items()]
        write_private(place.properties, "".join(lines))
        appender = _ROLLING.format(path=place.log) if place.log_is_rolled else _CONSOLE
        place.logging.write_text(_LOG4J_PROPERTIES.format(appender=appender))

    def refuse_taken_ports(self) -> None:
        """Raises UsageError when somebody else listens where this node would."""
        used = [self.port] * ("broker" in self.roles) + [self.controller_port] * ("controller" in self.roles)
        for port in used:
            _refuse_taken(self.host, port)

    def _command(self) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.place.logging}"
        jars = artifacts(self.version, kafka_home=self.kafka_home)
        jvm = java_command(self.heap, jars, [*self.jvm_flags, logging])
        guard = shutil.which("setpriv") if self.dies_with_parent else None
        return [*([guard, "--pdeathsig", "KILL"] if guard else []), *jvm, "kafka.Kafka", str(self.place.properties)]


# -- the log of one run ------------------------------------------------------------------------------------------------

_START: Final = b"-- start of a run --\n"
_LOOK_BACK_BYTES: Final = 4 << 20


def mark_start(log: Path) -> None:
    """Write where a run begins, so that the reason of its end is not looked for in older ones."""
    with log.open("ab") as file:
        file.write(_START)


def why_ended(place: Place) -> str:
    """The decisive line of the last run: of what the JVM itself said, else of what Kafka logged."""
    return why_failed(place) or decisive_line(_last_run(place.log))


def why_failed(place: Place) -> str | None:
    """The same, or None when nothing in it looks like a failure."""
    return failure_line(_last_run(place.said)) or failure_line(_last_run(place.log))


def _last_run(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOOK_BACK_BYTES))
            text = file.read()
    except OSError:
        return ""
    return text.rpartition(_START)[2].decode(errors="replace")


def flags_of_environment() -> list[str]:
    """Flags for the JVM as Apache's scripts take them: KAFKA_JVM_PERFORMANCE_OPTS instead of ours, and KAFKA_OPTS."""
    tuning = shlex.split(os.environ.get("KAFKA_JVM_PERFORMANCE_OPTS", "")) or list(JVM_FLAGS)
    return tuning + shlex.split(os.environ.get("KAFKA_OPTS", ""))


def write_private(path: Path, text: str) -> None:
    """A file for its owner's eyes: settings may hold passwords."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def new_cluster_id() -> str:
    """A fresh cluster id in Kafka's spelling: 16 random bytes, URL-safe base64 without padding.

    None that begins with a dash: on a command line that would be an option.
    """
    while (identity := base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return identity


def _refuse_taken(host: str, port: int) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            owner = port_owner(port)
            raise UsageError(
                f"Cannot listen on {host}:{port}: {taken.strerror}{f'; it is used by {owner}' if owner else ''}.",
                "Stop what uses the port, or choose another.",
            ) from taken


def _escaped(value: str) -> str:
    """A value as Java's properties format wants it."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
    return "\\" + escaped if escaped.startswith(" ") else escaped
