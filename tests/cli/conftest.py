"""The shell as its user meets it: a real node, a fresh topic for each story.

Commands of the `logctl` fixture run in this process, as those of tests/peers/behaviour do: a story is about what they
say. What only a process can show (pipes, signals, terminals, a file descriptor that ends) takes `run` or `command`.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from support.engines import ENGINES, Node, started
from support.worlds import run_here

AT_ONCE = {"group.initial.rebalance.delay.ms": "0"}
"""A first member does not wait for others."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Stories that name `engine` are told on our node, and on Apache Kafka as well when marked `on_both`."""
    if "engine" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--engine")
    both = chosen == "both" or (chosen is None and metafunc.definition.get_closest_marker("on_both"))
    names = ENGINES if both else (chosen or "logctl",)
    java = pytest.mark.java, pytest.mark.xdist_group("cli-apache")
    rows = [pytest.param(name, marks=java) if name == "apache" else name for name in names]
    metafunc.parametrize("engine", rows, scope="session")


@pytest.fixture(scope="session")
def engine() -> str:
    raise AssertionError("stories are parametrised with the engine")


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Node]]:
    """Running nodes by engine, started when first called for, shared by the stories of a worker."""
    made: dict[str, Node] = {}
    with ExitStack() as at_the_end:

        def call(engine: str) -> Node:
            if engine not in made:
                made[engine] = at_the_end.enter_context(started(engine, tmp_path_factory.mktemp(engine), AT_ONCE))
            return made[engine]

        yield call


@pytest.fixture
def bootstrap(engine: str, nodes: Callable[[str], Node]) -> str:
    return nodes(engine).address


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def environment(bootstrap: str | None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command sees of its surroundings: nothing of ours but the cluster's address."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGCTL_")}
    named = {} if bootstrap is None else {"LOGCTL_BOOTSTRAP_SERVER": bootstrap}
    return {**kept, **named, **(more or {})}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "logctl", *arguments]


def run(
    *arguments: str,
    bootstrap: str | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> Done:
    """One command to its end; stdout and stderr as text."""
    done = subprocess.run(
        command(*arguments), input=stdin, capture_output=True, env=environment(bootstrap, env), timeout=60, check=False
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


Logctl = Callable[..., Done]


@pytest.fixture
def logctl(bootstrap: str) -> Logctl:
    """`logctl("topic", "list")` runs it against the story's node, in this process."""

    def call(*arguments: str, stdin: bytes | str = b"", env: Mapping[str, str] | None = None) -> Done:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = run_here(*arguments, stdin=given, env=environment(bootstrap, env))
        return Done(done.code, done.out, done.err)

    return call


_numbers = itertools.count(1)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A topic's name that no other story uses."""
    return f"story-{next(_numbers)}-{os.getpid()}"


@pytest.fixture
def topic(logctl: Logctl, name: str) -> str:
    """A topic with one partition."""
    return make_topic(logctl, name)


def make_topic(logctl: Logctl, name: str, *flags: str) -> str:
    done = logctl("topic", "create", name, *flags)
    assert done.code == 0, done.err
    return name


def lines(values: Sequence[object]) -> str:
    return "".join(f"{value}\n" for value in values)
