"""ProducerSnapshot: what a log knew of its producers at an offset: `<offset>.snapshot` beside the segments.

The file holds int16 version (1) and this. The checksum covers everything behind itself.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, UINT32, Message, Struct, array, field


class ProducerEntry(Struct):
    producer_id: int = field(INT64, "1")               # producer
    epoch: int = field(INT16, "1")                     # its epoch
    last_sequence: int = field(INT32, "1")             # sequence number of its last record; -1 none
    last_offset: int = field(INT64, "1")               # offset of its last record; -1 none
    offset_delta: int = field(INT32, "1")              # records in its last batch, less one
    timestamp: int = field(INT64, "1")                 # of its last batch, in ms
    coordinator_epoch: int = field(INT32, "1")         # of the last transaction marker; -1 none
    current_txn_first_offset: int = field(INT64, "1")  # where its open transaction begins; -1 none


class ProducerSnapshot(Message, versions="1"):
    crc: int = field(UINT32, "1")                                             # CRC-32C of the rest
    producer_entries: list[ProducerEntry] = field(array(ProducerEntry), "1")  # one per producer
