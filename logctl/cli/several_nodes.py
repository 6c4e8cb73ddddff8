"""`logctl up --nodes N`: several nodes of the bundled engine on this machine, each a process of its own.

The nodes always run in the background, with their diaries in files. In the foreground this command stays with them: it
holds one end of a pipe, and a node whose other end comes to an end stops in order, so that nodes never outlive a
command that was killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from logctl import local
from logctl.cli.output import neutral, note
from logctl.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.engine.config_file import Entry
    from logctl.engine.lifecycle import Detached
    from logctl.seats import Seat, Table


def start(
    folder: Path,
    count: int | None,
    port: int,
    given: Sequence[Entry],
    log_format: str,
    wait_s: float,
    *,
    detach: bool,
) -> None:
    """Start what does not run yet of the folder's nodes, and stay with them unless told to detach."""
    table = _table(folder, count, port)
    left = [seat for seat in table.seats if not local.describe(local.log_dir_of(folder, seat.node_id)).is_running]
    for seat in table.seats:
        if seat not in left:
            note(f"node {seat.node_id} runs already at 127.0.0.1:{seat.port}")
    if not left:
        return
    with _leash(detach) as leash:
        _bring_up(folder, table, left, given, log_format, wait_s, leash)
        _say_next(table)
        if not detach:
            _stay(folder, left)


def _table(folder: Path, count: int | None, port: int) -> Table:
    from logctl.engine.several import check_count, lay
    from logctl.seats import remembered

    table = remembered(folder)
    if table is None:
        from logctl.engine.node import new_cluster_id

        check_count(count or 1)
        _make(folder)
        return lay(folder, count or 1, port, new_cluster_id())
    if count is not None and count != len(table.seats):
        raise UsageError(
            f"the folder {folder} was made for {len(table.seats)} nodes, not {count}",
            "leave out --nodes, or use another --data folder",
        )
    return table


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationFailed(
            f"cannot create the data folder {folder}: {error.strerror}", "name another one with --data DIR"
        ) from error


@contextmanager
def _leash(detach: bool) -> Iterator[int | None]:
    """The reading end of a pipe that ends with this process; None when the nodes are to go on without it."""
    if detach:
        yield None
        return
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _bring_up(
    folder: Path,
    table: Table,
    left: Sequence[Seat],
    given: Sequence[Entry],
    log_format: str,
    wait_s: float,
    leash: int | None,
) -> None:
    """Prepare and start these nodes at once; none is ready before a majority is there."""
    from logctl.engine.lifecycle import start_detached
    from logctl.engine.node import format_node
    from logctl.engine.several import check

    wanted = {seat: check(folder, table, seat, given) for seat in left}
    for settings in wanted.values():
        format_node(settings, table.cluster_id)
    begun = time.monotonic()
    started: dict[Seat, Detached] = {}
    try:
        for seat, settings in wanted.items():
            diary = folder / f"node-{seat.node_id}.log"
            started[seat] = start_detached(settings, diary, log_format, leash=leash)
        for seat, process in started.items():
            _wait(seat, process, begun, wait_s)
    except BaseException:
        for process in started.values():
            process.end(signal.SIGTERM)
        raise


def _wait(seat: Seat, process: Detached, begun: float, wait_s: float) -> None:
    for entry in process.events(max(0.1, wait_s - (time.monotonic() - begun))):
        if time.monotonic() - begun > 1.0:
            note(neutral(f"node {seat.node_id}: {entry['message']}"))
    note(f"node {seat.node_id} is ready at 127.0.0.1:{seat.port} (process {process.pid})")


def _say_next(table: Table) -> None:
    first = table.seats[0].port
    server = "" if first == 9092 else f" -b 127.0.0.1:{first}"
    note(f"next: logctl topic create NAME{server}; stop all with `logctl down`")


def _stay(folder: Path, seats: Sequence[Seat]) -> None:
    """Wait for a signal, or for the end of all nodes; then stop those that still run."""
    asked: list[int] = []
    restore = [_handle(number, asked) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        while not asked and _running(folder, seats):
            time.sleep(0.2)
        stop_together(_running(folder, seats), 30.0)
    finally:
        for undo in restore:
            undo()


def _handle(number: int, asked: list[int]) -> Callable[[], object]:
    before = signal.signal(number, lambda got, frame: asked.append(got))
    return lambda: signal.signal(number, before)


def _running(folder: Path, seats: Sequence[Seat]) -> list[local.LocalNode]:
    nodes = [local.describe(local.log_dir_of(folder, seat.node_id)) for seat in seats]
    return [node for node in nodes if node.is_running]


def stop_together(nodes: Sequence[local.LocalNode], wait_s: float) -> None:
    """Ask all of them to stop, then wait for each: one after the other the last would wait for a majority in vain."""
    begun = time.monotonic()
    for node in nodes:
        local.ask_to_stop(node)
    for node in nodes:
        local.wait_for_end(node, wait_s)
        note(f"node {node.node_id} (process {node.pid}) stopped in {time.monotonic() - begun:.1f} s")
