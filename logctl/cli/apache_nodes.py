"""Nodes of the other engine on the command line: which engine a folder is for, and starting Apache Kafka's nodes.

The flags and sentences are those of bundled nodes. A folder remembers its engine; a folder of one node may change it,
because both engines read the same directory.
"""

from __future__ import annotations

import itertools
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl import local
from logctl.errors import Declined, OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.engine.apache.by_config import ByConfig
    from logctl.engine.apache.cluster import Nodes, Say
    from logctl.engine.apache.layout import Layout, Member, Wish
    from logctl.engine.config_file import Entry
    from logctl.local import LocalNode

ENGINES: Final = ("logctl", "apache")
NAMES: Final = {"logctl": "the bundled engine", "apache": "Apache Kafka"}
FOREGROUND_PATIENCE_S: Final = 300.0


class ApacheFlags(NamedTuple):
    """What only Apache Kafka's nodes can be told; None where nothing was said."""

    nodes: int | None = None
    controllers: str | None = None
    kafka_version: str | None = None
    kafka_home: Path | None = None
    heap: str | None = None

    def given(self) -> list[str]:
        """The flags that were given, as they are spelt."""
        alone = self.nodes in (None, 1)
        spelt = [f"--{name.replace('_', '-')}" for name, value in self._asdict().items() if value is not None]
        return [flag for flag in spelt if not (flag == "--nodes" and alone)]


# -- which engine ------------------------------------------------------------------------------------------------------


def engine_for(folder: Path, named: str | None, flags: ApacheFlags) -> str:
    """Which engine the nodes of the folder are to run with: the one named, else the one that is remembered. Raises
    UsageError and Declined when that cannot be."""
    if named is not None and named not in ENGINES:
        raise UsageError(f"--engine is logctl or apache, not {named!r}")
    remembered = local.engine_of(folder)
    engine = named or remembered
    others = [node for node in local.nodes_in(folder) if node.is_running and node.engine != engine]
    if others:
        raise Declined(
            f"node {others[0].node_id} runs with {NAMES[others[0].engine]} in {folder}",
            "two engines cannot share a directory at once: stop it first with `logctl down`",
        )
    if engine == "logctl":
        _check_bundled(flags)
        if remembered == "apache":
            _back_to_bundled(folder)
    return engine


def _check_bundled(flags: ApacheFlags) -> None:
    if flags.nodes is not None and flags.nodes < 1:
        raise UsageError(f"--nodes {flags.nodes}: a cluster has at least one node")
    flags = flags._replace(nodes=None)
    if flags.given():
        raise UsageError(f"{flags.given()[0]} is for Apache Kafka's nodes", "add --engine apache, or leave it out")


def _back_to_bundled(folder: Path) -> None:
    """A single node's directory goes over to the bundled engine."""
    from logctl.cli.output import note
    from logctl.engine.apache import layout

    before = layout.load(folder)
    assert before is not None
    if len(before.members) > 1:
        raise UsageError(
            f"the data in {folder} belongs to {len(before.members)} nodes of Apache Kafka, and only the directory of a "
            "single node can change hands",
            "start them with `logctl up --engine apache`, or use another --data folder",
        )
    layout.save(folder, replace(before, engine="logctl"))
    note(f"the data in {folder} goes from Apache Kafka to the bundled engine; back with `logctl up --engine apache`")


# -- up ----------------------------------------------------------------------------------------------------------------


def run_nodes(folder: Path, port: int | None, settings: Sequence[Entry], form: str, flags: ApacheFlags) -> None:
    """Run what does not run yet of the folder's nodes in the foreground, until told to stop."""
    wanted = _wanted(folder, port, settings, flags)
    if not wanted.members:
        return
    from logctl.engine.apache.cluster import Nodes

    nodes = Nodes(folder, wanted.layout, _diary_to_stderr(form), diary=False)
    attend(nodes, wanted.members)


def attend(nodes: Nodes, members: Sequence[Member]) -> None:
    """Start these nodes, stay with them, and stop them when a signal asks for it."""
    say, begun = nodes.say, time.monotonic()
    tell = _every_fifth(lambda sentence: say("start", sentence, 0))
    with _Signals() as signals:
        nodes.bring_up(members, FOREGROUND_PATIENCE_S, tell, signals.asked)
        addresses = [node.address for member, node in zip(members, nodes.started.values(), strict=True)
                     if member.is_broker]  # fmt: skip
        took_ms = int((time.monotonic() - begun) * 1000)
        say("ready", f"Ready at {' and '.join(addresses)} after {took_ms} ms; {_next(addresses)}", 0)
        if nodes.attend(signals.asked):
            say("stop", f"Stopping in order ({signals.asked()})", 0)
            nodes.stop(signals.asked)


def start_detached(
    folder: Path, port: int | None, settings: Sequence[Entry], form: str, wait_s: float, flags: ApacheFlags
) -> None:
    """Start what does not run yet of the folder's nodes in the background, and return when all of it answers."""
    wanted = _wanted(folder, port, settings, flags)
    if wanted.members:
        start_in_background(folder, wanted.layout, wanted.members, form, wait_s)


def start_in_background(folder: Path, layout: Layout, members: Sequence[Member], form: str, wait_s: float) -> None:
    """Start these nodes, tell how it goes, and return when they answer."""
    from logctl.cli.output import Progress, note
    from logctl.engine.apache.cluster import Nodes, diary_of

    progress = Progress()
    tell = progress.tell if sys.stderr.isatty() else _every_fifth(note)
    nodes = Nodes(folder, layout, _diary_to_files(folder, layout, form), diary=True)
    try:
        nodes.bring_up(members, wait_s, tell)
    finally:
        progress.clear()
    for member in members:
        node = nodes.started[member.node_id]
        where = f"process {node.pid}, diary in {diary_of(node.data)}, log in {node.log}"
        note(f"node {member.node_id} is ready at {node.address} ({where})")
    note(f"{_next([nodes.started[one.node_id].address for one in members if one.is_broker])}; "
         "stop all with `logctl down`")  # fmt: skip


def _every_fifth(tell: Callable[[str], None]) -> Callable[[str], None]:
    """What comes every second is written down every five seconds."""
    seconds = itertools.count(1)
    return lambda sentence: tell(sentence) if next(seconds) % 5 == 0 else None


def _next(addresses: Sequence[str]) -> str:
    server = f" -b {addresses[0]}" if addresses and not addresses[0].endswith(":9092") else ""
    return f"next: logctl topic create NAME{server}"


class _Wanted(NamedTuple):
    layout: Layout
    members: list[Member]


def _wanted(folder: Path, port: int | None, settings: Sequence[Entry], flags: ApacheFlags) -> _Wanted:
    """The layout of the folder, and which of its nodes are to be started: those that do not run."""
    from logctl.engine.apache import cluster, layout

    before = layout.load(folder)
    running = [node for node in local.nodes_in(folder) if node.is_running]
    _say_running(running)
    found = layout.Found(before, _cluster_there(folder, before), tuple(node.node_id for node in running))
    decided = layout.decide(wish(port, settings, flags), found, _new_id, cluster.free_port)
    have_artifacts(decided.version, decided.kafka_home)
    left = [member for member in decided.members if member.node_id not in found.running]
    return _Wanted(decided, left)


def wish(port: int | None, settings: Sequence[Entry], flags: ApacheFlags) -> Wish:
    """The flags as the engine understands them."""
    from logctl.engine.apache.layout import Wish

    if flags.nodes is not None and flags.nodes < 1:
        raise UsageError(f"--nodes {flags.nodes}: a cluster has at least one node")
    home = str(flags.kafka_home.absolute()) if flags.kafka_home else None
    version = flags.kafka_version
    if home is not None and version is None:
        from logctl.engine.apache.parts import distribution_version

        version = distribution_version(Path(home))
    return Wish(flags.nodes, flags.controllers, port, version, home, flags.heap, settings)


def _new_id() -> str:
    from logctl.engine.apache import new_cluster_id

    return new_cluster_id()


def _cluster_there(folder: Path, before: Layout | None) -> str | None:
    """The cluster of `node-1`, when the bundled engine has made it and Apache Kafka is to take it over; said, then."""
    said = local.read_properties(local.log_dir_of(folder, 1) / "meta.properties")
    if not said:
        return None
    if before is None or before.engine != "apache":
        from logctl.cli.output import note

        note(f"the data in {folder} goes to Apache Kafka; back with `logctl up --engine logctl`")
    return said.get("cluster.id")


def have_artifacts(version: str, kafka_home: str | None) -> None:
    """Fetch that version when it is not here, and say so. Raises what stands against running it."""
    from logctl.engine.apache import installed, jdk
    from logctl.engine.apache.parts import distribution_jars

    jdk()
    if kafka_home is not None:
        distribution_jars(Path(kafka_home))
    elif installed(version) is None:
        from logctl.cli.engine import fetch_with_progress

        fetch_with_progress(version)


def _say_running(running: Sequence[LocalNode]) -> None:
    for node in running:
        where = f" at {', '.join(node.addresses)}" if node.addresses else ""
        said = f"node {node.node_id} is {node.state} already{where} (process {node.pid}, data in {node.log_dir})"
        print(said, file=sys.stderr)


# -- single nodes ------------------------------------------------------------------------------------------------------


def start_member(folder: Path, node_id: int, form: str, detach: bool, wait_s: float) -> None:
    """Start one node of a folder that is down, as it was started before."""
    from logctl.engine.apache import cluster

    found = cluster.missing(folder)
    assert found is not None
    ids = [member.node_id for member in found.layout.members]
    if node_id not in ids:
        raise UsageError(f"there is no node {node_id} in {folder}", f"there are: {', '.join(map(str, ids))}")
    members = [member for member in found.members if member.node_id == node_id]
    if not members:
        _say_running([node for node in local.nodes_in(folder) if node.node_id == node_id])
        return
    have_artifacts(found.layout.version, found.layout.kafka_home)
    if detach:
        start_in_background(folder, found.layout, members, form, wait_s)
    else:
        attend(cluster.Nodes(folder, found.layout, _diary_to_stderr(form), diary=False), members)


def start_by_config(config: str, settings: Sequence[Entry], form: str, flags: ApacheFlags) -> None:
    """Run the node of a config file with Apache Kafka, in the foreground."""
    from logctl.engine.apache.cluster import Nodes

    laid = _by_config(config, settings, flags)
    log_dir = laid.log_dirs[0]
    if not laid.cluster_id:
        raise UsageError(
            f"{log_dir} has no meta.properties", "prepare it with `logctl node format --engine apache --config FILE`"
        )
    have_artifacts(laid.version, laid.kafka_home)
    attend(Nodes(log_dir.parent, laid, _diary_to_stderr(form), diary=False), laid.members)


def format_by_config(config: str, cluster_id: str | None, settings: Sequence[Entry], flags: ApacheFlags) -> None:
    """Let Apache's own tool prepare the directories of a config file."""
    from logctl.cli.output import note

    laid = _by_config(config, settings, flags)
    log_dir = laid.log_dirs[0]
    said = local.read_properties(log_dir / "meta.properties")
    _refuse_another(log_dir, said, cluster_id)
    if said:
        note(f"{log_dir} was prepared for node {said.get('node.id')} of cluster {said.get('cluster.id')}")
        return
    have_artifacts(laid.version, laid.kafka_home)
    node = laid.node(log_dir.parent, laid.members[0])
    node.cluster_id = cluster_id or _new_id()
    node.format()
    note(f"{log_dir} is prepared for node {node.node_id} of cluster {node.cluster_id}")


def format_folder(
    folder: Path, cluster_id: str | None, port: int | None, settings: Sequence[Entry], flags: ApacheFlags
) -> None:
    """Prepare the directories of all nodes of a folder that is new."""
    from logctl.cli.output import note
    from logctl.engine.apache import cluster, layout

    said = local.read_properties(local.log_dir_of(folder, 1) / "meta.properties")
    _refuse_another(local.log_dir_of(folder, 1), said, cluster_id)
    before = layout.load(folder)
    found = layout.Found(before, said.get("cluster.id"), tuple(cluster.running_ids(folder)))
    decided = layout.decide(wish(port, settings, flags), found, lambda: cluster_id or _new_id(), cluster.free_port)
    have_artifacts(decided.version, decided.kafka_home)
    nodes = cluster.Nodes(folder, decided, lambda kind, sentence, node_id: note(sentence), diary=False)
    nodes.prepare([member for member in decided.members if member.node_id not in found.running])


def _refuse_another(log_dir: Path, said: Mapping[str, str], cluster_id: str | None) -> None:
    theirs = said.get("cluster.id")
    if theirs and cluster_id and theirs != cluster_id:
        raise UsageError(f"{log_dir} belongs to cluster {theirs}, not to {cluster_id}", "nothing was changed")


def _by_config(config: str, settings: Sequence[Entry], flags: ApacheFlags) -> ByConfig:
    from logctl.engine.apache.by_config import ByConfig
    from logctl.engine.config_file import read_config

    asked = wish(None, (), flags)
    return ByConfig.of([*read_config(config), *settings], asked.version, asked.kafka_home, asked.heap)


# -- the diary ---------------------------------------------------------------------------------------------------------


def _diary_to_stderr(form: str) -> Say:
    from logctl.engine.diary import Diary

    diary = Diary(sys.stderr, form)

    def say(kind: str, sentence: str, node_id: int) -> None:
        diary.say(kind, sentence, **({"node": node_id} if node_id else {}))

    return say


def _diary_to_files(folder: Path, layout: Layout, form: str) -> Say:
    """Each node's entries go to its own file; what concerns all of them to every file."""
    from logctl.engine.apache.cluster import diary_of
    from logctl.engine.diary import Diary

    everyone = [member.node_id for member in layout.members]

    def say(kind: str, sentence: str, node_id: int) -> None:
        for one in [node_id] if node_id else everyone:
            path = diary_of(local.log_dir_of(folder, one))
            try:
                with path.open("a", encoding="utf-8") as file:
                    Diary(file, form).say(kind, sentence)
            except OSError as error:
                raise OperationFailed(f"cannot write the diary {path}: {error.strerror}") from error

    return say


# -- down --------------------------------------------------------------------------------------------------------------


def stop_nodes(nodes: Sequence[LocalNode], timeout_s: float) -> None:
    """Stop running nodes of Apache Kafka in order, whoever started them, and say so."""
    from logctl.cli.output import note
    from logctl.engine.apache import cluster

    for node in nodes:
        _write_down(node, "Stopping in order (logctl)")

    def say(node: LocalNode, took_s: float) -> None:
        _write_down(node, f"Stopped in order in {took_s:.1f} s")
        note(f"node {node.node_id} (process {node.pid}) stopped in {took_s:.1f} s")

    cluster.stop(nodes, timeout_s, say)


def _write_down(node: LocalNode, sentence: str) -> None:
    from logctl.engine.diary import Diary

    if node.diary:
        try:
            with open(node.diary, "a", encoding="utf-8") as file:
                Diary(file).say("stop", sentence)
        except OSError:
            pass  # a diary that cannot be written keeps no node from stopping


class _Signals:
    """SIGINT, SIGTERM and SIGHUP, kept until somebody looks."""

    def __enter__(self) -> _Signals:
        self._asked = ""
        self._before = {number: signal.signal(number, self._take) for number in _ENDING}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> str:
        """The name of the signal, with 'again' behind it when there was more than one."""
        return self._asked

    def _take(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        self._asked = f"{name} again" if self._asked else name


_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
