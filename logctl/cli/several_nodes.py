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
from typing import TYPE_CHECKING, NamedTuple

from logctl import local
from logctl.cli.output import neutral, note
from logctl.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.engine.config_file import Entry
    from logctl.engine.lifecycle import Detached
    from logctl.seats import Seat, Table


class Start(NamedTuple):
    """A node to be started: its settings, its log directory and the file of its diary."""

    node_id: int
    settings: Sequence[Entry]
    log_dir: Path
    diary: Path
    first_voters: str = ""
    """Those that the metadata log is to name from its beginning, while the cluster has not begun."""

    @property
    def node(self) -> local.LocalNode:
        return local.describe(self.log_dir)


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
    from logctl.seats import write

    table = _table(folder, count, port)
    starts = [start_of(folder, table, seat, given) for seat in table.seats]
    write(folder, table)
    for seat, one in zip(table.seats, starts, strict=True):
        if one.node.is_running:
            note(f"node {one.node_id} runs already at 127.0.0.1:{seat.port}")
    left = [one for one in starts if not one.node.is_running]
    if not left:
        return
    later = [seat for seat in table.seats if seat.votes and seat.joined and not seat.directory_id]
    voteless = [seat for seat in later if _is_new(folder, seat)]
    prepare(left, table.cluster_id)
    write(folder, table.begun())
    with leash(detach) as reading:
        bring_up(left, log_format, wait_s, reading)
        for seat in voteless:
            _tell_of_the_vote(seat)
        _say_next(table)
        if not detach:
            stay(left)


def start_of(folder: Path, table: Table, seat: Seat, given: Sequence[Entry]) -> Start:
    """How a node of a folder is started. Raises UsageError for settings that cannot be."""
    from logctl.engine.several import check

    settings = check(folder, table, seat, given)
    log_dir = local.log_dir_of(folder, seat.node_id)
    first_voters = table.first_voters if seat.directory_id else ""
    return Start(seat.node_id, settings, log_dir, folder / f"{log_dir.name}.log", first_voters)


def _table(folder: Path, count: int | None, port: int) -> Table:
    """The nodes of the folder, laid for a new one, with more where more are asked for."""
    from logctl.engine.several import check_count, lay
    from logctl.seats import remembered

    table = remembered(folder)
    if table is None:
        from logctl.engine.node import new_cluster_id

        check_count(count or 1)
        _make(folder)
        return lay(folder, count or 1, port, new_cluster_id())
    have = len(table.seats)
    if count is not None and count < have:
        last = table.seats[-1].node_id
        raise UsageError(
            f"the folder {folder} holds {have} nodes, and --nodes {count} would leave some out with the data they hold",
            f"take them out one by one: `logctl node decommission {last} --drain`",
        )
    return table if count is None else _grown(table, count)


def _grown(table: Table, count: int) -> Table:
    """More nodes join as brokers without a vote."""
    from logctl.engine.several import check_count, new_seat

    check_count(count)
    while len(table.seats) < count:
        table = table.with_seat(new_seat(table))
    return table


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationFailed(
            f"cannot create the data folder {folder}: {error.strerror}", "name another one with --data DIR"
        ) from error


@contextmanager
def leash(detach: bool) -> Iterator[int | None]:
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


def prepare(starts: Sequence[Start], cluster_id: str) -> None:
    """Format the directories that are not. Raises LogctlError."""
    from logctl.engine.node import format_node

    for one in starts:
        format_node(one.settings, cluster_id, one.first_voters)


def bring_up(starts: Sequence[Start], log_format: str, wait_s: float, reading: int | None) -> None:
    """Start these nodes at once; none is ready before a majority is there. `reading`: of a leash."""
    from logctl.engine.lifecycle import start_detached

    begun = time.monotonic()
    started: dict[int, Detached] = {}
    try:
        for one in starts:
            started[one.node_id] = start_detached(one.settings, one.diary, log_format, leash=reading)
        for one in starts:
            _wait(one, started[one.node_id], begun, wait_s)
    except BaseException:
        for process in started.values():
            process.end(signal.SIGTERM)
        raise


def _wait(one: Start, process: Detached, begun: float, wait_s: float) -> None:
    for entry in process.events(max(0.1, wait_s - (time.monotonic() - begun))):
        if time.monotonic() - begun > 1.0:
            note(neutral(f"node {one.node_id}: {entry['message']}"))
    note(f"node {one.node_id} is ready at {','.join(one.node.addresses)} (process {process.pid})")


def _is_new(folder: Path, seat: Seat) -> bool:
    from logctl.seats import identity_of

    return identity_of(local.log_dir_of(folder, seat.node_id)) is None


def _tell_of_the_vote(seat: Seat) -> None:
    """Its vote belongs to the directory that is gone: whoever votes must not have forgotten anything."""
    at = f"CONTROLLER://127.0.0.1:{seat.inner_port}"
    note(
        f"node {seat.node_id} began with an empty directory, and has no vote; once it has caught up:"
        f" `logctl cluster quorum-remove {seat.node_id}`,"
        f" then `logctl cluster quorum-add {seat.node_id} --listener {at}`"
    )


def _say_next(table: Table) -> None:
    first = table.seats[0].port
    server = "" if first == 9092 else f" -b 127.0.0.1:{first}"
    note(f"next: logctl topic create NAME{server}; stop all with `logctl down`")


def stay(starts: Sequence[Start]) -> None:
    """Wait for a signal, or for the end of all nodes; then stop those that still run."""
    asked: list[int] = []
    restore = [_handle(number, asked) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        while not asked and _running(starts):
            time.sleep(0.2)
        stop_together(_running(starts), 30.0)
    finally:
        for undo in restore:
            undo()


def _handle(number: int, asked: list[int]) -> Callable[[], object]:
    before = signal.signal(number, lambda got, frame: asked.append(got))
    return lambda: signal.signal(number, before)


def _running(starts: Sequence[Start]) -> list[local.LocalNode]:
    nodes = [one.node for one in starts]
    return [node for node in nodes if node.is_running]


def stop_together(nodes: Sequence[local.LocalNode], wait_s: float) -> None:
    """Ask all of them to stop, then wait for each: one after the other the last would wait for a majority in vain."""
    begun = time.monotonic()
    for node in nodes:
        local.ask_to_stop(node)
    for node in nodes:
        local.wait_for_end(node, wait_s)
        note(f"node {node.node_id} (process {node.pid}) stopped in {time.monotonic() - begun:.1f} s")
