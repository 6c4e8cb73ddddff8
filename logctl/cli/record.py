"""logctl record: produce, consume, offsets, verify, perf. Each command has a file of its own."""

from __future__ import annotations

import typer

from logctl.cli.record_consume import consume_command
from logctl.cli.record_offsets import offsets_command
from logctl.cli.record_perf import perf_command
from logctl.cli.record_produce import produce_command
from logctl.cli.record_verify import verify_command


def register(app: typer.Typer) -> None:
    """Add `logctl record`."""
    record = typer.Typer(no_args_is_help=True, help="Write records to topics, read them, and check what is there.")
    record.command("produce")(produce_command)
    record.command("consume")(consume_command)
    record.command("offsets")(offsets_command)
    record.command("verify")(verify_command)
    record.command("perf")(perf_command)
    app.add_typer(record, name="record")
