"""A Kafka broker inside a test suite: a real node, there in a fraction of a second, gone without a trace.

    from logctl.embedded import Node

    with Node(settings={"num.partitions": "3"}) as node:
        topic = node.create_topic()
        producer = Producer({"bootstrap.servers": node.bootstrap_servers})
        ...
        node.reset()

A node runs in a child process (`mode="process"`), or in a thread of this one (`mode="thread"`), which starts faster but
shares the interpreter with the code under test. Its data lies in a temporary folder, its port is a free one, and any
number of nodes run side by side. `stop`, leaving the `with` block, dropping the object and the end of the interpreter
all end it; a child also notices by itself when this process was killed.

Settings have Apache Kafka's names. Some differ from Apache's defaults because a test would wait for them: see
`logctl.engine.ephemeral.SETTINGS`.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, Unreachable, UsageError

if TYPE_CHECKING:
    from logctl.admin.deadline import Deadline
    from logctl.admin.routing import Cluster
    from logctl.engine.config_file import Entry
    from logctl.engine.ephemeral import Scratch
    from logctl.engine.lifecycle import Detached
    from logctl.engine.node import Node as Engine
    from logctl.engine.settings import Settings

MODES: Final = ("process", "thread")
TIMEOUT_S: Final = 30.0
_DIARY_LINES: Final = 20
_PLACE: Final = "logctl.embedded"
_BROKER, _GROUP = 4, 32


class Node:
    """One node; see above. `port` 0 takes a free one. `timeout_s` bounds its start, its stop and each request here.

    Starting raises LogctlError with the end of the node's diary in it when the node does not come up. A node that was
    stopped can be started again, as a new one without data.
    """

    def __init__(
        self,
        *,
        mode: str = "process",
        settings: Mapping[str, object] | None = None,
        port: int = 0,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if mode not in MODES:
            raise UsageError(f"a node runs in a process or in a thread, not in {mode!r}")
        self.mode = mode
        self._settings = {name: _text(value) for name, value in (settings or {}).items()}
        self._port = port
        self._timeout_s = timeout_s
        self._addresses: list[str] = []
        self._body: _Body | None = None
        self._end: weakref.finalize[[int, _Body], Node] | None = None
        self._last_diary = ""
        self._numbers = itertools.count(1)

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> Node:
        """Start it and wait until it answers. Raises LogctlError when it does not come up."""
        assert self._body is None, "the node is running already"
        body = _Process() if self.mode == "process" else _Thread()
        try:
            self._addresses = body.start(self._port, self._settings, self._timeout_s)
        except BaseException as failure:
            said = body.diary
            body.stop(self._timeout_s)
            if isinstance(failure, LogctlError):
                raise _with_diary("the node did not start", failure, said) from None
            raise
        self._body = body
        self._end = weakref.finalize(self, _end_of, os.getpid(), body)
        return self

    def stop(self) -> None:
        """Stop it in order, and remove its data. Nothing happens when it is not running."""
        body, self._body = self._body, None
        if body is None:
            return
        assert self._end is not None
        self._end.detach()
        self._last_diary = body.diary
        body.stop(self._timeout_s)

    def __enter__(self) -> Node:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<logctl node at {self.bootstrap_servers}>" if self._body else "<logctl node, not running>"

    # -- what a test needs ---------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Between `start` and `stop`."""
        return self._body is not None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients reach it: host:port."""
        assert self._body is not None, "the node is not running"
        return ",".join(self._addresses)

    @property
    def diary(self) -> str:
        """What the node has written about itself; after its end, what it had written until then."""
        return self._last_diary if self._body is None else self._body.diary

    def create_topic(
        self, name: str | None = None, *, partitions: int = 1, configs: Mapping[str, object] | None = None
    ) -> str:
        """Create a topic, by default under a name of its own, and answer its name. Raises LogctlError."""
        from logctl.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest

        name = name or f"topic-{next(self._numbers)}"
        made = [CreatableTopicConfig(key, _text(value)) for key, value in (configs or {}).items()]
        topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=made)
        with self._cluster() as (cluster, deadline):
            request = CreateTopicsRequest(topics=[topic], timeout_ms=int(deadline.left_s * 1000))
            for result in cluster.ask(request, deadline).topics:
                _check(f"topic {name}", result.error_code, result.error_message)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Raises LogctlError."""
        with self._cluster() as (cluster, deadline):
            _delete_topics(cluster, deadline, [name])

    def reset(self) -> None:
        """Remove every topic, every group (members and offsets) and every setting that was made while the node ran.

        Clients should be closed first: a consumer that still runs joins its group anew. Raises LogctlError.
        """
        with self._cluster() as (cluster, deadline):
            names = [topic.name for topic in cluster.refresh(deadline, None).topics]
            if names:
                _delete_topics(cluster, deadline, names)
            _forget_settings(cluster, deadline)

    @contextmanager
    def _cluster(self) -> Iterator[tuple[Cluster, Deadline]]:
        from logctl.admin.client import Client, parse_addresses
        from logctl.admin.deadline import Deadline
        from logctl.admin.routing import Cluster

        try:
            with Client(parse_addresses(self.bootstrap_servers), "logctl-embedded") as client:
                yield Cluster(client), Deadline(self._timeout_s)
        except Unreachable as failure:
            raise _with_diary("the node does not answer", failure, self.diary) from None


def _delete_topics(cluster: Cluster, deadline: Deadline, names: list[str]) -> None:
    """The offsets topic among them takes all groups with it."""
    from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState

    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name=name) for name in names],
        topic_names=names,
        timeout_ms=int(deadline.left_s * 1000),
    )
    for result in cluster.ask(request, deadline).responses:
        _check(f"topic {result.name}", result.error_code, result.error_message)


def _forget_settings(cluster: Cluster, deadline: Deadline) -> None:
    from logctl.wire.messages.alter_configs import AlterConfigsRequest, AlterConfigsResource
    from logctl.wire.messages.list_config_resources import ListConfigResourcesRequest

    made = cluster.ask(ListConfigResourcesRequest(resource_types=[_GROUP]), deadline).config_resources
    brokers = [str(node_id) for node_id in cluster.brokers]
    resources = [(_BROKER, name) for name in ["", *brokers]] + [(_GROUP, one.resource_name) for one in made]
    request = AlterConfigsRequest(resources=[AlterConfigsResource(kind, name, []) for kind, name in resources])
    for result in cluster.ask(request, deadline).responses:
        _check(f"settings of {result.resource_name or 'all brokers'}", result.error_code, result.error_message)


def _check(subject: str, code: int, said: str | None) -> None:
    from logctl.admin.routing import refusal

    if code:
        raise refusal(subject, code, said)


def _text(value: object) -> str:
    """A setting as Apache writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_diary(what: str, failure: LogctlError, diary: str) -> LogctlError:
    """The failure again, with the last lines of the node's diary below it."""
    told = [f"{what}: {failure.message}", *([failure.hint] if failure.hint else [])]
    lines = diary.splitlines()[-_DIARY_LINES:]
    told += ["its diary ends:", *(f"  {line}" for line in lines)] if lines else []
    kind = type(failure) if isinstance(failure, UsageError | DeadlineExceeded | Unreachable) else OperationFailed
    return kind("\n".join(told), failure.hint)


# -- where a node lives ------------------------------------------------------------------------------------------------


class _Body(Protocol):
    """What a node runs in. `stop` may be called whatever became of `start`, and leaves nothing behind."""

    @property
    def diary(self) -> str: ...

    def start(self, port: int, settings: Mapping[str, str], timeout_s: float) -> list[str]: ...

    def stop(self, timeout_s: float) -> None: ...


def _end_of(owner: int, body: _Body) -> None:
    """The object has gone, or the interpreter ends. A copy of the process made by fork leaves the node alone."""
    if os.getpid() == owner:
        body.stop(TIMEOUT_S)


def _prepared(port: int, settings: Mapping[str, str]) -> tuple[Scratch, list[Entry]]:
    from logctl.engine import ephemeral
    from logctl.engine.config_file import Entry
    from logctl.engine.settings import Settings

    given = [Entry(name, value, f"settings[{name!r}]") for name, value in settings.items()]
    Settings.of(given)
    ephemeral.sweep()
    scratch = ephemeral.Scratch.make()
    return scratch, ephemeral.entries(scratch, port, _PLACE) + given


def _read(scratch: Scratch | None) -> str:
    try:
        return scratch.diary.read_text(encoding="utf-8") if scratch is not None else ""
    except OSError:
        return ""


class _Process:
    """A child, on the leash of a pipe: when this process is gone, however it went, the child stops by itself."""

    def __init__(self) -> None:
        self._scratch: Scratch | None = None
        self._process: Detached | None = None
        self._leash = -1

    @property
    def diary(self) -> str:
        return _read(self._scratch)

    def start(self, port: int, settings: Mapping[str, str], timeout_s: float) -> list[str]:
        from logctl.engine.lifecycle import start_detached
        from logctl.local import describe

        self._scratch, entries = _prepared(port, settings)
        end, self._leash = os.pipe()
        try:
            self._process = start_detached(entries, self._scratch.diary, scratch=self._scratch, leash=end)
        finally:
            os.close(end)
        for _ in self._process.events(timeout_s):
            pass
        return describe(self._scratch.log_dir).addresses

    def stop(self, timeout_s: float) -> None:
        process, self._process = self._process, None
        leash, self._leash = self._leash, -1
        if process is not None:
            try:
                process.end(signal.SIGTERM, timeout_s)
            except subprocess.TimeoutExpired:
                process.end(signal.SIGKILL)
        if leash >= 0:
            os.close(leash)
        if self._scratch is not None:
            self._scratch.remove()


class _Thread:
    """A thread with a loop of its own. A daemon: the interpreter does not wait for it, but ends it (`_end_of`)."""

    def __init__(self) -> None:
        self._scratch: Scratch | None = None
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._addresses: list[str] = []
        self._failure: BaseException | None = None

    @property
    def diary(self) -> str:
        return _read(self._scratch)

    def start(self, port: int, settings: Mapping[str, str], timeout_s: float) -> list[str]:
        import ssl  # noqa: F401 - before the engine, which would load asyncio without it for everybody here

        from logctl.engine.settings import Settings

        self._scratch, entries = _prepared(port, settings)
        checked = Settings.of(entries)
        self._thread = threading.Thread(target=self._live, args=(checked,), name="logctl-node", daemon=True)
        self._thread.start()
        if not self._ready.wait(timeout_s):
            raise DeadlineExceeded(f"it is not ready after {timeout_s:g} s")
        if self._failure is not None:
            raise self._failure
        return self._addresses

    def _live(self, settings: Settings) -> None:
        from logctl.engine.diary import Diary
        from logctl.engine.node import Node as Engine

        assert self._scratch is not None
        with open(self._scratch.diary, "a", encoding="utf-8") as out:
            engine = self._engine = Engine(settings, Diary(out), str(self._scratch.diary))
            engine.on_ready.append(self._say_ready)
            try:
                engine.start(format_if_new=True)
                engine.serve()
            except BaseException as failure:
                self._failure = failure
            finally:
                engine.let_go()
                self._ready.set()

    def _say_ready(self, addresses: list[str]) -> None:
        self._addresses = addresses
        self._ready.set()

    def stop(self, timeout_s: float) -> None:
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            try:
                if self._engine is not None:
                    self._engine.stop()
            except RuntimeError:
                pass  # its loop is closed: it has ended by itself
            thread.join(timeout_s)
        if self._scratch is not None:
            self._scratch.remove()
