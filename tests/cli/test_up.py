"""`logctl up` and `logctl down`: a node in one word, and every way in which that can go wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import Done, command, environment, run
from support.ports import free_port
from support.waiting import wait_until

from logctl import local
from logctl.wire.frames import request_frame
from logctl.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose nodes are gone at the end."""
    folder = tmp_path / "data"
    yield folder
    for node in local.nodes_in(folder):
        if node.pid is not None:
            os.kill(node.pid, signal.SIGKILL)


@pytest.fixture
def port() -> int:
    return free_port()


def up(data: Path, port: int, *more: str) -> Done:
    return run("up", "--data", str(data), "--port", str(port), "--detach", *more)


def down(data: Path) -> Done:
    return run("down", "--data", str(data))


class Foreground:
    """`logctl up` in the foreground, with its diary in a file."""

    def __init__(self, data: Path, port: int, *more: str, settings: dict[str, str] | None = None) -> None:
        self.diary_path = data.parent / "diary"
        self.log_dir = local.log_dir_of(data, 1)
        with open(self.diary_path, "wb") as out:
            self.process = subprocess.Popen(
                command("up", "--data", str(data), "--port", str(port), *more),
                stdout=subprocess.DEVNULL, stderr=out, env=environment(None, settings),
            )  # fmt: skip

    @property
    def diary(self) -> str:
        return self.diary_path.read_text()

    def wait_for(self, kind: str) -> None:
        def said() -> bool:
            assert self.process.poll() is None, self.diary
            return any(line.split()[1:2] == [kind] for line in self.diary.splitlines())

        wait_until(said, f"the entry {kind}")


# -- the good days ---------------------------------------------------------------------------------------------------


def test_up_returns_when_the_node_answers_and_down_when_it_is_gone(data: Path, port: int) -> None:
    done = up(data, port)
    assert (done.code, done.out) == (0, "")
    assert re.match(rf"node 1 is ready at 127\.0\.0\.1:{port} \(process \d+, diary in {data}/node-1\.log\)", done.err)
    assert run("topic", "create", "orders", bootstrap=f"127.0.0.1:{port}").code == 0
    done = down(data)
    assert done.code == 0
    assert re.fullmatch(r"node 1 \(process \d+\) stopped in \d+\.\d s\n", done.err)
    assert (data / "node-1" / ".kafka_cleanshutdown").exists()


def test_what_was_made_is_there_the_next_day(data: Path, port: int) -> None:
    up(data, port)
    run("topic", "create", "orders", bootstrap=f"127.0.0.1:{port}")
    down(data)
    up(data, port)
    assert run("topic", "list", "-o", "name", bootstrap=f"127.0.0.1:{port}").out == "orders\n"


def test_up_twice_says_so_and_is_content(data: Path, port: int) -> None:
    up(data, port)
    for more in ((), ("--detach",)):
        done = run("up", "--data", str(data), "--port", str(free_port()), *more)
        assert done.code == 0
        assert re.match(rf"node 1 is running already at 127\.0\.0\.1:{port} \(process \d+", done.err)


def test_down_without_a_node_says_so_and_is_content(data: Path) -> None:
    done = down(data)
    assert (done.code, done.err) == (0, f"nothing is running in {data}\n")


def test_commands_find_the_node_of_the_default_data_folder(data: Path, port: int) -> None:
    home = {"XDG_DATA_HOME": str(data)}
    done = run("up", "--port", str(port), "--detach", env=home)
    assert done.code == 0, done.err
    assert f"diary in {data}/logctl/node-1.log" in done.err
    assert run("topic", "create", "orders", env=home).code == 0
    assert run("down", env=home).code == 0


def test_a_free_port_can_be_taken(data: Path) -> None:
    done = up(data, 0)
    assert done.code == 0, done.err
    [node] = local.nodes_in(data)
    assert node.addresses[0] in done.err
    assert not node.addresses[0].endswith(":0")


def test_in_the_foreground_the_diary_tells_what_happens(data: Path, port: int) -> None:
    node = Foreground(data, port, "-c", "num.partitions=3")
    node.wait_for("ready")
    run("topic", "create", "orders", bootstrap=f"127.0.0.1:{port}")
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(30) == 0
    kinds = [line.split()[1] for line in node.diary.splitlines()]
    assert kinds[:2] == ["start", "start"]
    assert kinds[-2:] == ["stop", "stop"]
    assert f"Ready at 127.0.0.1:{port}" in node.diary
    assert "Created orders with 3 partitions here" in node.diary
    assert local.nodes_in(data)[0].state == "stopped"


def test_machines_read_the_diary_as_json(data: Path, port: int) -> None:
    node = Foreground(data, port, "--log-format", "json")
    wait_until(lambda: '"ready"' in node.diary, "the entry ready")
    node.process.terminate()
    assert node.process.wait(30) == 0
    entries = [json.loads(line) for line in node.diary.splitlines()]
    assert {"time", "kind", "message"} <= set.intersection(*map(set, entries))
    assert entries[-1]["message"].startswith("Stopped in order in")


def test_a_node_that_was_killed_comes_back_with_what_it_had(data: Path, port: int) -> None:
    up(data, port)
    address = f"127.0.0.1:{port}"
    run("topic", "create", "orders", bootstrap=address)
    run("record", "produce", "orders", bootstrap=address, stdin=b"one\ntwo\n")
    [node] = local.nodes_in(data)
    assert node.pid is not None
    os.kill(node.pid, signal.SIGKILL)
    wait_until(lambda: local.nodes_in(data)[0].state == "died", "the kernel to drop the lock")
    assert up(data, port).code == 0
    assert run("record", "consume", "orders", "-n", "2", bootstrap=address).out == "one\ntwo\n"


def test_a_second_signal_ends_a_stop_that_takes_long(data: Path, port: int) -> None:
    """A peer that asks and never reads holds up the orderly end."""
    node = Foreground(data, port)
    node.wait_for("ready")
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.setblocking(False)
        describe_yourself = DescribeConfigsRequest([DescribeConfigsResource(4, "1")], include_documentation=True)
        request = request_frame(32, 4, 1, "deaf", describe_yourself)
        wait_until(lambda: _sent_all_it_can(peer, request), "the node to stop reading")
        node.process.terminate()
        node.wait_for("stop")
        assert local.describe(node.log_dir).state == "stopping"
        node.process.terminate()
        assert node.process.wait(30) == -signal.SIGTERM
    assert "SIGTERM again: ending at once" in node.diary


def _sent_all_it_can(peer: socket.socket, request: bytes) -> bool:
    try:
        for _ in range(1000):
            peer.send(request * 100)
    except BlockingIOError:
        return True
    return False


# -- the bad ones ----------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_told_with_its_user(data: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        for more in ((), ("--detach",)):
            done = run("up", "--data", str(data), "--port", str(port), *more)
            assert done.code == 2
            assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in done.err
            assert sys.platform != "linux" or f"(process {os.getpid()})" in done.err
            assert "hint: " in done.err
    assert local.nodes_in(data)[0].state == "stopped"


def test_a_second_node_on_the_same_folder_is_refused(data: Path, port: int, tmp_path: Path) -> None:
    up(data, port)
    config = tmp_path / "node.properties"
    config.write_text(f"node.id=1\nlog.dirs={data}/node-1\nlisteners=PLAINTEXT://127.0.0.1:{free_port()}\n")
    done = run("node", "start", "--config", str(config))
    assert done.code == 5
    assert f"error: another node uses {data}/node-1: process {local.nodes_in(data)[0].pid}" in done.err


def test_a_folder_that_cannot_be_made_is_told(port: int) -> None:
    done = run("up", "--data", "/dev/null/data", "--port", str(port))
    assert done.code == 1
    assert "error: cannot use the log directory /dev/null/data/node-1: Not a directory" in done.err
    assert run("up", "--data", "/dev/null/data", "--port", str(port), "--detach").code == 1


def test_a_folder_with_files_of_somebody_else_is_left_alone(data: Path, port: int) -> None:
    (data / "node-1").mkdir(parents=True)
    (data / "node-1" / "thesis.txt").write_text("precious")
    done = up(data, port)
    assert done.code == 2
    assert f"error: {data}/node-1 has no meta.properties but is not empty: it holds thesis.txt" in done.err
    assert (data / "node-1" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("num.partition=3", "error: -c num.partition: there is no setting 'num.partition'\nhint: did you mean num."),
        ("num.partitions=many", "error: -c num.partitions: num.partitions is a whole number, not 'many'"),
        ("num.partitions", "error: -c num.partitions: a setting is written as name=value"),
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_happens(data: Path, port: int, given: str, says: str) -> None:
    for more in ((), ("--detach",)):
        done = run("up", "--data", str(data), "--port", str(port), "-c", given, *more)
        assert done.code == 2
        assert done.err.startswith(says)
    assert not data.exists()


@pytest.mark.parametrize(
    "flags",
    [("--port", "70000"), ("--port", "x"), ("--log-format", "xml"), ("--no-such-flag",), ("--data",)],
    ids=" ".join,
)
def test_wrong_flags_are_usage_errors(flags: tuple[str, ...]) -> None:
    done = run("up", *flags)
    assert done.code == 2
    assert done.err.startswith("error: ")


def test_damage_to_the_metadata_log_stops_the_start_and_changes_nothing(data: Path, port: int) -> None:
    up(data, port)
    run("topic", "create", "orders", bootstrap=f"127.0.0.1:{port}")
    down(data)
    [segment] = (data / "node-1" / "__cluster_metadata-0").glob("*.log")
    damaged = bytearray(segment.read_bytes())
    damaged[120] ^= 0xFF
    segment.write_bytes(damaged)
    done = up(data, port)
    assert done.code == 1
    assert f"error: {segment} is damaged at position" in done.err
    assert "Nothing was changed" in done.err
    assert segment.read_bytes() == damaged


def test_a_damaged_index_is_built_anew(data: Path, port: int) -> None:
    up(data, port)
    address = f"127.0.0.1:{port}"
    run("topic", "create", "orders", bootstrap=address)
    run("record", "produce", "orders", bootstrap=address, stdin=b"one\ntwo\n")
    down(data)
    for index in (data / "node-1" / "orders-0").glob("*index"):
        index.write_bytes(b"nonsense")
    assert up(data, port).code == 0
    assert run("record", "consume", "orders", "-n", "2", bootstrap=address).out == "one\ntwo\n"


def test_the_data_of_a_whole_folder_can_be_moved(data: Path, port: int, tmp_path: Path) -> None:
    up(data, port)
    run("topic", "create", "orders", bootstrap=f"127.0.0.1:{port}")
    down(data)
    moved = tmp_path / "moved"
    shutil.move(data, moved)
    try:
        assert up(moved, port).code == 0
        assert run("topic", "list", "-o", "name", bootstrap=f"127.0.0.1:{port}").out == "orders\n"
    finally:
        down(moved)
