"""What was sent beside what is stored: lost, doubled, reordered, and what nobody sent."""

from __future__ import annotations

from logctl.admin.record_sent import SentCheck, SentResult


def compared(sent: bytes, *partitions: bytes) -> SentResult:
    """Each letter is a value; a partition holds letters in order."""
    check = SentCheck()
    for line, letter in enumerate(sent, 1):
        check.sent(bytes((letter,)), line)
    for place, letters in enumerate(partitions):
        for letter in letters:
            check.stored(place, bytes((letter,)))
    return check.result()


def test_everything_once_and_in_order_is_right() -> None:
    result = compared(b"abcdef", b"ace", b"bdf")
    assert (result.sent, result.stored, result.wrong) == (6, 6, False)


def test_what_is_missing_is_lost_and_its_lines_are_named() -> None:
    result = compared(b"abcdef", b"acf")
    assert (result.lost, result.lost_lines, result.stored) == (3, [2, 4, 5], 3)
    assert result.wrong


def test_what_is_stored_again_is_duplicated() -> None:
    result = compared(b"abc", b"abbbc", b"a")
    assert (result.duplicated, result.duplicated_lines, result.lost) == (3, [1, 2], 0)
    assert result.wrong


def test_what_was_sent_twice_shall_be_stored_twice() -> None:
    assert not compared(b"abab", b"abab").wrong
    assert compared(b"abab", b"aba").lost == 1


def test_the_order_counts_within_a_partition_only() -> None:
    assert compared(b"abcd", b"cd", b"ab").reordered == 0
    assert compared(b"abcd", b"bacd").reordered == 1
    assert compared(b"abcd", b"dabc").reordered == 3


def test_what_nobody_sent_is_counted_and_no_fault() -> None:
    check = SentCheck()
    check.sent(b"a", 1)
    for value in (b"a", b"x", None):
        check.stored(0, value)
    assert (check.result().strangers, check.result().wrong) == (2, False)
