"""The worlds in which the behaviour suite is told: a cluster of one node and one of three, of ours and of Apache Kafka.

    world.bootstrap, world.nodes      where it is, how many brokers
    world.offers("DescribeQuorum")    does it serve that API?

Every world lets everyone do everything, so that what a command may do never depends on who runs it; Apache's have an
authorizer all the same, so that access rules can be made and listed there.

`run_here` runs a command inside this process: a start of Python would cost more than most of what commands do. It sees
an environment, a standard input and outputs of its own, and everything is put back afterwards.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from kafka.admin import KafkaAdminClient
from support.apache import apache_cluster, apache_node
from support.clients.java import Java
from support.engines import started
from support.several import several_up, start_again
from support.tools import CONFIGS, CONSUMER_GROUPS, Tools

from logctl import local
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.routing import Cluster

OURS, OURS3, APACHE, APACHE3 = "ours", "ours3", "apache", "apache3"
WORLDS: Final = (OURS, OURS3, APACHE, APACHE3)
OF_ENGINE: Final = {"logctl": (OURS, OURS3), "apache": (APACHE, APACHE3), "both": WORLDS}

only = pytest.mark.worlds
"""`@only("apache", "apache3")`: the story is told in these worlds alone."""

QUICK: Final = {
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "auto.leader.rebalance.enable": "false",  # who leads is for the stories to say
}
APACHE_SETTINGS: Final = {
    **QUICK,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:ANONYMOUS",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.num.partitions": "2",
    "log.cleaner.dedupe.buffer.size": "8388608",
}
HEAP: Final = "256m"


@dataclass(frozen=True)
class World:
    """A running cluster. `nodes`: how many brokers it has, with the ids from 1 on. Their data is in `folder`."""

    name: str
    bootstrap: str
    nodes: int
    folder: Path

    def offers(self, api: str) -> bool:
        """Does it serve the API of that name (`AlterClientQuotas`)?"""
        return api in _served(self.bootstrap)

    @contextmanager
    def without(self, node_id: int) -> Iterator[None]:
        """One of our three nodes is killed, and brought back at the end."""
        os.kill(self._pid(node_id), signal.SIGKILL)
        try:
            yield
        finally:
            start_again(self.folder, QUICK)

    @contextmanager
    def deaf(self, node_id: int) -> Iterator[None]:
        """One of our three nodes neither hears nor says anything, until the end."""
        pid = self._pid(node_id)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _pid(self, node_id: int) -> int:
        pid = local.describe(local.log_dir_of(self.folder, node_id)).pid
        assert pid is not None, f"node {node_id} does not run"
        return pid

    def __str__(self) -> str:
        return self.name


@cache
def _served(bootstrap: str) -> frozenset[str]:
    from logctl.wire.api import BY_NAME

    with Client(parse_addresses(bootstrap)) as client:
        cluster = Cluster(client)
        cluster.refresh(Deadline(30.0))
        return frozenset(name for name in BY_NAME if cluster.offers(name))


@contextmanager
def world_of(name: str, folder: Path) -> Iterator[World]:
    """That world, started, and gone at the end."""
    if name == OURS:
        with started("logctl", folder, QUICK) as node:
            yield World(name, node.address, 1, folder)
    elif name == OURS3:
        with several_up(folder, QUICK, 3) as bootstrap:
            yield World(name, bootstrap, 3, folder)
    elif name == APACHE:
        with apache_node(folder, APACHE_SETTINGS, heap=HEAP, voters_in_log=True) as apache:
            yield World(name, apache.address, 1, folder)
    else:
        with apache_cluster(folder, APACHE_SETTINGS, nodes=3, heap=HEAP) as bootstrap:
            yield World(name, bootstrap, 3, folder)


class Witness:
    """Who reads back what was changed, and changes what is then read: nobody of ours.

    `tools` and `clients` are shared by all worlds of a process; each starts a JVM when it is first called for.
    """

    def __init__(self, world: World, tools: Callable[[], Tools], clients: Callable[[], Java]) -> None:
        self._world = world
        self._tools = tools
        self._clients = clients

    @cached_property
    def admin(self) -> Any:
        """kafka-python's admin client, typed as anything: it ships no types."""
        return KafkaAdminClient(bootstrap_servers=self._world.bootstrap, client_id="witness")

    def script(self, script: str, *args: str, code: int = 0) -> str:
        """What Apache's script (`kafka-topics`) prints. It must end with `code`."""
        main = SCRIPTS[script]
        where = "--bootstrap-server", self._world.bootstrap
        subcommands_first = script == "kafka-cluster"
        done = self._tools().run(main, *((*args, *where) if subcommands_first else (*where, *args)))
        assert done.code == code, f"{script} {' '.join(args)} ended with {done.code}: {done.stdout}{done.stderr}"
        return done.stdout

    def java(self, do: str, **question: Any) -> dict[str, Any]:
        """Ask tests/clients/java/Clients.java (`send`, `open`, `join`, ...). Settings are the caller's, but for the
        address: `settings` gets `bootstrap.servers`."""
        settings = {"bootstrap.servers": self._world.bootstrap, **question.pop("settings", {})}
        return self._clients().ask(do, settings=settings, **question)

    def close(self) -> None:
        if "admin" in self.__dict__:
            self.admin.close()


SCRIPTS: Final = {
    "kafka-topics": "TopicCommand",
    "kafka-configs": CONFIGS,
    "kafka-consumer-groups": CONSUMER_GROUPS,
    "kafka-acls": "AclCommand",
    "kafka-reassign-partitions": "reassign.ReassignPartitionsCommand",
    "kafka-leader-election": "LeaderElectionCommand",
    "kafka-log-dirs": "LogDirsCommand",
    "kafka-metadata-quorum": "MetadataQuorumCommand",
    "kafka-features": "FeatureCommand",
    "kafka-transactions": "TransactionsCommand",
    "kafka-delete-records": "DeleteRecordsCommand",
    "kafka-get-offsets": "GetOffsetShell",
    "kafka-groups": "GroupsCommand",
    "kafka-client-metrics": "ClientMetricsCommand",
    "kafka-cluster": "ClusterTool",
    "kafka-broker-api-versions": "BrokerApiVersionsCommand",
}


# -- a command, in this process ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """What a command left behind. `data`: its standard output as bytes."""

    code: int
    data: bytes
    err: str

    @property
    def out(self) -> str:
        return self.data.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def run_here(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
    """One command to its end, as `logctl` of the shell would run it, with exactly the variables of `env`."""
    from logctl.cli.main import main

    out, err = io.BytesIO(), io.BytesIO()
    with _surroundings(stdin, out, err, dict(os.environ) if env is None else env):
        try:
            code = main(list(arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    return Done(code, out.getvalue(), err.getvalue().decode())


@contextmanager
def _surroundings(stdin: bytes, out: io.BytesIO, err: io.BytesIO, env: Mapping[str, str]) -> Iterator[None]:
    streams, environment = (sys.stdin, sys.stdout, sys.stderr), dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with io.TextIOWrapper(tempfile.TemporaryFile(), encoding="utf-8") as given:
        given.buffer.write(stdin)
        given.buffer.seek(0)
        _replace_environment(env)
        sys.stdin = given
        sys.stdout = io.TextIOWrapper(_Kept(out), encoding="utf-8")
        sys.stderr = io.TextIOWrapper(_Kept(err), encoding="utf-8", errors="backslashreplace", line_buffering=True)
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            _replace_environment(environment)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _replace_environment(env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)


class _Kept(io.BufferedIOBase):
    """A buffer that outlives the text stream around it."""

    def __init__(self, kept: io.BytesIO) -> None:
        self._kept = kept

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._kept.write(data)


# -- documents are what their schema says ------------------------------------------------------------------------------


def hold_to_schema(arguments: tuple[str, ...], done: Done, env: Mapping[str, str]) -> None:
    """A listing in JSON is what the command's own --schema says. Anything else is left alone."""
    path = _reading_command(arguments)
    if path is not None and _wants_json(arguments) and done.data and "--schema" not in arguments:
        jsonschema.validate(done.json, _schema(path, arguments, tuple(sorted(env.items()))))


_schemas: dict[tuple[str, ...], Any] = {}


def _schema(path: tuple[str, ...], arguments: tuple[str, ...], env: tuple[tuple[str, str], ...]) -> Any:
    if path not in _schemas:
        shown = run_here(*arguments, "--schema", env=dict(env))
        assert shown.code == 0, shown.err
        jsonschema.Draft202012Validator.check_schema(shown.json)
        _schemas[path] = shown.json
    return _schemas[path]


def _wants_json(arguments: tuple[str, ...]) -> bool:
    after = itertools.pairwise(arguments)
    spelt = ("-ojson", "--output=json")
    return any(pair in (("-o", "json"), ("--output", "json")) for pair in after) or any(w in spelt for w in arguments)


def _reading_command(arguments: tuple[str, ...]) -> tuple[str, ...] | None:
    """The words that name the command, when it is one that lists."""
    from typer.main import get_command

    from logctl.cli.main import build

    command: Any = get_command(build(arguments))
    path: list[str] = []
    for word in arguments:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        path.append(word)
    return tuple(path) if hasattr(getattr(command, "callback", None), "listing") else None
