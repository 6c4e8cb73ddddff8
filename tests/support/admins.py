"""Two admin clients that nobody here wrote, behind one small vocabulary: settings, partitions, deleted records.

A refused change of settings carries Kafka's own name for the error: `Refused("INVALID_CONFIG")`. Neither client can
name all brokers at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)
from kafka.admin import KafkaAdminClient
from kafka.admin import NewTopic as KafkaPythonTopic
from kafka.admin._configs import ConfigResource as KafkaPythonResource
from kafka.structs import TopicPartition as KafkaPythonPartition
from support.clients import Refused, error_name
from support.clients.librdkafka import SILENCE

TOPIC: Final = "topic"
BROKER: Final = "broker"


class Admin(Protocol):
    def create(self, topic: str, partitions: int, configs: Mapping[str, str]) -> None: ...

    def change(self, kind: str, name: str, changes: Mapping[str, str | None]) -> None:
        """Set each, or with None put it back to its default."""

    def value(self, kind: str, name: str, key: str) -> str | None:
        """What holds."""

    def grow(self, topic: str, partitions: int) -> None: ...

    def delete_before(self, topic: str, partition: int, offset: int) -> int:
        """The first offset that is left."""

    def close(self) -> None: ...


class Librdkafka:
    """confluent-kafka."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "logger": SILENCE})

    def create(self, topic: str, partitions: int, configs: Mapping[str, str]) -> None:
        _only(self._admin.create_topics([NewTopic(topic, partitions, 1, config=dict(configs))]))

    def change(self, kind: str, name: str, changes: Mapping[str, str | None]) -> None:
        operations = [
            ConfigEntry(
                key,
                value,
                incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
            )
            for key, value in changes.items()
        ]
        _only(self._admin.incremental_alter_configs([_resource(kind, name, incremental_configs=operations)]))

    def value(self, kind: str, name: str, key: str) -> str | None:
        found: str | None = _only(self._admin.describe_configs([_resource(kind, name)]))[key].value
        return found

    def grow(self, topic: str, partitions: int) -> None:
        _only(self._admin.create_partitions([NewPartitions(topic, partitions)]))

    def delete_before(self, topic: str, partition: int, offset: int) -> int:
        deleted: int = _only(self._admin.delete_records([TopicPartition(topic, partition, offset)])).low_watermark
        return deleted

    def close(self) -> None: ...


def _resource(kind: str, name: str, **more: Any) -> ConfigResource:
    return ConfigResource(ConfigResource.Type[kind.upper()], name, **more)


def _only(futures: Mapping[Any, Any]) -> Any:
    [future] = futures.values()
    try:
        return future.result(30)
    except KafkaException as refusal:
        raise Refused(error_name(refusal.args[0].code())) from None


class KafkaPython:
    """kafka-python."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def create(self, topic: str, partitions: int, configs: Mapping[str, str]) -> None:
        wanted = KafkaPythonTopic(topic, partitions, 1, topic_configs=dict(configs))
        self._admin.create_topics([wanted], timeout_ms=20000, wait_for_metadata=True)

    def change(self, kind: str, name: str, changes: Mapping[str, str | None]) -> None:
        operations = {key: ("DELETE", None) if value is None else ("SET", value) for key, value in changes.items()}
        answer = self._admin.alter_configs([KafkaPythonResource(kind, name, operations)], raise_on_unknown=False)
        outcome = answer[kind][name]
        if outcome != "OK":
            raise Refused(_named(str(outcome)))

    def value(self, kind: str, name: str, key: str) -> str | None:
        answer = self._admin.describe_configs([KafkaPythonResource(kind, name, [key])], config_filter="all")
        found: str | None = answer[kind][name][key]["value"]
        return found

    def grow(self, topic: str, partitions: int) -> None:
        self._admin.create_partitions({topic: partitions}, timeout_ms=20000)

    def delete_before(self, topic: str, partition: int, offset: int) -> int:
        where = KafkaPythonPartition(topic, partition)
        deleted: int = self._admin.delete_records({where: offset}, timeout_ms=20000)[where]["low_watermark"]
        return deleted

    def close(self) -> None:
        self._admin.close()


def _named(outcome: str) -> str:
    """"[Error 40] InvalidConfigurationError: ..." by Kafka's name."""
    found = re.search(r"\[Error (\d+)\]", outcome)
    return error_name(int(found[1])) if found else outcome


ADMINS: Final[Mapping[str, type[Admin]]] = {"librdkafka": Librdkafka, "kafka-python": KafkaPython}
