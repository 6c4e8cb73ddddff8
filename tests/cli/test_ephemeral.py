"""`logctl up --ephemeral`: a node whose data goes with it, and what becomes of the data when the node is killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import Done, command, environment, run
from support.waiting import wait_until

from logctl import local

READY = re.compile(r"127\.0\.0\.1:[1-9]\d*\n")


@pytest.fixture
def tmpdir(tmp_path: Path) -> Iterator[Path]:
    """The temporary directory of the commands; what still runs below it is gone at the end."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    yield folder
    for node in (node for data in folder.iterdir() if data.is_dir() for node in local.nodes_in(data)):
        if node.pid is not None:
            os.kill(node.pid, signal.SIGKILL)


def up(tmpdir: Path, *more: str) -> Done:
    return run("up", "--ephemeral", "--port", "0", *more, env={"TMPDIR": str(tmpdir)})


class Foreground:
    """`logctl up --ephemeral --port 0` as a test suite in another language starts it."""

    def __init__(self, tmpdir: Path, *more: str) -> None:
        self.process = subprocess.Popen(
            command("up", "--ephemeral", "--port", "0", *more), env=environment(None, {"TMPDIR": str(tmpdir)}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().rstrip("\n")

    def end(self, signal_number: int | None = None) -> tuple[int, str, str]:
        """Send it the signal and wait; exit code, what else was on stdout, and the diary."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def test_the_address_is_the_one_line_on_stdout_and_the_data_goes_with_the_node(tmpdir: Path) -> None:
    node = Foreground(tmpdir)
    assert READY.fullmatch(f"{node.address}\n")
    [data] = tmpdir.iterdir()
    assert data.stat().st_mode & 0o777 == 0o700
    assert run("topic", "create", "orders", bootstrap=node.address).code == 0
    assert (data / "node-1" / "orders-0").is_dir()
    code, out, err = node.end(signal.SIGTERM)
    assert (code, out) == (0, "")
    assert "Stopped in order" in err
    assert list(tmpdir.iterdir()) == []


def test_several_run_at_once(tmpdir: Path) -> None:
    nodes = [Foreground(tmpdir) for _ in range(3)]
    for number, node in enumerate(nodes):
        assert run("topic", "create", f"topic-{number}", bootstrap=node.address).code == 0
    for number, node in enumerate(nodes):
        assert run("topic", "list", "-o", "name", bootstrap=node.address).out == f"topic-{number}\n"
    assert [node.end(signal.SIGINT)[0] for node in nodes] == [0, 0, 0]
    assert list(tmpdir.iterdir()) == []


def test_in_the_background_it_stays_until_down(tmpdir: Path) -> None:
    done = up(tmpdir, "--detach")
    assert done.code == 0, done.err
    assert READY.fullmatch(done.out)
    [data] = tmpdir.iterdir()
    assert done.err.startswith(f"stop it with `logctl down --data {data}` (process ")
    assert run("topic", "create", "orders", bootstrap=done.out.strip()).code == 0
    assert run("down", "--data", str(data)).code == 0
    wait_until(lambda: list(tmpdir.iterdir()) == [], "the data to go")


def test_it_ends_with_the_standard_input_of_who_started_it(tmpdir: Path) -> None:
    node = Foreground(tmpdir, "--until-eof")
    assert node.address
    code, _, err = node.end()  # closes the pipe
    assert code == 0
    assert "Stopping in order (whoever started this node has gone)" in err
    assert list(tmpdir.iterdir()) == []


def test_settings_win_over_those_made_for_tests(tmpdir: Path) -> None:
    node = Foreground(tmpdir, "-c", "num.partitions=3", "-c", "auto.create.topics.enable=false")
    assert run("topic", "create", "orders", bootstrap=node.address).err == (
        "created topic orders: partitions 3, replication factor 1\n"
    )
    node.end(signal.SIGTERM)


# -- what is left behind ---------------------------------------------------------------------------------------------


def killed(tmpdir: Path, count: int = 1) -> list[Path]:
    """The folders of so many nodes that were ended with kill -9."""
    nodes = [Foreground(tmpdir) for _ in range(count)]
    for node in nodes:
        node.end(signal.SIGKILL)
    return list(tmpdir.iterdir())


def test_what_a_killed_node_left_goes_when_the_next_one_starts(tmpdir: Path) -> None:
    [data] = killed(tmpdir)
    node = Foreground(tmpdir)
    assert not data.exists()
    assert f"removed {data}: an ephemeral node that was killed had left it\n" in node.end(signal.SIGTERM)[2]
    assert list(tmpdir.iterdir()) == []


def test_a_node_in_the_background_that_was_killed_is_cleaned_up_after_too(tmpdir: Path) -> None:
    up(tmpdir, "--detach")
    [data] = tmpdir.iterdir()
    [node] = local.nodes_in(data)
    assert node.pid is not None
    os.kill(node.pid, signal.SIGKILL)
    wait_until(lambda: local.nodes_in(data)[0].state == "died", "the kernel to drop the lock")
    Foreground(tmpdir).end(signal.SIGTERM)
    assert list(tmpdir.iterdir()) == []


def test_data_of_a_node_that_lives_is_left_alone(tmpdir: Path) -> None:
    first = Foreground(tmpdir)
    run("topic", "create", "orders", bootstrap=first.address)
    Foreground(tmpdir).end(signal.SIGTERM)
    assert run("topic", "list", "-o", "name", bootstrap=first.address).out == "orders\n"
    first.end(signal.SIGTERM)


def test_what_is_not_certainly_ours_is_left_alone(tmpdir: Path) -> None:
    used, copied, opened, linked = killed(tmpdir, 4)
    (used / "thesis.txt").write_text("precious")
    shutil.copytree(copied, tmpdir / "logctl-ephemeral-copy")
    opened.chmod(0o755)
    linked.rename(tmpdir / "elsewhere")
    linked.symlink_to(tmpdir / "elsewhere")
    (tmpdir / "logctl-ephemeral-empty").mkdir(mode=0o700)
    (tmpdir / "logctl-ephemeral-odd").mkdir(mode=0o700)
    (tmpdir / "logctl-ephemeral-odd" / ".logctl-ephemeral").write_text("[1]")
    left = {used, opened, linked, *(tmpdir / f"logctl-ephemeral-{name}" for name in ("copy", "empty", "odd"))}
    Foreground(tmpdir).end(signal.SIGTERM)
    assert set(tmpdir.iterdir()) == left | {tmpdir / "elsewhere"}
    assert (used / "thesis.txt").read_text() == "precious"
    assert (tmpdir / "elsewhere" / "node-1").is_dir()


# -- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--detach",)], ids=["foreground", "detached"])
def test_a_start_that_fails_leaves_nothing(tmpdir: Path, more: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("up", "--ephemeral", "--port", port, *more, env={"TMPDIR": str(tmpdir)})
    assert (done.code, done.out) == (2, "")
    assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in done.err
    done = up(tmpdir, "-c", "num.partition=3", *more)
    assert done.code == 2
    assert "error: -c num.partition: there is no setting 'num.partition'" in done.err
    assert list(tmpdir.iterdir()) == []


def test_flags_that_do_not_go_together_are_usage_errors(tmpdir: Path) -> None:
    for flags, says in (
        (("--ephemeral", "--data", str(tmpdir)), "error: --ephemeral makes a folder of its own\nhint: "),
        (("--until-eof",), "error: --until-eof goes with --ephemeral, and not with --detach\n"),
        (("--ephemeral", "--detach", "--until-eof"), "error: --until-eof goes with --ephemeral, and not with"),
    ):
        done = run("up", *flags)
        assert done.code == 2
        assert done.err.startswith(says)
    done = up(tmpdir, "--until-eof", "--log-format", "xml")
    assert done.code == 2


def test_an_input_whose_end_cannot_be_waited_for_is_told(tmpdir: Path) -> None:
    done = subprocess.run(
        command("up", "--ephemeral", "--port", "0", "--until-eof"), stdin=subprocess.DEVNULL, capture_output=True,
        env=environment(None, {"TMPDIR": str(tmpdir)}), text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "error: the end of standard input cannot be waited for" in done.stderr
    assert list(tmpdir.iterdir()) == []
