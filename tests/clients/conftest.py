"""The cast: one node per engine and worker, five clients, a fresh topic for each story."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic
from support.clients import Client
from support.clients.aiokafka_client import Aiokafka
from support.clients.java import Java
from support.clients.kafka_python import KafkaPython
from support.clients.kcat import Kcat
from support.clients.librdkafka import Librdkafka
from support.engines import ENGINES, Node, started

CLIENTS: Mapping[str, type[Client]] = {
    kind.name: kind for kind in (Librdkafka, KafkaPython, Aiokafka, Kcat, Java)
}

MakeTopic = Callable[..., str]

AT_ONCE = {"group.initial.rebalance.delay.ms": "0"}
"""A first member does not wait for others."""


HERE = Path(__file__).parent
FORGOTTEN_SOCKETS = r"ignore:.*<socket\.socket .*laddr=\('0\.0\.0\.0', \d+\)>:pytest.PytestUnraisableExceptionWarning"
"""kafka-python forgets to close a socket whose connection was refused (seen in 3.0.12)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings(FORGOTTEN_SOCKETS))


@pytest.fixture(autouse=True)
def _forgotten_things_are_found_here() -> Iterator[None]:
    """What a client forgot is collected while its own story is told, not during somebody else's."""
    yield
    gc.collect()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Stories that name `engine` or `client` are told once for each; a client that lacks what it takes sits out."""
    if "engine" in metafunc.fixturenames:
        told_on = [_java_if(name, name == "apache") for name in _engines(metafunc)]
        metafunc.parametrize("engine", told_on, scope="session")
    for role in ("client", "writer"):
        if role in metafunc.fixturenames:
            needs = {need for mark in metafunc.definition.iter_markers("needs") for need in mark.args}
            able = [_java_if(name, name == "java") for name, kind in CLIENTS.items() if not kind.lacks & needs]
            metafunc.parametrize(role, able, indirect=True, scope="session")


def _engines(metafunc: pytest.Metafunc) -> tuple[str, ...]:
    chosen = metafunc.config.getoption("--engine")
    both = chosen == "both" or (chosen is None and metafunc.definition.get_closest_marker("on_both"))
    return ENGINES if both else (chosen or "logctl",)


def _java_if(name: str, needs_java: bool) -> object:
    """All that share a JVM run in one process, so that each is started once in a run."""
    marks = pytest.mark.java, pytest.mark.xdist_group("clients-java")
    return pytest.param(name, marks=marks) if needs_java else name


@pytest.fixture(scope="session")
def engine() -> str:
    raise AssertionError("stories are parametrised with the engine")


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Node]]:
    """Running nodes by engine, started when first called for, that all stories of one worker share."""
    made: dict[str, Node] = {}
    with ExitStack() as at_the_end:

        def call(engine: str) -> Node:
            if engine not in made:
                made[engine] = at_the_end.enter_context(started(engine, tmp_path_factory.mktemp(engine), AT_ONCE))
            return made[engine]

        yield call


@pytest.fixture(scope="session")
def bootstrap(engine: str, nodes: Callable[[str], Node]) -> str:
    return nodes(engine).address


@pytest.fixture(scope="session")
def cast() -> Iterator[Callable[[str], Client]]:
    """Clients by name, made when first called for."""
    made: dict[str, Client] = {}
    with ExitStack() as at_the_end:

        def call(name: str) -> Client:
            if name not in made:
                made[name] = CLIENTS[name]()
                if hasattr(made[name], "close"):
                    at_the_end.enter_context(closing(made[name]))
            return made[name]

        yield call


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest, cast: Callable[[str], Client]) -> Client:
    return cast(request.param)


@pytest.fixture(scope="session")
def writer(request: pytest.FixtureRequest, cast: Callable[[str], Client]) -> Client:
    return cast(request.param)


_numbers = itertools.count(1)


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A name no other story uses, telling which one it belongs to."""
    story = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.removeprefix("test_"))
    return f"{story[:80].strip('-')}-{next(_numbers)}"


@pytest.fixture
def make_topic(bootstrap: str, topic_name: str) -> MakeTopic:
    """`make_topic(partitions=1, **configs)` creates the story's topic (dots in config names as underscores)."""

    def make(partitions: int = 1, **configs: object) -> str:
        create_topic(bootstrap, topic_name, partitions, {k.replace("_", "."): str(v) for k, v in configs.items()})
        return topic_name

    return make


@pytest.fixture
def topic(make_topic: MakeTopic) -> str:
    return make_topic()


def create_topic(bootstrap: str, name: str, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
    """Through kafka-python's admin client, a witness that is not ours; returns when its metadata shows the topic."""
    wanted = NewTopic(name, partitions, 1, topic_configs=dict(configs or {}))
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics([wanted], timeout_ms=20000, wait_for_metadata=True)
