"""What short commands cost, and what large clusters do to them: the table of the operator's suite.

    .venv/bin/python tests/bench/admin.py [--rounds 15] [--no-large]

Against a local node of ours, each in a process of its own and in turns: `logctl`, Apache's kafka-topics (JVM flags as
its script gives them), kafka-python's admin command and kcat. Shown are medians of CPU and wall time, the peak of
memory, and the ratios in this one run. Then the large clusters of admin_topics.py and admin_lag.py. A goal that is
missed is marked; nothing is asserted. The machine should be quiet.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from tabulate import tabulate  # noqa: E402

BIN = Path(sys.executable).parent
LOGCTL = str(BIN / "logctl")
TOPICS = 20
SCRIPT_FLAGS = (
    "-Xmx256M", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
)  # fmt: skip


class Used(NamedTuple):
    wall_ms: float
    cpu_ms: float
    peak_mib: float


class Row(NamedTuple):
    """A command, and what it may need: limits of its own (ms, MiB), and ratios of wall time to other rows."""

    name: str
    command: Sequence[str]
    wall_ms: float | None = None
    cpu_ms: float | None = None
    peak_mib: float | None = None
    at_most: Mapping[str, float] = MappingProxyType({})
    cold: bool = False
    """The cache of names is thrown away before each run."""


def rows(bootstrap: str) -> list[Row]:
    """Ours, and beside it what of the others is here."""
    at = ("-b", bootstrap)
    found = [
        Row("logctl --version", (LOGCTL, "--version"), cpu_ms=40),
        Row("logctl --help", (LOGCTL, "--help"), cpu_ms=140),
        Row(
            "logctl topic list",
            (LOGCTL, "topic", "list", *at),
            wall_ms=125,
            peak_mib=40,
            at_most={"kafka-topics --list": 0.25, "kafka-python admin topics list": 0.75},
        ),
        Row("logctl topic list -o json", (LOGCTL, "topic", "list", *at, "-o", "json"), wall_ms=125, peak_mib=40),
        Row("completion from cache", (LOGCTL, "__complete", "topic", "describe", *at, ""), wall_ms=60),
        Row("completion cold", (LOGCTL, "__complete", "topic", "describe", *at, ""), wall_ms=250, cold=True),
    ]
    script = kafka_topics()
    if script:
        found += [
            Row("kafka-topics --help", (*script, "--help")),
            Row("kafka-topics --list", (*script, "--list", "--bootstrap-server", bootstrap)),
        ]
    if (BIN / "kafka-python").exists():
        theirs = (str(BIN / "kafka-python"), "admin", "-b", bootstrap, "topics", "list")
        found.append(Row("kafka-python admin topics list", theirs))
    if shutil.which("kcat"):
        found.append(Row("kcat -L", ("kcat", "-b", bootstrap, "-L")))
    return found


def kafka_topics() -> tuple[str, ...]:
    """Apache's script without its shell; nothing where there is no Apache Kafka."""
    from logctl.engine.apache.parts import available, classpath

    if reason := available():
        print(f"without kafka-topics: {reason}", file=sys.stderr)
        return ()
    return ("java", *SCRIPT_FLAGS, "-cp", classpath(), "org.apache.kafka.tools.TopicCommand")


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as home, node(home) as bootstrap:
        compared = rows(bootstrap)
        measured: dict[str, list[Used]] = {row.name: [] for row in compared}
        for number in range(options.rounds + 1):
            for row in compared:
                used = run(row, home)
                if number:
                    measured[row.name].append(used)
    middles = {name: Used(*map(statistics.median, zip(*runs, strict=True))) for name, runs in measured.items()}
    told = [told_of(row, middles) for row in compared]
    print(tabulate(told, ["what", "wall ms", "CPU ms", "peak MiB", "goals"], disable_numparse=True))
    if options.large:
        large(options.rounds)


def told_of(row: Row, middles: dict[str, Used]) -> list[str]:
    used = middles[row.name]
    limits = row.wall_ms, row.cpu_ms, row.peak_mib
    goals = [
        goal(f"{what} at most {limit:g}", value, limit)
        for what, value, limit in zip(("wall", "CPU", "peak"), used, limits, strict=True)
        if limit is not None
    ]
    for other, limit in row.at_most.items():
        if other in middles:
            ratio = used.wall_ms / middles[other].wall_ms
            goals.append(goal(f"{ratio:.2f}x {other}, at most {limit:g}x", ratio, limit))
    return [row.name, *(f"{value:.0f}" for value in used), "; ".join(goals)]


def goal(text: str, value: float, limit: float) -> str:
    return text + ("" if value <= limit else " MISSED")


def large(rounds: int) -> None:
    """10,000 topics x 5 partitions, and the lag of 1,000 groups x 100 partitions."""
    for script in ("admin_topics.py", "admin_lag.py"):
        print(f"\n{script}", flush=True)
        subprocess.run([sys.executable, str(HERE / script), "--rounds", str(min(rounds, 3))], check=True, env=quiet())


@contextmanager
def node(home: str) -> Iterator[str]:
    """A node with some topics; its address."""
    command = [LOGCTL, "up", "--ephemeral", "--port", "0", "--until-eof"]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, env=quiet(home), text=True) as up:
        assert up.stdin is not None
        assert up.stdout is not None
        bootstrap = up.stdout.readline().strip()
        names = [f"topic-{number:02}" for number in range(TOPICS)]
        creating = [LOGCTL, "topic", "create", *names, "-b", bootstrap]
        subprocess.run(creating, check=True, env=quiet(home), stdout=nowhere, stderr=nowhere)
        yield bootstrap
        up.stdin.close()


def run(row: Row, home: str) -> Used:
    if row.cold:
        shutil.rmtree(Path(home) / "cache", ignore_errors=True)
    began_s = time.perf_counter()
    with subprocess.Popen(
        row.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet(home)
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_ms = (time.perf_counter() - began_s) * 1000
    assert process.returncode in (0, 1 if "--help" in row.command else 0), row.name
    return Used(wall_ms, (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss / 1024)


def quiet(home: str = "") -> dict[str, str]:
    """The environment of what is measured: compiled modules are kept, as anywhere where logctl is installed, and
    nothing of the user's is looked at."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOGCTL_")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    places = {f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CONFIG", "STATE", "CACHE", "DATA")}
    return {**env, **(places if home else {})}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-large", dest="large", action="store_false", help="only the short commands")
    return parser.parse_args()


if __name__ == "__main__":
    main()
