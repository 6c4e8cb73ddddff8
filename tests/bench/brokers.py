"""The two brokers under test, each in a process of its own: how to start one and what it was told.

Apache Kafka runs with its distribution's garbage collector settings and a heap of 1 GiB; ours as `logctl node start`
runs it. Both are told the same things by the same names, but for the flush (`FLUSH`): Apache's default is to leave it
to the operating system, ours to answer acks=all when it is on disk.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.ports import free_port

from logctl.engine.apache import ApacheNode, answers

BROKERS = ("apache", "logctl")

COMMON = {
    "num.partitions": "4",
    "log.segment.delete.delay.ms": "1000",
    "log.retention.check.interval.ms": "5000",
    "offsets.topic.num.partitions": "1",
}
FLUSH = {
    "apache": {"os": {}, "every append": {"log.flush.interval.messages": "1"}},
    "logctl": {"os": {"log.flush.policy": "os"}, "every append": {"log.flush.policy": "acks"}},
}
JVM = (
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
)


@dataclass
class OurNode:
    """`logctl node start --config FILE`, in the foreground of its own process."""

    directory: Path
    port: int
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, timeout_s: float = 30.0) -> None:
        config = self.directory / "node.properties"
        if not config.exists():
            self._format(config)
        with (self.directory / "node.log").open("ab") as log:
            command = [sys.executable, "-m", "logctl", "node", "start", "--config", str(config)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout_s
        while not answers(f"127.0.0.1:{self.port}", 2.0):
            assert self.process.poll() is None, (self.directory / "node.log").read_text()
            assert time.monotonic() < deadline, "our node did not answer"
            time.sleep(0.001)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    def _format(self, config: Path) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        own = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": str(self.directory / "data"),
        }
        config.write_text("".join(f"{name}={value}\n" for name, value in {**own, **self.settings}.items()))
        command = [sys.executable, "-m", "logctl", "node", "format", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


Broker = ApacheNode | OurNode


def broker(name: str, directory: Path, flush: str) -> Broker:
    """A broker that is not started yet."""
    settings = COMMON | FLUSH[name][flush]
    if name == "logctl":
        return OurNode(directory, free_port(), settings)
    return ApacheNode(
        directory, free_port(), free_port(), settings=settings, heap="1g", jvm_flags=JVM, dies_with_parent=True
    )


def starting_s(stopped: Broker) -> float:
    """Seconds from starting the process to the first answered ApiVersions."""
    began = time.monotonic()
    stopped.start()
    return time.monotonic() - began
