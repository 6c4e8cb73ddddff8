"""Who may do what: the table of needs, and the decision.

Theory of operation. Every API has one row: what its sender must be allowed to do, written as
`OPERATION:RESOURCE` with `+` for "all of these" and `|` for "any of these", and the words beside it for what a row
cannot say. Dispatch refuses an API that has no row, so a new API cannot be served by forgetting it here. A row that
names TOPIC, GROUP, TRANSACTIONAL_ID, DELEGATION_TOKEN or USER is asked once for each thing that the request names, by
the handler, because one request may be allowed for some of them and refused for others; a row that names only
CLUSTER, or nothing, is settled before the handler is called.

`decide` is pure: principal, host, operation and resource in, a decision with its reason out. There are no rules to
read yet, so it answers "allowed" to everyone; the callers already ask everywhere they must.

The rows follow what Apache Kafka's handlers check, which in three places is not what its documentation says
(ElectLeaders, DescribeCluster, ConsumerGroupDescribe).
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple


class Operation(IntEnum):
    """What is done; the numbers are those of AclOperation on the wire."""

    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Resource(IntEnum):
    """What it is done to; the numbers are those of ResourceType on the wire."""

    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


CLUSTER_NAME: Final = "kafka-cluster"
"""The one resource of type CLUSTER has this name in every rule."""

Right = tuple[Operation, Resource]


class Need(NamedTuple):
    """One row: `any_of` holds alternatives, each a tuple of rights that are all needed. No alternatives: nothing is."""

    any_of: tuple[tuple[Right, ...], ...]
    remark: str = ""

    @property
    def whole_request(self) -> bool:
        """True when the row can be settled without looking at what the request names."""
        return all(resource is Resource.CLUSTER for rights in self.any_of for _, resource in rights)


class Decision(NamedTuple):
    """`reason` is a sentence for the operator, also when the answer is yes."""

    allowed: bool
    reason: str


_ROWS: Final[dict[int, tuple[str, str]]] = {
    0: ("WRITE:TOPIC", "transactional batches also need WRITE:TRANSACTIONAL_ID, judged by the records, not the header"),
    1: ("READ:TOPIC", "with a replica id CLUSTER_ACTION:CLUSTER, and the principal must be that broker"),
    2: ("DESCRIBE:TOPIC", ""),
    3: ("DESCRIBE:TOPIC", "auto-creation needs CREATE:CLUSTER or CREATE:TOPIC; a list of all leaves out the others"),
    4: ("CLUSTER_ACTION:CLUSTER", "gone since 4.0"),
    5: ("CLUSTER_ACTION:CLUSTER", "gone since 4.0"),
    6: ("CLUSTER_ACTION:CLUSTER", "gone since 4.0"),
    7: ("CLUSTER_ACTION:CLUSTER", "gone since 4.0"),
    8: ("READ:GROUP + READ:TOPIC", ""),
    9: ("DESCRIBE:GROUP + DESCRIBE:TOPIC", ""),
    10: ("DESCRIBE:GROUP | DESCRIBE:TRANSACTIONAL_ID", "by key type; for share groups CLUSTER_ACTION:CLUSTER"),
    11: ("READ:GROUP", ""),
    12: ("READ:GROUP", ""),
    13: ("READ:GROUP", ""),
    14: ("READ:GROUP", ""),
    15: ("DESCRIBE:GROUP", ""),
    16: ("DESCRIBE:CLUSTER | DESCRIBE:GROUP", "leaves out groups that may not be described; never an error"),
    17: ("", "comes before a principal is known"),
    18: ("", "comes before a principal is known"),
    19: ("CREATE:CLUSTER | CREATE:TOPIC", "configs in the answer need DESCRIBE_CONFIGS:TOPIC"),
    20: ("DELETE:CLUSTER | DELETE:TOPIC", "by id without DESCRIBE:TOPIC the name stays hidden"),
    21: ("DELETE:TOPIC", ""),
    22: (
        "WRITE:TRANSACTIONAL_ID | IDEMPOTENT_WRITE:CLUSTER | WRITE:TOPIC",
        "without a transactional id, WRITE on any one topic is enough",
    ),
    23: ("CLUSTER_ACTION:CLUSTER | DESCRIBE:TOPIC", ""),
    24: ("WRITE:TRANSACTIONAL_ID + WRITE:TOPIC", "from version 4 on, between brokers: CLUSTER_ACTION:CLUSTER"),
    25: ("WRITE:TRANSACTIONAL_ID + READ:GROUP", ""),
    26: ("WRITE:TRANSACTIONAL_ID", ""),
    27: ("ALTER:CLUSTER | CLUSTER_ACTION:CLUSTER", ""),
    28: ("WRITE:TRANSACTIONAL_ID + READ:GROUP + READ:TOPIC", ""),
    29: ("DESCRIBE:CLUSTER", ""),
    30: ("ALTER:CLUSTER", ""),
    31: ("ALTER:CLUSTER", ""),
    32: (
        "DESCRIBE_CONFIGS:CLUSTER | DESCRIBE_CONFIGS:TOPIC | DESCRIBE_CONFIGS:GROUP",
        "by the type of the resource; secrets are never shown",
    ),
    33: ("ALTER_CONFIGS:CLUSTER | ALTER_CONFIGS:TOPIC | ALTER_CONFIGS:GROUP", "by the type of the resource"),
    34: ("ALTER:CLUSTER", ""),
    35: ("DESCRIBE:CLUSTER", "an empty answer when refused"),
    36: ("", "comes before a principal is known"),
    37: ("ALTER:TOPIC", ""),
    38: ("CREATE_TOKENS:USER", "not needed for oneself; never over plaintext or a token-authenticated connection"),
    39: ("", "the owner or a renewer; never over plaintext or a token-authenticated connection"),
    40: ("", "the owner or a renewer; never over plaintext or a token-authenticated connection"),
    41: ("DESCRIBE:DELEGATION_TOKEN | DESCRIBE_TOKENS:USER", "not needed for one's own tokens"),
    42: ("DELETE:GROUP", ""),
    43: ("ALTER:CLUSTER", ""),
    44: ("ALTER_CONFIGS:CLUSTER | ALTER_CONFIGS:TOPIC | ALTER_CONFIGS:GROUP", "by the type of the resource"),
    45: ("ALTER:CLUSTER", ""),
    46: ("DESCRIBE:CLUSTER", ""),
    47: ("DELETE:GROUP + READ:TOPIC", ""),
    48: ("DESCRIBE_CONFIGS:CLUSTER", ""),
    49: ("ALTER_CONFIGS:CLUSTER", ""),
    50: ("DESCRIBE:CLUSTER", ""),
    51: ("ALTER:CLUSTER", ""),
    52: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    53: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    54: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    55: ("DESCRIBE:CLUSTER", ""),
    56: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    57: ("ALTER:CLUSTER", ""),
    58: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    59: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    60: ("", "the authorised operations are filled in for those who may DESCRIBE:CLUSTER"),
    61: ("READ:TOPIC", ""),
    62: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    63: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    64: ("ALTER:CLUSTER", ""),
    65: ("DESCRIBE:TRANSACTIONAL_ID", "topics that may not be described are left out"),
    66: ("DESCRIBE:TRANSACTIONAL_ID", "leaves out the others; never an error"),
    67: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    68: ("READ:GROUP", "subscribed names also need DESCRIBE:TOPIC"),
    69: ("DESCRIBE:GROUP", "topics also need DESCRIBE:TOPIC"),
    70: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    71: ("", "rate and size are limited instead"),
    72: ("", "rate and size are limited instead"),
    73: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    74: ("DESCRIBE_CONFIGS:CLUSTER", ""),
    75: ("DESCRIBE:TOPIC", ""),
    76: ("READ:GROUP", "subscribed names also need DESCRIBE:TOPIC"),
    77: ("DESCRIBE:GROUP", ""),
    78: ("READ:GROUP + READ:TOPIC", ""),
    79: ("READ:GROUP + READ:TOPIC", ""),
    80: ("ALTER:CLUSTER", ""),
    81: ("ALTER:CLUSTER", ""),
    82: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    83: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    84: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    85: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    86: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
    87: ("CLUSTER_ACTION:CLUSTER", "on listeners between nodes only"),
}


def _right(text: str) -> Right:
    operation, _, resource = text.strip().partition(":")
    return Operation[operation], Resource[resource]


def _need(row: str, remark: str) -> Need:
    alternatives = [alternative for alternative in row.split("|") if alternative.strip()]
    return Need(tuple(tuple(_right(text) for text in one.split("+")) for one in alternatives), remark)


KEYS: Final = frozenset(_ROWS)
"""The APIs that have a row. An API that is not here is refused."""


@cache
def need_of(api_key: int) -> Need:
    """What the sender of a request needs; only for `KEYS`."""
    return _need(*_ROWS[api_key])


def decide(principal: str, host: str, operation: Operation, resource: Resource, name: str) -> Decision:
    """May `principal`, speaking from `host`, do this? `name` is the topic, group, ... or `CLUSTER_NAME`."""
    return Decision(True, "no rules are in force: everyone may do everything")


def decide_request(api_key: int, principal: str, host: str) -> Decision:
    """What can be said about a request before its content is looked at.

    Rows about topics, groups and other named things are left to the handler, which asks `decide` for each name.
    """
    if api_key not in KEYS:
        return Decision(False, f"API {api_key} has no row in the table of needs")
    need = need_of(api_key)
    if not need.any_of or not need.whole_request:
        return Decision(True, "decided by the handler" if need.any_of else "nothing is needed")
    refusal = ""
    for rights in need.any_of:
        decisions = [decide(principal, host, operation, resource, CLUSTER_NAME) for operation, resource in rights]
        refusal = next((decision.reason for decision in decisions if not decision.allowed), "")
        if not refusal:
            return Decision(True, decisions[-1].reason)
    return Decision(False, refusal)


def authorized_operations(principal: str, host: str, resource: Resource, name: str) -> int:
    """The bit field that Metadata and DescribeCluster carry: bit n is set when operation n is allowed."""
    allowed = (op for op in OPERATIONS_OF[resource] if decide(principal, host, op, resource, name).allowed)
    return sum(1 << op for op in allowed)


OPERATIONS_OF: Final[dict[Resource, tuple[Operation, ...]]] = {
    Resource.TOPIC: (
        Operation.READ,
        Operation.WRITE,
        Operation.CREATE,
        Operation.DELETE,
        Operation.ALTER,
        Operation.DESCRIBE,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
    ),
    Resource.GROUP: (
        Operation.READ,
        Operation.DELETE,
        Operation.DESCRIBE,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
    ),
    Resource.CLUSTER: (
        Operation.CREATE,
        Operation.ALTER,
        Operation.DESCRIBE,
        Operation.CLUSTER_ACTION,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
        Operation.IDEMPOTENT_WRITE,
    ),
    Resource.TRANSACTIONAL_ID: (Operation.WRITE, Operation.DESCRIBE, Operation.TWO_PHASE_COMMIT),
    Resource.DELEGATION_TOKEN: (Operation.DESCRIBE,),
    Resource.USER: (Operation.CREATE_TOKENS, Operation.DESCRIBE_TOKENS),
}
"""What can be asked of each type of resource."""
