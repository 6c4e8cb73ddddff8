"""Three real nodes for each story, and the clients that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from clients.conftest import FORGOTTEN_SOCKETS, cast
from support.accidents import Accidents
from support.trio import running_nodes

__all__ = ["cast"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings(FORGOTTEN_SOCKETS))


@pytest.fixture(scope="module")
def same_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accidents]:
    with running_nodes(tmp_path_factory.mktemp("nodes"), 3) as nodes:
        yield Accidents(nodes)


_numbers = count(1)


@pytest.fixture
def room(same_nodes: Accidents) -> Accidents:
    """Three nodes, the same for all stories of a file, and a topic of the story's own."""
    same_nodes.begin_anew(f"orders{next(_numbers)}")
    return same_nodes
