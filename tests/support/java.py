"""Small Java programs of our own, compiled against Apache's jars and run beside the tests.

    classes = compile_java([Path("tests/clients/java/Clients.java")])
    with JavaProgram("Clients", classes) as program:
        program.ask({"do": "end", ...})       # one JSON object a line in, one out

Sources are compiled once per content: the classes are kept in a folder of the system's temporary directory named by
a digest of the sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from support.apache import classpath

from logctl.engine import apache


def compile_java(sources: Sequence[Path]) -> Path:
    """The folder with the classes of `sources`; the test is skipped with the reason when there is no compiler."""
    jars = classpath()
    compiler = shutil.which("javac")
    if compiler is None:
        pytest.skip("there is no javac on PATH (a JDK is needed, not only a runtime)")
    digest = hashlib.sha256(b"\0".join([apache.VERSION.encode(), *(source.read_bytes() for source in sources)]))
    target = _cache() / digest.hexdigest()[:16]
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
            command = [compiler, "-Xlint:all,-processing", "-Werror", "-cp", jars, "-d", scratch]
            done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            shutil.copytree(scratch, f"{scratch}.whole")
            try:
                os.rename(f"{scratch}.whole", target)
            except OSError:  # another worker was faster
                shutil.rmtree(f"{scratch}.whole")
    return target


def java_command(main_class: str, classes: Path, *args: str, heap: str = "256m") -> list[str]:
    """How to run a compiled program; it is killed with its parent where the system can do that."""
    guard = shutil.which("setpriv")
    return [
        *([guard, "--pdeathsig", "KILL"] if guard else []),
        str(apache.java()), f"-Xmx{heap}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        "-cp", os.pathsep.join([str(classes), classpath()]), main_class, *args,
    ]  # fmt: skip


class JavaProgram:
    """A program that answers each JSON line on its standard input with one JSON line, from any number of threads."""

    def __init__(self, main_class: str, classes: Path, *args: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._process = subprocess.Popen(
            java_command(main_class, classes, *args),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, bufsize=1,
        )  # fmt: skip
        self._one_at_a_time = threading.Lock()

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send one question and wait for its answer; a failure in Java comes back as the answer's `error`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(question) + "\n")
            answer = self._process.stdout.readline()
        if not answer:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace")
            raise AssertionError(f"the Java program ended: {said[-2000:]}")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def __enter__(self) -> JavaProgram:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _cache() -> Path:
    folder = Path(tempfile.gettempdir()) / f"logctl-java-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
