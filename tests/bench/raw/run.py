"""The data path against the same work in C: CPU per GB and per request, ratios in one run.

    python tests/bench/raw/run.py [--seconds 4] [--rounds 3] [--port 29300] [case ...]

Compiles `floor.c` and `load.c` with cc, starts each broker in turn on an empty folder, has `load` speak to it, and
reads the broker's CPU time from /proc. The node runs with `flush=os`, because the floor does not flush either;
`-acks` cases show the node alone with every acknowledgement flushed. Nothing else should run on the machine; trust
the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import frames

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
KIB, MIB = 1 << 10, 1 << 20
FILL_BYTES = 64 * MIB


class Case(NamedTuple):
    """`kind` is produce or fetch; sizes in bytes. `flushed`: the node's default policy, which the floor has not."""

    kind: str
    size: int
    record_bytes: int
    connections: int
    depth: int
    flushed: bool = False


CASES = {
    "produce-1M": Case("produce", 1_000_000, 1000, 8, 4),
    "produce-16K": Case("produce", 16 * KIB, 1000, 8, 10),
    "produce-1K": Case("produce", 1 * KIB, 900, 8, 10),
    "produce-one-record": Case("produce", 100, 100, 8, 10),
    "fetch-1M": Case("fetch", 1 * MIB, 1000, 4, 1),
    "fetch-64K": Case("fetch", 64 * KIB, 1000, 4, 1),
    "produce-16K-acks": Case("produce", 16 * KIB, 1000, 64, 10, flushed=True),
    "produce-one-record-acks": Case("produce", 100, 100, 64, 10, flushed=True),
}


class Result(NamedTuple):
    """What one run cost. `cpu_s` is the broker's."""

    answers: int
    payload_bytes: int
    seconds: float
    cpu_s: float

    @property
    def cpu_s_per_gb(self) -> float:
        return self.cpu_s / (self.payload_bytes / 1e9)

    @property
    def cpu_us_per_request(self) -> float:
        return self.cpu_s / self.answers * 1e6


class Bench:
    """Compiled programs and a folder for everything that is written."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        for name, options in (("floor", ["-msse4.2"]), ("load", [])):
            command = ["cc", "-O2", "-Wall", *options, "-o", str(folder / name), str(HERE / f"{name}.c")]
            subprocess.run(command, check=True)

    @contextlib.contextmanager
    def broker(self, name: str, case: Case) -> Iterator[subprocess.Popen[bytes]]:
        """Either broker on an empty folder, with a topic of four partitions."""
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        if name == "floor":
            command = [str(self.folder / "floor"), str(self.port), str(data)]
        else:
            command = _node_command(self.port, data, flushed=case.flushed)
        with (self.folder / "diary").open("wb") as diary:
            process = subprocess.Popen(command, stdout=diary, stderr=diary)
        try:
            _await_port(self.port, process)
            if name == "node":
                _create_topic(self.port, kept=case.kind == "fetch")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def run(self, name: str, case: Case, seconds: float) -> Result:
        """One run of one case against one broker."""
        with self.broker(name, case) as process:
            if case.kind == "produce":
                made = frames.produce(case.size, case.record_bytes, acks=-1 if case.flushed else 1)
                error_at = frames.PRODUCE_ERROR_AT
            else:
                made = frames.fetch(case.size, _fill(self.port, case))
                error_at = frames.FETCH_ERROR_AT
            path = self.folder / "frames"
            path.write_bytes(made.data)
            self._load(path, made, 0.5, case, error_at)
            before = _cpu_s(process.pid)
            told = self._load(path, made, seconds, case, error_at)
            spent = _cpu_s(process.pid) - before
        payload = told["answers"] * made.batch_bytes if case.kind == "produce" else told["bytes_in"]
        return Result(told["answers"], payload, told["seconds"], spent)

    def _load(self, path: Path, made: frames.Frames, seconds: float, case: Case, error_at: int) -> dict[str, Any]:
        words = [self.port, path, made.frame_bytes, seconds, case.connections, case.depth, error_at]
        done = subprocess.run([str(self.folder / "load"), *map(str, words)], check=True, capture_output=True)
        told: dict[str, Any] = json.loads(done.stdout)
        assert not told["failures"], f"{told['failures']} of {told['answers']} requests were refused"
        return told


def _node_command(port: int, data: Path, *, flushed: bool) -> list[str]:
    settings = ["log.retention.check.interval.ms=500", f"flush={'acks' if flushed else 'os'}"]
    given = [word for setting in settings for word in ("-c", setting)]
    return [sys.executable, "-m", "logctl", "up", "--data", str(data), "--port", str(port), *given]


def _create_topic(port: int, *, kept: bool) -> None:
    """Small segments that go as quickly as the floor drops its own, so that both write into recycled memory."""
    configs = ["segment.bytes=67108864", "file.delete.delay.ms=0"]
    if not kept:
        configs.append("retention.bytes=201326592")
    given = [word for config in configs for word in ("--config", config)]
    command = [sys.executable, "-m", "logctl", "topic", "create", frames.TOPIC, "-b", f"127.0.0.1:{port}"]
    subprocess.run([*command, "--partitions", str(frames.PARTITIONS), *given], check=True, capture_output=True)


def _fill(port: int, case: Case) -> list[int]:
    """Put `FILL_BYTES` into each partition; the offsets at which fetches of the case's size begin."""
    made = frames.produce(16 * KIB, case.record_bytes, acks=-1)
    rounds = FILL_BYTES // made.batch_bytes
    with socket.create_connection(("127.0.0.1", port)) as sock:
        for _ in range(rounds):
            sock.sendall(made.data)
            for _ in range(frames.PARTITIONS):
                size = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))[0]
                sock.recv(size, socket.MSG_WAITALL)
    step = max(1, case.size // made.batch_bytes)
    return [index * made.records for index in range(0, rounds - step, step)]


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert process.poll() is None, "the broker did not start; its diary lies in the bench's folder"
            assert time.monotonic() < deadline, "the broker does not listen"
            time.sleep(0.02)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _median(results: list[Result]) -> Result:
    return sorted(results, key=lambda one: one.cpu_s_per_gb)[len(results) // 2]


def _row(name: str, ours: Result, floor: Result | None) -> str:
    per_gb = f"{ours.cpu_s_per_gb:8.2f} s/GB {ours.cpu_us_per_request:7.1f} us/request"
    rate = f"{ours.payload_bytes / ours.seconds / 1e6:7.0f} MB/s {ours.answers / ours.seconds:8.0f} requests/s"
    if floor is None:
        return f"{name:24} {per_gb}   {rate}"
    ratio = ours.cpu_s_per_gb / floor.cpu_s_per_gb
    return f"{name:24} {per_gb}   {rate}   floor {floor.cpu_s_per_gb:6.2f} s/GB   ratio {ratio:4.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", help="all of them by default")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="the median counts; brokers take turns")
    parser.add_argument("--port", type=int, default=29300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.port)
        for name in given.cases or CASES:
            case = CASES[name]
            brokers = ["node"] if case.flushed else ["floor", "node"]
            results: dict[str, list[Result]] = {broker: [] for broker in brokers}
            for _ in range(given.rounds):
                for broker in brokers:
                    results[broker].append(bench.run(broker, case, given.seconds))
            floor = _median(results["floor"]) if "floor" in results else None
            print(_row(name, _median(results["node"]), floor), flush=True)


if __name__ == "__main__":
    main()
