"""From an API key to the handler that answers it.

Three questions, in this order: is the API served in this version; may its sender ask; what does its handler say. As in
Apache Kafka a request for an API or version that was not advertised closes the connection: the sender was told the
ranges, and there is no body in common in which an error could stand. ApiVersions alone is answered in any version, with
UNSUPPORTED_VERSION in the form of version 0, because it is how the ranges are learnt.

`SERVED` is the whole surface of the node: what is not in it is not advertised. A handler's module is imported when its
API is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logctl.engine.broker.request import Answer, Request
from logctl.wire.api import API, API_VERSIONS
from logctl.wire.errors import WireError
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

SERVED: Final = (
    0,  # Produce
    1,  # Fetch
    2,  # ListOffsets
    3,  # Metadata
    8,  # OffsetCommit
    9,  # OffsetFetch
    10,  # FindCoordinator
    11,  # JoinGroup
    12,  # Heartbeat
    13,  # LeaveGroup
    14,  # SyncGroup
    15,  # DescribeGroups
    16,  # ListGroups
    18,  # ApiVersions
    19,  # CreateTopics
    20,  # DeleteTopics
    21,  # DeleteRecords
    22,  # InitProducerId
    23,  # OffsetForLeaderEpoch
    32,  # DescribeConfigs
    33,  # AlterConfigs
    34,  # AlterReplicaLogDirs
    35,  # DescribeLogDirs
    37,  # CreatePartitions
    42,  # DeleteGroups
    43,  # ElectLeaders
    44,  # IncrementalAlterConfigs
    45,  # AlterPartitionReassignments
    46,  # ListPartitionReassignments
    47,  # OffsetDelete
    48,  # DescribeClientQuotas
    50,  # DescribeUserScramCredentials
    55,  # DescribeQuorum
    57,  # UpdateFeatures
    60,  # DescribeCluster
    61,  # DescribeProducers
    64,  # UnregisterBroker
    68,  # ConsumerGroupHeartbeat
    69,  # ConsumerGroupDescribe
    74,  # ListConfigResources
    75,  # DescribeTopicPartitions
    80,  # AddRaftVoter
    81,  # RemoveRaftVoter
)

BETWEEN_NODES: Final = (
    1,  # Fetch, of the metadata log
    18,  # ApiVersions
    19,  # CreateTopics
    20,  # DeleteTopics
    33,  # AlterConfigs
    37,  # CreatePartitions
    43,  # ElectLeaders
    44,  # IncrementalAlterConfigs
    45,  # AlterPartitionReassignments
    46,  # ListPartitionReassignments
    52,  # Vote
    53,  # BeginQuorumEpoch
    54,  # EndQuorumEpoch
    55,  # DescribeQuorum
    56,  # AlterPartition
    57,  # UpdateFeatures
    59,  # FetchSnapshot
    60,  # DescribeCluster, of controllers
    62,  # BrokerRegistration
    63,  # BrokerHeartbeat
    64,  # UnregisterBroker
    67,  # AllocateProducerIds
    70,  # ControllerRegistration
    73,  # AssignReplicasToDirs
    80,  # AddRaftVoter
    81,  # RemoveRaftVoter
    82,  # UpdateRaftVoter
)
"""All that is served on the listeners that nodes use among themselves (controller.listener.names, and
inter.broker.listener.name where that is set apart): the quorum, brokers that come and go, and what clients asked of a
node that does not lead (`forwarding.py`)."""

LOWEST_SERVED: Final = {0: 3}
"""Where the lowest version that is answered is higher than the lowest that is advertised: Produce, for the sake of old
clients that would otherwise believe they may not compress."""

Handler = Callable[["Broker", Request[Any], int], Answer]


Refusal = Callable[[Request[Any], WireError], "Message | None"]


class Route(NamedTuple):
    """A handler, and how it says that a whole request is refused (None: the connection is closed)."""

    handle: Handler
    refused: Refusal


@cache
def route(api_key: int) -> Route:
    """The route of a served API; its messages and handler are imported here, at the first request."""
    module = import_module(f"logctl.engine.broker.handlers.{API[api_key].module_name}")
    return Route(module.handle, getattr(module, "refused", refused))


def refused(request: Request[Any], error: WireError) -> Message | None:
    """The error in the response's own place for one, when this version has such a place."""
    response = API[request.api_key].response
    named = {entry.name for entry in response.fields if request.version in entry.versions}
    if "error_code" not in named:
        return None
    answer = response(error_code=error.code)
    if "error_message" in named:
        setattr(answer, "error_message", error.message)  # noqa: B010  # not every response has the field
    return answer


def refusal(api_key: int, version: int, *, between_nodes: bool = False) -> str:
    """Why a request with this header cannot be read, as the end of a sentence for the diary; empty when it can."""
    if api_key not in (BETWEEN_NODES if between_nodes else SERVED):
        name = API[api_key].name if api_key in API else "which does not exist"
        return f"asked for API {api_key} ({name}), which this node does not serve"
    lowest, highest = versions_answered(api_key)
    if api_key != API_VERSIONS and not lowest <= version <= highest:
        return f"asked for {API[api_key].name} in version {version}; this node answers {lowest} to {highest}"
    return ""


def versions_answered(api_key: int) -> tuple[int, int]:
    versions = API[api_key].versions
    return LOWEST_SERVED.get(api_key, versions.lowest), versions.highest
