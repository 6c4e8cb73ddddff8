"""What each kind of command may load: the modules of a fresh interpreter after it, by kind.

`HEAVY` are the modules that take long. A kind of command names those that it uses, and none of the others may be there:
a module that slips in costs every start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.scripted import ScriptedCluster

HEAVY = {
    "textual", "paramiko", "asyncio", "yaml", "tabulate", "ssl", "cramjam", "cryptography", "scramp", "joserfc",
    "pydantic", "rich", "click", "typer", "jsonschema", "logging", "concurrent.futures", "multiprocessing",
    "importlib.metadata", "logctl.engine", "logctl.admin", "logctl.wire",
}  # fmt: skip
TALKS = {"typer", "logctl.admin", "logctl.wire"}


class Kind(NamedTuple):
    what: str
    arguments: tuple[str, ...]
    loads: set[str]
    """Of HEAVY, what it may load."""
    code: int = 0


NOWHERE = "127.0.0.1:1"
KINDS = (
    Kind("the version", ("--version",), set()),
    Kind("help of the whole", ("--help",), {"typer"}),
    Kind("no command", (), {"typer"}, code=2),
    Kind("help of a noun", ("topic", "--help"), {"typer"}),
    Kind("help of groups", ("group", "--help"), {"typer"}),
    Kind("help of nodes", ("node", "--help"), {"typer"}),
    Kind("help of a read", ("topic", "list", "--help"), {"typer"}),
    Kind("help of a change", ("config", "set", "--help"), {"typer"}),
    Kind("help of a start", ("up", "--help"), {"typer"}),
    Kind("a word that is none", ("topik",), {"typer"}, code=2),
    Kind("an option that is none", ("topic", "list", "--no-such-flag"), {"typer"}, code=2),
    Kind("a schema", ("topic", "list", "--schema"), {"typer"}),
    Kind("nobody there", ("topic", "list", "-b", NOWHERE, "--timeout", "1"), TALKS, code=7),
    Kind("a read", ("topic", "list", "-b", "CLUSTER"), TALKS | {"tabulate"}),
    Kind("a read as JSON", ("topic", "list", "-b", "CLUSTER", "-o", "json"), TALKS),
    Kind("a read as CSV", ("topic", "list", "-b", "CLUSTER", "-o", "csv"), TALKS),
    Kind("a read as YAML", ("topic", "list", "-b", "CLUSTER", "-o", "yaml"), TALKS | {"yaml"}),
    Kind("a read of a context", ("topic", "list", "-C", "here", "-o", "name"), TALKS | {"yaml"}),
    Kind("the contexts", ("context", "list", "-o", "name"), {"typer", "yaml", "logctl.admin"}),
    Kind("a change that is shown", ("topic", "delete", "orders", "-b", "CLUSTER", "--dry-run"), TALKS),
    Kind("the journal", ("audit", "list", "-o", "json"), TALKS),
    Kind("a word completed", ("__complete", "topic", "cre"), set()),
    Kind("a name completed", ("__complete", "topic", "describe", "-b", "CLUSTER", ""), {"logctl.admin", "logctl.wire"}),
    Kind("a context completed", ("__complete", "topic", "list", "-C", ""), {"yaml", "logctl.admin"}),
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with ScriptedCluster(1, topics={"orders": [1, 1]}) as cluster:
        yield cluster.bootstrap


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what)
def test_a_command_loads_what_it_uses(kind: Kind, cluster: str, tmp_path: Path) -> None:
    home = tmp_path / "config" / "logctl"
    home.mkdir(parents=True)
    (home / "contexts.yaml").write_text(f"contexts:\n  here:\n    bootstrap_servers: {cluster}\n")
    (home / "contexts.yaml").chmod(0o600)
    code, loaded = loaded_after([cluster if word == "CLUSTER" else word for word in kind.arguments], tmp_path)
    assert code == kind.code
    assert loaded & HEAVY <= kind.loads


def loaded_after(arguments: list[str], home: Path) -> tuple[int, set[str]]:
    """How the command ended, and what was loaded then."""
    program = (
        "import contextlib, io, sys\n"
        f"sys.argv = ['logctl', *{arguments!r}]\n"
        "from logctl.__main__ import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:\n"
        "    code = main()\n"
        "print(code, *sys.modules)\n"
        "print(said.getvalue(), file=sys.stderr)\n"
    )
    places = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "STATE", "CACHE", "DATA")}
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOGCTL_")} | places
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=True)
    code, *modules = done.stdout.split()
    return int(code), set(modules)
