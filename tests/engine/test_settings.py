"""Settings: what a config file may say, and what a mistake in it is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctl.engine.catalogue import broker_settings, parse
from logctl.engine.config_file import Entry, read_config
from logctl.engine.settings import Settings
from logctl.errors import UsageError


def settings(**given: str) -> Settings:
    return Settings.of(Entry(name.replace("_", "."), text, "node.yaml:1") for name, text in given.items())


def complaint(name: str, text: str) -> UsageError:
    with pytest.raises(UsageError) as found:
        Settings.of([Entry(name, text, "node.yaml:7")])
    return found.value


def test_every_default_of_the_catalogue_is_a_value_of_its_setting() -> None:
    for setting in broker_settings().values():
        parse(setting, setting.default)


def test_a_value_has_the_type_of_its_setting() -> None:
    given = settings(num_partitions="6", log_retention_ms="-1", auto_create_topics_enable="FALSE", log_dirs="/a, /b")
    assert given.integer("num.partitions") == 6
    assert given.integer("log.retention.ms") == -1
    assert given.flag("auto.create.topics.enable") is False
    assert given.log_dirs == ["/a", "/b"]
    assert given.integer("log.segment.bytes") == 1 << 30


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("num.partitions", "six", "node.yaml:7: num.partitions is a whole number, not 'six'"),
        ("num.partitions", "0", "node.yaml:7: num.partitions is at least 1, not 0"),
        ("num.partitions", "9999999999", "node.yaml:7: num.partitions is between"),
        ("auto.create.topics.enable", "yes", "node.yaml:7: auto.create.topics.enable is true or false, not 'yes'"),
        ("log.cleanup.policy", "delete,burn", "node.yaml:7: log.cleanup.policy is made of compact, delete, not 'burn'"),
        ("log.cleaner.min.cleanable.ratio", "1.5", "node.yaml:7: log.cleaner.min.cleanable.ratio is between 0 and 1"),
        ("listeners", "localhost:9092", "node.yaml:7: 'localhost:9092' is not NAME://host:port"),
        ("listeners", "SSL://localhost:9092", "node.yaml:7: listener SSL asks for SSL"),
        ("process.roles", "controller", "node.yaml:7: a controller of this engine is a broker too"),
        ("process.roles", "broker", "node.yaml:7: this node has no vote, and nothing says where the quorum is"),
        ("controller.quorum.voters", "2@b:9093,3@c:9093", "node.yaml:7: this node (-1) is not among the voters"),
        ("controller.quorum.voters", "1:a:9093", "node.yaml:7: '1:a:9093' is not ID@HOST:PORT"),
    ],
)
def test_a_bad_value_is_refused_with_its_place_and_its_reason(name: str, text: str, says: str) -> None:
    assert complaint(name, text).message.startswith(says)


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    error = complaint("num.partition", "6")
    assert error.message == "node.yaml:7: there is no setting 'num.partition'"
    assert error.hint == "did you mean num.partitions?"


def test_a_topic_setting_is_refused_with_the_broker_setting_behind_it() -> None:
    hint = "retention.ms belongs to topics; the default for all topics is log.retention.ms"
    assert complaint("retention.ms", "1000").hint == hint


def test_a_known_setting_that_does_nothing_here_is_accepted_and_said() -> None:
    given = Settings.of([Entry("num.io.threads", "16", "node.yaml:3")])
    assert given.remarks == ["node.yaml:3: num.io.threads is known but this node does not act on it"]


def test_settings_of_plug_ins_are_left_to_them() -> None:
    assert Settings.of([Entry("rsm.config.bucket", "logs", "node.yaml:3")]).remarks == []


def test_a_later_entry_wins() -> None:
    given = Settings.of([Entry("num.partitions", "2", "file:1"), Entry("num.partitions", "3", "-c num.partitions")])
    assert given.integer("num.partitions") == 3


def test_flush_os_is_short_for_the_flush_policy() -> None:
    assert Settings.of([]).flush_on_acks
    assert not Settings.of([Entry("flush", "os", "-c flush")]).flush_on_acks


def test_listeners_of_controllers_are_not_for_clients() -> None:
    given = Settings.of(
        [
            Entry("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093", "f:1"),
            Entry("controller.listener.names", "CONTROLLER", "f:2"),
            Entry("advertised.listeners", "PLAINTEXT://logs.example:19092", "f:3"),
        ]
    )
    assert [listener.address for listener in given.listeners] == ["127.0.0.1:9092"]
    assert [listener.address for listener in given.advertised] == ["logs.example:19092"]
    assert [listener.address for listener in given.controller_listeners] == ["127.0.0.1:9093"]


def test_a_listener_that_can_be_reached_from_outside_is_said() -> None:
    given = Settings.of([Entry("listeners", "PLAINTEXT://0.0.0.0:9092", "f:1")])
    assert given.remarks == ["listener PLAINTEXT at 0.0.0.0:9092 is open to the outside, without a login"]


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_properties_file_is_read_as_java_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text(
        "# a comment\n! another\n\nnode.id=1\n  log.dirs : /data/a,\\\n      /data/b\n"
        "broker.rack r\\u00e4ck\\ttwo\nauthorizer.class.name=\n",
        encoding="utf-8",
    )
    assert read_config(str(path)) == [
        Entry("node.id", "1", f"{path}:4"),
        Entry("log.dirs", "/data/a,/data/b", f"{path}:5"),
        Entry("broker.rack", "räck\ttwo", f"{path}:7"),
        Entry("authorizer.class.name", "", f"{path}:8"),
    ]


def test_a_yaml_file_may_nest_and_list(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("node.id: 1\nlog:\n  dirs: [/data/a, /data/b]\n  retention: {hours: 24}\nbroker.rack: on\n")
    assert read_config(str(path)) == [
        Entry("node.id", "1", f"{path}:1"),
        Entry("log.dirs", "/data/a,/data/b", f"{path}:3"),
        Entry("log.retention.hours", "24", f"{path}:4"),
        Entry("broker.rack", "on", f"{path}:5"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("node.yaml", "node.id: [1\n", "node.yaml:2: "),
        ("node.yaml", "- node.id\n", "node.yaml:1: settings are lines of `name: value`"),
        ("node.yaml", "log.dirs: [[/a]]\n", "node.yaml:1: log.dirs is a list of plain texts"),
        ("node.yaml", "node.id: 1\nnode.id: 2\n", "node.yaml:2: node.id was already set at"),
        ("node.properties", "node.id=1\nnode.id=2\n", "node.properties:2: node.id was already set at"),
    ],
)
def test_a_file_that_does_not_parse_is_refused_with_its_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError) as found:
        read_config(str(path))
    assert says in found.value.message


def test_a_file_that_is_not_there_or_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the config file"):
        read_config(str(tmp_path / "none.yaml"))
    binary = tmp_path / "node.yaml"
    binary.write_bytes(b"node.id: \xff\n")
    with pytest.raises(UsageError, match="is not text in UTF-8"):
        read_config(str(binary))


@pytest.mark.parametrize(
    ("voters", "says"),
    [
        ("1@a:9093,2@b:9093", "there are 2 voters, but no listener is open to them"),
        ("1@a:9093,1@b:9093", "a node is named twice"),
    ],
)
def test_voters_that_cannot_be_a_quorum_are_refused(voters: str, says: str) -> None:
    entries = [Entry("node.id", "1", "node.yaml:1"), Entry("controller.quorum.voters", voters, "node.yaml:2")]
    with pytest.raises(UsageError, match=f"node.yaml:2: {says}"):
        Settings.of(entries)


def test_several_voters_miss_each_other_sooner_unless_told_otherwise() -> None:
    given = {
        "node.id": "1",
        "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@127.0.0.1:9093,2@127.0.0.1:9193",
        "broker.heartbeat.interval.ms": "700",
    }
    settings = Settings.of([Entry(name, text, "node.yaml") for name, text in given.items()])
    assert settings.integer("broker.session.timeout.ms") == 1500
    assert settings.integer("broker.heartbeat.interval.ms") == 700
    assert [one.port for one in settings.listeners] == [9092]
    assert [one.port for one in settings.controller_listeners] == [9093]
