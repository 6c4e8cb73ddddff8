"""Which batches of a Fetch answer a reader gets to see: not the marks of transactions, and, where the answer tells of
aborted ones, not what belongs to these.

An answer names each aborted transaction by its producer and first offset. From that offset on the producer's
transactional batches are dropped, until the mark of the abort; a later transaction of the same producer is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from logctl.wire.records import CONTROL_ABORT, BatchHeader, control_type, iter_batches


def batches_read(
    answer: Any, header_of: Callable[[memoryview], BatchHeader]
) -> Iterator[tuple[memoryview, BatchHeader, bool]]:
    """Each batch of a partition's answer, its header, and whether its records are for the reader. Raises what
    `header_of` raises, and WireError for bytes that are no batches."""
    aborted = sorted(
        ((entry.first_offset, entry.producer_id) for entry in answer.aborted_transactions or ()), reverse=True
    )
    in_abort: set[int] = set()
    for batch in iter_batches(answer.records or b""):
        header = header_of(batch)
        while aborted and aborted[-1][0] <= header.last_offset:
            in_abort.add(aborted.pop()[1])
        if header.is_control and control_type(batch)[0] == CONTROL_ABORT:
            in_abort.discard(header.producer_id)
        dropped = header.is_control or (header.is_transactional and header.producer_id in in_abort)
        yield batch, header, not dropped
