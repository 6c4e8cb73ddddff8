"""logctl record verify: is what lies in topics sound, and was what was sent stored once?

What the command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from logctl.cli import output
from logctl.cli.command import reading
from logctl.cli.exits import Exit
from logctl.cli.output import Column, Listing, View
from logctl.cli.record_options import Partitions, Start, Stop, topics_of
from logctl.cli.units import count_text, rate_count_text, size_text
from logctl.errors import LogctlError

if TYPE_CHECKING:
    from logctl.admin.batch_reader import BatchReader
    from logctl.admin.consumer import ConsumeOptions
    from logctl.admin.positions import Place
    from logctl.admin.record_sent import SentResult
    from logctl.admin.record_verify import PartitionCheck
    from logctl.cli.session import Session


class FoundFinding(TypedDict):
    offset: int
    problem: Annotated[str, "one word: checksum, gap, duplicate, ..."]
    wrong: Annotated[bool, "false: worth knowing, but no fault"]
    message: str


class VerifiedPartition(TypedDict):
    name: Annotated[str, "topic-partition"]
    topic: str
    partition: int
    start: Annotated[int, "the first offset that was read"]
    end: Annotated[int, "the offset behind the last that was read"]
    batches: int
    records: Annotated[int, "without those of control batches"]
    size_bytes: int
    compression: Annotated[dict[str, int], "batches by codec"]
    producers: Annotated[int, "idempotent and transactional producers met"]
    committed: Annotated[int, "transactions whose commit marker was read"]
    aborted: Annotated[int, "transactions whose abort marker was read"]
    open: Annotated[int, "transactions without a marker at the end of what was read"]
    missing: Annotated[int, "offsets without a record: compacted away, or lost when a finding says so"]
    out_of_order: Annotated[int, "records that are older than one before them; no fault"]
    wrong: Annotated[int, "how many findings are faults"]
    findings: Annotated[list[FoundFinding], "the first 100"]


class Sent(TypedDict):
    sent: Annotated[int, "values in the file"]
    stored: Annotated[int, "of them found as often as they were sent"]
    lost: int
    duplicated: int
    reordered: Annotated[int, "records behind a later value of the file in their partition"]
    strangers: Annotated[int, "records whose value is not in the file"]
    lost_lines: Annotated[list[int], "the first ten"]
    duplicated_lines: Annotated[list[int], "the first ten"]


class Whole(TypedDict):
    cluster_id: str | None
    sent: Annotated[Sent | None, "what became of the values of --sent FILE"]


VERIFIED = Listing(
    "partitions",
    VerifiedPartition,
    (
        Column("TOPIC", lambda one: one["topic"]),
        Column("PARTITION", lambda one: one["partition"], number=True),
        Column("START", lambda one: one["start"], number=True),
        Column("END", lambda one: one["end"], number=True),
        Column("BATCHES", lambda one: one["batches"], number=True),
        Column("RECORDS", lambda one: one["records"], number=True),
        Column("SIZE", lambda one: size_text(one["size_bytes"]), number=True, key=lambda one: one["size_bytes"]),
        Column("PRODUCERS", lambda one: one["producers"], number=True, wide=True),
        Column("COMMITTED", lambda one: one["committed"], number=True, wide=True),
        Column("ABORTED", lambda one: one["aborted"], number=True, wide=True),
        Column("OPEN", lambda one: one["open"], number=True, wide=True),
        Column("MISSING", lambda one: one["missing"], number=True),
        Column("OUT-OF-ORDER", lambda one: one["out_of_order"], number=True, wide=True),
        Column("WRONG", lambda one: one["wrong"], number=True),
    ),
    also=Whole,
)


@reading(VERIFIED)
def verify_command(
    session: Session,
    topics: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="What to read.")] = None,
    named: Annotated[str | None, typer.Option("--topic", hidden=True)] = None,
    partitions: Partitions = None,
    start: Start = "beginning",
    stop: Stop = None,
    sent: Annotated[
        str | None, typer.Option("--sent", metavar="FILE", help="Look for the value on each of its lines as well.")
    ] = None,
) -> View:
    """Read topics and check what can be checked: checksums, offsets, sequences, transactions, compression.

    What the leaders hand out is read; other replicas are not looked at. Findings go to stderr with their offsets, and
    into -o json; the exit code is 1 when something is wrong. With --sent, values that were lost, doubled or put out of
    order are counted. Replaces the checks of kafka-verifiable-consumer.

    \b
    Example:
      logctl record verify orders --from -100000
    """
    from logctl.admin.batch_reader import BatchReader
    from logctl.admin.consumer import ConsumeOptions
    from logctl.admin.positions import END, parse_position

    chosen = tuple(dict.fromkeys(partitions)) if partitions else None
    until = END if stop is None else parse_position(stop)
    options = ConsumeOptions(parse_position(start), until, chosen, timeout_s=session.timeout_s)
    lines = None if sent is None else _check_file(sent)
    reader = BatchReader(session.cluster, topics_of(topics, named), options)
    reader.open(session.deadline)
    starts = reader.starts()
    checks = _verify(session, reader)
    result = None if lines is None else _compare(session, topics_of(topics, named), options, lines)
    _tell(checks, result)
    items = [_item(place, check, starts[place][0]) for place, check in checks.items()]
    wrong = any(item["wrong"] for item in items) or (result is not None and result.wrong)
    told = None if result is None else result._asdict()
    view = VERIFIED.view(items, cluster_id=session.cluster.cluster_id, sent=told)
    return view._replace(code=Exit.REFUSED if wrong else Exit.DONE)


def _verify(session: Session, reader: BatchReader) -> dict[Place, PartitionCheck]:
    """Read everything, and keep an account of each partition."""
    from logctl.admin.batch_reader import Batches, GivenUp, Moved
    from logctl.admin.record_verify import PartitionCheck

    places = reader.starts()
    compacted = _compacted(session, sorted({topic for topic, _ in places}))
    checks = {
        place: PartitionCheck(start, compacted=compacted[place[0]], stop=stop)
        for place, (start, stop) in places.items()
    }
    progress, expected, read = output.Progress(), reader.ahead, 0
    for event in reader.batches():
        if isinstance(event, Batches):
            for batch in event.batches:
                checks[event.place].feed(batch)
        elif isinstance(event, Moved):
            checks[event.place].moved(event.offset, event.sentence)
        elif isinstance(event, GivenUp):
            checks[event.place].given_up(event.offset, event.error.message)
        if progress.due():
            read = sum(check.records for check in checks.values())
            rate = rate_count_text(read / progress.elapsed_s, "records")
            progress.tell(f"{count_text(read)} of about {count_text(expected)} records read, {rate}")
    progress.clear()
    return checks


def _compacted(session: Session, topics: list[str]) -> dict[str, bool]:
    """May compaction have taken records from a topic? Where that is kept from us, gaps are taken for compaction's."""
    from logctl.admin.configs import Entity, describe_settings

    found: dict[str, bool] = {}
    for topic in topics:
        try:
            settings = describe_settings(session.cluster, Entity("topic", topic), session.deadline, ["cleanup.policy"])
            found[topic] = any("compact" in (one.value or "") for one in settings)
        except LogctlError as error:
            found[topic] = True
            output.warn(f"{error.message}; gaps in {topic} are taken for compaction's")
    return found


# -- what was sent ---------------------------------------------------------------------------------------------------


def _check_file(name: str) -> str:
    from logctl.cli.intake import check

    check([name])
    return name


def _compare(session: Session, topics: list[str], options: ConsumeOptions, name: str) -> SentResult:
    """The values of a file beside the committed records of the topics."""
    from logctl.admin.consumer import Consumer, Delivered
    from logctl.admin.record_sent import SentCheck

    comparison = SentCheck()
    for number, line in enumerate(_lines(name), 1):
        comparison.sent(line, number)
    consumer = Consumer(session.cluster, topics, options._replace(committed=True))
    consumer.open(session.renewed().deadline)
    for event in consumer.read():
        if isinstance(event, Delivered):
            for record in event.records:
                comparison.stored((event.topic, event.partition), record.value)
    return comparison.result()


def _lines(name: str) -> Iterator[bytes]:
    from logctl.cli import intake

    with intake.Interrupts() as interrupts, intake.opened(name) as descriptor:
        for lines in intake.lines(descriptor, interrupts):
            yield from lines or ()
        if interrupts.pending:
            raise KeyboardInterrupt


# -- what is told ----------------------------------------------------------------------------------------------------


def _tell(checks: Mapping[Place, PartitionCheck], result: SentResult | None) -> None:
    for (topic, number), check in checks.items():
        for finding in check.findings:
            said = f"{topic}-{number}, offset {finding.offset}: {finding.problem}: {finding.sentence}"
            output.note(said if finding.wrong else f"note: {said}")
        more = sum(check.problems.values()) - len(check.findings)
        if more:
            output.note(f"{topic}-{number}: and {count_text(more)} more")
    if result is None:
        return
    counts: tuple[tuple[int, str, list[int]], ...] = (
        (result.lost, "lost", result.lost_lines),
        (result.duplicated, "duplicated", result.duplicated_lines),
        (result.reordered, "out of order", []),
        (result.strangers, "not in the file", []),
    )
    told = [f"{count_text(result.stored)} of {count_text(result.sent)} values stored as sent"]
    for count, what, lines in counts:
        where = f" (lines {', '.join(map(str, lines))}{', ...' if count > len(lines) else ''})" if lines else ""
        told += [f"{count_text(count)} {what}{where}"] if count else []
    output.note("; ".join(told))


def _item(place: Place, check: PartitionCheck, start: int) -> VerifiedPartition:
    return {
        "name": f"{place[0]}-{place[1]}",
        "topic": place[0],
        "partition": place[1],
        "start": start,
        "end": check.end,
        "batches": check.batches,
        "records": check.records,
        "size_bytes": check.size_bytes,
        "compression": dict(sorted(check.codecs.items())),
        "producers": check.producers,
        "committed": check.committed,
        "aborted": check.aborted,
        "open": check.open_transactions,
        "missing": check.missing,
        "out_of_order": check.out_of_order,
        "wrong": check.wrong,
        "findings": [
            {"offset": one.offset, "problem": one.problem, "wrong": one.wrong, "message": one.sentence}
            for one in check.findings
        ],
    }
