"""The other engine: real Apache Kafka on a JDK, as a process we prepare, start, watch and stop.

Three layers, each usable alone:

- the parts: `java()` finds a JVM, `artifacts()` finds Apache's jars. They come from an unpacked distribution
  (`kafka_home`, its `libs` folder) or from Maven, which copies them once per version into the user's data folder
  (`$XDG_DATA_HOME/logctl/apache/VERSION/lib`). The folder appears by one rename when it is whole, under a lock, so that
  parallel callers and an interrupted download leave either everything or nothing;
- the scripts: `run_tool()` runs the class behind one of Apache's shell scripts, without the shell script;
- the broker: `ApacheNode` owns one directory. `server.properties` is written from settings under Apache's own names,
  the storage is formatted on first use, and `start()` returns once the client port has answered ApiVersions.

    DIRECTORY/
      server.properties   rewritten at every start
      log4j2.properties   one line per event to stdout
      node.log            stdout and stderr of every run, appended
      data/               log.dirs: a directory in Apache's format, exchangeable with the bundled engine's

A JVM that dies while it starts is reported with the line of its log that says why (`decisive_line`): of the first
error the cause nearest to the root, because Kafka logs the same failure several times on its way out.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final

from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, UsageError

VERSION: Final = "4.3.1"
JAVA_AT_LEAST: Final = 17
LOG4J: Final = "2.25.4"
"""Kafka's jars name the logging facade only; the binding that its distribution adds is named in our pom."""

MAVEN_TIMEOUT_S: Final = 900.0
_ERROR_LINE = re.compile(r"\b(ERROR|FATAL)\b|^Exception in thread|^Error[: ]|^Unrecognized |OutOfMemoryError")
_STACK_LINE = re.compile(r"^\s+(at |\.\.\. )")
_FAILURE_LINE = re.compile(r"^(Caused by: |Exception in thread \"[^\"]*\" )?(?P<what>[\w.$]+(Exception|Error)\b.*)")


# The parts ------------------------------------------------------------------------------------------------------------


def data_home() -> Path:
    """Where artifacts are kept: `$XDG_DATA_HOME/logctl/apache`, by default below `~/.local/share`."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "logctl" / "apache"


def java() -> Path:
    """A `java` of version 17 or newer: `$JAVA_HOME` first, then PATH. Raises `UsageError` when there is none."""
    seen = []
    for candidate in _java_candidates():
        version = _java_version(candidate)
        if version >= JAVA_AT_LEAST:
            return candidate
        seen.append(f"{candidate} is version {version}" if version else f"{candidate} does not run")
    found = "; ".join(seen) or "no java on PATH and JAVA_HOME is not set"
    raise UsageError(
        f"Apache Kafka needs a Java runtime of version {JAVA_AT_LEAST} or newer: {found}.",
        f"Install one (Debian: apt-get install openjdk-{JAVA_AT_LEAST}-jdk-headless) or point JAVA_HOME to it.",
    )


def artifacts(version: str = VERSION, *, kafka_home: Path | None = None) -> list[Path]:
    """The jars of one Apache Kafka version, fetched by Maven when they are not there yet.

    With `kafka_home` the jars of that unpacked distribution, whatever its version.
    """
    if kafka_home is not None:
        return _distribution_jars(kafka_home)
    lib = data_home() / version / "lib"
    if not lib.is_dir():
        _fetch(version, lib)
    return sorted(lib.glob("*.jar"))


def classpath(version: str = VERSION, *, kafka_home: Path | None = None) -> str:
    """The same jars as one value for `java -cp`."""
    return os.pathsep.join(str(jar) for jar in artifacts(version, kafka_home=kafka_home))


def available(version: str = VERSION, *, kafka_home: Path | None = None) -> str | None:
    """None when this engine can be used here (perhaps after a download), else one sentence with the reason."""
    try:
        java()
        if kafka_home is not None:
            _distribution_jars(kafka_home)
        elif not (data_home() / version / "lib").is_dir():
            _maven()
    except LogctlError as reason:
        return reason.message
    return None


def _java_candidates() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    places = [Path(home) / "bin" / "java"] if home else []
    on_path = shutil.which("java")
    return places + ([Path(on_path)] if on_path else [])


@cache
def _java_version(binary: Path) -> int:
    """The major version, 0 when the binary cannot be run."""
    try:
        answer = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match[1]) if match else 0


def _distribution_jars(home: Path) -> list[Path]:
    jars = sorted((home / "libs").glob("*.jar"))
    if not any(jar.name.startswith("kafka-clients-") for jar in jars):
        raise UsageError(
            f"{home} is not an unpacked Apache Kafka distribution: there is no libs/kafka-clients-*.jar in it.",
            "Point to the folder that holds bin, config and libs.",
        )
    return jars


def _maven() -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise UsageError(
            "Apache Kafka's artifacts are fetched with Maven, and there is no mvn on PATH.",
            "Install it (Debian: apt-get install maven) or unpack a distribution and pass --kafka-home DIR.",
        )
    return maven


def _fetch(version: str, lib: Path) -> None:
    maven = _maven()
    try:
        lib.parent.mkdir(parents=True, exist_ok=True)
        with (lib.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not lib.is_dir():
                _run_maven(maven, version, lib)
    except OSError as failure:
        raise OperationFailed(f"Cannot keep Apache Kafka's artifacts in {lib.parent}: {failure.strerror}.") from failure


def _run_maven(maven: str, version: str, lib: Path) -> None:
    pom, partial = lib.parent / "pom.xml", lib.parent / "lib.partial"
    pom.write_text(_pom(version))
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise DeadlineExceeded(f"Maven did not fetch Apache Kafka {version} in {MAVEN_TIMEOUT_S:.0f} s.") from late
    if done.returncode != 0:
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        raise OperationFailed(
            f"Maven could not fetch Apache Kafka {version}: {errors[0] if errors else done.stderr.strip()}",
            f"Repeat it by hand to see all it says: {' '.join(command)}",
        )
    partial.rename(lib)


def _pom(version: str) -> str:
    wanted = [
        ("org.apache.kafka", "kafka_2.13", version),
        ("org.apache.kafka", "kafka-tools", version),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J),
    ]
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{number}</version></dependency>"
        for group, name, number in wanted
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>logctl</groupId><artifactId>apache-kafka</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>\n"
    )


# The scripts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToolResult:
    """What a tool did: exit code and everything it said."""

    code: int
    stdout: str
    stderr: str


def run_tool(
    main_class: str,
    *args: str,
    timeout_s: float = 60.0,
    heap: str = "256m",
    stdin: str | None = None,
    extra_classpath: Sequence[Path] = (),
    kafka_home: Path | None = None,
) -> ToolResult:
    """Run the class behind one of Apache's scripts, e.g. `org.apache.kafka.tools.TopicCommand`, to its end.

    The exit code is the caller's to judge. Raises `DeadlineExceeded` (the tool is killed) after `timeout_s`.
    """
    command = _java_command(heap, [*extra_classpath, *artifacts(kafka_home=kafka_home)], ["-XX:TieredStopAtLevel=1"])
    try:
        done = subprocess.run(
            [*command, main_class, *args], input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise DeadlineExceeded(f"{main_class} did not end within {timeout_s:.0f} s.") from late
    return ToolResult(done.returncode, done.stdout, done.stderr)


def _java_command(heap: str, jars: Sequence[Path], flags: Sequence[str]) -> list[str]:
    path = os.pathsep.join(str(jar) for jar in jars)
    return [str(java()), f"-Xmx{heap}", "-Djava.awt.headless=true", *flags, "-cp", path]


# The broker -----------------------------------------------------------------------------------------------------------

_LOG4J_PROPERTIES: Final = """\
rootLogger.level = INFO
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c)%n
"""


@dataclass
class ApacheNode:
    """One Apache Kafka process: broker and controller in one (KRaft, static voters) unless `settings` say otherwise.

    `port` serves clients, `controller_port` the quorum, both on `host`. `settings` are Apache's names and win over
    what is derived here. With `voters_in_log` a new directory names its voter in the metadata log (kraft.version 1), as
    `kafka-storage format --standalone` does. As a context manager it starts on entry and stops on exit. With
    `dies_with_parent` the kernel kills the process when ours ends for any reason, so that an interrupted test run
    leaves no JVM behind.
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
    jvm_flags: Sequence[str] = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
    kafka_home: Path | None = None
    dies_with_parent: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "node.log"

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

    def properties(self) -> dict[str, str]:
        """What `server.properties` will say, derived values first and the caller's over them."""
        clients, quorum = f"PLAINTEXT://{self.address}", f"CONTROLLER://{self.host}:{self.controller_port}"
        derived = {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            "listeners": f"{clients},{quorum}",
            "advertised.listeners": clients,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.data),
        }
        if self.voters_in_log:
            derived["controller.quorum.bootstrap.servers"] = f"{self.host}:{self.controller_port}"
        else:
            alone_votes = f"{self.node_id}@{self.host}:{self.controller_port}"
            derived["controller.quorum.voters"] = self.voters or alone_votes
        if not self.voters:
            alone = ("offsets.topic.replication.factor", "transaction.state.log.replication.factor",
                     "transaction.state.log.min.isr", "share.coordinator.state.topic.replication.factor",
                     "share.coordinator.state.topic.min.isr")  # fmt: skip
            derived |= dict.fromkeys(alone, "1")
        return derived | dict(self.settings)

    def format(self) -> None:
        """Prepare the data directory with the cluster id, unless it already belongs to a cluster."""
        if (self.data / "meta.properties").exists():
            return
        self._write_files()
        identity = self.cluster_id or new_cluster_id()
        properties = str(self.directory / "server.properties")
        storage = ["format", "-t", identity, "-c", properties, *(["--standalone"] if self.voters_in_log else [])]
        done = run_tool("kafka.tools.StorageTool", *storage, kafka_home=self.kafka_home)
        if done.code != 0:
            raise OperationFailed(f"Apache Kafka could not format {self.data}: {decisive_line(done.stderr)}")

    def start(self, timeout_s: float = 60.0) -> None:
        """Format when new, start the JVM and return once the client port answers ApiVersions."""
        assert not self.running, "the node is already running"
        self.format()
        self._write_files()
        _refuse_taken(self.host, (self.port, self.controller_port))
        with self.log.open("ab") as log:
            beginning = log.tell()
            self.process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_serving(beginning, time.monotonic() + timeout_s)

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

    def _write_files(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={_escaped(value)}\n" for name, value in self.properties().items()]
        (self.directory / "server.properties").write_text("".join(lines))
        (self.directory / "log4j2.properties").write_text(_LOG4J_PROPERTIES)

    def _command(self) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}"
        jvm = _java_command(self.heap, artifacts(kafka_home=self.kafka_home), [*self.jvm_flags, logging])
        guard = shutil.which("setpriv") if self.dies_with_parent else None
        return [
            *([guard, "--pdeathsig", "KILL"] if guard else []),
            *jvm,
            "kafka.Kafka",
            str(self.directory / "server.properties"),
        ]

    def _wait_until_serving(self, beginning: int, deadline: float) -> None:
        while not answers_api_versions(self.host, self.port):
            said = self.log.read_bytes()[beginning:].decode(errors="replace")
            if not self.running:
                raise OperationFailed(
                    f"Apache Kafka ended while it was starting: {decisive_line(said)}", f"Its log is {self.log}."
                )
            if time.monotonic() > deadline:
                self.kill()
                raise DeadlineExceeded(
                    f"Apache Kafka did not answer on {self.address} in time: {decisive_line(said)}",
                    f"Its log is {self.log}.",
                )
            time.sleep(0.02)


def new_cluster_id() -> str:
    """A fresh cluster id in Kafka's spelling: 16 random bytes, URL-safe base64 without padding.

    None that begins with a dash: on a command line that would be an option.
    """
    while (identity := base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return identity


def answers_api_versions(host: str, port: int, timeout_s: float = 2.0) -> bool:
    """Whether something on the port answers ApiVersions version 0 without an error."""
    question = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with closing(socket.create_connection((host, port), timeout=timeout_s)) as conversation:
            conversation.sendall(struct.pack(">i", len(question)) + question)
            answer = conversation.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">ih", answer[4:]) == (1, 0)


def decisive_line(log: str) -> str:
    """The line of a Kafka log that says why it gave up; the last line when nothing looks like an error."""
    lines = log.splitlines()
    for index, line in enumerate(lines):
        if _ERROR_LINE.search(line):
            return _root_cause(lines, index)
    return next((line for line in reversed(lines) if line.strip()), "it logged nothing")


def _root_cause(lines: Sequence[str], start: int) -> str:
    """Of the stack trace below an error line the innermost failure, else the error line itself."""
    cause = lines[start]
    if cause.startswith("Error occurred during initialization"):  # the JVM's own: the reason is the next line
        return " ".join(lines[start : start + 2])
    for line in lines[start + 1 :]:
        failure = _FAILURE_LINE.match(line)
        if failure:
            cause = failure["what"]
        elif not _STACK_LINE.match(line):
            break
    return cause.strip()


def _refuse_taken(host: str, ports: Sequence[int]) -> None:
    for port in ports:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as taken:
                raise UsageError(
                    f"Cannot listen on {host}:{port}: {taken.strerror}.", "Stop what uses the port, or choose another."
                ) from taken


def _escaped(value: str) -> str:
    """A value as Java's properties format wants it."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
    return "\\" + escaped if escaped.startswith(" ") else escaped
