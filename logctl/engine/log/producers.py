"""What a partition remembers of its producers, so that a batch sent twice is written once (KIP-98), and which
transactions are under way in it.

Theory of operation. Per producer id: the epoch, the last five batches, the first offset of its open transaction. A
batch is judged against that before it is written:

    the same sequence numbers as one of the five        a duplicate: answered with the offsets of then
    the next sequence number (2^31 - 1 is followed by 0) written
    anything else in the same epoch                      OUT_OF_ORDER_SEQUENCE_NUMBER
    an older epoch                                       INVALID_PRODUCER_EPOCH
    a newer epoch                                        must begin with 0, else OUT_OF_ORDER_SEQUENCE_NUMBER
    a producer nobody remembers                          written, whatever its number: its past may have expired

A producer's state is an immutable tuple that each batch replaces. So batches that were staged but could not be written
are taken back by putting the old tuples in place again (`rollback`), and a snapshot for the disk is a plain copy.
Of a producer whose very first batch is taken back it is remembered that it must begin with 0: its second, which may be
on its way already, would be taken for one whose past has expired, and the first could never follow it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from logctl.wire.errors import (
    INVALID_PRODUCER_EPOCH,
    INVALID_TXN_STATE,
    OUT_OF_ORDER_SEQUENCE_NUMBER,
    TRANSACTION_COORDINATOR_FENCED,
    WireError,
)

REMEMBERED_BATCHES: Final = 5
MAX_SEQUENCE: Final = (1 << 31) - 1
NO_OFFSET: Final = -1

_new = tuple.__new__
"""Makes a named tuple in half the time its own constructor takes; this file is on the path of every batch."""


class ProducedBatch(NamedTuple):
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def base_offset(self) -> int:
        return self.last_offset - self.offset_delta


class Producer(NamedTuple):
    """`batches`: newest last. `transaction_start`: first offset of the open transaction, NO_OFFSET if there is none."""

    epoch: int
    batches: tuple[ProducedBatch, ...]
    coordinator_epoch: int = -1
    last_timestamp: int = -1
    transaction_start: int = NO_OFFSET


class CompletedTransaction(NamedTuple):
    producer_id: int
    first_offset: int
    last_offset: int
    aborted: bool


class ProducerStates:
    """Producer id -> Producer. Changes can be taken back until `commit`."""

    __slots__ = ("_completed", "_completed_now", "_ongoing", "_states", "_undo")

    def __init__(self) -> None:
        self._states: dict[int, Producer] = {}
        self._ongoing: dict[int, int] = {}
        self._completed: list[CompletedTransaction] = []
        self._completed_now: list[CompletedTransaction] = []
        self._undo: list[tuple[int, Producer | None]] = []

    def get(self, producer_id: int) -> Producer | None:
        return self._states.get(producer_id)

    def items(self) -> list[tuple[int, Producer]]:
        """Every producer, by id."""
        return sorted(self._states.items())

    def __len__(self) -> int:
        return len(self._states)

    # ---- judging and recording batches ----

    def judge(
        self, producer_id: int, epoch: int, base_sequence: int, delta: int, transactional: bool
    ) -> ProducedBatch | None:
        """Whether a producer's batch of data may be written: None if so, the batch of then if it is a duplicate.

        Raises WireError with the reason otherwise.
        """
        state = self._states.get(producer_id)
        if state is None:
            return None
        known, batches, _, _, start = state
        if known == epoch and batches and batches[-1][0] + 1 == base_sequence and (start == NO_OFFSET or transactional):
            return None
        duplicate = _find(state, epoch, base_sequence, delta)
        if duplicate is None:
            self.check(producer_id, epoch, base_sequence, transactional)
        return duplicate

    def check(self, producer_id: int, epoch: int, base_sequence: int, transactional: bool) -> None:
        """Raise WireError unless a batch of data with these numbers may follow; duplicates are not looked for."""
        state = self._states.get(producer_id)
        if state is None:
            return
        self._check_epoch(producer_id, state, epoch)
        self._check_sequence(producer_id, state, epoch, base_sequence)
        if state.transaction_start != NO_OFFSET and not transactional:
            raise WireError(INVALID_TXN_STATE, f"Producer {producer_id} has a transaction open and wrote outside of it")

    def _check_epoch(self, producer_id: int, state: Producer, epoch: int) -> None:
        if epoch < state.epoch:
            message = f"Producer {producer_id} wrote with epoch {epoch}, but epoch {state.epoch} was seen already"
            raise WireError(INVALID_PRODUCER_EPOCH, message)

    def _check_sequence(self, producer_id: int, state: Producer, epoch: int, base_sequence: int) -> None:
        if epoch != state.epoch:
            if base_sequence != 0 and state.epoch != -1:
                message = f"Producer {producer_id} begins epoch {epoch} with sequence number {base_sequence}, not 0"
                raise WireError(OUT_OF_ORDER_SEQUENCE_NUMBER, message)
            return
        last = state.batches[-1].last_sequence if state.batches else -1
        if base_sequence != last + 1 and not (base_sequence == 0 and last == MAX_SEQUENCE):
            message = f"Producer {producer_id} wrote sequence number {base_sequence}, {_advance(last, 1)} was due"
            raise WireError(OUT_OF_ORDER_SEQUENCE_NUMBER, message)

    def record(
        self,
        producer_id: int,
        epoch: int,
        base_sequence: int,
        delta: int,
        last_offset: int,
        timestamp: int,
        transactional: bool,
    ) -> None:
        """Remember a batch of data that was checked."""
        state = self._states.get(producer_id)
        self._undo.append((producer_id, state))
        last_sequence = base_sequence + delta
        if last_sequence > MAX_SEQUENCE:
            last_sequence = _advance(base_sequence, delta)
        batch = _new(ProducedBatch, (last_sequence, last_offset, delta, timestamp))
        batches: tuple[ProducedBatch, ...] = (batch,)
        coordinator_epoch, start = -1, NO_OFFSET
        if state is not None:
            known, before, coordinator_epoch, _, start = state
            if known == epoch:
                batches = (*before[1 - REMEMBERED_BATCHES :], batch)
        if transactional and start == NO_OFFSET:
            start = self._ongoing[producer_id] = last_offset - delta
        self._states[producer_id] = _new(Producer, (epoch, batches, coordinator_epoch, timestamp, start))

    def check_marker(self, producer_id: int, epoch: int, coordinator_epoch: int) -> None:
        """Raise WireError unless a transaction marker of these epochs may be written."""
        state = self._states.get(producer_id)
        if state is None:
            return
        self._check_epoch(producer_id, state, epoch)
        if coordinator_epoch < state.coordinator_epoch:
            message = f"The marker comes from coordinator epoch {coordinator_epoch}, {state.coordinator_epoch} was seen"
            raise WireError(TRANSACTION_COORDINATOR_FENCED, message)

    def record_marker(
        self, producer_id: int, epoch: int, coordinator_epoch: int, offset: int, timestamp: int, aborted: bool
    ) -> CompletedTransaction | None:
        """A marker was written at `offset`: the transaction it ended, if it had written anything here."""
        state = self._states.get(producer_id)
        self._undo.append((producer_id, state))
        batches = state.batches if state is not None and state.epoch == epoch else ()
        self._states[producer_id] = Producer(epoch, batches, coordinator_epoch, timestamp)
        start = self._ongoing.pop(producer_id, NO_OFFSET)
        if start == NO_OFFSET:
            return None
        completed = CompletedTransaction(producer_id, start, offset, aborted)
        self._completed.append(completed)
        self._completed_now.append(completed)
        return completed

    def commit(self) -> None:
        """What was recorded so far is in the file."""
        if self._undo:
            self._undo.clear()
            self._completed_now.clear()

    def rollback(self) -> None:
        """What was recorded since `commit` did not reach the file."""
        for producer_id, state in reversed(self._undo):
            self._put(producer_id, state or _still_to_begin(self._states.get(producer_id)))
        self._completed = [entry for entry in self._completed if entry not in self._completed_now]
        self.commit()

    def _put(self, producer_id: int, state: Producer | None) -> None:
        self._ongoing.pop(producer_id, None)
        if state is None:
            self._states.pop(producer_id, None)
            return
        self._states[producer_id] = state
        if state.transaction_start != NO_OFFSET:
            self._ongoing[producer_id] = state.transaction_start

    # ---- transactions ----

    @property
    def first_unstable_offset(self) -> int | None:
        """The first offset of a transaction that is still open; None if there is none."""
        return min(self._ongoing.values()) if self._ongoing else None

    def first_undecided_offset(self, high_watermark: int) -> int | None:
        """As Apache counts it: also transactions whose marker lies at or above the high watermark are undecided."""
        if not self._ongoing and not self._completed:
            return None
        self._completed = [entry for entry in self._completed if entry.last_offset >= high_watermark]
        starts = [entry.first_offset for entry in self._completed]
        return min((*starts, *self._ongoing.values()), default=None)

    def stable_offset_after(self, completed: CompletedTransaction) -> int:
        """The last stable offset once `completed` is all that has happened: what the transaction index records."""
        others = [start for producer, start in self._ongoing.items() if producer != completed.producer_id]
        return min(others, default=completed.last_offset + 1)

    # ---- the rest of a producer's life ----

    def restore(self, producer_id: int, state: Producer) -> None:
        """Put in place what a snapshot holds."""
        self._put(producer_id, state)

    def expire(self, now_ms: int, expiration_ms: int) -> list[int]:
        """Forget producers without an open transaction that have not written for so long; returns their ids."""
        gone = [
            producer_id
            for producer_id, state in self._states.items()
            if state.transaction_start == NO_OFFSET and now_ms - state.last_timestamp >= expiration_ms
        ]
        for producer_id in gone:
            del self._states[producer_id]
        return gone


def _still_to_begin(refused: Producer | None) -> Producer | None:
    """What is left of a producer whose only batch was taken back; None if that was not the beginning."""
    if refused is None or len(refused.batches) != 1:
        return None
    batch = refused.batches[0]
    if batch.last_sequence != batch.offset_delta:
        return None
    return Producer(refused.epoch, (), last_timestamp=refused.last_timestamp)


def _find(state: Producer, epoch: int, base_sequence: int, delta: int) -> ProducedBatch | None:
    """The remembered batch with exactly these sequence numbers."""
    if state.epoch != epoch:
        return None
    last_sequence = _advance(base_sequence, delta)
    for batch in state.batches:
        if batch.last_sequence == last_sequence and batch.offset_delta == delta:
            return batch
    return None


def _advance(sequence: int, count: int) -> int:
    """Sequence numbers count to 2^31 - 1 and begin again at 0."""
    return (sequence + count) & MAX_SEQUENCE
