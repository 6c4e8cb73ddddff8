"""Which broker answers which request, and what to do when it was the wrong one.

Theory of operation
-------------------
`DESTINATION` says where each API belongs. `Cluster.ask` sends a request there, and asks again, after refreshing what it
knows, while the answer says "not here" or "not yet" and the deadline allows; then the caller gets the last answer with
its errors. A request that was lost on its way is repeated only when the broker cannot have seen it or when it changes
nothing; otherwise the outcome is unknown, and that is what the caller is told.

`Cluster` also remembers who leads which partition. `leaders` refreshes that; `by_leader` groups partitions so that each
leader is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from logctl.admin.client import Client, Gathered, Lost
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.link import Address, NotOffered
from logctl.errors import AccessDenied, DeadlineExceeded, LogctlError, OperationFailed, Unreachable
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.schema import Message


class Destination(Enum):
    ANY = "any broker"
    CONTROLLER = "the controller"
    LEADER = "the partition's leader"
    COORDINATOR = "the group's or transaction's coordinator"
    EACH = "each broker for itself"


_BY_DESTINATION: Final = {
    Destination.CONTROLLER: (
        "CreateTopics DeleteTopics CreatePartitions AlterPartitionReassignments ListPartitionReassignments "
        "ElectLeaders UpdateFeatures AlterUserScramCredentials AlterClientQuotas CreateAcls DeleteAcls "
        "UnregisterBroker AddRaftVoter RemoveRaftVoter CreateDelegationToken RenewDelegationToken "
        "ExpireDelegationToken"
    ),
    Destination.LEADER: (
        "Produce Fetch ListOffsets DeleteRecords OffsetForLeaderEpoch DescribeProducers WriteTxnMarkers"
    ),
    Destination.COORDINATOR: (
        "OffsetCommit OffsetFetch JoinGroup Heartbeat LeaveGroup SyncGroup DescribeGroups DeleteGroups OffsetDelete "
        "ConsumerGroupDescribe ShareGroupDescribe StreamsGroupDescribe DescribeShareGroupOffsets "
        "AlterShareGroupOffsets DeleteShareGroupOffsets DescribeTransactions AddPartitionsToTxn AddOffsetsToTxn "
        "EndTxn TxnOffsetCommit"
    ),
    Destination.EACH: "ListGroups ListTransactions DescribeLogDirs AlterReplicaLogDirs",
}
DESTINATION: Final[dict[str, Destination]] = {
    name: destination for destination, names in _BY_DESTINATION.items() for name in names.split()
}
"""APIs that are not named here go to any broker."""

_READS: Final = ("Describe", "List", "Fetch", "Find", "Metadata", "ApiVersions", "OffsetF", "ConsumerGroupD", "InitP")

_ELSEWHERE: Final = frozenset(
    (
        errors.NOT_CONTROLLER,
        errors.NOT_COORDINATOR,
        errors.COORDINATOR_NOT_AVAILABLE,
        errors.COORDINATOR_LOAD_IN_PROGRESS,
        errors.NETWORK_EXCEPTION,
        errors.BROKER_NOT_AVAILABLE,
    )
)


class Broker(NamedTuple):
    node_id: int
    address: Address
    rack: str | None


class Leader(NamedTuple):
    """Who leads a partition, in which epoch; `node_id` is -1 while there is none."""

    node_id: int
    epoch: int


class Metadata(NamedTuple):
    """One answer of the cluster about itself: `topics` are the wire's MetadataResponseTopic."""

    cluster_id: str | None
    controller_id: int
    brokers: dict[int, Broker]
    topics: list[Any]


def top_level(response: Any) -> Iterable[int]:
    """The error code of the whole response, where it has one."""
    return (getattr(response, "error_code", errors.NONE),)


class Cluster:
    """A cluster as a caller sees it: ask, and the right broker answers."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.cluster_id: str | None = None
        self.controller_id = -1
        self.brokers: dict[int, Broker] = {}
        self.topic_ids: dict[str, bytes] = {}
        self.leaders: dict[tuple[str, int], Leader] = {}
        self._entrance: Address | None = None

    # -- asking ------------------------------------------------------------------------------------------------------

    def ask(self, request: Message, deadline: Deadline, codes: Callable[[Any], Iterable[int]] = top_level) -> Any:
        """Send `request` where its API belongs (any broker or the controller) and answer its response.

        `codes` picks from the response the error codes that may send us elsewhere. Raises Unreachable, NotOffered,
        AccessDenied, or DeadlineExceeded when a change was sent and its answer never came.
        """
        backoff = Backoff()
        while True:
            try:
                response = self.client.ask(self._place(request, deadline), request, deadline)
            except Unreachable as failure:
                self._recover(request, failure, deadline)
            else:
                if deadline.expired or not _ELSEWHERE.intersection(codes(response)):
                    return response
                self.refresh(deadline)
            backoff.pause(deadline)

    def _recover(self, request: Message, failure: Unreachable, deadline: Deadline) -> None:
        """After a lost broker: find another way in, unless the request must not be repeated. Raises then."""
        name = API[request.api_key].name
        if isinstance(failure, Lost) and not name.startswith(_READS):
            raise DeadlineExceeded(f"{failure.message}; whether it was carried out is unknown") from failure
        if self._entrance is None or deadline.expired:
            raise failure
        self._entrance = None
        self.refresh(deadline)

    def _place(self, request: Message, deadline: Deadline) -> Address:
        if DESTINATION.get(API[request.api_key].name) is Destination.CONTROLLER:
            if not self.brokers:
                self.refresh(deadline)
            if self.controller_id in self.brokers:
                return self.brokers[self.controller_id].address
        return self.entrance(deadline)

    def entrance(self, deadline: Deadline) -> Address:
        """A broker that answers: one of the bootstrap addresses, or one learnt from them when those are gone."""
        if self._entrance is None:
            try:
                self._entrance = self.client.entrance(deadline)
            except Unreachable as unreachable:
                self._entrance = self._other_entrance(deadline, unreachable)
        return self._entrance

    def _other_entrance(self, deadline: Deadline, unreachable: Unreachable) -> Address:
        known = [broker.address for broker in self.brokers.values() if broker.address not in self.client.bootstrap]
        if not known or deadline.expired:
            raise unreachable
        self.client.bootstrap.extend(known)
        return self.client.entrance(deadline)

    def scatter(self, requests: Mapping[int, Message], deadline: Deadline) -> Gathered:
        """Ask several brokers by id at once; those that do not answer in time are named in `missing`."""
        return self.client.scatter({node: (self.address(node), asked) for node, asked in requests.items()}, deadline)

    def address(self, node_id: int) -> Address:
        """Where broker `node_id` listens. Raises Unreachable when the cluster does not list it."""
        broker = self.brokers.get(node_id)
        if broker is None:
            raise Unreachable(f"broker {node_id} is not among the brokers the cluster lists")
        return broker.address

    def offers(self, name: str) -> bool:
        """Does the broker we entered by serve this API? Known once it has answered anything."""
        from logctl.wire.api import BY_NAME

        return self._entrance is not None and BY_NAME[name].key in self.client.versions(self._entrance)

    # -- what is where -----------------------------------------------------------------------------------------------

    def refresh(
        self, deadline: Deadline, topics: Iterable[str] | None = (), topic_ids: Iterable[bytes] = ()
    ) -> Metadata:
        """Ask for metadata (of no topic, the named ones, or all with None) and remember brokers and leaders.

        By `topic_ids` only of a cluster that names topics by them in its answers (Metadata 12, Apache Kafka 3.1).
        """
        request = _metadata_request(topics, topic_ids)
        entrance = self.entrance(deadline)
        try:
            response = self.client.ask(entrance, request, deadline)
        except NotOffered:
            raise OperationFailed(
                f"{entrance} is not a broker: it does not offer Metadata",
                "it may be a controller's listener; name a broker's",
            ) from None
        except Unreachable:
            self._entrance = None
            response = self.client.ask(self.entrance(deadline), request, deadline)
        return self._learn(response)

    def _learn(self, response: Any) -> Metadata:
        self.cluster_id = response.cluster_id
        self.controller_id = response.controller_id
        self.brokers = {
            broker.node_id: Broker(broker.node_id, Address(broker.host, broker.port), broker.rack)
            for broker in response.brokers
        }
        for topic in response.topics:
            if topic.error_code == errors.NONE:
                self.topic_ids[topic.name] = topic.topic_id
            for partition in topic.partitions:
                found = Leader(partition.leader_id, partition.leader_epoch)
                self.leaders[topic.name, partition.partition_index] = found
        return Metadata(response.cluster_id, response.controller_id, self.brokers, response.topics)

    def by_leader(self, partitions: Iterable[tuple[str, int]]) -> dict[int, list[tuple[str, int]]]:
        """Partitions grouped by the broker that leads them; those without a leader under -1."""
        grouped: dict[int, list[tuple[str, int]]] = {}
        for place in partitions:
            leader = self.leaders.get(place, Leader(-1, -1)).node_id
            grouped.setdefault(leader if leader in self.brokers else -1, []).append(place)
        return grouped


def _metadata_request(topics: Iterable[str] | None, topic_ids: Iterable[bytes] = ()) -> Message:
    from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic

    wanted = None if topics is None else [MetadataRequestTopic(name=name) for name in topics]
    if wanted is not None:
        wanted += [MetadataRequestTopic(topic_id=topic_id, name=None) for topic_id in topic_ids]
    return MetadataRequest(topics=wanted, allow_auto_topic_creation=False)


_DENIED: Final = frozenset(
    code for code, info in errors.ERRORS.items() if info.name.endswith("AUTHORIZATION_FAILED")
) | {errors.SASL_AUTHENTICATION_FAILED, errors.DELEGATION_TOKEN_AUTHORIZATION_FAILED}


def refusal(subject: str, code: int, said: str | None = None, hint: str = "") -> LogctlError:
    """The error that a broker's code means to an operator: `subject: NAME: sentence`."""
    info = errors.describe(code)
    sentence = f"{subject}: {info.name}: {said or info.meaning}"
    kind: type[LogctlError] = OperationFailed
    if code in _DENIED:
        kind = AccessDenied
    elif code == errors.REQUEST_TIMED_OUT:
        kind = DeadlineExceeded
    error = kind(sentence, hint)
    error.kafka_name = info.name
    return error
