"""No command gives away a secret: every one is run with canaries for secrets, and all that it leaves is searched.

The canaries sit where an operator's secrets sit: in the current context's properties and in its file, in the
environment, and in files behind `file:`. The cluster is scripted: it takes a login with PLAIN, in whose token it sees
the canary, and answers every API with an empty answer, or refuses the login. Searched are stdout, stderr, the journal,
the caches and every temporary file.
"""

from __future__ import annotations

import base64
import io
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from support.scripted import ScriptedCluster

from logctl.cli.exits import Exit
from logctl.cli.main import main, whole
from logctl.wire import errors
from logctl.wire.api import API, BY_NAME
from logctl.wire.messages.sasl_authenticate import SaslAuthenticateResponse
from logctl.wire.messages.sasl_handshake import SaslHandshakeResponse

CANARY = "canary-f3n1x"
JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule required"
OFFERED = """
DescribeCluster DescribeConfigs IncrementalAlterConfigs AlterConfigs CreateTopics DeleteTopics CreatePartitions
ListGroups DescribeGroups ConsumerGroupDescribe OffsetFetch OffsetCommit OffsetDelete DeleteGroups ListOffsets
DescribeLogDirs DescribeQuorum UpdateFeatures ElectLeaders DeleteRecords ListTransactions DescribeTransactions
DescribeProducers DescribeUserScramCredentials AlterUserScramCredentials DescribeAcls CreateAcls DeleteAcls
DescribeClientQuotas AlterClientQuotas FindCoordinator Produce Fetch InitProducerId ListPartitionReassignments
"""
"""What the cluster answers besides Metadata."""

RUN_NODES = {
    "up": "runs a node, and has no cluster to log in to",
    "node start": "runs a node, and has no cluster to log in to",
    "engine install": "downloads, and has no cluster to log in to",
}
"""Commands that are not run, with the excuse. They must not take what leads to a cluster."""

VALUES = {"--password": "env:CANARY_PASSWORD", "--timeout": "2s", "-y": None, "--yes": None}
"""What is given to options of these names wherever there are such."""
WORDS = {"CONTEXT": "kept", "SETTING": "retention.ms=1000", "NAME=VALUE": "retention.ms=1000", "USER": "ann"}


class Command(NamedTuple):
    """`examples`: those of its help, which know what its own flags want."""

    words: tuple[str, ...]
    arguments: tuple[str, ...]
    options: frozenset[str]
    examples: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        return " ".join(self.words)

    def line(self) -> list[str]:
        """The command with a value for every argument, and for the options that VALUES knows."""
        return self._with_options([*self.words, *self.arguments])

    def lines(self) -> list[list[str]]:
        """That, and the examples."""
        return [self.line(), *(self._with_options(list(one)) for one in self.examples)]

    def _with_options(self, given: list[str]) -> list[str]:
        for option, value in VALUES.items():
            if option in self.options and option not in given and not (option == "--yes" and "-y" in self.options):
                given += [option] if value is None else [option, value]
        return given


def commands() -> list[Command]:
    return list(_leaves(typer.main.get_command(whole()), ()))


def _leaves(command: Any, words: tuple[str, ...]) -> Iterator[Command]:
    inside = getattr(command, "commands", None)
    if inside is not None:
        for name, one in inside.items():
            yield from _leaves(one, (*words, name))
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [opt for one in command.params if one.param_type_name == "option" for opt in one.opts]
    examples = tuple(_examples(command.help or "", words))
    yield Command(words, tuple(_word(one) for one in arguments), frozenset(options), examples)


def _examples(text: str, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for line in text.splitlines():
        said = shlex.split(line) if line.strip().startswith("logctl ") else []
        ends = [at for at, word in enumerate(said) if word in ("|", ">", "<", "&&", "#")]
        if tuple(said[1 : 1 + len(words)]) == words:
            yield _once(said[1 : min(ends, default=len(said))])


def _once(said: list[str]) -> tuple[str, ...]:
    """Without what makes it last: --watch and --for, each with its duration."""
    lasting = {at + more for at, word in enumerate(said) if word in ("--watch", "--for") for more in (0, 1)}
    return tuple(word for at, word in enumerate(said) if at not in lasting)


def _word(argument: Any) -> str:
    plain = re.sub(r"[\[\].]", "", argument.metavar or argument.name).strip().upper()
    return WORDS.get(plain, "orders")


COMMANDS = commands()
TALKING = [one for one in COMMANDS if "--context" in one.options]


# -- the surroundings --------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[ScriptedCluster]:
    with ScriptedCluster(topics={"orders": [1]}) as scripted:
        scripted.answer("SaslHandshake", lambda request, version: SaslHandshakeResponse(mechanisms=["PLAIN"]))
        scripted.answer("SaslAuthenticate", lambda request, version: SaslAuthenticateResponse())
        for name in OFFERED.split():
            scripted.answer(name, _empty(BY_NAME[name].key))
        yield scripted


def _empty(key: int) -> Any:
    return lambda request, version: API[key].response()


@pytest.fixture
def home(tmp_path: Path, cluster: ScriptedCluster, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folders, with canaries where secrets are. What a command may write into is below `written`."""
    kept = tmp_path / "kept" / "logctl"
    kept.mkdir(parents=True)
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "written" / variable))
    (tmp_path / "written" / "tmp").mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "written" / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path / "written")
    for variable in ("CANARY_PASSWORD", "ALICE_PASSWORD"):
        monkeypatch.setenv(variable, CANARY)
    monkeypatch.setenv("HOME", str(kept))
    monkeypatch.delenv("LOGCTL_BOOTSTRAP_SERVER", raising=False)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    properties = f'sasl.jaas.config={JAAS} username="ann" password="{CANARY}";\nssl.keystore.password={CANARY}\n'
    _secret(kept / "client.properties", properties + "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n")
    _secret(kept / ".alice-password", CANARY)
    _secret(
        kept / "contexts.yaml",
        f"current: kept\ncontexts:\n  kept:\n    bootstrap_servers: {cluster.bootstrap}\n"
        f"    command_config: {kept / 'client.properties'}\n    properties:\n      ssl.key.password: {CANARY}\n"
        f"  other: {{bootstrap_servers: '{cluster.bootstrap}'}}\n",
    )
    return tmp_path


def _secret(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def run(command: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code, and stdout with stderr."""
    code = main(command)
    said = capfd.readouterr()
    return code, said.out + said.err


def search(said: str, home: Path) -> None:
    """Fails where a canary is found: in what was said, or in a file that the command left."""
    forms = [form.encode() for form in (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex())]
    assert not any(form in said.encode() for form in forms), said
    assert "Traceback" not in said, said
    for path in (home / "written").rglob("*"):
        if path.is_file():
            assert not any(form in path.read_bytes() for form in forms), path


# -- the stories -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.name not in RUN_NODES], ids=lambda one: one.name)
def test_no_command_shows_or_keeps_a_secret(
    command: Command, home: Path, cluster: ScriptedCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = cluster.brokers[1].asked
    for line in command.lines():
        del asked[:]
        code, said = run(line, capfd)
        search(said, home)
        logins = [request for name, _, request in asked if name == "SaslAuthenticate"]
        assert logins or command not in TALKING or code == Exit.USAGE, said
        assert all(CANARY.encode() in bytes(request.auth_bytes) for request in logins)


@pytest.mark.parametrize("command", TALKING, ids=lambda one: one.name)
def test_no_refused_login_shows_the_password(
    command: Command, home: Path, cluster: ScriptedCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    refusal = SaslAuthenticateResponse(error_code=errors.SASL_AUTHENTICATION_FAILED, error_message="no")
    cluster.answer("SaslAuthenticate", lambda request, version: refusal)
    code, said = run(command.line(), capfd)
    search(said, home)
    assert code in (2, 8), said


@pytest.mark.parametrize("command", TALKING, ids=lambda one: one.name)
def test_no_secret_is_taken_from_the_command_line_or_repeated(
    command: Command, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, said = run([*command.line(), "-X", f"sasl.password={CANARY}"], capfd)
    search(said, home)
    assert code == 2


@pytest.mark.parametrize("command", [one for one in TALKING if "--dry-run" in one.options], ids=lambda one: one.name)
def test_no_plan_holds_a_secret(command: Command, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for line in command.lines():
        for form in ("table", "json"):
            _, said = run([*line, "--dry-run", "-o", form], capfd)
            search(said, home)


def test_only_commands_without_a_cluster_are_excused() -> None:
    by_name = {one.name: one for one in COMMANDS}
    assert by_name.keys() >= RUN_NODES.keys()
    assert not [name for name in RUN_NODES if by_name[name] in TALKING]


@pytest.mark.parametrize(
    "properties",
    [
        {"sasl.password": CANARY, "sasl.mechanism": "GSSAPI"},
        {"sasl.jaas.config": f'{JAAS} username="ann" password="{CANARY}"', "sasl.mechanism": "PLAIN"},
        {"sasl.jaas.config": f"{JAAS} {CANARY}", "sasl.mechanism": "PLAIN"},
        {"sasl.jaas.config": f'x.Other required password="{CANARY}";', "sasl.mechanism": "PLAIN"},
        {"security.protocol": "SSL", "ssl.keystore.key": CANARY, "ssl.keystore.certificate.chain": CANARY},
        {"security.protocol": "SSL", "ssl.truststore.certificates": CANARY},
    ],
)
def test_settings_that_are_wrong_are_told_without_the_secret(
    properties: dict[str, str], home: Path, cluster: ScriptedCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {"security.protocol": "SASL_PLAINTEXT", "sasl.username": "ann"} | properties
    file = home / "kept" / "wrong.properties"
    _secret(file, "".join(f"{name}={value}\n" for name, value in given.items()))
    code, said = run(["topic", "list", "-b", cluster.bootstrap, "--command-config", str(file)], capfd)
    search(said, home)
    assert code == 2, said
