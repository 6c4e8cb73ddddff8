"""A transaction that hangs: transactional records in a partition, of a producer that no coordinator has heard of.

Apache Kafka asks the coordinator before it appends such records (KIP-890), which is what makes them rare; for a moment
that is switched off, and the records are sent as an older producer would send them.
"""

from __future__ import annotations

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.routing import Cluster
from logctl.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch

_BROKER = 4
_SET, _DELETE = 0, 1
_BEFORE_TRANSACTIONS_VERSION_2 = 11


def leave_hanging(bootstrap: str, topic: str, partition: int, producer_id: int, now_ms: int) -> int:
    """Write two records of a transaction that nobody will end; the offset at which it begins."""
    with Client(parse_addresses(bootstrap)) as client:
        cluster, deadline = Cluster(client), Deadline(30.0)
        _verification(cluster, "false", deadline)
        try:
            return _append(cluster, topic, partition, producer_id, now_ms, deadline)
        finally:
            _verification(cluster, None, deadline)


def _verification(cluster: Cluster, value: str | None, deadline: Deadline) -> None:
    entry = AlterableConfig(
        name="transaction.partition.verification.enable",
        config_operation=_DELETE if value is None else _SET,
        value=value,
    )
    resource = AlterConfigsResource(resource_type=_BROKER, resource_name="", configs=[entry])
    response = cluster.ask(IncrementalAlterConfigsRequest(resources=[resource]), deadline)
    assert [answer.error_code for answer in response.responses] == [0], response


def _append(
    cluster: Cluster, topic: str, partition: int, producer_id: int, now_ms: int, deadline: Deadline
) -> int:
    records = [NewRecord(None, value, (), now_ms) for value in (b"hangs", b"too")]
    batch = build_batch(records, producer_id=producer_id, producer_epoch=0, base_sequence=0, transactional=True)
    data = TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=partition, records=batch)])
    request = ProduceRequest(transactional_id="nobody", acks=-1, timeout_ms=10_000, topic_data=[data])
    while not deadline.expired:
        cluster.refresh(deadline, (topic,))
        address = cluster.address(cluster.leaders[topic, partition].node_id)
        versions = cluster.client.versions(address)
        if not versions:
            cluster.client.ask(address, ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[]), deadline)
            versions = cluster.client.versions(address)
        versions[0] = versions[0][0], min(versions[0][1], _BEFORE_TRANSACTIONS_VERSION_2)
        response = cluster.client.ask(address, request, deadline)
        [answer] = response.responses[0].partition_responses
        if answer.error_code == 0:
            return int(answer.base_offset)
        deadline.pause(0.1)
    raise AssertionError(f"the records were not taken: {answer}")
