"""Apache's tools before a node of ours, or with --engine before one of Apache's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.engines import ENGINES, started
from support.tools import Shell, Tools

SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shell" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--engine") or "logctl"
        metafunc.parametrize("shell", ENGINES if chosen == "both" else [chosen], indirect=True, scope="session")


@pytest.fixture(scope="session")
def tools() -> Iterator[Tools]:
    with Tools() as tools:
        yield tools


@pytest.fixture(scope="session")
def shell(request: pytest.FixtureRequest, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with started(request.param, tmp_path_factory.mktemp(f"scripts-{request.param}"), SETTINGS) as node:
        yield Shell(tools, node)
