"""The work of `record consume`: records to stdout."""

from __future__ import annotations

import sys

from logctl.admin.consumer import Consumer, Notice
from logctl.admin.record_text import Writer
from logctl.cli import output


def print_records(consumer: Consumer, writer: Writer, *, at_once: bool) -> None:
    """Write records as they come: exact bytes to a file or pipe, control characters spelt out at a terminal."""
    terminal = sys.stdout.isatty()
    for event in consumer.read():
        if isinstance(event, Notice):
            output.warn(event.sentence)
            continue
        data = b"".join([writer(event.topic, event.partition, record) for record in event.records])
        if terminal:
            output.write(output.neutral_text(data.decode("utf-8", "backslashreplace")))
            output.flush()
        else:
            output.write_bytes(data, at_once=at_once)
