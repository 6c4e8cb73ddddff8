"""The work of `record produce`: input into the producer, progress, and the account of what became of the records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from logctl.admin.producer import ProduceOptions, Producer, Tally
from logctl.admin.record_text import LineFormat, Parsed
from logctl.cli import intake, output
from logctl.cli.exits import Exit
from logctl.cli.session import Session
from logctl.errors import LogctlError, OperationFailed, PartialFailure, UsageError


class Source(NamedTuple):
    """Where records come from and how a line is read."""

    files: tuple[str, ...]
    parse: Callable[[bytes, int], Parsed]
    partition: int | None
    whole: bool
    plain: LineFormat

    def records(
        self, interrupts: intake.Interrupts, meter: intake.Meter
    ) -> Iterator[list[tuple[Parsed, int]] | None]:
        """Records with the number of their line, in lists; None when nothing is waiting."""
        number = 0
        for name in self.files:
            with intake.opened(name) as descriptor:
                if self.whole:
                    number += 1
                    value = intake.whole(descriptor, interrupts)
                    meter.read_bytes += len(value)
                    if not interrupts.pending:
                        yield [(self.plain.whole(value), number)]
                    continue
                for lines in intake.lines(descriptor, interrupts):
                    if lines is None:
                        yield None
                        continue
                    yield from self._parsed(lines, number)
                    number += len(lines)
                    meter.read_bytes += sum(map(len, lines)) + len(lines)

    def _parsed(self, lines: list[bytes], number: int) -> Iterator[list[tuple[Parsed, int]]]:
        """What the lines say; those before one that says nothing are handed over before that is raised."""
        parse = self.parse
        parsed: list[tuple[Parsed, int]] = []
        try:
            for line in lines:
                number += 1
                parsed.append((parse(line, number), number))
        finally:
            yield parsed


def check_allowed(session: Session, topic: str) -> None:
    """Writing records is no change that is planned, but where nothing may be changed nothing is written either. Raises
    Declined."""
    from logctl.admin.operation import Plan, Step
    from logctl.cli.confirm import confirm

    what = f"write records to topic {topic}"
    session.cluster.refresh(session.deadline)
    plan = Plan(what, steps=(Step("record.produce", what, {}),), cluster_id=session.cluster.cluster_id)
    confirm(plan, session, yes=True)


def produce(session: Session, topic: str, options: ProduceOptions, source: Source) -> int:
    check_allowed(session, topic)
    producer = Producer(session.cluster, topic, options, lambda: int(time.time() * 1000))
    producer.open(session.deadline, source.partition)
    progress = output.Progress()
    error: LogctlError | None = None
    with intake.Interrupts() as interrupts:
        try:
            try:
                _feed(producer, source, interrupts, progress)
            except UsageError as complaint:
                error = complaint
            if interrupts.pending:
                progress.clear()
                output.note("interrupted: waiting for what was read to be acknowledged; Ctrl-C again to stop")
            producer.flush()
        except LogctlError as failure:
            error = failure
        except KeyboardInterrupt:
            pass
    progress.clear()
    producer.abandon()
    output.note(_summary(topic, producer.tally, options.acks))
    if isinstance(error, UsageError) and producer.tally.acknowledged:
        raise PartialFailure("the input was read up to a line that is wrong", [error.message], error.hint)
    if error is not None:
        raise error
    _raise_failures(producer.tally)
    return Exit.INTERRUPTED if interrupts.pending else Exit.DONE


def _feed(producer: Producer, source: Source, interrupts: intake.Interrupts, progress: output.Progress) -> None:
    meter = intake.Meter(source.files)
    for records in source.records(interrupts, meter):
        if records is None:
            producer.flush()
            continue
        for (record, named), line in records:
            producer.add(record, line, source.partition if source.partition is not None else named)
        if progress.due():
            tally = producer.tally
            rate = tally.acknowledged / progress.elapsed_s
            read = "" if meter.share is None else f", {meter.share:.0%} of the input read"
            progress.tell(f"{tally.acknowledged:,} records acknowledged, {rate:,.0f} records/s{read}")


def _summary(topic: str, tally: Tally, acks: int) -> str:
    verb = "sent, unacknowledged," if acks == 0 else "acknowledged"
    said = [f"{tally.acknowledged:,} {'record' if tally.acknowledged == 1 else 'records'} {verb} in {topic}"]
    if tally.offsets and len(tally.offsets) <= 4:
        places = (f"partition {number}: {first} to {last}" for number, (first, last) in sorted(tally.offsets.items()))
        said.append(f"({'; '.join(places)})")
    for count, what in ((tally.failed, "refused"), (tally.unknown, "of unknown outcome"), (tally.unsent, "not sent")):
        if count:
            said.append(f"- {count:,} {what}")
    return " ".join(said)


def _raise_failures(tally: Tally) -> None:
    if not tally.failed:
        return
    more = [] if tally.failed <= len(tally.failures) else ["..."]
    if tally.acknowledged:
        raise PartialFailure(f"{tally.failed:,} of {tally.taken:,} records were refused", tally.failures + more)
    raise OperationFailed("; ".join(tally.failures[:3] + more))
