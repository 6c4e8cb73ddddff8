"""Leader epochs: assigned, cut at both ends, asked for."""

from __future__ import annotations

import pytest

from logctl.engine.log.epochs import LeaderEpochs


def reigns() -> LeaderEpochs:
    return LeaderEpochs([(1, 0), (3, 10), (4, 25)])


@pytest.mark.parametrize(
    ("epoch", "start", "expected"),
    [
        (4, 40, [(1, 0), (3, 10), (4, 25)]),  # the same leader goes on
        (5, 40, [(1, 0), (3, 10), (4, 25), (5, 40)]),
        (5, 25, [(1, 0), (3, 10), (5, 25)]),  # the reign of epoch 4 left nothing behind
        (5, 12, [(1, 0), (3, 10), (5, 12)]),
        (3, 30, [(1, 0), (3, 10)]),  # an older leader than we thought
        (2, 30, [(1, 0), (2, 30)]),
        (-1, 30, [(1, 0), (3, 10), (4, 25)]),  # batches of clients before epochs were
    ],
)
def test_assigning(epoch: int, start: int, expected: list[tuple[int, int]]) -> None:
    epochs = reigns()
    epochs.assign(epoch, start)
    assert epochs.entries == expected
    assert epochs.dirty == (expected != reigns().entries)


@pytest.mark.parametrize(("end", "count"), [(100, 3), (26, 3), (25, 2), (11, 2), (10, 1), (1, 1), (0, 0)])
def test_cutting_the_end(end: int, count: int) -> None:
    epochs = reigns()
    epochs.truncate_from_end(end)
    assert epochs.entries == reigns().entries[:count]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (0, [(1, 0), (3, 10), (4, 25)]),
        (5, [(1, 5), (3, 10), (4, 25)]),
        (10, [(3, 10), (4, 25)]),
        (24, [(3, 24), (4, 25)]),
        (90, [(4, 90)]),
    ],
)
def test_cutting_the_start(start: int, expected: list[tuple[int, int]]) -> None:
    epochs = reigns()
    epochs.truncate_from_start(start)
    assert epochs.entries == expected
    assert epochs.dirty == (expected != reigns().entries)


def test_asking() -> None:
    epochs = reigns()
    answers = {epoch: epochs.end_offset_for(epoch, 100) for epoch in range(-1, 6)}
    assert answers == {-1: (-1, -1), 0: (0, 0), 1: (1, 10), 2: (1, 10), 3: (3, 25), 4: (4, 100), 5: (-1, -1)}
    assert LeaderEpochs().end_offset_for(0, 100) == (-1, -1)
    assert [epochs.at(offset) for offset in (0, 9, 10, 24, 25, 99)] == [1, 1, 3, 3, 4, 4]


def test_the_file() -> None:
    assert reigns().encode() == b"0\n3\n1 0\n3 10\n4 25\n"
    assert LeaderEpochs.decode(reigns().encode()).entries == reigns().entries
    for damaged in (b"0\n2\n3 10\n1 20\n", b"0\n2\n1 20\n3 10\n", b"0\n1\n1\n"):
        with pytest.raises(ValueError, match=r"do not rise|does not have 2 fields"):
            LeaderEpochs.decode(damaged)
