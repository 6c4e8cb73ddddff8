"""What stories about an assembled node do with its topics: create, change, append, look at the end."""

from __future__ import annotations

from support.assembled import Assembled
from support.broker_room import batch

from logctl.engine.controller.configs import incremental_alter_configs
from logctl.wire import errors
from logctl.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from logctl.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData


def create(node: Assembled, name: str, partitions: int = 1, **configs: str) -> None:
    given = [CreatableTopicConfig(key.replace("_", "."), value) for key, value in configs.items()]
    topic = CreatableTopic(name, partitions, 1, [], given)
    [result] = node.ask(CreateTopicsRequest(topics=[topic]), 7).topics
    assert result.error_code == errors.NONE, result.error_message


def produce(node: Assembled, *values: bytes, name: str = "orders", partition: int = 0) -> int:
    data = PartitionProduceData(partition, memoryview(batch(*values)))
    request = ProduceRequest(acks=-1, topic_data=[TopicProduceData(name=name, partition_data=[data])])
    answer = node.ask(request, 9)
    code: int = answer.responses[0].partition_responses[0].error_code
    return code


def end(node: Assembled, partition: int = 0, name: str = "orders") -> int:
    replica = node.broker.replicas.get(name, partition)
    assert replica is not None
    assert replica.high_watermark == replica.log.end_offset
    return replica.log.end_offset


def alter(node: Assembled, kind: int, name: str, key: str, value: str) -> None:
    wanted = IncrementalAlterConfigsRequest([AlterConfigsResource(kind, name, [AlterableConfig(key, 0, value)])])
    results = []
    node.broker.metadata.decide(
        lambda controller: incremental_alter_configs(controller, wanted), lambda decision: results.append(decision)
    )
    node.settle()
    assert [one.error_code for one in results[0].response.responses] == [errors.NONE]
