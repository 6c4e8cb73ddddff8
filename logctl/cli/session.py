"""What the common flags describe: a cluster to talk to, and the time there is for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.routing import Cluster
from logctl.cli.durations import parse_duration_s
from logctl.cli.target import Approach, Target, approach

__all__ = ["Session", "Target", "connected"]

_COLOURS: Final = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "white": 37}


class Session(NamedTuple):
    """A cluster to talk to, the time there is for it, and the timeout that a later deadline may be made of.

    `memory` is where one round of --watch leaves what the next one compares with. `context`: the name of the context in
    force, None without one; `guard`: what it asks before a change (none, confirm, type-name or read-only);
    `expected_cluster_id`: the cluster it was made for. `target` is what the flags said, `approach` what came of that.
    """

    cluster: Cluster
    deadline: Deadline
    timeout_s: float
    memory: dict[str, Any]
    context: str | None = None
    guard: str = "none"
    expected_cluster_id: str | None = None
    target: Target = Target()
    approach: Approach = Approach(())

    @property
    def label(self) -> str:
        """The name of the context for a prompt on stderr, in its colour on a terminal that may be coloured; empty
        without a context. Control characters are the colour's alone: names of contexts cannot hold any."""
        if self.context is None:
            return ""
        colour = self.approach.context.colour if self.approach.context is not None else None
        if colour is None or not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
            return self.context
        return f"\x1b[1;{_COLOURS[colour]}m{self.context}\x1b[0m"

    def renewed(self) -> Session:
        """The same, with all the time there was at first."""
        return self._replace(deadline=Deadline(self.timeout_s))


@contextmanager
def connected(target: Target, timeout: str, *, silent: bool = False) -> Iterator[Session]:
    """The session that the common flags describe. Nothing is sent yet. Raises UsageError.

    At its end, a cluster that is not the one its context was made for is warned about: changes refuse it themselves.
    `silent`: neither warns nor asks for passwords.
    """
    timeout_s = parse_duration_s(timeout)
    found = approach(target, silent=silent)
    for sentence in () if silent else found.warnings:
        _warn(sentence)
    context = found.context
    with found.client() as client:
        session = Session(Cluster(client), Deadline(timeout_s), timeout_s, {}, target=target, approach=found)
        if context is not None:
            session = session._replace(
                context=context.name, guard=context.guard, expected_cluster_id=context.cluster_id
            )
        yield session
    met = session.cluster.cluster_id
    if session.expected_cluster_id and met and not silent and met != session.expected_cluster_id:
        _warn(f"context {session.context} expects cluster {session.expected_cluster_id}, and this is cluster {met}")


def _warn(sentence: str) -> None:
    from logctl.cli.output import warn

    warn(sentence)
