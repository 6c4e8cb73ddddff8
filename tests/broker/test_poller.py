"""The loop's last word: a callback behind everything else in each turn that had something ready, and in no other."""

from __future__ import annotations

import os

from logctl.engine.poller import TickLoop


def test_the_last_word_comes_after_all_that_was_ready_and_only_then() -> None:
    loop = TickLoop()
    pipes = [os.pipe() for _ in range(3)]
    story: list[str] = []

    def hear(fd: int) -> None:
        story.append(os.read(fd, 10).decode())

    for reading, writing in pipes:
        loop.add_reader(reading, hear, reading)
        os.write(writing, b"word")
    loop.at_end_of_turn(lambda: story.append("end"))
    loop.call_later(0.001, lambda: story.append("timer"))
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    assert story == ["word", "word", "word", "end", "timer"]

    for reading, writing in pipes:
        loop.remove_reader(reading)
        os.close(reading)
        os.close(writing)
    loop.close()
