"""The client that creates, changes and deletes topics, one request at a time."""

from __future__ import annotations

from typing import Any, Protocol

from logctl.engine.simulation.clients import BASE_TOPIC, Client, World
from logctl.engine.simulation.promises import Topic
from logctl.wire import errors
from logctl.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from logctl.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

_TOPIC = 2
_TOPICS_MAX = 5
_SETTING = "max.message.bytes"
_COPIES_PASS_S = 12.0
"""Longer than a node goes on asking the controller for somebody who has hung up."""


class Administrator(Client):
    """Keeps between one and five topics; `orders` is there from the beginning and stays."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._number = 0
        self._changing = False

    def act(self) -> None:
        promises = self.world.promises
        if self.session.owed:
            return
        if BASE_TOPIC not in promises.topics:
            if BASE_TOPIC not in promises.perhaps:
                self.create(BASE_TOPIC, 3)
            return
        if self.random.random() > 0.1:
            return
        spare = [topic for topic in promises.certain() if topic.name != BASE_TOPIC]
        chance = self.random.random()
        if chance < 0.4:
            if len(promises.topics) < _TOPICS_MAX:
                self.create(self._new_name(), self.random.randint(1, 2))
        elif chance < 0.55 and spare:
            self.delete(self.random.choice(spare))
        else:
            self.configure(self.random.choice(promises.certain()))

    def _new_name(self) -> str:
        """Names come back: a topic may be created that was deleted before."""
        self._number += 1
        name = f"t-{self._number % 7}"
        taken = {*self.world.promises.topics, *self.world.promises.perhaps}
        return f"u-{self._number}" if name in taken else name

    def create(self, name: str, partitions: int) -> None:
        promises = self.world.promises
        promises.perhaps[name] = partitions
        config = CreatableTopicConfig("internal.segment.bytes", str(self.random.choice((3000, 12_000, 1 << 20))))
        copies = self.copies()
        topic = CreatableTopic(name, partitions, copies, configs=[config])

        def answered(response: Any) -> None:
            [one] = response.topics
            if one.error_code:
                self.note("not created", f"{name} {errors.describe(one.error_code).name}")
                return
            self.note("created", f"{name} with {partitions} partitions")
            self.progress += 1
            promises.perhaps.pop(name, None)
            if name not in promises.topics:
                promises.created(name, one.topic_id, partitions, copies)

        self.session.ask(CreateTopicsRequest(topics=[topic]), 7, answered)

    def copies(self) -> int:
        return 1

    def wish(self, topic: Topic) -> DeleteTopicState:
        return DeleteTopicState(name=topic.name)

    def delete(self, topic: Topic) -> None:
        topic.may_be_gone = True

        def answered(response: Any) -> None:
            [one] = response.responses
            if one.error_code:
                self.note("not deleted", f"{topic.name} {errors.describe(one.error_code).name}")
                return
            self.note("deleted", topic.name)
            self.progress += 1
            if self.world.promises.topics.get(topic.name) is topic:
                self.world.promises.deleted(topic.name)

        self.session.ask(DeleteTopicsRequest(topics=[self.wish(topic)]), 6, answered)

    def configure(self, topic: Topic) -> None:
        self._number += 1
        setting, value = self.setting()
        topic.configs.setdefault(setting, {""}).add(value)
        change = AlterableConfig(setting, 0, value)
        request = IncrementalAlterConfigsRequest(resources=[AlterConfigsResource(_TOPIC, topic.name, [change])])

        def answered(response: Any) -> None:
            self._changing = False
            [one] = response.responses
            if one.error_code:
                self.note("not configured", f"{topic.name} {errors.describe(one.error_code).name}")
                return
            self.note("configured", f"{topic.name} {setting}={value}")
            self.progress += 1
            topic.configs[setting] = {value}

        self.session.ask(request, 1, answered)

    def setting(self) -> tuple[str, str]:
        """One to change, and its value."""
        return _SETTING, str(100_000 + self._number)

    def grow(self, topic: Topic) -> None:
        """One partition more."""
        request = CreatePartitionsRequest(topics=[CreatePartitionsTopic(topic.name, topic.partitions + 1)])
        self.session.ask(request, 3, lambda response: None)


class Cluster(World, Protocol):
    """What the administrator knows of several nodes."""

    attempted: dict[str, int]

    @property
    def most_copies(self) -> int: ...


class ClusterAdministrator(Administrator):
    """Asks any node. What is asked twice behind its back (a line between nodes broke) must not count as lost: it
    deletes by id, and when a change of configs was not answered it lets all copies of that pass before the next."""

    world: Cluster

    def __init__(self, world: Cluster, name: str) -> None:
        super().__init__(world, name)
        self._again_s = 0.0

    def act(self) -> None:
        promises = self.world.promises
        if self.session.owed or self.world.time() < self._again_s:
            return
        unsure = [topic for topic in promises.topics.values() if topic.may_be_gone]
        if unsure and self.random.random() < 0.1:
            self.delete(unsure[0])
        elif BASE_TOPIC not in promises.topics:
            self._again_s = self.world.time() + 0.3
            self.create(BASE_TOPIC, 3)
        else:
            super().act()

    def copies(self) -> int:
        return self.random.choice((1, self.world.most_copies))

    def create(self, name: str, partitions: int) -> None:
        self.world.attempted[name] = partitions
        super().create(name, partitions)

    def wish(self, topic: Topic) -> DeleteTopicState:
        return DeleteTopicState(name=None, topic_id=topic.topic_id)

    def setting(self) -> tuple[str, str]:
        if self.random.random() < 0.5:
            return "min.insync.replicas", self.random.choice(("1", "2", "2"))
        return super().setting()

    def configure(self, topic: Topic) -> None:
        self._changing = True
        super().configure(topic)

    def lost(self) -> None:
        if self._changing:
            self._again_s = self.world.time() + _COPIES_PASS_S
        self._changing = False
