"""Which cluster is meant, and how it is talked to: flags, environment, contexts and property files, put together.

The address, from the first that names one:

    -b, LOGCTL_BOOTSTRAP_SERVER > -X bootstrap.servers > -C, LOGCTL_CONTEXT > --command-config > the current context
    > the node that `logctl up` runs here

A context that was named holds (properties, guard, expected cluster) even when something before it names the address.
The current context holds only when nothing else names a cluster. Properties: the context's file, the context's own,
--command-config, -X, each over those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from logctl.admin.client import Client, parse_addresses
from logctl.admin.link import Address
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.channel import Access
    from logctl.admin.contexts import Context
    from logctl.admin.properties import ClientProperties, Given


class Target(NamedTuple):
    """Which cluster the flags name, and how to talk to it; None where nothing was said."""

    bootstrap: str | None = None
    context: str | None = None
    command_config: str | None = None
    properties: Sequence[str] = ()


class Approach(NamedTuple):
    """Where to begin, how to enter, and the context in force. `protocol`: as security.protocol names it."""

    addresses: Sequence[Address]
    client_id: str = "logctl"
    access: Access | None = None
    context: Context | None = None
    protocol: str = "PLAINTEXT"
    warnings: Sequence[str] = ()

    def client(self) -> Client:
        return Client(self.addresses, self.client_id, self.access)


def approach(target: Target, *, silent: bool = False) -> Approach:
    """Put together what the target says. Nothing is sent; unless `silent`, a password may be asked for at the terminal.
    Raises UsageError."""
    said_more = target.context or target.command_config or target.properties
    if target.bootstrap and not said_more:
        return Approach(parse_addresses(target.bootstrap))
    from logctl.admin.contexts import path

    if said_more or path().exists():
        return _elaborate(target, silent)
    return Approach([_local()])


def _elaborate(target: Target, silent: bool) -> Approach:
    from logctl.admin import properties
    from logctl.admin.contexts import load
    from logctl.cli.asking import ask_nobody, ask_unseen

    flags = properties.from_flags(target.properties)
    file, warnings = properties.from_file(target.command_config) if target.command_config else ([], [])
    context = load().named(target.context) if target.context else None
    if context is None and not (target.bootstrap or _address_in(flags) or _address_in(file)):
        contexts = load()
        context = contexts.named(contexts.current) if contexts.current else None
    given, more_warnings = of_context(context) if context is not None else ([], [])
    ask = ask_nobody if silent else ask_unseen
    known = properties.assemble([*given, *file, *flags], ask, [*more_warnings, *warnings])
    addresses = _addresses(target, context, known, _address_in(flags) or ("" if context else _address_in(file)))
    return Approach(addresses, known.client_id, known.access(), context, known.protocol, known.warnings)


def of_context(context: Context) -> tuple[list[Given], list[str]]:
    """The properties of a context, those of its file first, with warnings."""
    from logctl.admin import properties

    file, warnings = properties.from_file(context.command_config) if context.command_config else ([], [])
    own, more_warnings = properties.from_mapping(context.properties, f"context {context.name}")
    return [*file, *own], [*warnings, *more_warnings]


def _address_in(given: Sequence[Given]) -> str:
    named = [one.value for one in given if one.name in ("bootstrap.servers", "metadata.broker.list")]
    return named[-1] if named else ""


def _addresses(
    target: Target, context: Context | None, known: ClientProperties, named_by_property: str
) -> list[Address]:
    of_context = context.bootstrap_servers if context is not None else None
    given = target.bootstrap or named_by_property or of_context or known.bootstrap_servers
    if given:
        return parse_addresses(given)
    if context is not None:
        raise UsageError(f"context {context.name} names no address", "give it one, or add -b HOST:PORT")
    return [_local()]


def _local() -> Address:
    from logctl.local import default_address

    found = default_address()
    if found is None:
        raise UsageError(
            "no cluster was named, and no local node is running",
            "start one with `logctl up`, or name a cluster with -b HOST:PORT or -C CONTEXT",
        )
    return Address(*found)
