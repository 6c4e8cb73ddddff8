"""The Java consumer as a member of a group: tests/clients/java/GroupMember.java, driven through Clients.java."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from support.clients.java import Java
from support.members import CONSUMER, COOPERATIVE, EAGER, Event, Joining, held

_ASSIGNORS: Final = "org.apache.kafka.clients.consumer"
_PROTOCOLS: Final[Mapping[str, Mapping[str, str]]] = {
    EAGER: {"partition.assignment.strategy": f"{_ASSIGNORS}.RangeAssignor"},
    COOPERATIVE: {"partition.assignment.strategy": f"{_ASSIGNORS}.CooperativeStickyAssignor"},
    CONSUMER: {"group.protocol": "consumer"},
}


class JavaMember:
    def __init__(self, home: Java, protocol: str, joining: Joining) -> None:
        settings: dict[str, Any] = {
            "bootstrap.servers": joining.bootstrap,
            "group.id": joining.group,
            "enable.auto.commit": "false",
            "auto.offset.reset": "earliest",
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "retry.backoff.ms": 20,
            "metadata.max.age.ms": 1000,
            "commits": str(joining.commits).lower(),
            **_PROTOCOLS[protocol],
        }
        if joining.instance:
            settings["group.instance.id"] = joining.instance
        if protocol != CONSUMER:
            settings |= {"session.timeout.ms": joining.session_timeout_ms, "heartbeat.interval.ms": 300}
        self._home = home
        self._events: list[Event] = []
        self._handle = home.ask("join", settings=settings, topic=joining.topic)["handle"]

    @property
    def events(self) -> list[Event]:
        self._ask("events")
        return self._events

    def assignment(self) -> set[int]:
        return held(self.events)

    def commit(self) -> Mapping[int, int]:
        return {int(partition): offset for partition, offset in self._ask("commit")["committed"].items()}

    def seek(self, partition: int, offset: int) -> None:
        self._ask("seek", partition=partition, offset=offset)

    def leave(self) -> None:
        self._ask("leave")

    def _ask(self, wants: str, **question: Any) -> dict[str, Any]:
        answer = self._home.ask("member", handle=self._handle, wants=wants, **question, **{"from": len(self._events)})
        for at_ns, what, offsets, value in answer["events"]:
            named = {int(partition): offset for partition, offset in offsets.items()}
            self._events.append(Event(at_ns / 1e9, what, named, value))
        return answer


class JavaApart:
    """A member in a JVM of its own."""

    def __init__(self, protocol: str, joining: Joining) -> None:
        self._home = Java()
        self._member = JavaMember(self._home, protocol, joining)

    def assignment(self) -> set[int]:
        return self._member.assignment()

    def vanish(self) -> None:
        self._home.close()
