"""logctl txn: list, describe, producers, find-hanging, abort, terminate.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from logctl.cli.cells import or_dash
from logctl.cli.command import changing, reading, required
from logctl.cli.durations import parse_duration_s
from logctl.cli.output import Column, Listing, OfCluster, View
from logctl.cli.record_offsets import time_text
from logctl.cli.units import duration_text
from logctl.errors import LogctlError, UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.admin.positions import Place
    from logctl.admin.transaction_producers import ProducerState
    from logctl.admin.transaction_states import Described
    from logctl.cli.session import Session

Topics = Annotated[
    list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Names or shell patterns; all by default.")
]
TopicOption = Annotated[str | None, typer.Option("--topic", metavar="TOPIC", hidden=True)]
PartitionOption = Annotated[
    list[int] | None, typer.Option("-p", "--partition", help="Only this one. May be repeated.")
]
BrokerOption = Annotated[
    int | None,
    typer.Option("--broker-id", metavar="ID", help="Ask this replica of the partitions instead of their leaders."),
]
IdOption = Annotated[str | None, typer.Option("--transactional-id", metavar="ID", hidden=True)]


def register(app: typer.Typer) -> None:
    """Add `logctl txn`."""
    txn = typer.Typer(no_args_is_help=True, help="Show transactions and their producers, and end those that hang.")
    txn.command("list")(list_command)
    txn.command("ls", hidden=True)(list_command)
    txn.command("describe")(describe_command)
    txn.command("producers")(producers_command)
    txn.command("describe-producers", hidden=True)(producers_command)
    txn.command("find-hanging")(find_hanging_command)
    txn.command("abort")(abort_command)
    txn.command("terminate")(terminate_command)
    txn.command("force-terminate", hidden=True)(terminate_command)
    app.add_typer(txn, name="txn")


# -- what is listed --------------------------------------------------------------------------------------------------


class ListedTransaction(TypedDict):
    name: Annotated[str, "the transactional id"]
    coordinator: Annotated[int, "id of the broker that coordinates it"]
    producer_id: int
    state: Annotated[str, "as Kafka names it: Ongoing, CompleteCommit, ..."]


class DescribedTransaction(TypedDict):
    name: Annotated[str, "the transactional id"]
    coordinator: Annotated[int, "id of the broker that coordinates it"]
    producer_id: int
    producer_epoch: Annotated[int, "older ones are fenced"]
    state: Annotated[str, "as Kafka names it: Ongoing, CompleteCommit, ..."]
    timeout_ms: Annotated[int, "after which the coordinator aborts a transaction"]
    start_ms: Annotated[int | None, "when the open transaction began; null when none is open"]
    open_ms: Annotated[int | None, "for how long it has been open; null when none is open"]
    partitions: Annotated[list[str], "topic-partition of those that have no marker yet"]


class ActiveProducer(TypedDict):
    name: Annotated[str, "topic-partition:producer id"]
    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    last_sequence: Annotated[int | None, "sequence number of its last record; null when unknown"]
    last_timestamp_ms: Annotated[int | None, "of its last batch; null when unknown"]
    coordinator_epoch: Annotated[int | None, "of its last transaction marker; null when there is none"]
    start_offset: Annotated[int | None, "where its open transaction begins; null when none is open"]


class HangingTransaction(ActiveProducer):
    open_ms: Annotated[int | None, "time since its last batch; null when unknown"]
    transactional_id: Annotated[str | None, "null: no coordinator knows the producer"]


LISTED = Listing(
    "transactions",
    ListedTransaction,
    (
        Column("TRANSACTIONAL-ID", lambda one: one["name"]),
        Column("COORDINATOR", lambda one: one["coordinator"], number=True),
        Column("PRODUCER-ID", lambda one: one["producer_id"], number=True),
        Column("STATE", lambda one: one["state"]),
    ),
    also=OfCluster,
)

DESCRIBED = Listing(
    "transactions",
    DescribedTransaction,
    (
        Column("TRANSACTIONAL-ID", lambda one: one["name"]),
        Column("COORDINATOR", lambda one: one["coordinator"], number=True),
        Column("PRODUCER-ID", lambda one: one["producer_id"], number=True),
        Column("EPOCH", lambda one: one["producer_epoch"], number=True),
        Column("STATE", lambda one: one["state"]),
        Column("TIMEOUT", lambda one: duration_text(one["timeout_ms"]), True, key=lambda one: one["timeout_ms"]),
        Column("STARTED", lambda one: time_text(one["start_ms"]), wide=True),
        Column("OPEN-FOR", lambda one: duration_text(one["open_ms"]), True, key=lambda one: one["open_ms"]),
        Column("PARTITIONS", lambda one: ",".join(one["partitions"]) or "-"),
    ),
    also=OfCluster,
)

_PRODUCER_COLUMNS = (
    Column("TOPIC", lambda one: one["topic"]),
    Column("PARTITION", lambda one: one["partition"], number=True),
    Column("PRODUCER-ID", lambda one: one["producer_id"], number=True),
    Column("EPOCH", lambda one: one["producer_epoch"], number=True),
    Column("COORDINATOR-EPOCH", lambda one: or_dash(one["coordinator_epoch"]), number=True, wide=True),
    Column("LAST-SEQUENCE", lambda one: or_dash(one["last_sequence"]), number=True),
    Column("LAST-TIMESTAMP", lambda one: time_text(one["last_timestamp_ms"])),
    Column("START-OFFSET", lambda one: or_dash(one["start_offset"]), number=True),
)
PRODUCERS = Listing("producers", ActiveProducer, _PRODUCER_COLUMNS, also=OfCluster)
HANGING = Listing(
    "transactions",
    HangingTransaction,
    (
        *_PRODUCER_COLUMNS,
        Column("OPEN-FOR", lambda one: duration_text(one["open_ms"]), True, key=lambda one: one["open_ms"]),
        Column("TRANSACTIONAL-ID", lambda one: or_dash(one["transactional_id"])),
    ),
    also=OfCluster,
)


# -- reads -----------------------------------------------------------------------------------------------------------


@reading(LISTED, watch=True)
def list_command(
    session: Session,
    states: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Ongoing, ... May be repeated.")
    ] = None,
    producer_ids: Annotated[
        list[int] | None, typer.Option("--producer-id", metavar="ID", help="Of this producer. May be repeated.")
    ] = None,
    longer_than: Annotated[
        str | None,
        typer.Option("--duration-longer-than", metavar="DURATION", help="Open for longer than 30s, 15m, 2h."),
    ] = None,
    duration_filter: Annotated[int | None, typer.Option("--duration-filter", metavar="MS", hidden=True)] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", "--transactional-id-pattern", metavar="REGEX", help="Of the id.")
    ] = None,
) -> View:
    """List transactional ids with the broker that coordinates each and what state its transaction is in.

    Replaces kafka-transactions list.

    \b
    Example:
      logctl txn list --state Ongoing --duration-longer-than 15m
    """
    from logctl.admin.transaction_states import Wanted, list_transactions

    longer_ms = duration_filter if longer_than is None else _milliseconds(longer_than)
    wanted = Wanted(tuple(states or ()), tuple(producer_ids or ()), longer_ms, pattern).check()
    found = list_transactions(session.cluster, wanted, session.deadline)
    items: list[ListedTransaction] = [
        {
            "name": one.transactional_id,
            "coordinator": one.coordinator,
            "producer_id": one.producer_id,
            "state": one.state,
        }
        for one in found.transactions
    ]
    return LISTED.view(items, found.failures, cluster_id=session.cluster.cluster_id)


@reading(DESCRIBED, watch=True)
def describe_command(
    session: Session,
    ids: Annotated[list[str] | None, typer.Argument(metavar="TXN...", help="Transactional ids.")] = None,
    named: IdOption = None,
) -> View:
    """Show transactions with coordinator, producer, timeout, and the partitions that are part of what is open.

    Replaces kafka-transactions describe.

    \b
    Example:
      logctl txn describe payments-1
    """
    from logctl.admin.transaction_states import describe_transactions

    wanted = [*(ids or ()), *([named] if named else ())]
    if not wanted:
        raise UsageError("no transactional id was named", "see `logctl txn list`")
    found = describe_transactions(session.cluster, wanted, session.deadline)
    if not found.transactions and len(found.failures) == 1:
        raise next(iter(found.failures.values()))
    session.cluster.refresh(session.deadline)
    now_ms = int(time.time() * 1000)
    items = [_described(one, now_ms) for one in found.transactions]
    return DESCRIBED.view(items, found.failures, cluster_id=session.cluster.cluster_id)


@reading(PRODUCERS, watch=True)
def producers_command(
    session: Session,
    topics: Topics = None,
    named: TopicOption = None,
    partitions: PartitionOption = None,
    broker: BrokerOption = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those with an open transaction.")] = False,
) -> View:
    """Show who writes to partitions: the producers their leaders remember, and where open transactions begin.

    Only idempotent and transactional producers are remembered. Replaces kafka-transactions describe-producers.

    \b
    Example:
      logctl txn producers orders
    """
    from logctl.admin.transaction_producers import producers_of

    places, failures = _places(session, topics, named, partitions, broker)
    found = producers_of(session.cluster, places, session.deadline, broker)
    failures.update({f"{topic}-{number}": error for (topic, number), error in found.failures.items()})
    items = [_producer(one) for one in found.states if one.is_open or not only_open]
    return PRODUCERS.view(items, failures, cluster_id=session.cluster.cluster_id)


@reading(HANGING)
def find_hanging_command(
    session: Session,
    topics: Topics = None,
    named: TopicOption = None,
    partitions: PartitionOption = None,
    broker: BrokerOption = None,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="DURATION", help="The cluster's transaction.max.timeout.ms, or longer."),
    ] = "15m",
    max_timeout: Annotated[
        int | None, typer.Option("--max-transaction-timeout", metavar="MINUTES", hidden=True)
    ] = None,
) -> View:
    """Find transactions that hold a partition open and that no coordinator will ever end.

    Consumers of committed records do not get past such a transaction: `logctl txn abort` ends it. What a running
    coordinator still knows is not called hanging, however old. Replaces kafka-transactions find-hanging.

    \b
    Example:
      logctl txn find-hanging orders
    """
    from logctl.admin.transaction_producers import find_hanging

    older_ms = _milliseconds(older_than) if max_timeout is None else max_timeout * 60_000
    places, failures = _places(session, topics, named, partitions, broker)
    now_ms = int(time.time() * 1000)
    found = find_hanging(session.cluster, places, now_ms, older_ms, session.deadline, broker)
    items: list[HangingTransaction] = [
        {**_producer(one.state), "open_ms": _since(one.state, now_ms), "transactional_id": one.transactional_id}
        for one in found.hanging
    ]
    return HANGING.view(items, {**failures, **found.failures}, cluster_id=session.cluster.cluster_id)


# -- changes ---------------------------------------------------------------------------------------------------------


@changing
def abort_command(
    session: Session,
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", help="Where the transaction hangs.")] = None,
    named: TopicOption = None,
    partition: Annotated[int | None, typer.Option("-p", "--partition", help="In which partition.")] = None,
    start_offset: Annotated[
        int | None, typer.Option("--start-offset", help="Where it begins, as find-hanging shows it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Even though its coordinator still knows it.")] = False,
) -> Operation:
    """Abort a transaction that hangs in a partition: its records are dropped, and readers get past it.

    Replaces kafka-transactions abort.

    \b
    Example:
      logctl txn abort orders --partition 0 --start-offset 42
    """
    from logctl.admin.transactions import AbortHanging

    return AbortHanging(
        required(topic or named, "no topic was named"),
        required(partition, "no partition was named: add --partition"),
        required(start_offset, "the place where the transaction begins was not named: add --start-offset"),
        force,
    )


@changing
def terminate_command(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="TXN", help="The transactional id.")] = None,
    named: IdOption = None,
) -> Operation:
    """End the open transaction of a transactional id: its producer is fenced, what it wrote is aborted.

    Replaces kafka-transactions force-terminate.

    \b
    Example:
      logctl txn terminate payments-1
    """
    from logctl.admin.transactions import Terminate

    return Terminate(required(name or named, "no transactional id was named"))


# -- items -----------------------------------------------------------------------------------------------------------


def _milliseconds(duration: str) -> int:
    return round(parse_duration_s(duration) * 1000)


def _places(
    session: Session,
    topics: list[str] | None,
    named: str | None,
    partitions: Sequence[int] | None,
    broker: int | None,
) -> tuple[list[Place], dict[str, LogctlError]]:
    """The partitions meant, and the topics that cannot be looked at. With a broker: those it has a replica of."""
    from logctl.admin.topics import Selection, list_topics

    names = (*(topics or ()), *((named,) if named else ()))
    found = list_topics(session.cluster, Selection(names), session.deadline)
    places = [
        (topic.name, one.number)
        for topic in found.topics
        for one in topic.partitions
        if (not partitions or one.number in partitions) and (broker is None or broker in one.replicas)
    ]
    if partitions and not places:
        raise UsageError(f"none of these topics has partition {', '.join(map(str, partitions))}")
    return places, dict(found.failures)


def _described(one: Described, now_ms: int) -> DescribedTransaction:
    start_ms = one.start_ms if one.start_ms > 0 and one.is_open else None
    return {
        "name": one.transactional_id,
        "coordinator": one.coordinator,
        "producer_id": one.producer_id,
        "producer_epoch": one.producer_epoch,
        "state": one.state,
        "timeout_ms": one.timeout_ms,
        "start_ms": start_ms,
        "open_ms": None if start_ms is None else max(0, now_ms - start_ms),
        "partitions": [f"{topic}-{number}" for topic, number in one.places],
    }


def _known(number: int) -> int | None:
    return number if number >= 0 else None


def _producer(one: ProducerState) -> ActiveProducer:
    topic, number = one.place
    return {
        "name": f"{topic}-{number}:{one.producer_id}",
        "topic": topic,
        "partition": number,
        "producer_id": one.producer_id,
        "producer_epoch": one.producer_epoch,
        "last_sequence": _known(one.last_sequence),
        "last_timestamp_ms": _known(one.last_timestamp_ms),
        "coordinator_epoch": _known(one.coordinator_epoch),
        "start_offset": _known(one.start_offset),
    }


def _since(one: ProducerState, now_ms: int) -> int | None:
    return max(0, now_ms - one.last_timestamp_ms) if one.last_timestamp_ms >= 0 else None
