"""The pytest plugin is loaded into everybody's sessions: it must cost nothing until a fixture is used."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path


def test_pytest_finds_the_plugin_by_itself() -> None:
    found = {point.value for point in entry_points(group="pytest11") if point.name == "logctl"}
    assert found == {"logctl.pytest_plugin"}, "reinstall the package: its metadata is older than its pyproject.toml"


def test_a_session_that_uses_no_fixture_of_ours_loads_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_stranger.py").write_text(
        "import sys\n\n\n"
        "def test_nothing_of_ours():\n"
        "    assert 'logctl.pytest_plugin' in sys.modules\n"
        "    ours = {name for name in sys.modules if name.startswith('logctl')}\n"
        "    assert ours == {'logctl', 'logctl.pytest_plugin'}\n"
    )
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=theirs, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
