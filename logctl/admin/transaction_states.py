"""Transactions as their coordinators know them: which there are, and what state each is in (KIP-664).

Every broker lists the transactional ids that it coordinates (ListTransactions); what one of them says in more words
(DescribeTransactions) is asked of its coordinator. A broker that does not answer is named, and the others are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.coordinators import newest
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.link import Address
from logctl.admin.positions import Place
from logctl.admin.routing import Broker, Cluster, refusal
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

STATES: Final = (
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
)
OPEN_STATES: Final = ("Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence")
_TRANSACTION: Final = 1
_PATIENCE_S: Final = 5.0
_COME_AGAIN: Final = frozenset(
    (errors.NOT_COORDINATOR, errors.COORDINATOR_NOT_AVAILABLE, errors.COORDINATOR_LOAD_IN_PROGRESS)
)


class Wanted(NamedTuple):
    """Which transactions to list; all when nothing is given. `longer_than_ms`: open for longer. `pattern`: of the
    transactional id, as RE2 has it."""

    states: tuple[str, ...] = ()
    producer_ids: tuple[int, ...] = ()
    longer_than_ms: int | None = None
    pattern: str | None = None

    def check(self) -> Wanted:
        """The same with states spelt as Kafka spells them. Raises UsageError."""
        known = {state.lower(): state for state in STATES}
        for state in self.states:
            if state.lower() not in known:
                raise UsageError(f"--state {state}: there is no such state", f"there are {', '.join(STATES)}")
        return self._replace(states=tuple(known[state.lower()] for state in self.states))


class Listed(NamedTuple):
    transactional_id: str
    coordinator: int
    producer_id: int
    state: str


class Described(NamedTuple):
    """`start_ms`: of the last transaction, -1 when there was none; `places`: the partitions in it that have no marker
    yet."""

    transactional_id: str
    coordinator: int
    producer_id: int
    producer_epoch: int
    state: str
    timeout_ms: int
    start_ms: int
    places: tuple[Place, ...]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class Found(NamedTuple):
    """Transactions in the order of their ids, and why others, or whole brokers, could not tell."""

    transactions: list[Any]
    failures: dict[str, LogctlError]


# -- listing ---------------------------------------------------------------------------------------------------------


def list_transactions(cluster: Cluster, wanted: Wanted, deadline: Deadline) -> Found:
    """The transactional ids that the brokers coordinate. Raises NotOffered, or OperationFailed for a filter that the
    cluster does not know."""
    from logctl.wire.messages.list_transactions import ListTransactionsRequest

    need(cluster, "ListTransactions", deadline)
    cluster.refresh(deadline)
    version = newest(cluster, "ListTransactions", deadline)
    _check_filters(wanted, version)
    request = ListTransactionsRequest(
        state_filters=list(wanted.states),
        producer_id_filters=list(wanted.producer_ids),
        duration_filter=-1 if wanted.longer_than_ms is None else wanted.longer_than_ms,
        transactional_id_pattern=wanted.pattern,
    )
    found = Found([], {})
    backoff, patience = Backoff(), deadline.at_most(_PATIENCE_S)
    left = set(cluster.brokers)
    while left:
        gathered = cluster.scatter(dict.fromkeys(sorted(left), request), deadline)
        if not (found.transactions or found.failures):
            gathered.some()
        found.failures.update({f"broker {node}": error for node, error in gathered.missing.items()})
        loading = {node for node, answer in gathered.answers.items() if answer.error_code in _COME_AGAIN}
        last = patience.expired
        for node, answer in gathered.answers.items():
            if node not in loading or last:
                _take_list(node, answer, found)
        left = set() if last else loading
        if left:
            backoff.pause(patience)
    found.transactions.sort()
    return found


def _check_filters(wanted: Wanted, version: int) -> None:
    for flag, given, since, release in (
        ("--duration-longer-than", wanted.longer_than_ms is not None, 1, "3.8"),
        ("--pattern", wanted.pattern is not None, 2, "4.1"),
    ):
        if given and version < since:
            raise OperationFailed(f"this cluster cannot filter by {flag}; Apache Kafka does since {release}")


def _take_list(node: int, answer: Any, found: Found) -> None:
    if answer.error_code:
        found.failures[f"broker {node}"] = refusal(f"broker {node}", answer.error_code)
        return
    for state in answer.transaction_states:
        found.transactions.append(Listed(state.transactional_id, node, state.producer_id, state.transaction_state))


# -- describing ------------------------------------------------------------------------------------------------------


def describe_transactions(cluster: Cluster, ids: Iterable[str], deadline: Deadline) -> Found:
    """What the coordinators know of these transactional ids. Raises NotOffered."""
    need(cluster, "DescribeTransactions", deadline)
    found = Found([], {})
    left = list(dict.fromkeys(ids))
    backoff, patience = Backoff(), deadline.at_most(_PATIENCE_S)
    while left:
        trouble: dict[str, LogctlError] = {}
        where = find_coordinators(cluster, left, trouble, found.failures, deadline)
        _ask_coordinators(cluster, where, trouble, found, deadline)
        if not trouble or patience.expired:
            found.failures.update(trouble)
            break
        left = list(trouble)
        backoff.pause(patience)
    found.transactions.sort()
    return found


def find_coordinators(
    cluster: Cluster,
    ids: Iterable[str],
    trouble: dict[str, LogctlError],
    failures: dict[str, LogctlError],
    deadline: Deadline,
) -> dict[str, Broker]:
    """The coordinator of each transactional id; what may be found later is put into `trouble`, what is final into
    `failures`."""
    from logctl.wire.messages.find_coordinator import FindCoordinatorRequest

    need(cluster, "FindCoordinator", deadline)
    keys = list(ids)
    if newest(cluster, "FindCoordinator", deadline) >= 4:
        request = FindCoordinatorRequest(key_type=_TRANSACTION, coordinator_keys=keys)
        told = {one.key: one for one in cluster.ask(request, deadline).coordinators}
    else:
        asked = {key: FindCoordinatorRequest(key=key, key_type=_TRANSACTION) for key in keys}
        told = {key: cluster.ask(request, deadline, lambda answer: ()) for key, request in asked.items()}
    where = {}
    for key, one in told.items():
        if one.error_code:
            error = refusal(f"coordinator of transactional id {key}", one.error_code, one.error_message)
            (trouble if one.error_code in _COME_AGAIN else failures)[key] = error
        else:
            where[key] = Broker(one.node_id, Address(one.host, one.port), None)
    return where


def _ask_coordinators(
    cluster: Cluster,
    where: Mapping[str, Broker],
    trouble: dict[str, LogctlError],
    found: Found,
    deadline: Deadline,
) -> None:
    from logctl.wire.messages.describe_transactions import DescribeTransactionsRequest

    by_broker: dict[Broker, list[str]] = {}
    for key, broker in where.items():
        by_broker.setdefault(broker, []).append(key)
    requests = {
        broker: (broker.address, DescribeTransactionsRequest(transactional_ids=keys))
        for broker, keys in by_broker.items()
    }
    gathered = cluster.client.scatter(requests, deadline)
    for broker, error in gathered.missing.items():
        found.failures.update(dict.fromkeys(by_broker[broker], error))
    for broker, answer in gathered.answers.items():
        for state in answer.transaction_states:
            _take_description(broker.node_id, state, trouble, found)


def _take_description(node: int, state: Any, trouble: dict[str, LogctlError], found: Found) -> None:
    key = state.transactional_id
    if state.error_code:
        error = refusal(f"transactional id {key}", state.error_code)
        (trouble if state.error_code in _COME_AGAIN else found.failures)[key] = error
        return
    places = tuple(sorted((topic.topic, number) for topic in state.topics for number in topic.partitions))
    found.transactions.append(
        Described(
            key,
            node,
            state.producer_id,
            state.producer_epoch,
            state.transaction_state,
            state.transaction_timeout_ms,
            state.transaction_start_time_ms,
            places,
        )
    )
