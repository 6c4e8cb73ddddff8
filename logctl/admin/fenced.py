"""Brokers that the controller knows and does not let serve (DescribeCluster 2, KIP-1073)."""

from __future__ import annotations

from logctl.admin.capabilities import need
from logctl.admin.coordinators import newest
from logctl.admin.deadline import Deadline
from logctl.admin.link import Address, NotOffered
from logctl.admin.routing import Broker, Cluster, refusal


def fenced_brokers(cluster: Cluster, deadline: Deadline) -> dict[int, Broker]:
    """Brokers that are registered and not serving. Raises NotOffered where the cluster does not tell (before
    DescribeCluster 2, Apache Kafka 4.0)."""
    from logctl.wire.messages.describe_cluster import DescribeClusterRequest

    need(cluster, "DescribeCluster", deadline)
    if newest(cluster, "DescribeCluster", deadline) < 2:
        raise NotOffered("this cluster does not tell of fenced brokers; Apache Kafka does since 4.0")
    response = cluster.ask(DescribeClusterRequest(include_fenced_brokers=True), deadline)
    if response.error_code:
        raise refusal("brokers of the cluster", response.error_code, response.error_message)
    return {
        one.broker_id: Broker(one.broker_id, Address(one.host, one.port), one.rack)
        for one in response.brokers
        if one.is_fenced
    }
