"""docs/week.md, from top to bottom, on our node and on Apache Kafka: what it shows is what is printed.

A fence `console` is run; `console ours` and `console apache` are run in that world alone, `console terminal` nowhere.
A line that begins with `$ ` is a command, which ends with 0, with N where `# exits with N` stands behind it, or with
either where that goes on (`# exits with 1 where it is not`). Each line after it is one of those that it prints, with
`...` for what differs, and with any number of blanks between words. What is not logctl is left to the shell. The
cluster of the page, 127.0.0.1:9092, is the world's.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.worlds import APACHE, OURS, Done, World, only, run_here

PAGE = Path(__file__).parents[3] / "docs" / "week.md"
ADDRESS = "127.0.0.1:9092"


class Said(NamedTuple):
    command: str
    codes: tuple[int, ...]
    shown: tuple[str, ...]


def told_in(world: str) -> Iterator[Said]:
    for where, body in re.findall(r"(?ms)^```console *(\w*)\n(.*?)^```", PAGE.read_text(encoding="utf-8")):
        if where in ("", world):
            for part in body.removeprefix("$ ").split("\n$ "):
                first, *shown = part.strip().splitlines()
                command, _, ends = first.partition("   # exits with ")
                code, *sometimes = ends.split() or ["0"]
                yield Said(command, (int(code), *([0] if sometimes else [])), tuple(shown))


@only(OURS, APACHE)
def test_a_week_goes_as_it_is_told(world: World, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    for said in told_in(world.name):
        done = run(said.command.replace(ADDRESS, world.bootstrap))
        assert done.code in said.codes, f"$ {said.command}\n{done.out}{done.err}"
        printed = [" ".join(line.split()) for line in (done.out + done.err).splitlines()]
        for line in said.shown:
            assert any(matches(line, one) for one in printed), f"$ {said.command}\nlacks: {line}\n{done.out}{done.err}"


def test_there_are_thirty_tasks() -> None:
    tasks = re.findall(r"^\*\*(\d+)\. ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert list(map(int, tasks)) == list(range(1, 31))


def matches(shown: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in " ".join(shown.split()).split("..."))
    return re.fullmatch(pattern, printed) is not None


def run(line: str) -> Done:
    """One line of a shell: [SHELL COMMAND |] [NAME=VALUE] logctl WORD... [> FILE]"""
    before, bar, rest = line.rpartition(" | ")
    command, _, file = (rest if bar else line).partition(" > ")
    words = shlex.split(command)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LOGCTL_", "COLUMNS"))}
    while "=" in words[0]:
        name, _, env[name] = words.pop(0).partition("=")
    given = subprocess.run(["sh", "-c", before], capture_output=True, check=True).stdout if bar else b""
    if words[0] != "logctl":
        subprocess.run(words, check=True)
        return Done(0, b"", "")
    done = run_here(*words[1:], stdin=given, env=env)
    if file:
        Path(file).write_bytes(done.data)
    return done
