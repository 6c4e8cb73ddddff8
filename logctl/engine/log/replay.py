"""Reading batch headers again to learn what they once told: producers, epochs, aborted transactions."""

from __future__ import annotations

from logctl.engine.log.aborted import AbortedTransaction
from logctl.engine.log.disk import File
from logctl.engine.log.epochs import LeaderEpochs
from logctl.engine.log.history import History
from logctl.engine.log.producers import CompletedTransaction, ProducerStates
from logctl.engine.log.scan import Header, Scanner
from logctl.wire import records
from logctl.wire.errors import WireError


def replay(
    history: History, from_offset: int, producers: ProducerStates, epochs: LeaderEpochs, epochs_from: int
) -> list[AbortedTransaction]:
    """Apply the batches from `from_offset` on to `producers`, and those from `epochs_from` on to `epochs`.

    Returns the transactions that were found aborted, in the order of their markers. Raises DiskFault.
    """
    aborted: list[AbortedTransaction] = []
    begin = min(from_offset, epochs_from)
    for segment in history.segments[history.index_of(begin) :]:
        if not segment.size:
            continue
        position = segment.position_for(begin) if begin > segment.base else 0
        file = segment.file()
        latest = None
        for at, header in Scanner(file, position, segment.size, next_offset=segment.base, check=False):
            last_offset = header[0] + header[6]
            if header[2] != latest and last_offset >= epochs_from:
                latest = header[2]
                epochs.assign(latest, header[0])
            if last_offset >= from_offset and header[9] >= 0:
                completed = _apply(producers, file, at, header)
                producers.commit()
                if completed is not None and completed.aborted:
                    aborted.append(aborted_entry(producers, completed))
    return aborted


def _apply(producers: ProducerStates, file: File, position: int, header: Header) -> CompletedTransaction | None:
    base, length, _, _, _, attributes, delta, _, timestamp, producer_id, epoch, sequence, _ = header
    if attributes & records.CONTROL:
        batch = file.pread(length + records.LENGTH_PREFIX_BYTES, position)
        return apply_marker(producers, memoryview(batch), base + delta)
    transactional = bool(attributes & records.TRANSACTIONAL)
    producers.record(producer_id, epoch, sequence, delta, base + delta, timestamp, transactional)
    return None


def apply_marker(producers: ProducerStates, batch: memoryview, offset: int) -> CompletedTransaction | None:
    """Record a control batch of a producer; None unless it ended a transaction."""
    header = records.read_header(batch)
    try:
        kind, value = records.control_type(batch)
        coordinator_epoch = records.end_txn_coordinator_epoch(value)
    except WireError:
        return None
    if kind not in (records.CONTROL_ABORT, records.CONTROL_COMMIT):
        return None
    aborted = kind == records.CONTROL_ABORT
    return producers.record_marker(
        header.producer_id, header.producer_epoch, coordinator_epoch, offset, header.max_timestamp, aborted
    )


def aborted_entry(producers: ProducerStates, completed: CompletedTransaction) -> AbortedTransaction:
    """What the transaction index says of an aborted transaction; `producers` must have recorded its end."""
    stable = producers.stable_offset_after(completed)
    return AbortedTransaction(completed.producer_id, completed.first_offset, completed.last_offset, stable)
