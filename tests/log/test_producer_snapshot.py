"""Producer snapshots: what comes back, and which files are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctl.engine.log.disk import RealDisk
from logctl.engine.log.producer_snapshot import Snapshots, decode, encode
from logctl.engine.log.producers import ProducedBatch, Producer, ProducerStates


def states() -> ProducerStates:
    found = ProducerStates()
    for sequence in range(7):
        found.record(5, 1, sequence, 0, 100 + sequence, 1000 + sequence, False)
    found.record(6, 0, 0, 2, 109, 2000, True)
    found.record_marker(7, 3, 9, 110, 3000, aborted=True)
    found.commit()
    return found


def test_the_last_batches_and_the_open_transaction_come_back() -> None:
    again = decode(encode(states()))
    remembered = tuple(ProducedBatch(number, 100 + number, 0, 1000 + number) for number in range(2, 7))
    assert again.items() == [
        (5, Producer(1, remembered, -1, 1006, -1)),
        (6, Producer(0, (ProducedBatch(2, 109, 2, 2000),), -1, 2000, 107)),
        (7, Producer(3, (), 9, 3000, -1)),
    ]
    assert again.first_unstable_offset == 107
    assert encode(again) == encode(states())


def test_nobody() -> None:
    assert len(decode(encode(ProducerStates()))) == 0


@pytest.mark.parametrize("damage", ["short", "version", "crc", "count"])
def test_damage_is_told(damage: str) -> None:
    data = bytearray(encode(states()))
    if damage == "short":
        del data[5:]
    elif damage == "version":
        data[1] = 2
    elif damage == "crc":
        data[30] ^= 4
    else:
        data += bytes(46)
    with pytest.raises(ValueError, match=r"it is shorter|its version is 2|does not match its checksum"):
        decode(bytes(data))


class TestFiles:
    def snapshots(self, tmp_path: Path, *offsets: int) -> Snapshots:
        found = Snapshots(RealDisk(), str(tmp_path), [], [])
        for offset in offsets:
            found.write(offset, encode(states()), durable=False)
        return found

    def test_the_newest_that_is_not_ahead(self, tmp_path: Path) -> None:
        found = self.snapshots(tmp_path, 10, 20, 30)
        newest = found.newest(25)
        assert newest is not None
        assert newest[0] == 20
        assert found.newest(9) is None

    def test_segments_keep_theirs_and_the_last_two_others_stay(self, tmp_path: Path) -> None:
        found = self.snapshots(tmp_path, 5, 10, 12, 20, 22, 23, 24)
        found.prune([10, 20])
        assert found.offsets == [10, 20, 23, 24]
        assert sorted(int(path.stem) for path in tmp_path.iterdir()) == found.offsets

    def test_those_behind_a_cut_go(self, tmp_path: Path) -> None:
        found = self.snapshots(tmp_path, 10, 20, 30)
        found.remove_behind(20)
        assert found.offsets == [10, 20]
