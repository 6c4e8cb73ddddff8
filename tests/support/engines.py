"""Either engine behind one interface, for stories that are told on both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from support.apache import apache_node

ENGINES = ("logctl", "apache")


class Node(Protocol):
    """A broker process that a test may stop, kill and start again in the same directory and on the same port."""

    @property
    def address(self) -> str: ...

    @property
    def pid(self) -> int: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


@contextmanager
def started(engine: str, directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[Node]:
    """A node of that engine, answering; gone at the end."""
    if engine == "apache":
        with apache_node(directory, settings) as node:
            yield node
    else:
        from support.node import running_node

        with running_node(directory, settings) as node:
            yield node
