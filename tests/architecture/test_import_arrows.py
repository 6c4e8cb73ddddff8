"""Who may know whom: the arrows of docs/architecture.md, read from the syntax trees; nothing is imported to check."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "logctl"

# A room is the longest of these prefixes that a module's name starts with. Each lists the rooms it may import.
ARROWS = {
    "logctl": set(),
    "logctl.errors": set(),
    "logctl.local": {"logctl.errors"},
    "logctl.seats": {"logctl.errors", "logctl.local"},
    "logctl.__main__": {"logctl", "logctl.cli"},
    "logctl.wire": {"logctl.errors"},
    "logctl.wire.records": {
        "logctl.wire.checksum",
        "logctl.wire.compression",
        "logctl.wire.errors",
        "logctl.wire.primitives",
    },
    "logctl.wire.checksum": {"logctl.wire.primitives"},
    "logctl.wire.compression": {"logctl.wire.errors"},
    "logctl.wire.errors": set(),
    "logctl.wire.primitives": set(),
    "logctl.security": {"logctl.errors"},
    "logctl.engine.log": {
        "logctl.wire.records",
        "logctl.wire.checksum",
        "logctl.wire.compression",
        "logctl.wire.errors",
        "logctl.wire.primitives",
        "logctl.errors",
    },
    "logctl.engine.quorum": {"logctl.errors", "logctl.wire.primitives"},
    "logctl.engine.controller": {"logctl.wire", "logctl.errors"},
    "logctl.engine.broker": {
        "logctl.wire",
        "logctl.wire.records",
        "logctl.wire.compression",
        "logctl.wire.errors",
        "logctl.wire.primitives",
        "logctl.engine.log",
        "logctl.engine.controller",
        "logctl.engine.quorum",
        "logctl.security",
        "logctl.errors",
    },
    "logctl.engine.simulation": {"logctl.engine", "logctl.wire", "logctl.errors"},
    "logctl.engine": {"logctl.wire", "logctl.security", "logctl.errors", "logctl.local", "logctl.seats", "logctl"},
    "logctl.admin": {"logctl.wire", "logctl.security", "logctl.errors", "logctl.local", "logctl.seats", "logctl"},
    "logctl.cli": {"logctl.admin", "logctl.errors", "logctl.local", "logctl.seats", "logctl"},
    # A node in somebody's test suite: it starts the engine, and tidies up between tests as any administrator would.
    "logctl.embedded": {"logctl.engine", "logctl.admin", "logctl.wire", "logctl.errors", "logctl.local"},
    "logctl.pytest_plugin": {"logctl.embedded", "logctl.errors"},
}

# The doors to the engine: these open it inside the function that starts or prepares a node.
DOORS_TO_THE_ENGINE = {
    "logctl.cli.up", "logctl.cli.node", "logctl.cli.engine", "logctl.cli.apache_nodes", "logctl.cli.several_nodes",
    "logctl.cli.foreground", "logctl.cli.node_joining",
    "logctl.embedded",
}  # fmt: skip

# Rooms whose outcome may depend on nothing but their input: time, chance and the outside world come in as arguments.
PURE = ("logctl.wire", "logctl.engine.log", "logctl.engine.quorum", "logctl.engine.controller", "logctl.engine.broker")
IMPURE_MODULES = {"time", "random", "asyncio", "socket", "threading", "os", "subprocess", "secrets", "uuid", "datetime"}
THE_ONLY_DOOR_TO_THE_DISK = "logctl.engine.log.disk"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def imports(name: str) -> tuple[tuple[str, bool], ...]:
    """Every module that a file imports, with whether it does so while it is itself being imported."""
    return tuple(_found(ast.parse(MODULES[name].read_text(encoding="utf-8")), at_import=True))


def _found(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from ((target, False) for target, _ in _found(child, at_import=False))
        elif isinstance(child, ast.Import):
            yield from ((alias.name, at_import) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            for alias in child.names:
                full = f"{child.module}.{alias.name}"
                yield (full if full in MODULES else str(child.module)), at_import
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _found(child, at_import=False)
        else:
            yield from _found(child, at_import)


def room(name: str) -> str:
    return max((prefix for prefix in ARROWS if name == prefix or name.startswith(prefix + ".")), key=len)


def may_import(source: str, target: str) -> bool:
    here, there = room(source), room(target)
    if here == there or there in ARROWS[here]:
        return True
    if there.startswith("logctl.engine") and source in DOORS_TO_THE_ENGINE:
        return True
    # A room that may be imported may be imported in all its parts, and a shell of the engine knows the whole engine.
    return any(there.startswith(f"{allowed}.") for allowed in (*ARROWS[here], here) if allowed != "logctl")


@pytest.mark.parametrize("name", MODULES)
def test_a_file_imports_only_what_its_room_may_know(name: str) -> None:
    strangers = [target for target, _ in imports(name) if target in MODULES and not may_import(name, target)]
    assert not strangers, f"{name} ({room(name)}) may not know {strangers}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(PURE)])
def test_a_pure_room_gets_time_chance_and_the_disk_from_outside(name: str) -> None:
    allowed = {"os"} if name == THE_ONLY_DOOR_TO_THE_DISK else set()
    found = {target.split(".")[0] for target, _ in imports(name)} & IMPURE_MODULES - allowed
    assert not found, f"{name} imports {sorted(found)}"


def test_the_engine_is_opened_only_inside_a_function() -> None:
    for name in DOORS_TO_THE_ENGINE & MODULES.keys():
        at_import = [target for target, early in imports(name) if early and target.startswith("logctl.engine")]
        assert not at_import, f"{name} loads {at_import} before anybody asked for a node"


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        name: {target for target, at_import in imports(name) if at_import and target in MODULES and target != name}
        for name in MODULES
    }
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for target in sorted(graph[name]):
                walk(target, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())
