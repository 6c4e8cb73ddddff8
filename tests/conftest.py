"""What every test may rely on: which engine to test, no skip that nobody meant, and a home of its own.

    pytest --engine apache    the client and peer stories against Apache Kafka instead of our node ("both" for both)
    pytest --no-skips         a skipped test is a failure (continuous integration has everything a test needs)

XDG_STATE_HOME and XDG_CONFIG_HOME name folders that no other test uses and that do not exist before somebody makes
them: in the test's process and in those it starts.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("as fast as it goes", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("as fast as it goes")

MEANT_TO_BE_SKIPPED: tuple[str, ...] = (
    "zsh is not installed",  # bash is always there; the other shells may not be had everywhere
    "fish is not installed",
    "network namespaces need root",  # cables between nodes are cut everywhere, those of clients only here
    "there are no network namespaces here",
)
"""Beginnings of the reasons that are accepted even with --no-skips; each comes with the excuse beside it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("logctl")
    group.addoption("--engine", choices=("logctl", "apache", "both"), help="tell every client story on this engine")
    group.addoption("--no-skips", action="store_true", help="a skip whose reason is not on the list is a failure")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "on_both: told on our node and on Apache Kafka unless --engine names one")
    config.addinivalue_line("markers", "needs(feature, ...): only for clients that do not lack these")
    config.addinivalue_line("markers", "worlds(name, ...): the story is told in these worlds alone")
    config.add_cleanup(_HOMES.cleanup)
    _move_house()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _move_house()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With -n, what failed in a group is noted under a name that ends in `@group`, and --last-failed, without -n, would
    not find it again."""
    cache = getattr(session.config, "cache", None)
    if cache is not None and not hasattr(session.config, "workerinput"):
        failed = cache.get("cache/lastfailed", {})
        cache.set("cache/lastfailed", {_without_group(name): so for name, so in failed.items()})


def _without_group(name: str) -> str:
    return name[: name.rindex("@")] if name.rfind("@") > name.rfind("]") else name


_HOMES: Final = TemporaryDirectory(prefix="logctl-homes-")
_numbers = itertools.count()


def _move_house() -> None:
    home = Path(_HOMES.name, str(next(_numbers)))
    os.environ["XDG_STATE_HOME"] = str(home / "state")
    os.environ["XDG_CONFIG_HOME"] = str(home / "config")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _judged(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _judged(collector.config, (yield))


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _judged(config: pytest.Config, report: Report) -> Report:
    if report.skipped and config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(MEANT_TO_BE_SKIPPED):
            report.outcome = "failed"
            report.longrepr = f"unexpected skip: {reason}"
    return report
