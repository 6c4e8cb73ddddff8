"""Apache's command line tools: the class behind a shell script, run without the shell script."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from logctl.engine.apache.parts import VERSION, artifacts, java
from logctl.errors import DeadlineExceeded


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
    version: str = VERSION,
    kafka_home: Path | None = None,
) -> ToolResult:
    """Run the class behind one of Apache's scripts, e.g. `org.apache.kafka.tools.TopicCommand`, to its end.

    The exit code is the caller's to judge. Raises `DeadlineExceeded` (the tool is killed) after `timeout_s`.
    """
    jars = [*extra_classpath, *artifacts(version, kafka_home=kafka_home)]
    command = java_command(heap, jars, ["-XX:TieredStopAtLevel=1"])
    try:
        done = subprocess.run(
            [*command, main_class, *args], input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise DeadlineExceeded(f"{main_class} did not end within {timeout_s:.0f} s.") from late
    return ToolResult(done.returncode, done.stdout, done.stderr)


def java_command(heap: str, jars: Sequence[Path], flags: Sequence[str]) -> list[str]:
    """How to run Java with these jars, up to the name of the class."""
    path = os.pathsep.join(str(jar) for jar in jars)
    return [str(java()), f"-Xmx{heap}", "-Djava.awt.headless=true", *flags, "-cp", path]
