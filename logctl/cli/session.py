"""What the common flags describe: a cluster to talk to, and the time there is for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.link import Address
from logctl.admin.properties import ClientProperties, parse_properties
from logctl.admin.routing import Cluster
from logctl.cli.options import parse_duration_s
from logctl.errors import UsageError


class Target(NamedTuple):
    """Which cluster the flags name, and how to talk to it; None where nothing was said."""

    bootstrap: str | None = None
    context: str | None = None
    command_config: str | None = None
    properties: Sequence[str] = ()


class Session(NamedTuple):
    """A cluster to talk to, the time there is for it, and the timeout that a later deadline may be made of.

    `memory` is where one round of --watch leaves what the next one compares with. `context`: the name of the context in
    force, None without one; `guard`: what it asks before a change (none, confirm, type-name or read-only);
    `expected_cluster_id`: the cluster it was made for. `target` is what the flags said.
    """

    cluster: Cluster
    deadline: Deadline
    timeout_s: float
    memory: dict[str, Any]
    context: str | None = None
    guard: str = "none"
    expected_cluster_id: str | None = None
    target: Target = Target()

    def renewed(self) -> Session:
        """The same, with all the time there was at first."""
        return self._replace(deadline=Deadline(self.timeout_s))


@contextmanager
def connected(target: Target, timeout: str) -> Iterator[Session]:
    """The session that the common flags describe. Nothing is sent yet. Raises UsageError."""
    timeout_s = parse_duration_s(timeout)
    known = parse_properties(target.properties)
    with Client(_addresses(target.bootstrap, known), known.client_id) as client:
        yield Session(Cluster(client), Deadline(timeout_s), timeout_s, {}, target=target)


def _addresses(bootstrap: str | None, properties: ClientProperties) -> list[Address]:
    given = bootstrap or properties.bootstrap_servers
    if given:
        return parse_addresses(given)
    from logctl.local import default_address

    found = default_address()
    if found is None:
        raise UsageError(
            "no cluster was named, and no local node is running",
            "start one with `logctl up`, or name a cluster with -b HOST:PORT",
        )
    return [Address(*found)]
