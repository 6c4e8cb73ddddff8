"""Names that a cluster holds, operators type and files carry may be anything: no command is led astray by them, and
what goes wrong on the way is told in words, whichever command meets it.
"""

from __future__ import annotations

import csv
import io
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from cli.conftest import environment
from support.ports import free_port
from support.scripted import SILENCE, ScriptedCluster
from support.worlds import Done, run_here

from logctl.wire import errors
from logctl.wire.messages.describe_acls import AclDescription, DescribeAclsResource, DescribeAclsResponse
from logctl.wire.messages.describe_client_quotas import (
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)
from logctl.wire.messages.describe_configs import DescribeConfigsResponse, DescribeConfigsResult
from logctl.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from logctl.wire.messages.describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)
from logctl.wire.messages.list_groups import ListedGroup, ListGroupsResponse
from logctl.wire.messages.list_transactions import ListTransactionsResponse, TransactionState
from logctl.wire.messages.metadata import MetadataResponse, MetadataResponseTopic

NAMES = [
    "clear\x1b[2J\x1b]0;owned\x07",
    "c1\x9b31m\x7f",
    "turned\u202ecod.exe",
    'quo"te, comma;\'\nline\r\ttab',
    "grün-日本-🙂",
    "yaml: {a: (*x, &y)} #",
    "x" * 249,
]
TRICKS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
FORMS = ("table", "wide", "csv", "name", "json", "yaml")


def logctl(bootstrap: str | None, *arguments: str, stdin: bytes = b"", code: int = 0) -> Done:
    """The command in this process; neither of its outputs ever holds what a terminal would act on."""
    done = run_here(*arguments, stdin=stdin, env=environment(bootstrap))
    assert done.code == code, f"logctl {arguments!r} ended with {done.code}:\n{done.out}{done.err}"
    assert not TRICKS.search(done.out), done.out
    assert not TRICKS.search(done.err), done.err
    return done


# -- names that a cluster tells --------------------------------------------------------------------------------------


def quota_of(name: str) -> EntryData:
    return EntryData([EntityData("user", name)], [ValueData("producer_byte_rate", 1024.0)])


def scram_of(name: str) -> DescribeUserScramCredentialsResult:
    return DescribeUserScramCredentialsResult(user=name, credential_infos=[CredentialInfo(1, 4096)])


def acl_of(name: str) -> DescribeAclsResource:
    entry = AclDescription(principal=f"User:{name}", host=name, operation=3, permission_type=3)
    return DescribeAclsResource(resource_type=2, resource_name=name, acls=[entry])


def directory_of(name: str) -> DescribeLogDirsResult:
    held = DescribeLogDirsTopic(name, [DescribeLogDirsPartition(0, 10, 0, False)])
    return DescribeLogDirsResult(0, f"/{name}", [held])


def configs_of(request: Any, version: int) -> DescribeConfigsResponse:
    named = [DescribeConfigsResult(resource_type=2, resource_name=one.resource_name) for one in request.resources]
    return DescribeConfigsResponse(results=named)


@pytest.fixture(scope="module")
def hostile() -> Iterator[ScriptedCluster]:
    """A cluster in which everything that has a name has one of those."""
    answers: dict[str, Any] = {
        "ListGroups": ListGroupsResponse(groups=[ListedGroup(name, name, name, "classic") for name in NAMES]),
        "DescribeUserScramCredentials": DescribeUserScramCredentialsResponse(results=[*map(scram_of, NAMES)]),
        "DescribeClientQuotas": DescribeClientQuotasResponse(entries=[*map(quota_of, NAMES)]),
        "DescribeAcls": DescribeAclsResponse(resources=[*map(acl_of, NAMES)]),
        "DescribeLogDirs": DescribeLogDirsResponse(results=[*map(directory_of, NAMES)]),
        "ListTransactions": ListTransactionsResponse(
            transaction_states=[TransactionState(name, 7, "Ongoing") for name in NAMES]
        ),
    }
    with ScriptedCluster(1) as cluster:
        cluster.topics = {name: [1] for name in NAMES}
        cluster.answer("DescribeConfigs", configs_of)
        for api, answer in answers.items():
            cluster.answer(api, lambda request, version, answer=answer: answer)
        yield cluster


READS: dict[tuple[str, ...], tuple[str, str]] = {
    ("topic", "list"): ("topics", "name"),
    ("partition", "list"): ("partitions", "topic"),
    ("group", "list"): ("groups", "name"),
    ("txn", "list"): ("transactions", "name"),
    ("user", "list"): ("users", "name"),
    ("acl", "list"): ("acls", "resource_name"),
    ("logdir", "describe"): ("replicas", "topic"),
}


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_names_play_no_tricks_and_arrive_whole_in_what_machines_read(
    hostile: ScriptedCluster, words: tuple[str, ...]
) -> None:
    done = {form: logctl(hostile.bootstrap, *words, "-o", form) for form in FORMS}
    noun, field = READS[words]
    items = done["json"].json[noun]
    assert {item[field] for item in items} == set(NAMES)
    assert yaml.safe_load(done["yaml"].out)[noun] == items
    titles, *rows = csv.reader(io.StringIO(done["csv"].out))
    assert len(rows) == len(items)
    assert {len(row) for row in rows} == {len(titles)}
    assert len(done["name"].out.splitlines()) == len(items)
    assert len(done["table"].out.splitlines()) == len(items) + 1


@pytest.mark.parametrize("words", [("quota", "list"), ("quota", "describe"), ("acl", "export"), ("quota", "export")])
def test_documents_of_names_are_read_again(hostile: ScriptedCluster, words: tuple[str, ...]) -> None:
    done = logctl(hostile.bootstrap, *words, "-o", "json")
    again = yaml.safe_load(logctl(hostile.bootstrap, *words, "-o", "yaml").out)
    assert again == done.json
    assert all(name in str(again) or repr(name)[1:-1] in str(again) for name in NAMES)


# -- names that operators type ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "words", [("topic", "describe"), ("group", "describe"), ("record", "consume"), ("config", "list", "--topic")]
)
def test_a_name_that_is_typed_is_repeated_without_its_tricks(words: tuple[str, ...], name: str) -> None:
    with ScriptedCluster(1, topics={"orders": [1]}) as cluster:
        done = run_here(*words, name, "--timeout", "2s", env=environment(cluster.bootstrap))
    assert done.code in (0, 1, 2, 4, 7)
    assert not TRICKS.search(done.out + done.err)
    assert "Traceback" not in done.err
    assert "unexpected" not in done.err


@pytest.mark.parametrize("name", [*NAMES[:6], "x" * 250])
def test_topics_cannot_be_created_by_such_names(name: str) -> None:
    done = logctl("127.0.0.1:1", "topic", "create", name, "-y", code=2)
    assert "cannot be a topic's name" in done.err


@pytest.mark.parametrize("name", NAMES)
def test_contexts_have_plain_names(name: str) -> None:
    refused = logctl(None, "context", "add", name, "-b", "127.0.0.1:9092", code=2)
    assert "a context's name" in refused.err or "name of a context" in refused.err
    assert "there is no context" in logctl(None, "topic", "list", "-C", name, code=2).err


def test_files_of_names_are_refused_by_place(tmp_path: Path) -> None:
    """The file's own name plays no tricks either."""
    file = tmp_path / "evil\x1b[2J.yaml"
    file.write_text('topics:\n  - name: "a\\e[2J"\n    colour: red\n')
    assert "evil\\x1b[2J.yaml" in logctl("127.0.0.1:1", "state", "plan", str(file), code=2).err
    assert "evil\\x1b[2J.yaml" in logctl("127.0.0.1:1", "acl", "import", str(file), code=2).err
    assert "evil\\x1b[2J.yaml" in logctl("127.0.0.1:1", "topic", "create", "--plan", str(file), code=2).err


# -- what a cluster refuses ------------------------------------------------------------------------------------------


def test_what_could_not_be_told_is_listed_with_kafkas_name_for_it() -> None:
    def answer(request: Any, version: int) -> MetadataResponse:
        response: MetadataResponse = cluster._metadata(request, version)
        denied = MetadataResponseTopic(error_code=errors.TOPIC_AUTHORIZATION_FAILED, name="secret\x1b[2J")
        response.topics.append(denied)
        return response

    with ScriptedCluster(1, topics={"orders": [1]}) as cluster:
        cluster.answer("Metadata", answer)
        done = logctl(cluster.bootstrap, "topic", "list", "-o", "json", code=4)
        [error] = done.json["errors"]
        assert (error["name"], error["error"]) == ("secret\x1b[2J", "TOPIC_AUTHORIZATION_FAILED")
        assert [topic["name"] for topic in done.json["topics"]] == ["orders"]
        assert "topic secret\\x1b[2J: TOPIC_AUTHORIZATION_FAILED: " in done.err


def test_a_broker_that_goes_away_in_the_middle_leaves_what_the_others_said() -> None:
    def listed(name: str) -> Callable[[Any, int], ListGroupsResponse]:
        return lambda request, version: ListGroupsResponse(groups=[ListedGroup(name, "consumer", "Empty", "classic")])

    with ScriptedCluster(1, 2, 3) as cluster:
        cluster.brokers[1].answer("ListGroups", listed("billing"))
        cluster.brokers[2].answer("ListGroups", lambda request, version: None)
        cluster.brokers[3].answer("ListGroups", lambda request, version: SILENCE)
        done = logctl(cluster.bootstrap, "group", "list", "-o", "json", "--timeout", "2s", code=4)
        assert [group["name"] for group in done.json["groups"]] == ["billing"]
        assert not done.json["complete"]
        port_2, port_3 = cluster.brokers[2].port, cluster.brokers[3].port
        assert f"127.0.0.1:{port_2}: closed the connection" in done.err
        assert f"127.0.0.1:{port_3}: did not answer in time" in done.err


@pytest.mark.parametrize(
    ("words", "api"),
    [("group list", "ListGroups"), ("txn list", "ListTransactions"), ("logdir list", "DescribeLogDirs")],
)
def test_a_cluster_that_goes_away_in_the_middle_is_unreachable(words: str, api: str) -> None:
    def gone(request: Any, version: int) -> None:
        for broker in cluster.brokers.values():
            broker.close()

    with ScriptedCluster(1, 2) as cluster:
        cluster.answer(api, gone)
        done = logctl(cluster.bootstrap, *words.split(), "--timeout", "3s", code=7)
    assert done.out == ""
    assert re.search(r"127\.0\.0\.1:\d+: (closed the connection|connection refused)", done.err)


# -- ports behind which there is no cluster --------------------------------------------------------------------------

COMMANDS: dict[str, tuple[str, ...]] = {
    "a list": ("topic", "list"),
    "a scatter": ("group", "lag", "billing"),
    "a change": ("topic", "create", "orders", "-y"),
    "a reader": ("record", "consume", "orders"),
    "a writer": ("record", "produce", "orders"),
    "a document": ("state", "export"),
    "a check": ("cluster", "health"),
}
HELLOS = {
    "speaks TLS": b"\x15\x03\x03\x00\x02\x02\x46",
    "speaks HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "does not speak the Kafka protocol": b"\x1b[2J\x07",
    "accepted the connection but said nothing": None,
}


@contextmanager
def port_that_says(hello: bytes | None) -> Iterator[int]:
    """Whoever comes hears that and nothing else; None: not even that."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(hello or b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        if hello is not None:
            Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("sentence", HELLOS)
@pytest.mark.parametrize("kind", COMMANDS)
def test_every_kind_of_command_says_what_is_on_the_port(kind: str, sentence: str) -> None:
    with port_that_says(HELLOS[sentence]) as port:
        done = logctl(f"127.0.0.1:{port}", *COMMANDS[kind], "--timeout", "300ms", stdin=b"x\n", code=7)
    assert f"127.0.0.1:{port}" in done.err
    assert sentence in done.err
    assert done.out == ""


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_kind_of_command_says_that_nobody_is_there(kind: str) -> None:
    port = free_port()
    done = logctl(f"127.0.0.1:{port}", *COMMANDS[kind], stdin=b"x\n", code=7)
    assert f"127.0.0.1:{port}: connection refused" in done.err
