"""Commands that go on for a while: following, being interrupted, talking to a terminal, outliving their node."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.conftest import Logctl, command, environment, lines, make_topic, run
from support.engines import started
from support.waiting import wait_until

from logctl.cli.intake import Interrupts, chunks


@contextmanager
def running(bootstrap: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command with pipes to all its ends; killed when the story leaves it running."""
    process = subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(bootstrap),
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_from(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    assert process.stderr is not None
    assert select.select([process.stdout], [], [], 30)[0], "no output came"
    return process.stdout.readline() or b"it ended: " + process.stderr.read()


# -- following -------------------------------------------------------------------------------------------------------


def test_those_who_follow_see_records_as_they_come_and_leave_with_ctrl_c(
    logctl: Logctl, topic: str, bootstrap: str
) -> None:
    assert logctl("record", "produce", topic, stdin="before\n").code == 0
    with running(bootstrap, "record", "consume", topic, "-f") as reader:
        assert line_from(reader) == b"before\n"
        logctl("record", "produce", topic, stdin="after\n")
        assert line_from(reader) == b"after\n"
        reader.send_signal(signal.SIGINT)
        out, err = reader.communicate(timeout=30)
    assert (reader.returncode, out, err) == (130, b"", b"")


def test_a_line_is_sent_when_it_is_there_and_not_when_the_batch_is_full(
    logctl: Logctl, topic: str, bootstrap: str
) -> None:
    with running(bootstrap, "record", "produce", topic) as writer:
        assert writer.stdin is not None
        writer.stdin.write(b"first\n")
        writer.stdin.flush()
        wait_until(lambda: logctl("record", "consume", topic).out == "first\n", "the first line")
        _, err = writer.communicate(b"second\n", timeout=30)
    assert err == f"2 records acknowledged in {topic} (partition 0: 0 to 1)\n".encode()


# -- being interrupted -----------------------------------------------------------------------------------------------


def test_ctrl_c_sends_what_was_read_in_whole_lines_and_says_so(logctl: Logctl, topic: str, bootstrap: str) -> None:
    with running(bootstrap, "record", "produce", topic) as writer:
        assert writer.stdin is not None
        writer.stdin.write(b"a\nb\nhalf a li")
        writer.stdin.flush()
        wait_until(lambda: logctl("record", "consume", topic).out == "a\nb\n", "the whole lines")
        writer.send_signal(signal.SIGINT)
        _, err = writer.communicate(timeout=30)
    assert err.decode().splitlines() == [
        "interrupted: waiting for what was read to be acknowledged; Ctrl-C again to stop",
        f"2 records acknowledged in {topic} (partition 0: 0 to 1)",
    ]
    assert writer.returncode == 130
    assert logctl("record", "consume", topic).out == "a\nb\n"


def test_ctrl_c_just_before_a_wait_for_input_ends_it_as_one_during_the_wait() -> None:
    """Seen once in many runs: the signal came between the question whether to wait and the wait."""
    reading, writing = os.pipe()
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupts.pending
            assert interrupts.read(reading) == b""
            assert list(chunks(reading, interrupts)) == []
    finally:
        os.close(reading)
        os.close(writing)


def test_ctrl_c_in_the_middle_of_a_long_input_tells_exactly_what_arrived(
    logctl: Logctl, topic: str, bootstrap: str, tmp_path: Path
) -> None:
    (tmp_path / "long").write_text(lines(range(1_000_000)))
    with running(bootstrap, "record", "produce", topic, str(tmp_path / "long")) as writer:
        wait_until(lambda: logctl("record", "consume", topic, "-n", "1").out == "0\n", "the first record")
        writer.send_signal(signal.SIGINT)
        _, err = writer.communicate(timeout=60)
    assert writer.returncode == 130
    found = re.search(r"([\d,]+) records acknowledged", err.decode())
    assert found, err
    acknowledged = int(found[1].replace(",", ""))
    assert 0 < acknowledged < 1_000_000
    assert logctl("record", "consume", topic).out == lines(range(acknowledged))


# -- at a terminal ---------------------------------------------------------------------------------------------------


@contextmanager
def at_a_terminal(bootstrap: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[str], str]]]:
    """A command whose three ends are one terminal, and a reader of its screen up to some text."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(bootstrap)
    )
    os.close(theirs)
    screen = ""

    def until(text: str) -> str:
        nonlocal screen
        deadline = time.monotonic() + 30
        while text not in screen:
            assert time.monotonic() < deadline, f"waited for {text!r} in {screen!r}"
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    screen += os.read(ours, 4096).decode()
                except OSError:  # the other end has gone
                    assert text in screen, f"waited for {text!r} in {screen!r}"
        return screen

    until.write = lambda text: os.write(ours, text.encode())  # type: ignore[attr-defined]
    try:
        yield process, until
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 1), ("\n", 5, 0), ("no\n", 5, 0)])
def test_a_human_is_shown_the_loss_and_asked(
    logctl: Logctl, topic: str, bootstrap: str, answer: str, code: int, left: int
) -> None:
    with at_a_terminal(bootstrap, "topic", "delete", topic) as (process, until):
        screen = until("[y/N] ")
        assert f"about to delete topic {topic}, its 1 partition and every record in it" in screen
        until.write(answer)  # type: ignore[attr-defined]
        until(f"deleted topic {topic}" if code == 0 else "error: nothing was changed")
        assert process.wait(30) == code
    assert logctl("topic", "describe", topic).code == left


def test_records_cannot_play_tricks_on_a_terminal_and_reach_a_pipe_unchanged(
    logctl: Logctl, topic: str, bootstrap: str
) -> None:
    logctl("record", "produce", topic, "--raw", stdin="\x1b]0;owned\x07tail")
    assert logctl("record", "consume", topic).out == "\x1b]0;owned\x07tail\n"
    with at_a_terminal(bootstrap, "record", "consume", topic) as (process, until):
        assert until("tail") == "\\x1b]0;owned\\x07tail" or until("\n").startswith("\\x1b]0;owned\\x07tail")
        process.wait(30)


# -- outliving the node ----------------------------------------------------------------------------------------------


@pytest.mark.on_both
def test_a_producer_and_a_reader_live_through_kills_of_their_node_without_loss_or_doubles(
    engine: str, tmp_path: Path
) -> None:
    total = 300_000
    (tmp_path / "input").write_text(lines(range(total)))
    with started(engine, tmp_path / "node") as node:

        def logctl(*arguments: str) -> str:
            done = run(*arguments, bootstrap=node.address)
            assert done.code == 0, done.err
            return done.out

        make_topic(lambda *arguments: run(*arguments, bootstrap=node.address), "orders", "--partitions", "2")
        with (
            running(node.address, "record", "produce", "orders", str(tmp_path / "input")) as writer,
            running(node.address, "record", "consume", "orders", "-n", str(total), "--follow") as reader,
        ):
            assert reader.stdout is not None
            seen = [line_from(reader)]
            node.kill()
            node.start()
            seen += reader.stdout.readlines()
            _, said = writer.communicate(timeout=120)
        assert said.decode().startswith(f"{total:,} records acknowledged in orders")
        expected = {f"{number}\n" for number in range(total)}
        assert len(seen) == total
        assert {line.decode() for line in seen} == expected
        assert sorted(logctl("record", "consume", "orders").splitlines(keepends=True)) == sorted(expected)
