"""Apache's scripts for groups: who is in them, how far they are, and where they shall go on."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.clients import Message, produce
from support.clients.librdkafka import Librdkafka
from support.committed import Committed
from support.members import CONSUMER, EAGER, Joining, Member
from support.members.kinds import kind
from support.tools import CONSUMER_GROUPS, Shell
from support.waiting import wait_until

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("scripts")]

BEGAN_MS = 1_700_000_000_000
"""2023-11-14T22:13:20Z; a record a second, ten in each of two partitions."""
COUNT = 10
_numbers = itertools.count(1)


class Group:
    """A group without members that has read half of a topic of the same name."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.name = shell, f"group-{next(_numbers)}"
        self.committed = Committed(shell.address, self.name)
        shell.ask("TopicCommand", "--create", "--topic", self.name, "--partitions", "2")
        messages = [Message(b"x", timestamp_ms=BEGAN_MS + 1000 * number) for number in range(COUNT)]
        for partition in (0, 1):
            produce(Librdkafka(), shell.address, self.name, messages, partition=partition)
        self.committed.put(self.name, {0: 5, 1: 5})

    def ask(self, *words: str) -> str:
        return self.shell.ask(CONSUMER_GROUPS, "--group", self.name, *words)

    def reset(self, *words: str) -> dict[int, int]:
        """The new offsets, as the script tells them."""
        return self.told(self.ask("--reset-offsets", *words))

    def told(self, table: str) -> dict[int, int]:
        rows = re.findall(rf"^{self.name}\s+{self.name}\s+(\d+)\s+(\d+)", table, re.MULTILINE)
        return {int(partition): int(offset) for partition, offset in rows}

    def join(self, protocol: str, stack: ExitStack) -> Member:
        member = kind(f"librdkafka {protocol}", _no_java).join(Joining(self.shell.address, self.name, self.name))
        stack.callback(member.leave)
        wait_until(lambda: member.assignment() == {0, 1}, "the member to get its partitions")
        return member


def _no_java() -> None:
    raise AssertionError("no Java member is asked for here")


@pytest.fixture
def group(shell: Shell) -> Group:
    return Group(shell)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (["--to-earliest"], 0),
        (["--to-latest"], COUNT),
        (["--to-current"], 5),
        (["--to-offset", "7"], 7),
        (["--to-offset", "99"], COUNT),
        (["--shift-by", "3"], 8),
        (["--shift-by", "-9"], 0),
        (["--to-datetime", "2023-11-14T22:13:24.000"], 4),
        (["--to-datetime", "2023-11-14T22:13:23.001Z"], 4),
        (["--by-duration", "PT1H"], COUNT),
        (["--by-duration", "P9999D"], 0),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_offsets_are_reset(group: Group, how: list[str], expected: int) -> None:
    wanted = {0: expected, 1: expected}
    assert group.reset("--topic", group.name, *how, "--dry-run") == wanted
    assert group.committed.look() == {0: 5, 1: 5}, "it was dry"
    assert group.reset("--topic", f"{group.name}:1", *how, "--execute") == {1: expected}
    assert group.committed.look() == {0: 5, 1: expected}
    group.committed.put(group.name, {0: 5, 1: 5})
    assert group.reset("--all-topics", *how, "--execute") == wanted
    assert group.committed.look() == wanted


def test_offsets_are_reset_from_a_file(group: Group, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text(f"{group.name},0,2\n{group.name},1,9\n")
    assert group.reset("--from-file", str(plan), "--dry-run") == {0: 2, 1: 9}
    assert group.reset("--from-file", str(plan), "--execute") == {0: 2, 1: 9}
    assert group.committed.look() == {0: 2, 1: 9}
    exported = group.ask("--reset-offsets", "--all-topics", "--to-current", "--dry-run", "--export")
    assert sorted(exported.split()) == plan.read_text().split()


def test_several_groups_are_reset_at_once(group: Group) -> None:
    other = Group(group.shell)
    words = "--reset-offsets", "--group", other.name, "--topic", group.name, "--to-earliest", "--execute"
    said = group.ask(*words)
    assert group.told(said) == {0: 0, 1: 0}
    assert group.committed.look() == {0: 0, 1: 0}


def test_a_group_without_members_is_described(group: Group) -> None:
    said = group.ask("--describe")
    rows = re.findall(rf"{group.name}\s+{group.name}\s+(\d)\s+5\s+{COUNT}\s+5\s+-\s+-\s+-", said)
    assert sorted(rows) == ["0", "1"]
    state = group.ask("--describe", "--state")
    assert re.search(rf"{group.name}\s+{group.shell.address}\s+\(1\)\s+-\s+Empty\s+0", state)


@pytest.mark.parametrize(("protocol", "strategy"), [(EAGER, "range"), (CONSUMER, "uniform")])
def test_a_group_with_a_member_is_described(group: Group, stack: ExitStack, protocol: str, strategy: str) -> None:
    member = group.join(protocol, stack)
    wait_until(lambda: group.committed.look() == {0: COUNT, 1: COUNT}, "everything to be read")
    rows = re.findall(rf"\d\s+{COUNT}\s+{COUNT}\s+0\s+\S+\s+/127.0.0.1\s+rdkafka", group.ask("--describe", "--offsets"))
    assert len(rows) == 2
    state = group.ask("--describe", "--state")
    assert re.search(rf"{group.name}\s+{group.shell.address}\s+\(1\)\s+{strategy}\s+Stable\s+1", state)
    members = group.ask("--describe", "--members", "--verbose")
    assert re.search(rf"{group.name}\s+\S+\s+/127.0.0.1\s+rdkafka\s+2\s+\S+\s+{group.name}:0,1\s", members)
    listed = group.shell.ask(CONSUMER_GROUPS, "--list", "--state", "stable", "--type")
    assert re.search(rf"{group.name}\s+{'Consumer' if protocol == CONSUMER else 'Classic'}\s+Stable", listed)
    assert member.assignment() == {0, 1}


def test_what_a_group_with_a_member_is_spared(group: Group, stack: ExitStack) -> None:
    group.join(EAGER, stack)
    said = group.ask("--reset-offsets", "--topic", group.name, "--to-earliest", "--execute")
    assert f"can only be reset if the group '{group.name}' is inactive, but the current state is Stable" in said
    assert "GroupNotEmptyException" in group.ask("--delete")
    assert "GroupSubscribedToTopicException" in refused(group, "--delete-offsets", "--topic", group.name)
    assert group.committed.look().keys() == {0, 1}


def test_offsets_and_groups_are_deleted(group: Group) -> None:
    deleted = group.ask("--delete-offsets", "--topic", f"{group.name}:0")
    assert re.search(rf"{group.name}\s+0\s+Successful", deleted)
    assert group.committed.look() == {1: 5}
    assert f"Deletion of requested consumer groups ('{group.name}') was successful" in group.ask("--delete")
    assert group.name not in group.shell.ask(CONSUMER_GROUPS, "--list").split()
    assert "GroupIdNotFoundException" in group.ask("--delete")
    assert "GroupIdNotFoundException" in refused(group, "--describe")


def refused(group: Group, *words: str) -> str:
    done = group.shell.run(CONSUMER_GROUPS, "--group", group.name, *words)
    return done.stdout + done.stderr


def test_kafka_groups_lists_all_kinds(group: Group, stack: ExitStack) -> None:
    modern = Group(group.shell)
    modern.join(CONSUMER, stack)
    group.join(EAGER, stack)
    everything = group.shell.ask("GroupsCommand", "--list")
    assert re.search(rf"{group.name}\s+Classic\s+consumer\s", everything)
    assert re.search(rf"{modern.name}\s+Consumer\s+consumer\s", everything)
    new = group.shell.ask("GroupsCommand", "--list", "--group-type", "consumer")
    assert (modern.name in new, group.name in new) == (True, False)
    assert {modern.name, group.name} <= set(group.shell.ask("GroupsCommand", "--list", "--consumer").split())
    assert group.name not in group.shell.ask("GroupsCommand", "--list", "--share")
