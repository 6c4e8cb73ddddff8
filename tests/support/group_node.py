"""A whole node without sockets, for requests whose answers may come later: joins that wait, commits on their way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.assembled import Assembled

from logctl.engine.broker.exchange import read_request
from logctl.engine.broker.request import PARKED
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest
from logctl.wire.schema import Message


class Asked:
    """A request; `answer` as a client of its version reads it, None as long as there is none."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.answer: Any = None


class GroupNode(Assembled):
    """With a topic `orders` of four partitions, and unless told otherwise with the offsets topic."""

    def __init__(self, folder: Path, *, ready: bool = True, **settings: str) -> None:
        given = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3"}
        given |= {key.replace("_", "."): value for key, value in settings.items()}
        self.asked: list[Asked] = []
        super().__init__(folder, given)
        self.create("orders", 4)
        if ready:
            self.find("any")

    def create(self, name: str, partitions: int = 1) -> None:
        [made] = self.ask(CreateTopicsRequest(topics=[CreatableTopic(name, partitions, 1)]), 7).topics
        assert made.error_code == 0, made.error_message

    def find(self, group: str) -> Any:
        return self.ask(FindCoordinatorRequest(coordinator_keys=[group]), 6).coordinators[0]

    def send(self, body: Message, version: int) -> Asked:
        """Hand over a request, and nothing more: nothing is written or flushed yet."""
        request = read_request(memoryview(bytearray(self.frame(body, version)[4:])), self.peer, self.now_ms)
        asked = Asked(request)
        self.asked.append(asked)
        answer = self.broker.handle(request, self.now_ms)
        if answer is not PARKED:
            asked.answer = self._read(request, answer)
        return asked

    def settle(self) -> None:
        """Write, flush, and take the answers that came of it to those who asked."""
        super().settle()
        self.broker.waiting.settle(self.now_ms)
        self.deliver()

    def deliver(self) -> None:
        waiting = {asked.request: asked for asked in self.asked}
        for entry in list(self.broker.outbox):
            request, response = entry
            if request in waiting:
                assert waiting[request].answer is None, "a request is answered once"
                waiting[request].answer = self._read(request, response)
                self.broker.outbox.remove(entry)

    def _read(self, request: Any, response: Any) -> Any:
        return type(response).decode(response.encode(request.version), request.version)[0]

    def say(self, body: Message, version: int) -> Any:
        """Send, let everything happen that can happen now, and answer what came back."""
        asked = self.send(body, version)
        self.settle()
        self.broker.tick(self.now_ms)
        self.settle()
        return asked.answer

    def load(self) -> None:
        """Tick until every partition is loaded."""
        for _ in range(1_000):
            self.broker.tick(self.now_ms)
            self.settle()
            if self.broker.groups.next_deadline_ms() != self.now_ms:
                return
        raise AssertionError("loading does not end")
