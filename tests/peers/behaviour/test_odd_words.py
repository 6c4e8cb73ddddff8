"""Odd words to every command that talks to a cluster: whatever is wrong with them is said in a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from support.cli_page import Command, commands
from support.worlds import APACHE, OURS, World, only, run_here

ODD = (
    (),
    ("nosuch", "x=1"),
    ("--topic", "nosuch:x"),
    ("\N{LATIN SMALL LETTER E WITH ACUTE}\x1b[1m",),
)
OF_THIS_MACHINE = ("logctl up", "logctl down", "logctl engine", "logctl node st", "logctl node format")
TALKING = [one for one in commands() if not one.path.startswith(OF_THIS_MACHINE) and one.path != "logctl record perf"]


@only(OURS, APACHE)
def test_odd_words_are_answered_in_a_sentence(world: World, home: Path) -> None:
    """One test for all of them: so many would cost more than what they try."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOGCTL_")}
    env["LOGCTL_BOOTSTRAP_SERVER"] = world.bootstrap
    assert not [complaint for one in TALKING for complaint in complaints(one, env)]


def complaints(one: Command, env: dict[str, str]) -> Iterator[tuple[list[str], str]]:
    """What a command did that none may do: fail with anything but a sentence, or print an escape sequence."""
    for words in ODD:
        said = [*one.path.split()[1:], *words, *(["--dry-run"] if one.changes else [])]
        done = run_here(*said, env=env)
        ended_well = done.code == 0 or "error: " in done.err or one.path == "logctl cluster health"
        if not ended_well or done.code not in range(10) or "did not expect" in done.err:
            yield said, done.err
        if "\x1b" in done.out + done.err:
            yield said, "an escape sequence"
