"""What a command may load before it does its work: each case looks at the modules of a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"asyncio", "textual", "paramiko", "yaml", "tabulate", "ssl", "cramjam", "logctl.engine", "pydantic"}


def loaded_after(*arguments: str) -> set[str]:
    code = (
        "import sys\n"
        f"sys.argv = ['logctl', *{list(arguments)!r}]\n"
        "import contextlib, io\n"
        "from logctl.__main__ import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        "    try:\n        main()\n    except SystemExit:\n        pass\n"
        "print('\\n'.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_version_is_told_without_typer() -> None:
    assert not loaded_after("--version") & (HEAVY | {"typer", "click"})


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("topic", "--help"),
        ("topic", "list", "--no-such-flag"),
        ("up", "--help"),
        ("node", "--help"),
        ("group", "--help"),
    ],
    ids=" ".join,
)
def test_help_and_usage_errors_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not loaded_after(*arguments) & HEAVY


def test_listing_topics_loads_no_asyncio_and_no_engine() -> None:
    loaded = loaded_after("topic", "list", "-b", "127.0.0.1:1", "--timeout", "1")
    assert not loaded & HEAVY
