"""Creating topics that a client asked about and that do not exist (`auto.create.topics.enable`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from logctl.wire import errors
from logctl.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

_INTERNAL: Final = {"__consumer_offsets": "offsets.topic", "__transaction_state": "transaction.state.log"}
"""Internal topics are made with settings of their own, whoever asks first."""

_LATER: Final = (errors.TOPIC_ALREADY_EXISTS,)


def create_missing(broker: Broker, names: list[str], done: Callable[[dict[str, int]], None]) -> None:
    """Calls `done` with the error of each topic that could not be created, once the others exist."""

    def answered(response: Any) -> None:
        if response is None:
            done(dict.fromkeys(names, errors.NOT_CONTROLLER))
            return
        results = response.topics
        done({one.name: one.error_code for one in results if one.error_code and one.error_code not in _LATER})

    broker.ask_controller(CreateTopicsRequest(topics=[_topic(broker, name) for name in names]), answered)


def _topic(broker: Broker, name: str) -> CreatableTopic:
    prefix = _INTERNAL.get(name)
    if prefix is None:
        return CreatableTopic(name=name, num_partitions=-1, replication_factor=-1)
    replication_factor = min(
        broker.settings.integer(f"{prefix}.replication.factor"), len(broker.metadata.image.active_brokers())
    )
    return CreatableTopic(
        name=name,
        num_partitions=broker.settings.integer(f"{prefix}.num.partitions"),
        replication_factor=replication_factor,
        configs=[
            CreatableTopicConfig("cleanup.policy", "compact"),
            CreatableTopicConfig("compression.type", "producer"),
            CreatableTopicConfig("segment.bytes", str(broker.settings.integer(f"{prefix}.segment.bytes"))),
        ],
    )
