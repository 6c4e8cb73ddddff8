"""A broker inside a test suite: in a child process or a thread, several at once, and never anything left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from support.waiting import wait_until

from logctl.embedded import MODES, Node
from logctl.errors import LogctlError, OperationFailed, Unreachable, UsageError


@pytest.fixture(autouse=True)
def tmpdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory of the test's own, and empty at its end."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def produce(node: Node, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": node.bootstrap_servers})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def consumer(node: Node, topic: str, group: str = "readers") -> Consumer:
    settings = {"bootstrap.servers": node.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"}
    reader = Consumer(settings)
    reader.subscribe([topic])
    return reader


def read(reader: Consumer, count: int) -> list[bytes]:
    return [message.value() or b"" for message in reader.consume(count, timeout=30)]


def topics(node: Node) -> set[str]:
    return set(AdminClient({"bootstrap.servers": node.bootstrap_servers}).list_topics(timeout=30).topics)


def groups(node: Node) -> list[str]:
    admin = AdminClient({"bootstrap.servers": node.bootstrap_servers})
    return [group.group_id for group in admin.list_consumer_groups(request_timeout=30).result().valid]


# -- the good days ---------------------------------------------------------------------------------------------------


def test_a_consumer_under_test_meets_a_real_broker(mode: str) -> None:
    with Node(mode=mode) as node:
        topic = node.create_topic(partitions=1)
        produce(node, topic, b"one", b"two")
        with closing(consumer(node, topic)) as reader:
            assert read(reader, 2) == [b"one", b"two"]
        assert f"Ready at {node.bootstrap_servers}" in node.diary
    assert f"Created {topic} with 1 partition here" in node.diary


def test_several_nodes_know_nothing_of_each_other() -> None:
    with Node() as first, Node(mode="thread") as second, Node(mode="thread") as third:
        nodes = (first, second, third)
        assert len({node.bootstrap_servers for node in nodes}) == 3
        for number, node in enumerate(nodes):
            node.create_topic(f"topic-{number}")
        assert [topics(node) for node in nodes] == [{"topic-0"}, {"topic-1"}, {"topic-2"}]


def test_settings_have_apaches_names(mode: str) -> None:
    settings = {"num.partitions": 3, "auto.create.topics.enable": False}
    with Node(mode=mode, settings=settings) as node:
        topic = node.create_topic(partitions=-1, configs={"retention.ms": 60000})
        found = AdminClient({"bootstrap.servers": node.bootstrap_servers}).list_topics(timeout=30)
        assert len(found.topics[topic].partitions) == 3


def test_a_node_that_is_started_again_is_a_new_one(mode: str) -> None:
    node = Node(mode=mode)
    for _ in range(2):
        node.start()
        assert topics(node) == set()
        node.create_topic("orders")
        node.stop()
    node.stop()
    assert repr(node) == "<logctl node, not running>"


# -- reset -----------------------------------------------------------------------------------------------------------


def test_reset_forgets_topics_records_and_offsets(mode: str) -> None:
    with Node(mode=mode) as node:
        for values in ([b"one", b"two"], [b"three"]):
            node.create_topic("orders")
            produce(node, "orders", *values)
            with closing(consumer(node, "orders")) as reader:
                assert read(reader, len(values)) == values
                reader.commit(asynchronous=False)
            node.reset()
            assert topics(node) == set()
            assert groups(node) == []


def test_reset_puts_out_members_that_are_still_there() -> None:
    with Node() as node:
        node.create_topic("orders")
        produce(node, "orders", b"one")
        with closing(consumer(node, "orders")) as reader:
            assert read(reader, 1) == [b"one"]
            reader.commit(asynchronous=False)
            assert groups(node) == ["readers"]
            node.reset()
            node.create_topic("orders")
        committed = {"bootstrap.servers": node.bootstrap_servers, "group.id": "readers"}
        with closing(Consumer(committed)) as reader:
            assert reader.committed([TopicPartition("orders", 0)], timeout=30)[0].offset < 0


def test_reset_takes_back_what_was_set_while_the_node_ran(mode: str) -> None:
    with Node(mode=mode) as node:
        admin = AdminClient({"bootstrap.servers": node.bootstrap_servers})
        entry = ConfigEntry("message.max.bytes", "4321", incremental_operation=AlterConfigOpType.SET)
        [answer] = admin.incremental_alter_configs(
            [ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])]
        ).values()
        answer.result(30)
        assert message_max_bytes(node) == "4321"
        node.reset()
        assert message_max_bytes(node) == "1048588"
        node.reset()


def message_max_bytes(node: Node) -> str | None:
    admin = AdminClient({"bootstrap.servers": node.bootstrap_servers})
    [answer] = admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]).values()
    value = answer.result(30)["message.max.bytes"].value
    return str(value) if value is not None else None


# -- starts that fail ------------------------------------------------------------------------------------------------


def test_a_setting_that_does_not_exist_is_told_with_its_place(mode: str) -> None:
    with pytest.raises(UsageError, match=r"settings\['num.partition'\]: there is no setting 'num.partition'"):
        Node(mode=mode, settings={"num.partition": 3}).start()


def test_a_port_in_use_is_told_with_the_diary(mode: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            Node(mode=mode, port=port).start()
    told = str(caught.value)
    assert f"the node did not start: cannot listen on 127.0.0.1:{port}: Address already in use" in told
    assert "\nits diary ends:\n" in told
    assert "Node 1 of cluster" in told


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="in a process or in a thread, not in 'container'"):
        Node(mode="container")


def test_a_refused_topic_is_told(mode: str) -> None:
    with Node(mode=mode) as node:
        node.create_topic("orders")
        with pytest.raises(OperationFailed, match="topic orders: TOPIC_ALREADY_EXISTS"):
            node.create_topic("orders")
        with pytest.raises(LogctlError, match="topic oders: UNKNOWN_TOPIC_OR_PARTITION"):
            node.delete_topic("oders")


def test_a_node_that_was_killed_is_told_with_its_diary() -> None:
    with Node() as node:
        os.kill(pid_of(node), signal.SIGKILL)
        with pytest.raises(Unreachable, match=r"the node does not answer: [\s\S]+ Ready at 127"):
            wait_until(lambda: node.create_topic() and False, "the node to be gone")


def pid_of(node: Node) -> int:
    [line] = [line for line in node.diary.splitlines() if ", process " in line]
    return int(line.rpartition(" ")[2])


# -- nothing is left behind ------------------------------------------------------------------------------------------


def test_a_failing_test_leaves_nothing(mode: str, tmpdir: Path) -> None:
    seen = []

    def failing() -> None:
        with Node(mode=mode) as node:
            seen.append(pid_of(node))
            print(1 / 0)

    with pytest.raises(ZeroDivisionError):
        failing()
    assert list(tmpdir.iterdir()) == []
    assert mode == "thread" or not alive(seen[0])


def test_a_node_that_is_dropped_ends(mode: str, tmpdir: Path) -> None:
    node = Node(mode=mode).start()
    pid = pid_of(node)
    del node
    assert list(tmpdir.iterdir()) == []
    assert mode == "thread" or not alive(pid)


def test_a_copy_of_the_process_leaves_the_node_alone(mode: str, tmpdir: Path) -> None:
    code = """
        import os, sys
        node = Node(mode=mode).start()
        if os.fork() == 0:
            sys.exit(0)
        os.wait()
        node.create_topic()
    """
    assert ending(in_another_interpreter(code, mode, tmpdir)) == 0


@pytest.mark.parametrize("last_words", ["sys.exit(3)", "1 / 0", "pass", "os.kill(os.getpid(), signal.SIGINT)"])
def test_the_end_of_the_interpreter_is_the_end_of_the_node(mode: str, tmpdir: Path, last_words: str) -> None:
    done = in_another_interpreter(f"node = Node(mode=mode).start(); report(node)\n{last_words}", mode, tmpdir)
    pid = int(reported(done))
    done.wait(60)
    assert not alive(pid)
    assert list(tmpdir.iterdir()) == []


def test_a_child_ends_when_its_parent_is_killed(tmpdir: Path) -> None:
    parent = in_another_interpreter("node = Node().start(); report(node); signal.pause()", "process", tmpdir)
    pid = int(reported(parent))
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(pid), "the node to notice")
    wait_until(lambda: list(tmpdir.iterdir()) == [], "its data to go")


def test_what_a_killed_process_with_a_thread_left_goes_with_the_next_start(tmpdir: Path) -> None:
    parent = in_another_interpreter("node = Node(mode=mode).start(); report(node); signal.pause()", "thread", tmpdir)
    reported(parent)
    parent.kill()
    parent.wait()
    assert len(list(tmpdir.iterdir())) == 1
    Node().start().stop()
    assert list(tmpdir.iterdir()) == []


def test_a_node_in_a_thread_leaves_the_process_as_it_was(tmpdir: Path) -> None:
    code = """
        import gc, resource
        before = gc.get_threshold(), gc.get_freeze_count(), resource.getrlimit(resource.RLIMIT_NOFILE)
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with Node(mode=mode):
            import asyncio.sslproto
            assert asyncio.sslproto.ssl is not None
        assert before == (gc.get_threshold(), gc.get_freeze_count(), resource.getrlimit(resource.RLIMIT_NOFILE))
        assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    """
    assert ending(in_another_interpreter(code, "thread", tmpdir)) == 0


def in_another_interpreter(code: str, mode: str, tmpdir: Path) -> subprocess.Popen[str]:
    before = f"""
        import os, signal, sys
        from logctl.embedded import Node
        mode = {mode!r}
        def report(node):
            line = next(line for line in node.diary.splitlines() if ", process " in line)
            print(line.rpartition(" ")[2], flush=True)
    """
    program = textwrap.dedent(before) + textwrap.dedent(code)
    environment = {**os.environ, "TMPDIR": str(tmpdir)}
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)


def ending(process: subprocess.Popen[str]) -> int:
    """Its exit code."""
    process.communicate(timeout=60)
    return process.returncode


def reported(process: subprocess.Popen[str]) -> str:
    with process.stdout as out:  # type: ignore[union-attr]
        return out.readline()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
