"""The other engine: what it says when something is missing, and a broker's life from format to SIGKILL."""

from __future__ import annotations

import os
import socket
import stat
import uuid
from pathlib import Path

import pytest
from support.apache import apache_node, classpath, new_apache_node
from support.ports import free_port

from logctl.engine import apache
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, UsageError


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what the test puts there, and a data folder of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def has_java(tools: Path, version: str = "21.0.2") -> None:
    script(tools / "java", f"echo 'openjdk version \"{version}\" 2024-01-16' >&2")


# What is missing ------------------------------------------------------------------------------------------------------


def test_without_java_it_says_so(tools: Path) -> None:
    with pytest.raises(UsageError, match="needs a Java runtime of version 17 or newer: no java on PATH"):
        apache.java()
    assert "no java on PATH" in str(apache.available())


@pytest.mark.parametrize(("told", "version"), [("1.8.0_392", 8), ("11.0.21", 11)])
def test_an_old_java_is_named(tools: Path, told: str, version: int) -> None:
    has_java(tools, told)
    with pytest.raises(UsageError, match=f"bin/java is version {version}"):
        apache.java()


def test_a_java_that_does_not_run_is_named(tools: Path) -> None:
    script(tools / "java", "exit 1")
    with pytest.raises(UsageError, match="bin/java does not run"):
        apache.java()


def test_java_home_goes_before_the_path(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has_java(tools, "17.0.1")
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    has_java(home / "bin", "25")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert apache.java() == home / "bin" / "java"


def test_without_maven_it_says_so_and_names_the_other_way(tools: Path) -> None:
    has_java(tools)
    with pytest.raises(UsageError, match="no mvn on PATH") as refusal:
        apache.artifacts()
    assert "--kafka-home" in refusal.value.hint
    assert "no mvn on PATH" in str(apache.available())


def test_a_folder_that_is_no_distribution_is_refused(tools: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an unpacked Apache Kafka distribution"):
        apache.artifacts(kafka_home=tmp_path)


def test_an_unpacked_distribution_needs_no_maven(tools: Path, tmp_path: Path) -> None:
    has_java(tools)
    libs = tmp_path / "kafka" / "libs"
    libs.mkdir(parents=True)
    jars = [libs / "kafka-clients-4.3.1.jar", libs / "kafka_2.13-4.3.1.jar"]
    for jar in jars:
        jar.touch()
    assert apache.artifacts(kafka_home=tmp_path / "kafka") == jars
    assert apache.available(kafka_home=tmp_path / "kafka") is None


# Fetching -------------------------------------------------------------------------------------------------------------


def maven(tools: Path, work: str) -> None:
    """A stand-in for Maven that knows where the jars are wanted."""
    script(
        tools / "mvn",
        f'PATH={os.defpath}; for flag; do case "$flag" in -DoutputDirectory=*) out=${{flag#*=}};; esac; done; {work}',
    )


def test_artifacts_are_fetched_once(tools: Path) -> None:
    maven(tools, 'mkdir -p "$out"; touch "$out/one.jar"; echo run >> "$(dirname "$out")/runs"')
    first, second = apache.artifacts(), apache.artifacts()
    assert [jar.name for jar in first] == ["one.jar"]
    assert first == second
    assert (apache.data_home() / apache.VERSION / "runs").read_text() == "run\n"


def test_an_interrupted_fetch_is_begun_anew(tools: Path) -> None:
    maven(tools, 'mkdir -p "$out"; touch "$out/half.jar"; echo "[ERROR] Connection reset" >&2; exit 1')
    with pytest.raises(OperationFailed, match=r"Maven could not fetch .*Connection reset"):
        apache.artifacts()
    maven(tools, 'mkdir -p "$out"; touch "$out/whole.jar"')
    assert [jar.name for jar in apache.artifacts()] == ["whole.jar"]


def test_an_unwritable_data_folder_is_named(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven(tools, "true")
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "a file"))
    with pytest.raises(OperationFailed, match=r"Cannot keep Apache Kafka's artifacts in .*Not a directory"):
        apache.artifacts()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[ERROR] Could not transfer artifact a:b:pom:1: Unknown host somewhere", "its repository was not reached"),
        ("[ERROR] Could not find artifact org.apache.kafka:kafka_2.13:jar:9.9.9", "Maven found no Apache Kafka 9.9.9"),
    ],
)
def test_what_stands_against_a_fetch_is_told_apart(tools: Path, said: str, told: str) -> None:
    maven(tools, f'echo "{said}"; exit 1')
    with pytest.raises(OperationFailed, match=told):
        apache.artifacts("9.9.9")


def test_each_file_is_told_as_it_comes(tools: Path) -> None:
    maven(tools, 'mkdir -p "$out"; touch "$out/one.jar"; echo "Downloaded from there: scheme://host/a/one.jar (1 kB)"')
    told: list[str] = []
    apache.fetch("4.3.1", told.append)
    assert told == ["one.jar"]


def test_artifacts_that_are_not_whole_any_more_are_named_and_fetched_anew(tools: Path) -> None:
    maven(tools, 'mkdir -p "$out"; echo text > "$out/one.jar"; echo text > "$out/two.jar"')
    [one, two] = apache.artifacts()
    two.unlink()
    with pytest.raises(OperationFailed, match=r"is not whole: two\.jar is missing") as refusal:
        apache.artifacts()
    assert "logctl engine install apache" in refusal.value.hint
    one.write_text("t")
    found = apache.installed("4.3.1")
    assert found is not None
    assert found.trouble == "one.jar has 1 bytes instead of 5"
    apache.fetch("4.3.1")
    assert len(apache.artifacts()) == 2


@pytest.mark.parametrize("version", ["4.3", "../../etc", "4.3.1</version>", ""])
def test_a_version_is_written_like_one(tools: Path, version: str) -> None:
    with pytest.raises(UsageError, match="is not a version of Apache Kafka"):
        apache.artifacts(version)


def test_a_distribution_is_registered_under_its_version(tools: Path, tmp_path: Path) -> None:
    libs = tmp_path / "kafka" / "libs"
    libs.mkdir(parents=True)
    (libs / "kafka-clients-4.2.0.jar").touch()
    found = apache.register(tmp_path / "kafka")
    assert (found.version, found.source, found.place) == ("4.2.0", "distribution", tmp_path / "kafka")
    assert apache.artifacts("4.2.0") == [libs / "kafka-clients-4.2.0.jar"]
    assert [one.version for one in apache.all_installed()] == ["4.2.0"]
    (libs / "kafka-clients-4.2.0.jar").unlink()
    with pytest.raises(OperationFailed, match=r"is not whole: .* is not an unpacked Apache Kafka distribution"):
        apache.artifacts("4.2.0")


# Why a JVM died -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "decisive"),
    [
        ("", "it logged nothing"),
        ("[now] INFO starting\n[now] INFO stopped\n", "[now] INFO stopped"),
        ("[now] INFO a\n[now] ERROR gave up (kafka.Kafka$)\n[now] INFO b", "[now] ERROR gave up (kafka.Kafka$)"),
        (
            "[now] ERROR Exiting (kafka.Kafka$)\norg.example.OuterException: it failed\n\tat a.B.c(B.java:1)\n"
            "Caused by: java.net.BindException: Address already in use\n\t... 3 more\n[now] ERROR again\n",
            "java.net.BindException: Address already in use",
        ),
        (
            "Error occurred during initialization of VM\nToo small maximum heap",
            "Error occurred during initialization of VM Too small maximum heap",
        ),
        ("Unrecognized VM option 'UseMagic'\nError: Could not create", "Unrecognized VM option 'UseMagic'"),
        ("Invalid maximum heap size: -Xmxx\nError: Could not create", "Invalid maximum heap size: -Xmxx"),
    ],
)
def test_the_line_that_says_why(log: str, decisive: str) -> None:
    assert apache.decisive_line(log) == decisive


def test_a_cluster_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drawn:
        def __init__(self, first: int) -> None:
            self.bytes = bytes([first]) + bytes(15)

    drawn = iter([Drawn(0xFB), Drawn(0xFB), Drawn(0x00)])  # 0xFB is spelt "-w"
    monkeypatch.setattr(uuid, "uuid4", lambda: next(drawn))
    assert apache.new_cluster_id() == "A" * 22


# A broker's life ------------------------------------------------------------------------------------------------------


@pytest.mark.java
def test_a_broker_keeps_its_topics_through_stop_and_kill(tmp_path: Path) -> None:
    topics = "org.apache.kafka.tools.TopicCommand", "--bootstrap-server"
    with apache_node(tmp_path / "node") as node:
        identity = (node.data / "meta.properties").read_text()
        assert apache.run_tool(*topics, node.address, "--create", "--topic", "kept").code == 0
        node.stop()
        assert not node.running
        node.start()
        node.kill()
        assert not apache.answers(node.address, 2.0)
        node.start()
        listed = apache.run_tool(*topics, node.address, "--list")
    assert listed.stdout.split() == ["kept"]
    assert (node.data / "meta.properties").read_text() == identity
    assert not node.running


@pytest.mark.java
def test_settings_win_and_a_bad_one_is_told_by_the_decisive_line(tmp_path: Path) -> None:
    node = new_apache_node(tmp_path / "node", {"num.partitions": "7", "log.dirs": str(tmp_path / "elsewhere")})
    assert node.properties()["num.partitions"] == "7"
    assert node.properties()["log.dirs"] == str(tmp_path / "elsewhere")
    node = new_apache_node(tmp_path / "node", {"num.io.threads": "many"})
    with pytest.raises(LogctlError, match=r"Invalid value many for configuration num\.io\.threads"):
        node.start()
    assert not node.running


@pytest.mark.java
def test_a_port_in_use_is_found_before_the_jvm_starts(tmp_path: Path) -> None:
    node = new_apache_node(tmp_path / "node")
    with (
        socket.create_server(("127.0.0.1", node.port)),
        pytest.raises(UsageError, match=f"Cannot listen on 127.0.0.1:{node.port}: Address already in use"),
    ):
        node.start()
    assert node.process is None


@pytest.mark.java
def test_a_tool_that_does_not_end_is_killed() -> None:
    classpath()
    nobody = f"127.0.0.1:{free_port()}"
    with pytest.raises(DeadlineExceeded, match="did not end within 2 s"):
        apache.run_tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", nobody, "--list", timeout_s=2)
