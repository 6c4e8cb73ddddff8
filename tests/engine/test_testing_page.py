"""docs/testing.md is run as it stands: its Python through pytest and unittest, its JavaScript through Node.js."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import kafkajs

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"```(\w+)\n(?:#|//) (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the files of the page."""
    for _, name, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        (tmp_path / name).write_text(code, encoding="utf-8")
    return tmp_path


def run(folder: Path, *command: str, **more: str) -> str:
    """What the command says; `logctl` is on its PATH. Fails when it does."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {**kept, "PATH": path, **more}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_pytest(project: Path) -> None:
    assert "3 passed" in run(project, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_unittest(project: Path) -> None:
    assert "Ran 1 test" in run(project, sys.executable, "test_payments.py")


def test_javascript(project: Path) -> None:
    modules = kafkajs.modules()
    assert "ok 1 - orders are read" in run(project, "node", "--test", "orders.test.js", NODE_PATH=str(modules))
