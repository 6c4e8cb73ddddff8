"""Kafka's error codes as of Apache Kafka 4.3: number, name, whether trying again may help, and what it means.

Each line defines one: a constant (`errors.NOT_LEADER_OR_FOLLOWER`) and the row that `describe` returns.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class ErrorInfo(NamedTuple):
    """`retriable`: the same request may succeed later, possibly after the client has refreshed its metadata."""

    code: int
    name: str
    retriable: bool
    meaning: str


class WireError(Exception):
    """A request, or one partition of it, is answered with `code`. `message` may be empty: the code's meaning then."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message or describe(code).meaning

    def __str__(self) -> str:
        return f"{describe(self.code).name}: {self.message}"


ERRORS: Final[dict[int, ErrorInfo]] = {}


def describe(code: int) -> ErrorInfo:
    """What `code` means; codes newer than this table are described as unknown, not refused."""
    info = ERRORS.get(code)
    return info or ErrorInfo(code, f"UNKNOWN_ERROR_{code}", False, f"Error {code} is not known to this version")


def _final(code: int, name: str, meaning: str) -> int:
    ERRORS[code] = ErrorInfo(code, name, False, meaning)
    return code


def _retry(code: int, name: str, meaning: str) -> int:
    ERRORS[code] = ErrorInfo(code, name, True, meaning)
    return code


UNKNOWN_SERVER_ERROR = _final(
    -1, "UNKNOWN_SERVER_ERROR", "The server failed in a way it did not expect; its diary tells more"
)
NONE = _final(0, "NONE", "No error")
OFFSET_OUT_OF_RANGE = _final(1, "OFFSET_OUT_OF_RANGE", "The offset lies outside what the partition holds")
CORRUPT_MESSAGE = _retry(2, "CORRUPT_MESSAGE", "The record batch does not match its checksum, or is not a record batch")
UNKNOWN_TOPIC_OR_PARTITION = _retry(
    3, "UNKNOWN_TOPIC_OR_PARTITION", "This node does not host the topic or partition, or it does not exist"
)
INVALID_FETCH_SIZE = _final(4, "INVALID_FETCH_SIZE", "The fetch asked for a negative or otherwise impossible size")
LEADER_NOT_AVAILABLE = _retry(
    5, "LEADER_NOT_AVAILABLE", "The partition has no leader at the moment; an election is due or under way"
)
NOT_LEADER_OR_FOLLOWER = _retry(
    6,
    "NOT_LEADER_OR_FOLLOWER",
    "The node asked is not the leader (or not a replica) of the partition; the metadata used is old",
)
REQUEST_TIMED_OUT = _retry(7, "REQUEST_TIMED_OUT", "The time allowed ran out before the request could be completed")
BROKER_NOT_AVAILABLE = _final(8, "BROKER_NOT_AVAILABLE", "The broker asked for is not alive")
REPLICA_NOT_AVAILABLE = _retry(9, "REPLICA_NOT_AVAILABLE", "The replica asked for is not available on this node")
MESSAGE_TOO_LARGE = _final(
    10, "MESSAGE_TOO_LARGE", "A record batch is larger than the topic allows (max.message.bytes)"
)
STALE_CONTROLLER_EPOCH = _final(
    11, "STALE_CONTROLLER_EPOCH", "The request was sent by a controller that has since been replaced"
)
OFFSET_METADATA_TOO_LARGE = _final(
    12, "OFFSET_METADATA_TOO_LARGE", "The text kept with a committed offset is longer than the coordinator allows"
)
NETWORK_EXCEPTION = _retry(13, "NETWORK_EXCEPTION", "The connection broke before an answer arrived")
COORDINATOR_LOAD_IN_PROGRESS = _retry(
    14, "COORDINATOR_LOAD_IN_PROGRESS", "The coordinator is still reading its state from the log"
)
COORDINATOR_NOT_AVAILABLE = _retry(
    15, "COORDINATOR_NOT_AVAILABLE", "No coordinator is available yet for this group or transaction"
)
NOT_COORDINATOR = _retry(16, "NOT_COORDINATOR", "The node asked does not coordinate this group or transaction")
INVALID_TOPIC_EXCEPTION = _final(
    17, "INVALID_TOPIC_EXCEPTION", "The topic's name is not allowed, or the operation is not allowed on this topic"
)
RECORD_LIST_TOO_LARGE = _final(
    18, "RECORD_LIST_TOO_LARGE", "The record batch would not fit into one segment of the log (segment.bytes)"
)
NOT_ENOUGH_REPLICAS = _retry(
    19, "NOT_ENOUGH_REPLICAS", "Fewer replicas are in sync than min.insync.replicas demands; nothing was written"
)
NOT_ENOUGH_REPLICAS_AFTER_APPEND = _retry(
    20,
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    "The records were written, but fewer replicas than min.insync.replicas have them",
)
INVALID_REQUIRED_ACKS = _final(21, "INVALID_REQUIRED_ACKS", "acks must be -1 (all), 0 or 1")
ILLEGAL_GENERATION = _final(22, "ILLEGAL_GENERATION", "The group has moved on to another generation")
INCONSISTENT_GROUP_PROTOCOL = _final(
    23,
    "INCONSISTENT_GROUP_PROTOCOL",
    "The member offers no protocol that the rest of the group shares, or another kind of protocol",
)
INVALID_GROUP_ID = _final(24, "INVALID_GROUP_ID", "The group id is empty or not allowed")
UNKNOWN_MEMBER_ID = _final(25, "UNKNOWN_MEMBER_ID", "The coordinator does not know this member")
INVALID_SESSION_TIMEOUT = _final(
    26, "INVALID_SESSION_TIMEOUT", "The session timeout lies outside what the group coordinator allows"
)
REBALANCE_IN_PROGRESS = _final(27, "REBALANCE_IN_PROGRESS", "The group is rebalancing; the member must join again")
INVALID_COMMIT_OFFSET_SIZE = _final(
    28, "INVALID_COMMIT_OFFSET_SIZE", "The offsets are too large to be written as one batch"
)
TOPIC_AUTHORIZATION_FAILED = _final(29, "TOPIC_AUTHORIZATION_FAILED", "The principal may not do this to the topic")
GROUP_AUTHORIZATION_FAILED = _final(30, "GROUP_AUTHORIZATION_FAILED", "The principal may not do this to the group")
CLUSTER_AUTHORIZATION_FAILED = _final(
    31, "CLUSTER_AUTHORIZATION_FAILED", "The principal may not do this to the cluster"
)
INVALID_TIMESTAMP = _final(
    32, "INVALID_TIMESTAMP", "A record's timestamp lies further from the broker's clock than the topic allows"
)
UNSUPPORTED_SASL_MECHANISM = _final(
    33, "UNSUPPORTED_SASL_MECHANISM", "The broker does not offer the SASL mechanism asked for"
)
ILLEGAL_SASL_STATE = _final(34, "ILLEGAL_SASL_STATE", "The request does not fit the present step of the authentication")
UNSUPPORTED_VERSION = _final(35, "UNSUPPORTED_VERSION", "The broker does not speak this version of the request")
TOPIC_ALREADY_EXISTS = _final(36, "TOPIC_ALREADY_EXISTS", "A topic of this name exists already")
INVALID_PARTITIONS = _final(37, "INVALID_PARTITIONS", "The number of partitions is not possible")
INVALID_REPLICATION_FACTOR = _final(
    38, "INVALID_REPLICATION_FACTOR", "The replication factor is not positive or exceeds the number of brokers"
)
INVALID_REPLICA_ASSIGNMENT = _final(39, "INVALID_REPLICA_ASSIGNMENT", "The replicas were assigned in an impossible way")
INVALID_CONFIG = _final(40, "INVALID_CONFIG", "A setting has a value that is not allowed, or the setting is not known")
NOT_CONTROLLER = _retry(41, "NOT_CONTROLLER", "The node asked is not the active controller")
INVALID_REQUEST = _final(42, "INVALID_REQUEST", "The request contradicts itself or lacks what it needs")
UNSUPPORTED_FOR_MESSAGE_FORMAT = _final(
    43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "The message format of the partition cannot do what was asked"
)
POLICY_VIOLATION = _final(44, "POLICY_VIOLATION", "The request goes against a policy of the cluster")
OUT_OF_ORDER_SEQUENCE_NUMBER = _final(
    45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "The producer's sequence number does not follow the last one written"
)
DUPLICATE_SEQUENCE_NUMBER = _final(
    46, "DUPLICATE_SEQUENCE_NUMBER", "The batch was written before, too long ago for its offset to be remembered"
)
INVALID_PRODUCER_EPOCH = _final(
    47, "INVALID_PRODUCER_EPOCH", "The producer's epoch is older than the one the partition has seen"
)
INVALID_TXN_STATE = _final(48, "INVALID_TXN_STATE", "The transaction is not in a state that allows this")
INVALID_PRODUCER_ID_MAPPING = _final(
    49, "INVALID_PRODUCER_ID_MAPPING", "The transactional id is not bound to this producer id"
)
INVALID_TRANSACTION_TIMEOUT = _final(
    50, "INVALID_TRANSACTION_TIMEOUT", "The transaction timeout exceeds transaction.max.timeout.ms"
)
CONCURRENT_TRANSACTIONS = _retry(
    51, "CONCURRENT_TRANSACTIONS", "Another operation on the same transaction has not finished"
)
TRANSACTION_COORDINATOR_FENCED = _final(
    52,
    "TRANSACTION_COORDINATOR_FENCED",
    "The request was sent by a transaction coordinator that has since been replaced",
)
TRANSACTIONAL_ID_AUTHORIZATION_FAILED = _final(
    53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "The principal may not use this transactional id"
)
SECURITY_DISABLED = _final(54, "SECURITY_DISABLED", "Security features are not configured on this cluster")
OPERATION_NOT_ATTEMPTED = _final(
    55, "OPERATION_NOT_ATTEMPTED", "The operation was not tried, because another part of the request failed"
)
KAFKA_STORAGE_ERROR = _retry(
    56,
    "KAFKA_STORAGE_ERROR",
    "The log directory of the partition failed; writing to it has ended until the node restarts",
)
LOG_DIR_NOT_FOUND = _final(57, "LOG_DIR_NOT_FOUND", "The log directory named is not one of the broker's")
SASL_AUTHENTICATION_FAILED = _final(58, "SASL_AUTHENTICATION_FAILED", "The credentials were not accepted")
UNKNOWN_PRODUCER_ID = _final(
    59,
    "UNKNOWN_PRODUCER_ID",
    "The partition knows nothing of this producer id, probably because its records have expired",
)
REASSIGNMENT_IN_PROGRESS = _final(60, "REASSIGNMENT_IN_PROGRESS", "The partition is being reassigned already")
DELEGATION_TOKEN_AUTH_DISABLED = _final(61, "DELEGATION_TOKEN_AUTH_DISABLED", "Delegation tokens are not enabled")
DELEGATION_TOKEN_NOT_FOUND = _final(62, "DELEGATION_TOKEN_NOT_FOUND", "The delegation token does not exist")
DELEGATION_TOKEN_OWNER_MISMATCH = _final(
    63, "DELEGATION_TOKEN_OWNER_MISMATCH", "The delegation token belongs to someone else"
)
DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = _final(
    64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", "Delegation tokens cannot be requested over this kind of connection"
)
DELEGATION_TOKEN_AUTHORIZATION_FAILED = _final(
    65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "The principal may not do this to the delegation token"
)
DELEGATION_TOKEN_EXPIRED = _final(66, "DELEGATION_TOKEN_EXPIRED", "The delegation token has expired")
INVALID_PRINCIPAL_TYPE = _final(67, "INVALID_PRINCIPAL_TYPE", "The kind of principal is not supported here")
NON_EMPTY_GROUP = _final(68, "NON_EMPTY_GROUP", "The group has members")
GROUP_ID_NOT_FOUND = _final(69, "GROUP_ID_NOT_FOUND", "The group does not exist")
FETCH_SESSION_ID_NOT_FOUND = _retry(70, "FETCH_SESSION_ID_NOT_FOUND", "The broker has forgotten this fetch session")
INVALID_FETCH_SESSION_EPOCH = _retry(
    71, "INVALID_FETCH_SESSION_EPOCH", "The fetch session is at another epoch than the request says"
)
LISTENER_NOT_FOUND = _retry(72, "LISTENER_NOT_FOUND", "The leader has no listener of the kind the request came in by")
TOPIC_DELETION_DISABLED = _final(73, "TOPIC_DELETION_DISABLED", "Deleting topics is switched off")
FENCED_LEADER_EPOCH = _retry(74, "FENCED_LEADER_EPOCH", "The leader epoch in the request is older than the broker's")
UNKNOWN_LEADER_EPOCH = _retry(75, "UNKNOWN_LEADER_EPOCH", "The leader epoch in the request is newer than the broker's")
UNSUPPORTED_COMPRESSION_TYPE = _final(
    76,
    "UNSUPPORTED_COMPRESSION_TYPE",
    "The client cannot read the compression of this topic; zstd needs a newer request version",
)
STALE_BROKER_EPOCH = _final(
    77,
    "STALE_BROKER_EPOCH",
    "The broker epoch in the request is not the present one: the broker has been registered anew",
)
OFFSET_NOT_AVAILABLE = _retry(
    78, "OFFSET_NOT_AVAILABLE", "The leader cannot tell this offset yet; it has only just been elected"
)
MEMBER_ID_REQUIRED = _final(79, "MEMBER_ID_REQUIRED", "The member must join again with the member id it was given")
PREFERRED_LEADER_NOT_AVAILABLE = _retry(80, "PREFERRED_LEADER_NOT_AVAILABLE", "The preferred leader is not available")
GROUP_MAX_SIZE_REACHED = _final(81, "GROUP_MAX_SIZE_REACHED", "The group has as many members as it may have")
FENCED_INSTANCE_ID = _final(
    82, "FENCED_INSTANCE_ID", "Another member with the same static id has taken this member's place"
)
ELIGIBLE_LEADERS_NOT_AVAILABLE = _retry(
    83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", "None of the replicas that may lead is available"
)
ELECTION_NOT_NEEDED = _retry(84, "ELECTION_NOT_NEEDED", "The partition needs no election")
NO_REASSIGNMENT_IN_PROGRESS = _final(85, "NO_REASSIGNMENT_IN_PROGRESS", "No reassignment of the partition is under way")
GROUP_SUBSCRIBED_TO_TOPIC = _final(86, "GROUP_SUBSCRIBED_TO_TOPIC", "A member of the group is subscribed to the topic")
INVALID_RECORD = _final(
    87,
    "INVALID_RECORD",
    "The topic does not accept a record like this (for example one without a key in a compacted topic)",
)
UNSTABLE_OFFSET_COMMIT = _retry(
    88, "UNSTABLE_OFFSET_COMMIT", "Offsets committed in a transaction that has not ended stand in the way"
)
THROTTLING_QUOTA_EXCEEDED = _retry(
    89, "THROTTLING_QUOTA_EXCEEDED", "The quota is used up; try again after the throttle time"
)
PRODUCER_FENCED = _final(
    90, "PRODUCER_FENCED", "Another producer with the same transactional id has taken this producer's place"
)
RESOURCE_NOT_FOUND = _final(91, "RESOURCE_NOT_FOUND", "What the request names does not exist")
DUPLICATE_RESOURCE = _final(92, "DUPLICATE_RESOURCE", "The request names the same thing twice")
UNACCEPTABLE_CREDENTIAL = _final(93, "UNACCEPTABLE_CREDENTIAL", "The new credential does not meet the requirements")
INCONSISTENT_VOTER_SET = _final(94, "INCONSISTENT_VOTER_SET", "The voter's idea of the voter set is not the receiver's")
INVALID_UPDATE_VERSION = _final(95, "INVALID_UPDATE_VERSION", "The new version is not one the cluster can move to")
FEATURE_UPDATE_FAILED = _final(96, "FEATURE_UPDATE_FAILED", "The finalized features could not be changed")
PRINCIPAL_DESERIALIZATION_FAILURE = _final(
    97, "PRINCIPAL_DESERIALIZATION_FAILURE", "The principal sent along by the forwarding broker could not be read"
)
SNAPSHOT_NOT_FOUND = _final(98, "SNAPSHOT_NOT_FOUND", "The snapshot asked for does not exist")
POSITION_OUT_OF_RANGE = _final(99, "POSITION_OUT_OF_RANGE", "The position lies outside the snapshot")
UNKNOWN_TOPIC_ID = _retry(100, "UNKNOWN_TOPIC_ID", "This node hosts no topic with this id")
DUPLICATE_BROKER_REGISTRATION = _final(
    101, "DUPLICATE_BROKER_REGISTRATION", "A live broker with this id is registered already"
)
BROKER_ID_NOT_REGISTERED = _final(102, "BROKER_ID_NOT_REGISTERED", "No broker with this id is registered")
INCONSISTENT_TOPIC_ID = _retry(103, "INCONSISTENT_TOPIC_ID", "The topic id is not the one the log carries")
INCONSISTENT_CLUSTER_ID = _final(104, "INCONSISTENT_CLUSTER_ID", "The cluster id in the request is not this cluster's")
TRANSACTIONAL_ID_NOT_FOUND = _final(105, "TRANSACTIONAL_ID_NOT_FOUND", "The transactional id does not exist")
FETCH_SESSION_TOPIC_ID_ERROR = _retry(
    106, "FETCH_SESSION_TOPIC_ID_ERROR", "The topic ids changed in the course of the fetch session"
)
INELIGIBLE_REPLICA = _final(
    107, "INELIGIBLE_REPLICA", "The replica may not join the in-sync set (for example it is fenced or shutting down)"
)
NEW_LEADER_ELECTED = _final(108, "NEW_LEADER_ELECTED", "The change led to the election of another leader")
OFFSET_MOVED_TO_TIERED_STORAGE = _final(
    109, "OFFSET_MOVED_TO_TIERED_STORAGE", "The offset asked for has moved to tiered storage"
)
FENCED_MEMBER_EPOCH = _final(
    110, "FENCED_MEMBER_EPOCH", "The group coordinator has fenced the member's epoch; it must join anew"
)
UNRELEASED_INSTANCE_ID = _final(111, "UNRELEASED_INSTANCE_ID", "Another member still holds this static id")
UNSUPPORTED_ASSIGNOR = _final(112, "UNSUPPORTED_ASSIGNOR", "The group coordinator does not have the assignor asked for")
STALE_MEMBER_EPOCH = _final(
    113, "STALE_MEMBER_EPOCH", "The member's epoch is older than the coordinator's; the member should use the newer one"
)
MISMATCHED_ENDPOINT_TYPE = _final(
    114, "MISMATCHED_ENDPOINT_TYPE", "The request came to the other kind of endpoint (broker or controller)"
)
UNSUPPORTED_ENDPOINT_TYPE = _final(115, "UNSUPPORTED_ENDPOINT_TYPE", "This kind of endpoint is not known")
UNKNOWN_CONTROLLER_ID = _final(116, "UNKNOWN_CONTROLLER_ID", "The controller's id is not known")
UNKNOWN_SUBSCRIPTION_ID = _final(
    117, "UNKNOWN_SUBSCRIPTION_ID", "The telemetry subscription is not known or has changed"
)
TELEMETRY_TOO_LARGE = _final(118, "TELEMETRY_TOO_LARGE", "The telemetry sent is larger than the broker accepts")
INVALID_REGISTRATION = _final(
    119, "INVALID_REGISTRATION", "The broker's registration is not acceptable to the controller"
)
TRANSACTION_ABORTABLE = _final(120, "TRANSACTION_ABORTABLE", "The transaction cannot go on and must be aborted")
INVALID_RECORD_STATE = _final(
    121, "INVALID_RECORD_STATE", "The record is not in a state that allows the acknowledgement"
)
SHARE_SESSION_NOT_FOUND = _retry(122, "SHARE_SESSION_NOT_FOUND", "The share session does not exist")
INVALID_SHARE_SESSION_EPOCH = _retry(
    123, "INVALID_SHARE_SESSION_EPOCH", "The share session is at another epoch than the request says"
)
FENCED_STATE_EPOCH = _final(124, "FENCED_STATE_EPOCH", "The share coordinator has fenced this state epoch")
INVALID_VOTER_KEY = _final(125, "INVALID_VOTER_KEY", "The voter's key is not the one the receiving replica has")
DUPLICATE_VOTER = _final(126, "DUPLICATE_VOTER", "The voter is part of the set already")
VOTER_NOT_FOUND = _final(127, "VOTER_NOT_FOUND", "The voter is not part of the set")
INVALID_REGULAR_EXPRESSION = _final(128, "INVALID_REGULAR_EXPRESSION", "The regular expression cannot be read")
REBOOTSTRAP_REQUIRED = _final(
    129,
    "REBOOTSTRAP_REQUIRED",
    "The client's metadata is of no use any more; it must begin again with its bootstrap servers",
)
STREAMS_INVALID_TOPOLOGY = _final(130, "STREAMS_INVALID_TOPOLOGY", "The streams topology is not valid")
STREAMS_INVALID_TOPOLOGY_EPOCH = _final(
    131, "STREAMS_INVALID_TOPOLOGY_EPOCH", "The epoch of the streams topology is not valid"
)
STREAMS_TOPOLOGY_FENCED = _final(
    132, "STREAMS_TOPOLOGY_FENCED", "The epoch of the streams topology is older than the group's"
)
SHARE_SESSION_LIMIT_REACHED = _retry(
    133, "SHARE_SESSION_LIMIT_REACHED", "The broker holds as many share sessions as it may"
)
