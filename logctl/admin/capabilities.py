"""What a cluster offers, as an operator calls it, and since which Apache Kafka version one can have it.

A capability is an API that a broker's ApiVersions lists; nothing is concluded from a vendor's name. The table says of
each API what it is good for, the first Apache Kafka release whose nodes serve it without a switch for early access, and
the commands that cannot do without it. The APIs by which nodes deal with each other are in it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.client import Gathered
from logctl.admin.deadline import Deadline
from logctl.admin.link import NotOffered
from logctl.admin.routing import Cluster, refusal
from logctl.wire.api import API, BY_NAME

_PATIENCE_S: Final = 5.0


class Capability(NamedTuple):
    """`called`: what it is for, to follow 'to'; `since`: a release of Apache Kafka; `commands`: without `logctl`."""

    called: str
    since: str
    commands: tuple[str, ...] = ()


_ROWS: Final = """
Produce                      | 0.8    | write records
Fetch                        | 0.8    | read records
ListOffsets                  | 0.8    | find offsets by time, and where a log begins and ends
Metadata                     | 0.8    | learn brokers, topics and leaders
OffsetCommit                 | 0.8.1  | move a group's offsets
OffsetFetch                  | 0.8.1  | read a group's offsets
FindCoordinator              | 0.8.2  | find who looks after a group or a transaction
JoinGroup                    | 0.9    | take part in a classic group
Heartbeat                    | 0.9    | stay in a classic group
LeaveGroup                   | 0.9    | leave a classic group
SyncGroup                    | 0.9    | share out the work of a classic group
DescribeGroups               | 0.9    | show the members of classic groups
ListGroups                   | 0.9    | list groups
SaslHandshake                | 0.10.0 | agree on a way to authenticate
ApiVersions                  | 0.10.0 | learn what a broker offers
CreateTopics                 | 0.10.1 | create topics
DeleteTopics                 | 0.10.1 | delete topics
DeleteRecords                | 0.11   | delete records before an offset
InitProducerId               | 0.11   | write idempotently or in transactions
OffsetForLeaderEpoch         | 0.11   | find where the history of two leaders parts
AddPartitionsToTxn           | 0.11   | take a partition into a transaction
AddOffsetsToTxn              | 0.11   | take a group's offsets into a transaction
EndTxn                       | 0.11   | commit or abort a transaction
WriteTxnMarkers              | 0.11   | end a transaction that hangs
TxnOffsetCommit              | 0.11   | move a group's offsets in a transaction
DescribeAcls                 | 0.11   | list permissions
CreateAcls                   | 0.11   | grant permissions
DeleteAcls                   | 0.11   | revoke permissions
DescribeConfigs              | 0.11   | show settings
AlterConfigs                 | 0.11   | replace all settings of a resource
AlterReplicaLogDirs          | 1.1    | move replicas between the log directories of a broker
DescribeLogDirs              | 1.0    | show how full log directories are
SaslAuthenticate             | 1.0    | authenticate
CreatePartitions             | 1.0    | add partitions to topics
CreateDelegationToken        | 1.1    | issue delegation tokens
RenewDelegationToken         | 1.1    | renew delegation tokens
ExpireDelegationToken        | 1.1    | withdraw delegation tokens
DescribeDelegationToken      | 1.1    | list delegation tokens
DeleteGroups                 | 1.1    | delete groups
ElectLeaders                 | 2.2    | elect leaders of partitions
IncrementalAlterConfigs      | 2.3    | change single settings
AlterPartitionReassignments  | 2.4    | move replicas between brokers
ListPartitionReassignments   | 2.4    | list moves of replicas under way
OffsetDelete                 | 2.4    | delete a group's offsets of a topic
DescribeClientQuotas         | 2.6    | list quotas
AlterClientQuotas            | 2.6    | change quotas
DescribeUserScramCredentials | 2.7    | list users that have a password (SCRAM)
AlterUserScramCredentials    | 2.7    | create users and change their passwords (SCRAM)
Vote                         | 2.8    | elect the leader of the metadata quorum
BeginQuorumEpoch             | 2.8    | tell the voters who leads the metadata quorum
EndQuorumEpoch               | 2.8    | give up the lead of the metadata quorum
DescribeQuorum               | 2.8    | show who leads and follows the metadata log
AlterPartition               | 2.7    | tell the controller which replicas are in sync
UpdateFeatures               | 2.7    | raise or lower the feature levels of the cluster
Envelope                     | 2.8    | pass a client's request on to the controller
FetchSnapshot                | 2.8    | copy a snapshot of the metadata log
DescribeCluster              | 2.8    | show brokers, fenced ones too since 4.0
DescribeProducers            | 2.8    | show who writes to a partition
BrokerRegistration           | 2.8    | join the cluster as a broker
BrokerHeartbeat              | 2.8    | stay in the cluster as a broker
UnregisterBroker             | 2.8    | strike a broker that has gone off the list
DescribeTransactions         | 3.0    | show transactions
ListTransactions             | 3.0    | list transactions
AllocateProducerIds          | 3.0    | hand out identities of producers to brokers
ConsumerGroupHeartbeat       | 4.0    | take part in a consumer group of the newer protocol
ConsumerGroupDescribe        | 4.0    | show the members of consumer groups
ControllerRegistration       | 3.7    | join the cluster as a controller
GetTelemetrySubscriptions    | 3.7    | learn which client metrics are wanted
PushTelemetry                | 3.7    | send client metrics to brokers
AssignReplicasToDirs         | 3.7    | tell the controller which directory holds a replica
ListConfigResources          | 3.7    | list what has settings: client metrics, all since 4.1
DescribeTopicPartitions      | 3.8    | show partitions page by page, with eligible leaders
ShareGroupHeartbeat          | 4.1    | take part in a share group
ShareGroupDescribe           | 4.1    | show the members of share groups
ShareFetch                   | 4.1    | read records in a share group
ShareAcknowledge             | 4.1    | acknowledge records in a share group
AddRaftVoter                 | 3.9    | add a voter to the metadata quorum
RemoveRaftVoter              | 3.9    | take a voter out of the metadata quorum
UpdateRaftVoter              | 3.9    | tell the quorum what a voter can do
InitializeShareGroupState    | 4.1    | begin the state of a share group
ReadShareGroupState          | 4.1    | read the state of a share group
WriteShareGroupState         | 4.1    | write the state of a share group
DeleteShareGroupState        | 4.1    | delete the state of a share group
ReadShareGroupStateSummary   | 4.1    | read where a share group is
StreamsGroupHeartbeat        | 4.1    | take part in a streams group
StreamsGroupDescribe         | 4.1    | show the members of streams groups
DescribeShareGroupOffsets    | 4.1    | show where share groups begin
AlterShareGroupOffsets       | 4.1    | move where share groups begin
DeleteShareGroupOffsets      | 4.1    | delete where share groups begin
"""
"""API, the release of Apache Kafka that first served it, and what it is good for (to follow 'to')."""

_NEEDED_BY: Final = """
Produce                      | record produce, record perf
Fetch                        | record consume, record verify, group peek
ListOffsets                  | group lag, group reset, topic trim
Metadata                     | topic list, node list, cluster info
OffsetCommit                 | group reset, group clone-offsets
OffsetFetch                  | group lag, group describe
FindCoordinator              | group describe, txn describe
DescribeGroups               | group describe, group members
ListGroups                   | group list
ApiVersions                  | cluster api-versions, cluster features
CreateTopics                 | topic create, topic clone
DeleteTopics                 | topic delete
DeleteRecords                | topic trim
InitProducerId               | record produce
WriteTxnMarkers              | txn abort
DescribeAcls                 | acl list
CreateAcls                   | acl grant
DeleteAcls                   | acl revoke
DescribeConfigs              | config list, config get, config diff, topic describe
DescribeLogDirs              | logdir list, topic size, cluster health
CreatePartitions             | topic add-partitions
DeleteGroups                 | group delete
ElectLeaders                 | partition elect
IncrementalAlterConfigs      | config set, config unset, config append, config subtract
AlterPartitionReassignments  | node drain, node decommission
ListPartitionReassignments   | cluster health, node drain
UnregisterBroker             | node decommission
OffsetDelete                 | group delete-offsets
DescribeClientQuotas         | quota list
AlterClientQuotas            | quota set, quota unset
DescribeUserScramCredentials | user list
AlterUserScramCredentials    | user create, user alter, user delete
DescribeQuorum               | cluster quorum, cluster health
UpdateFeatures               | cluster feature-upgrade, cluster feature-downgrade, cluster feature-disable
AddRaftVoter                 | cluster quorum-add
RemoveRaftVoter              | cluster quorum-remove
DescribeCluster              | node list
DescribeProducers            | txn producers, txn find-hanging
DescribeTransactions         | txn describe
ListTransactions             | txn list
ConsumerGroupDescribe        | group describe
ListConfigResources          | config list
DescribeTopicPartitions      | topic describe
ShareGroupDescribe           | group describe
StreamsGroupDescribe         | group describe
DescribeShareGroupOffsets    | group lag
AlterShareGroupOffsets       | group reset
DeleteShareGroupOffsets      | group delete-offsets
"""
"""API, and the commands that need it."""


def _cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def _table() -> dict[str, Capability]:
    needed_by = {api: tuple(one.strip() for one in commands.split(",")) for api, commands in _cells(_NEEDED_BY)}
    return {api: Capability(called, since, needed_by.get(api, ())) for api, since, called in _cells(_ROWS)}


CAPABILITIES: Final[Mapping[str, Capability]] = _table()
"""Name of an API -> what it is for."""


def lacking(api: str) -> NotOffered:
    """The refusal where a cluster does not offer `api`: one sentence with the Apache Kafka release that does."""
    key, since = BY_NAME[api].key, CAPABILITIES[api].since
    return NotOffered(
        f"this cluster does not offer {api} (key {key}); Apache Kafka does since {since}",
        "`logctl cluster capabilities` shows what it offers",
    )


def need(cluster: Cluster, api: str, deadline: Deadline) -> None:
    """Make sure that the cluster offers `api`. Raises NotOffered, or Unreachable when nobody answers."""
    key, ours = BY_NAME[api].key, BY_NAME[api].versions
    offered = cluster.client.versions(cluster.entrance(deadline)).get(key)
    if offered is None:
        raise lacking(api)
    lowest, highest = offered
    if lowest > ours.highest or highest < BY_NAME[api].request.versions.lowest:
        raise NotOffered(
            f"this cluster offers {api} (key {key}) in versions {lowest} to {highest}, and logctl speaks {ours}",
            "a newer logctl may know them" if lowest > ours.highest else "the cluster is too old for it",
        )


class Offer(NamedTuple):
    """One API of a cluster. `versions`: what all brokers that offer it serve; None where there is none."""

    api: str
    key: int
    versions: tuple[int, int] | None
    offered_by: tuple[int, ...]
    lacked_by: tuple[int, ...]

    @property
    def capability(self) -> Capability:
        return CAPABILITIES[self.api]

    @property
    def sentence(self) -> str:
        """What the cluster can or cannot do, and what an operator misses by it."""
        about = self.capability
        if not self.lacked_by:
            return f"offers {self.api} to {about.called}"
        if self.offered_by:
            brokers = ", ".join(str(one) for one in self.lacked_by)
            word = "broker" if len(self.lacked_by) == 1 else "brokers"
            return f"offers {self.api} to {about.called}, but not on {word} {brokers}"
        return f"does not offer {self.api} to {about.called}; Apache Kafka does since {about.since}"


def offers(served: Mapping[int, Mapping[int, tuple[int, int]]], *, everything: bool = False) -> list[Offer]:
    """What a cluster offers, by API. `served`: broker -> key -> versions, as their ApiVersions tell. Without
    `everything` the APIs that are the controllers' alone are left out, unless a broker serves them."""
    found = []
    for key, api in API.items():
        having = {broker: versions[key] for broker, versions in served.items() if key in versions}
        if api.on_brokers or having or everything:
            lacked = tuple(sorted(served.keys() - having.keys()))
            found.append(Offer(api.name, key, _common(having.values()), tuple(sorted(having)), lacked))
    return found


def _common(ranges: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """The versions that all of the ranges have."""
    known = list(ranges)
    if not known:
        return None
    lowest, highest = max(low for low, _ in known), min(high for _, high in known)
    return (lowest, highest) if lowest <= highest else None


def ask_each(cluster: Cluster, deadline: Deadline) -> Gathered:
    """The ApiVersions answer of every broker that the cluster lists, by its id; a broker that refuses is missing.

    A silent broker costs a few seconds, and never more than half of the time there is.
    """
    from logctl import __version__
    from logctl.wire.messages.api_versions import ApiVersionsRequest

    request = ApiVersionsRequest(client_software_name="logctl", client_software_version=__version__)
    patience = deadline.at_most(min(_PATIENCE_S, deadline.left_s / 2))
    gathered = cluster.scatter(dict.fromkeys(cluster.brokers, request), patience)
    refused = {
        node: refusal(f"what broker {node} offers", answer.error_code)
        for node, answer in gathered.answers.items()
        if answer.error_code
    }
    answers = {node: answer for node, answer in gathered.answers.items() if node not in refused}
    return Gathered(answers, {**gathered.missing, **refused})


def served(answers: Mapping[int, Any]) -> dict[int, dict[int, tuple[int, int]]]:
    """Broker -> key -> versions, of the answers of `ask_each`."""
    return {
        node: {one.api_key: (one.min_version, one.max_version) for one in answer.api_keys}
        for node, answer in answers.items()
    }


Range = tuple[int | None, int | None]
"""Lowest and highest version; (None, None) where there is none."""


class Compared(NamedTuple):
    """An API as brokers serve it. `common`: what all of them serve; `ranges`: by broker."""

    key: int
    common: Range
    ranges: Mapping[int, Range]

    @property
    def name(self) -> str:
        return API[self.key].name if self.key in API else f"(unknown to logctl: {self.key})"

    @property
    def differs(self) -> bool:
        return len(set(self.ranges.values())) > 1

    @property
    def used(self) -> int | None:
        """The newest version that all of them and we speak; None where there is none."""
        lowest, highest = self.common
        if self.key not in API or lowest is None or highest is None:
            return None
        chosen = min(highest, API[self.key].versions.highest)
        return chosen if chosen >= max(lowest, API[self.key].request.versions.lowest) else None


def compared(served: Mapping[int, Mapping[int, tuple[int, int]]]) -> list[Compared]:
    """Every API that any of the brokers serves, by key. `served`: broker -> key -> versions."""
    found = []
    for key in sorted({key for versions in served.values() for key in versions}):
        ranges: dict[int, Range] = {broker: served[broker].get(key, (None, None)) for broker in sorted(served)}
        everywhere = [versions[key] for versions in served.values() if key in versions]
        common = _common(everywhere) if len(everywhere) == len(served) else None
        found.append(Compared(key, common or (None, None), ranges))
    return found
