"""kafkajs for tests: fetched by npm once per version into the user's cache, and run in a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[1] / "clients" / "js"
PACKAGE = HERE / "package.json"
INSTALL_TIMEOUT_S = 300
STORY_TIMEOUT_S = 90
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "logctl"


def run(broker: str, verb: str, **arguments: Any) -> Any:
    """What kafkajs made of it; see stories.js for the verbs."""
    found = modules()
    done = subprocess.run(
        ["node", str(HERE / "stories.js"), broker, verb, json.dumps(arguments)],
        env={**os.environ, "NODE_PATH": str(found), "KAFKAJS_NO_PARTITIONER_WARNING": "1"},
        capture_output=True, text=True, timeout=STORY_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modules() -> Path:
    """The folder with kafkajs in it; the test is skipped with the reason when it cannot be had."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"kafkajs needs node and npm, and there is no {program} on PATH")
    version = json.loads(PACKAGE.read_text(encoding="utf-8"))["dependencies"]["kafkajs"]
    home = _CACHE / f"kafkajs-{version}"
    if not home.is_dir():
        _install(home)
    return home / "node_modules"


def _install(home: Path) -> None:
    """The folder appears by one rename, when it is whole."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / "kafkajs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if home.is_dir():
            return
        partial = home.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        shutil.copy(PACKAGE, partial)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            command, cwd=partial, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"npm could not fetch kafkajs: {done.stderr.strip().splitlines()[:1]}")
        partial.rename(home)
