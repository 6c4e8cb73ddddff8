"""The pytest plugin as its user meets it: a suite of a few lines, run by a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


@pytest.fixture
def tmpdir(tmp_path: Path) -> Path:
    """The temporary directory of the suites: whatever a node leaves is seen here."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


class Suite:
    """A folder with one test file, whose tests pass or don't."""

    def __init__(self, folder: Path, tmpdir: Path, body: str, ini: str = "") -> None:
        folder.mkdir()
        self.folder, self.tmpdir = folder, tmpdir
        before = "import pytest\nfrom confluent_kafka import Consumer, Producer\n"
        (folder / "test_suite.py").write_text(before + textwrap.dedent(body))
        strict = "[pytest]\naddopts = -q -p no:cacheprovider --strict-markers -W error\n"
        (folder / "pytest.ini").write_text(strict + textwrap.dedent(ini))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments], cwd=self.folder, env=kept | {"TMPDIR": str(self.tmpdir)},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        left = [path.name for path in self.tmpdir.iterdir() if path.name.startswith("logctl-ephemeral-")]
        assert left == [], "a node has left something"
        return done


STORIES = """
    def test_what_is_produced_is_consumed(kafka_node, kafka_topic):
        producer = Producer({"bootstrap.servers": kafka_node.bootstrap_servers})
        producer.produce(kafka_topic, b"hello")
        assert producer.flush(30) == 0
        consumer = Consumer({
            "bootstrap.servers": kafka_node.bootstrap_servers, "group.id": "g", "auto.offset.reset": "earliest",
        })
        consumer.subscribe([kafka_topic])
        assert [message.value() for message in consumer.consume(1, timeout=30)] == [b"hello"]
        consumer.close()

    names = []

    @pytest.mark.parametrize("number", range(3))
    def test_every_test_has_a_topic_of_its_own(kafka_topic, number):
        assert kafka_topic not in names
        names.append(kafka_topic)

    def test_the_topics_of_other_tests_are_gone(kafka_node):
        assert not set(names) & set(topics(kafka_node))

    @pytest.mark.kafka_topic(partitions=3, configs={"retention.ms": 1000})
    def test_the_marker_says_what_the_topic_is_like(kafka_node, kafka_topic):
        assert len(topics(kafka_node)[kafka_topic].partitions) == 3

    def test_the_topic_may_be_gone_at_the_end(kafka_node, kafka_topic):
        kafka_node.reset()
        assert topics(kafka_node) == {}

    def topics(node):
        from confluent_kafka.admin import AdminClient
        return AdminClient({"bootstrap.servers": node.bootstrap_servers}).list_topics(timeout=30).topics
"""


@pytest.mark.parametrize("mode", ["process", "thread"])
def test_fixtures_give_a_node_and_fresh_topics(tmp_path: Path, tmpdir: Path, mode: str) -> None:
    done = Suite(tmp_path / "suite", tmpdir, STORIES, f"kafka_mode = {mode}\n").run()
    assert "7 passed" in done.stdout, done.stdout + done.stderr


def test_each_worker_of_xdist_has_a_node_of_its_own(tmp_path: Path, tmpdir: Path) -> None:
    body = """
        import pathlib, time

        @pytest.mark.parametrize("side", ["left", "right"])
        def test_both_at_once(kafka_node, kafka_topic, side):
            here = pathlib.Path(__file__).parent
            (here / side).write_text(kafka_node.bootstrap_servers)
            other = here / {"left": "right", "right": "left"}[side]
            deadline = time.monotonic() + 60
            while not (other.exists() and other.read_text()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert other.read_text() != kafka_node.bootstrap_servers
    """
    done = Suite(tmp_path / "suite", tmpdir, body).run("-n", "2")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_settings_come_from_the_ini_file_and_the_command_line(tmp_path: Path, tmpdir: Path) -> None:
    body = """
        def test_settings(kafka_node):
            from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
            admin = AdminClient({"bootstrap.servers": kafka_node.bootstrap_servers})
            [answer] = admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]).values()
            found = answer.result(30)
            assert (found["num.partitions"].value, found["message.max.bytes"].value) == ("4", "2000")
    """
    ini = "kafka_settings =\n    num.partitions=3\n    message.max.bytes=2000\n"
    done = Suite(tmp_path / "suite", tmpdir, body, ini).run("--kafka-setting", "num.partitions=4")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_node_that_does_not_start_fails_the_test_with_the_reason(tmp_path: Path, tmpdir: Path) -> None:
    suite = Suite(tmp_path / "suite", tmpdir, "def test_nothing(kafka_topic): pass\n")
    done = suite.run("--kafka-setting", "num.partition=4")
    assert "settings['num.partition']: there is no setting 'num.partition'" in done.stdout
    assert "1 error" in done.stdout
    assert "it is written as NAME=VALUE" in suite.run("--kafka-setting", "num.partitions").stdout
