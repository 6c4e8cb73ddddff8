"""logctl record perf: how fast a cluster takes and gives records.

What the command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypedDict

import typer

from logctl.cli import output
from logctl.cli.command import reading
from logctl.cli.durations import parse_duration_s
from logctl.cli.exits import Exit
from logctl.cli.options import Yes
from logctl.cli.output import Column, Listing, View
from logctl.cli.record_options import Acks, AcksChoice, Compression, CompressionChoice, Idempotent
from logctl.cli.units import count_text, duration_text, rate_count_text, rate_text
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.producer import ProduceOptions, Producer
    from logctl.admin.record_perf import Load, Measured
    from logctl.cli.intake import Interrupts
    from logctl.cli.session import Session

DEFAULT_RECORDS = 100_000


class Mode(str, Enum):  # noqa: UP042 - Typer shows the values of a str enum as the choices
    BOTH = "both"
    PRODUCE = "produce"
    CONSUME = "consume"


class MeasuredPhase(TypedDict):
    name: Annotated[str, "produce or consume"]
    topic: str
    records: Annotated[int, "acknowledged, or read"]
    size_bytes: Annotated[int, "of their keys and values"]
    elapsed_ms: float
    records_per_s: float
    bytes_per_s: float
    latency_mean_ms: Annotated[float | None, "from handing a record over to its acknowledgement; null when reading"]
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    latency_max_ms: float | None
    first_record_ms: Annotated[float | None, "until the first record was read; null when writing"]


class OfRun(TypedDict):
    cluster_id: str | None
    interrupted: bool


PERF = Listing(
    "phases",
    MeasuredPhase,
    (
        Column("PHASE", lambda one: one["name"]),
        Column("RECORDS", lambda one: count_text(one["records"]), number=True, key=lambda one: one["records"]),
        Column("ELAPSED", lambda one: duration_text(one["elapsed_ms"]), number=True),
        Column("RECORDS/S", lambda one: f"{one['records_per_s']:,.0f}", number=True),
        Column("RATE", lambda one: rate_text(one["bytes_per_s"]), number=True),
        Column("MEAN", lambda one: _ms(one["latency_mean_ms"]), number=True, wide=True),
        Column("P50", lambda one: _ms(one["latency_p50_ms"]), number=True),
        Column("P95", lambda one: _ms(one["latency_p95_ms"]), number=True),
        Column("P99", lambda one: _ms(one["latency_p99_ms"]), number=True),
        Column("MAX", lambda one: _ms(one["latency_max_ms"]), number=True),
        Column("FIRST", lambda one: _ms(one["first_record_ms"]), number=True, wide=True),
        Column("TOPIC", lambda one: one["topic"]),
    ),
    also=OfRun,
)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


@reading(PERF)
def perf_command(
    session: Session,
    mode: Annotated[Mode, typer.Argument(metavar="[both|produce|consume]", help="What to measure.")] = Mode.BOTH,
    topic: Annotated[
        str | None, typer.Option("--topic", help="An existing topic, instead of one made for this and deleted.")
    ] = None,
    records: Annotated[
        int | None, typer.Option("-n", "--num-records", "--messages", help="How many; 100,000 without --duration.")
    ] = None,
    duration: Annotated[str | None, typer.Option("--duration", help="For so long at most: 10s, 1m.")] = None,
    size: Annotated[int, typer.Option("--size", "--record-size", help="Bytes of each value.")] = 100,
    rate: Annotated[
        float | None, typer.Option("--rate", "--throughput", help="Records a second; as many as can be by default.")
    ] = None,
    acks: AcksChoice = Acks.ALL,
    compression: CompressionChoice = Compression.NONE,
    idempotent: Idempotent = True,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Bytes at which a batch is full.")] = 131_072,
    partitions: Annotated[int, typer.Option("--partitions", help="Of the topic that is made.")] = 1,
    replication_factor: Annotated[
        int | None, typer.Option("--replication-factor", help="Of the topic that is made.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Do not delete the topic that was made.")] = False,
    yes: Yes = False,
) -> View:
    """Measure how fast records are written and read back, and how soon they are acknowledged.

    A topic is made for it and deleted afterwards; one that exists is written to after a confirmation. One process
    sends: it says what a client can get, not what the cluster could take. Replaces kafka-producer-perf-test and
    kafka-consumer-perf-test.

    \b
    Example:
      logctl record perf -n 200000 --size 1000
    """
    from logctl.admin.producer import ProduceOptions
    from logctl.admin.record_perf import Load
    from logctl.cli.intake import Interrupts

    _check(mode, topic, (records, size, rate, batch_size, partitions))
    duration_s = None if duration is None else parse_duration_s(duration)
    count = DEFAULT_RECORDS if records is None and duration_s is None else records
    load = Load(count, size, None if rate is None or rate < 0 else rate, duration_s)
    options = ProduceOptions(acks.number, compression.value, session.timeout_s, idempotent, batch_size)
    phases: list[MeasuredPhase] = []
    shape = partitions, replication_factor
    place = _existing(session, topic, mode, load, yes) if topic else _made(session, *shape, keep)
    with Interrupts() as interrupts, place as name:
        run = _Run(session, name, load, interrupts)
        if mode is not Mode.CONSUME:
            phases.append(run.produce(options))
        if mode is not Mode.PRODUCE and not interrupts.pending:
            phases.append(run.consume(phases[0]["records"] if phases else count))
        interrupted = interrupts.pending
    view = PERF.view(phases, cluster_id=session.cluster.cluster_id, interrupted=interrupted)
    return view._replace(code=Exit.INTERRUPTED if interrupted else Exit.DONE)


def _check(mode: Mode, topic: str | None, numbers: tuple[float | None, ...]) -> None:
    if mode is Mode.CONSUME and topic is None:
        raise UsageError("there is nothing to read", "name a topic with --topic, or measure both")
    flags = ("-n", "--size", "--rate", "--batch-size", "--partitions")
    for flag, number in zip(flags, numbers, strict=True):
        if number is not None and number <= 0 and not (flag == "--rate" and number == -1):
            raise UsageError(f"{flag} {number:g}: a number above 0 was expected")


# -- where to ----------------------------------------------------------------------------------------------------------


@contextmanager
def _existing(session: Session, topic: str, mode: Mode, load: Load, yes: bool) -> Iterator[str]:
    """A topic that there is, once it was confirmed that it may be written to."""
    if mode is not Mode.CONSUME:
        _confirm(session, topic, load, yes)
    yield topic


@contextmanager
def _made(session: Session, partitions: int, replication_factor: int | None, keep: bool) -> Iterator[str]:
    """A topic that is made here and deleted at the end."""
    from logctl.admin.topic_changes import CreateTopic, DeleteTopics
    from logctl.cli.run import ChangeFlags, change

    name = f"logctl-perf-{os.urandom(4).hex()}"
    flags = ChangeFlags(yes=True, confirmed=name)
    change(session, CreateTopic(name, partitions, replication_factor), flags)
    try:
        yield name
    finally:
        if keep:
            output.note(f"kept topic {name}: delete it with `logctl topic delete {name}`")
        else:
            change(session.renewed(), DeleteTopics((name,)), flags)


def _confirm(session: Session, topic: str, load: Load, yes: bool) -> None:
    from logctl.admin.operation import Plan, Risk, Step
    from logctl.cli.confirm import confirm

    count = "records" if load.records is None else f"{count_text(load.records)} records"
    what = f"write {count} of {count_text(load.size_bytes)} bytes into topic {topic}"
    session.cluster.refresh(session.deadline)
    step = Step("record.perf", f"{what}, for whoever reads it to see", {}, Risk.DISRUPTIVE)
    plan = Plan(what, steps=(step,), cluster_id=session.cluster.cluster_id)
    confirm(plan, session, yes=yes)


# -- measuring ---------------------------------------------------------------------------------------------------------


class _Run(NamedTuple):
    """One run on one topic."""

    session: Session
    topic: str
    load: Load
    interrupts: Interrupts

    def produce(self, options: ProduceOptions) -> MeasuredPhase:
        from logctl.admin.producer import Producer
        from logctl.admin.record_perf import produce_load

        def make(done: Callable[[list[int]], None]) -> Producer:
            producer = Producer(self.session.cluster, self.topic, options, lambda: int(time.time() * 1000), done)
            producer.open(self.session.renewed().deadline)
            return producer

        progress = output.Progress()
        tell = _teller(progress, "written")
        measured = produce_load(make, self.load, time.monotonic, lambda: self.interrupts.pending, tell)
        progress.clear()
        return _phase("produce", self.topic, measured)

    def consume(self, count: int | None) -> MeasuredPhase:
        from logctl.admin.consumer import ConsumeOptions, Consumer
        from logctl.admin.record_perf import consume_load

        consumer = Consumer(
            self.session.cluster, [self.topic], ConsumeOptions(at_most=count, timeout_s=self.session.timeout_s)
        )
        consumer.open(self.session.renewed().deadline)
        progress = output.Progress()
        tell = _teller(progress, "read")
        limit_s = self.load.duration_s
        measured = consume_load(consumer, limit_s, time.monotonic, lambda: self.interrupts.pending, tell)
        progress.clear()
        return _phase("consume", self.topic, measured)


def _teller(progress: output.Progress, verb: str) -> Callable[[Measured], None]:
    def tell(measured: Measured) -> None:
        if progress.due():
            per_second = rate_count_text(measured.records / measured.elapsed_s, "records")
            said = f"{count_text(measured.records)} records {verb}, {per_second}"
            progress.tell(f"{said}, {rate_text(measured.size_bytes / measured.elapsed_s)}")

    return tell


def _phase(name: str, topic: str, measured: Measured) -> MeasuredPhase:
    latency: Any = measured.latency
    shares = {share: None if latency is None else latency.percentile(share) for share in (0.5, 0.95, 0.99)}
    return {
        "name": name,
        "topic": topic,
        "records": measured.records,
        "size_bytes": measured.size_bytes,
        "elapsed_ms": measured.elapsed_s * 1000,
        "records_per_s": measured.records / measured.elapsed_s,
        "bytes_per_s": measured.size_bytes / measured.elapsed_s,
        "latency_mean_ms": None if latency is None else latency.mean_ms,
        "latency_p50_ms": shares[0.5],
        "latency_p95_ms": shares[0.95],
        "latency_p99_ms": shares[0.99],
        "latency_max_ms": None if latency is None or not latency.count else latency.max_ms,
        "first_record_ms": measured.first_ms,
    }
