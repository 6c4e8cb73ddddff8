"""What the common flags describe: a cluster to talk to, and the time there is for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.link import Address
from logctl.admin.properties import ClientProperties, parse_properties
from logctl.admin.routing import Cluster
from logctl.cli.options import parse_duration_s
from logctl.errors import UsageError


class Session(NamedTuple):
    """A cluster to talk to, the time there is for it, and the timeout that a later deadline may be made of."""

    cluster: Cluster
    deadline: Deadline
    timeout_s: float


@contextmanager
def connected(bootstrap: str | None, properties: Sequence[str] | None, timeout: str) -> Iterator[Session]:
    """The session that the common flags describe. Nothing is sent yet. Raises UsageError."""
    timeout_s = parse_duration_s(timeout)
    known = parse_properties(properties or ())
    with Client(_addresses(bootstrap, known), known.client_id) as client:
        yield Session(Cluster(client), Deadline(timeout_s), timeout_s)


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
