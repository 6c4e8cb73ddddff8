"""Client properties as -X name=value gives them: the names of Apache's and librdkafka's clients, as far as they apply.

A name that is known to mean nothing here is refused with its reason rather than ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from logctl.errors import UsageError

_NOT_YET: Final = ("sasl.", "ssl.")
_KNOWN: Final = ("bootstrap.servers", "client.id", "metadata.broker.list", "security.protocol")


class ClientProperties(NamedTuple):
    """What the client is told about a cluster; None where nothing was said."""

    bootstrap_servers: str | None = None
    client_id: str = "logctl"


def parse_properties(pairs: Iterable[str]) -> ClientProperties:
    """Raises UsageError naming the pair that does not parse, is unknown, or asks for what is not offered."""
    values = dict(_split(pair) for pair in pairs)
    for name, value in values.items():
        _check(name, value)
    return ClientProperties(
        bootstrap_servers=values.get("bootstrap.servers", values.get("metadata.broker.list")),
        client_id=values.get("client.id", "logctl"),
    )


def _split(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"-X {pair}: a property has the form name=value")
    return name.strip(), value.strip()


def _check(name: str, value: str) -> None:
    if name.startswith(_NOT_YET) or (name == "security.protocol" and value.upper() != "PLAINTEXT"):
        raise UsageError(f"{name}: TLS and SASL are not offered yet", "use a PLAINTEXT listener of the cluster")
    if name.endswith("timeout.ms"):
        raise UsageError(f"{name}: there is one timeout, for everything a command does", "give it as --timeout")
    if name not in _KNOWN:
        raise UsageError(f"{name} is not a client property logctl knows", f"it knows {', '.join(_KNOWN)}")
