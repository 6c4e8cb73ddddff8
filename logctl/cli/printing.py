"""The work of `record consume`: records to stdout, or how many there are, and how far a long search has come."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from logctl.admin.consumer import ConsumeOptions, Consumer, Delivered, Notice
from logctl.admin.record_text import Writer
from logctl.cli import output
from logctl.cli.exits import Exit
from logctl.cli.session import Session
from logctl.cli.units import count_text, rate_count_text


class Printed(NamedTuple):
    """How records are written: `head` goes before the first one. `counted_as_json`: a count is a JSON object."""

    write: Writer
    head: bytes = b""
    counted_as_json: bool = False


class Search:
    """How many were read and kept so far; tells of it at a terminal while most of what is read is not shown."""

    def __init__(self, consumer: Consumer, shown: bool) -> None:
        self._consumer = consumer
        self._all = consumer.ahead
        self._shown = shown
        self._progress = output.Progress()
        self.matched = 0

    def saw(self, event: Delivered) -> None:
        self.matched += len(event.records)
        if self._shown and self._progress.due():
            self._progress.tell(self._sentence())

    def clear(self) -> None:
        self._progress.clear()

    def _sentence(self) -> str:
        scanned = self._consumer.scanned
        of_all = f" of about {count_text(self._all)}" if self._all else ""
        rate = rate_count_text(scanned / self._progress.elapsed_s, "records")
        return f"{count_text(scanned)}{of_all} records read, {count_text(self.matched)} match, {rate}"


def consume(
    session: Session, topics: Sequence[str], options: ConsumeOptions, printed: Printed, *, only_count: bool
) -> int | None:
    """Write the records of topics as they come; answers the exit code."""
    consumer = Consumer(session.cluster, topics, options)
    consumer.open(session.deadline)
    search = Search(consumer, shown=only_count or options.keep is not None)
    if not only_count:
        print_records(consumer, printed, search, at_once=options.stop is None)
        return None
    code = Exit.DONE
    try:
        for event in consumer.read():
            _note(event, search) if isinstance(event, Notice) else search.saw(event)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    search.clear()
    if printed.counted_as_json:
        output.write(output.as_json({"count": search.matched, "scanned": consumer.scanned}))
    else:
        output.write(f"{search.matched}\n")
    return code


def print_records(consumer: Consumer, printed: Printed, search: Search, *, at_once: bool) -> None:
    """Write records as they come: exact bytes to a file or pipe, control characters spelt out at a terminal."""
    terminal = sys.stdout.isatty()
    _write(printed.head, terminal, at_once)
    try:
        for event in consumer.read():
            if isinstance(event, Notice):
                _note(event, search)
                continue
            data = b"".join([printed.write(event.topic, event.partition, record) for record in event.records])
            if data:
                search.clear()
                _write(data, terminal, at_once)
            search.saw(event)
    finally:
        search.clear()


def _note(event: Notice, search: Search) -> None:
    search.clear()
    output.warn(event.sentence)


def _write(data: bytes, terminal: bool, at_once: bool) -> None:
    if not data:
        return
    if terminal:
        output.write(output.neutral_text(data.decode("utf-8", "backslashreplace")))
        output.flush()
    else:
        output.write_bytes(data, at_once=at_once)
