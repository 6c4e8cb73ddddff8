"""Every client with every group protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from support.clients.java import Java
from support.members import CONSUMER, COOPERATIVE, EAGER, Joining, Kind, MemberThread
from support.members.apart import KcatMember, PythonApart
from support.members.java import JavaApart, JavaMember
from support.members.python_clients import CONSUMERS


def _python(client: str, protocol: str) -> Kind:
    def join(joining: Joining) -> MemberThread:
        return MemberThread(partial(CONSUMERS[client], protocol), joining)

    return Kind(client, protocol, join, partial(PythonApart, client, protocol))


def _kcat(protocol: str) -> Kind:
    join = partial(KcatMember, protocol)
    return Kind("kcat", protocol, join, join)


def _java(home: Callable[[], Java], protocol: str) -> Kind:
    def join(joining: Joining) -> JavaMember:
        return JavaMember(home(), protocol, joining)

    return Kind("java", protocol, join, partial(JavaApart, protocol))


SPOKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "librdkafka": (EAGER, COOPERATIVE, CONSUMER),
    "kafka-python": (EAGER, COOPERATIVE),
    "aiokafka": (EAGER,),
    "kcat": (EAGER, COOPERATIVE),
    "java": (EAGER, COOPERATIVE, CONSUMER),
}


def kind(name: str, java: Callable[[], Java]) -> Kind:
    """By client and protocol, "java eager"; `java` gives the program that Java members live in."""
    client, protocol = name.split(" ")
    if client == "kcat":
        return _kcat(protocol)
    return _java(java, protocol) if client == "java" else _python(client, protocol)


GOES_BY_ITSELF: Final = "kcat"
"""It commits when it likes and cannot be told to seek."""


def names(*, told: bool = False) -> list[str]:
    """All kinds, or those that do what they are told."""
    clients = {client: protocols for client, protocols in SPOKEN.items() if not (told and client == GOES_BY_ITSELF)}
    return [f"{client} {protocol}" for client, protocols in clients.items() for protocol in protocols]
