"""Three real nodes for each story, and the clients that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Accidents]:
    with running_nodes(tmp_path, 3) as nodes:
        yield Accidents(nodes)
