"""The stage of the behaviour suite: every story is told in every world, with the same command and the same witnesses.

    def test_a_topic(world, logctl, fresh, witness):
        name = fresh("orders")
        logctl("topic", "create", name, "--partitions", "3")
        assert name in witness.admin.list_topics()
        assert logctl("topic", "describe", name, "-o", "json").json["topics"][0]["name"] == name

A story that only makes sense in some worlds says so: `@only("apache", "apache3")` (support.worlds). With --engine the
suite is told on the worlds of that engine alone. All stories of one world run in one process, so that each cluster is
started once in a run.
"""

from __future__ import annotations

import functools
import gc
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import pytest
from support.clients.java import Java
from support.tools import Tools
from support.worlds import OF_ENGINE, OURS, OURS3, Done, Witness, World, hold_to_schema, run_here, world_of

HERE = Path(__file__).parent
FORGOTTEN_SOCKETS = r"ignore:.*<socket\.socket .*laddr=\('0\.0\.0\.0', \d+\)>:pytest.PytestUnraisableExceptionWarning"
"""kafka-python forgets to close a socket whose connection was refused (seen in 3.0.12)."""

Logctl = Callable[..., Done]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world_name" not in metafunc.fixturenames:
        return
    told = OF_ENGINE[metafunc.config.getoption("--engine") or "both"]
    for mark in metafunc.definition.iter_markers("worlds"):
        told = tuple(name for name in told if name in mark.args)
    metafunc.parametrize("world_name", [_staged(name) for name in told], scope="session")


def _staged(name: str) -> object:
    needs = () if name in (OURS, OURS3) else (pytest.mark.java,)
    return pytest.param(name, marks=(pytest.mark.xdist_group(f"world-{name}"), *needs))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings(FORGOTTEN_SOCKETS))


@pytest.fixture(autouse=True)
def _forgotten_things_are_found_here() -> Iterator[None]:
    """What a client forgot is collected while its own story is told, not during somebody else's."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def world_name() -> str:
    raise AssertionError("stories are parametrised with their worlds")


_running: dict[str, tuple[World, ExitStack]] = {}
_stories_left: Counter[str] = Counter()


def pytest_collection_finish(session: pytest.Session) -> None:
    _stories_left.update(_world_of(item) for item in session.items)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """A world ends with its last story: while others are told, it would cost what they need."""
    name = _world_of(item)
    _stories_left[name] -= 1
    if not _stories_left[name]:
        _end(name)


def _world_of(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("world_name", "") if callspec else ""


def _end(name: str) -> None:
    if name in _running:
        _running.pop(name)[1].close()


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """Running worlds by name, started when first called for, shared by the stories of a process."""

    def call(name: str) -> World:
        if name not in _running:
            with ExitStack() as stack:
                world = stack.enter_context(world_of(name, tmp_path_factory.mktemp(name)))
                _running[name] = world, stack.pop_all()
        return _running[name][0]

    yield call
    for name in tuple(_running):
        _end(name)


@pytest.fixture(scope="session")
def world(world_name: str, worlds: Callable[[str], World]) -> World:
    return worlds(world_name)


@pytest.fixture(scope="session")
def witnesses() -> Iterator[Callable[[World], Witness]]:
    """Witnesses by world. The two JVMs behind them are started when first called for, once in a process."""
    made: dict[str, Witness] = {}
    with ExitStack() as at_the_end:
        tools = _once(lambda: at_the_end.enter_context(Tools()))
        clients = _once(lambda: at_the_end.enter_context(closing(Java())))

        def call(world: World) -> Witness:
            if world.name not in made:
                with_its_world = _running[world.name][1]
                made[world.name] = with_its_world.enter_context(closing(Witness(world, tools, clients)))
            return made[world.name]

        yield call


Made = TypeVar("Made")


def _once(make: Callable[[], Made]) -> Callable[[], Made]:
    return functools.cache(make)


@pytest.fixture(scope="session")
def witness(world: World, witnesses: Callable[[World], Witness]) -> Witness:
    return witnesses(world)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of a story keep what they keep: contexts in `config`, their journal in `state`."""
    for kind in ("config", "state", "cache"):
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(tmp_path / kind))
    return tmp_path


@pytest.fixture
def logctl(world: World, home: Path) -> Logctl:
    """`logctl("topic", "list", "-o", "json").json`: the command, run against the story's world."""

    def call(
        *arguments: str, stdin: bytes | str = b"", env: Mapping[str, str] | None = None, code: int = 0
    ) -> Done:
        seen = _environment(world, env)
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = run_here(*arguments, stdin=given, env=seen)
        assert done.code == code, f"logctl {' '.join(arguments)} ended with {done.code}:\n{done.out}{done.err}"
        if code in (0, 4):
            hold_to_schema(arguments, done, seen)
        return done

    return call


def _environment(world: World, more: Mapping[str, str] | None) -> dict[str, str]:
    """What a command sees: nothing of ours but the cluster's address, and no terminal's width."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGCTL_")}
    for name in ("COLUMNS", "LINES"):
        kept.pop(name, None)
    return {**kept, "LOGCTL_BOOTSTRAP_SERVER": world.bootstrap, **(more or {})}


_numbers = itertools.count(1)


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """`fresh("orders")`: a name that begins so and that nobody has used."""
    return lambda prefix: f"{prefix}-{os.getpid()}-{next(_numbers)}"
