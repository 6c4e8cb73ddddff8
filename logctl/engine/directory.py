"""A log directory's identity, and preparing one: `meta.properties` and `bootstrap.checkpoint`, as Apache writes them.

`meta.properties` (version 1) says which cluster and node a directory belongs to and how the directory itself is
called (KIP-631, KIP-858). A node starts only on directories that say what it expects; whatever does not fit is left
exactly as it is.

`bootstrap.checkpoint` is a snapshot with the first records of the cluster: the features it runs. It is written before
`meta.properties`, so a directory with an identity is a directory that is ready.

Where the metadata log is to name the voters (kraft.version 1), the directory of a first voter begins with a snapshot at
offset 0 that does, as `kafka-storage format --standalone` and `--initial-controllers` write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.engine.broker.metadata_snapshots import BOOTSTRAP, SnapshotId, encode_snapshot
from logctl.engine.broker.metadata_store import DIRECTORY
from logctl.engine.broker.voters import NEWEST_KRAFT_VERSION, controls_of
from logctl.engine.controller.versions import NEWEST_METADATA_LEVEL, record_version
from logctl.engine.log.disk import Disk
from logctl.engine.quorum.voters import Address, Standing, Voter, VoterSet
from logctl.errors import UsageError
from logctl.wire.primitives import uuid_from_text, uuid_text

META_PROPERTIES: Final = "meta.properties"
LOCK: Final = ".lock"
DEFAULT_FEATURES: Final[Mapping[str, int]] = {"metadata.version": NEWEST_METADATA_LEVEL, "group.version": 1}
"""What a new cluster finalizes: only what the engine serves. Level 0, which is not written, stands for the rest."""

_RESERVED_DIRECTORY_IDS: Final = 100
"""Identifiers this small have a meaning of their own (lost, unassigned, migrating) and name no directory."""


class Identity(NamedTuple):
    """Whose directory it is. `cluster_id` is text, as everywhere in the protocol; `directory_id` sixteen bytes."""

    cluster_id: str
    node_id: int
    directory_id: bytes


def read_identity(disk: Disk, path: str) -> Identity | None:
    """The identity of a log directory, None when it has none. Raises UsageError when the file makes no sense."""
    file = f"{path}/{META_PROPERTIES}"
    if not disk.exists(file):
        return None
    try:
        return _identity(parse_properties(disk.read_file(file).decode("utf-8")))
    except ValueError as problem:
        raise UsageError(
            f"{file} does not say whose directory this is: {problem}",
            f"Nothing was changed. Restore the file from a backup, or write it anew: version=1, cluster.id=..., "
            f"node.id=..., directory.id=... ({META_PROPERTIES} of a node's other directories has the first three)",
        ) from None


def _identity(said: Mapping[str, str]) -> Identity:
    missing = [name for name in ("version", "cluster.id", "node.id", "directory.id") if name not in said]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    if said["version"] != "1":
        raise ValueError(f"its version is {said['version']}, this version reads 1")
    if not re.fullmatch(r"\d{1,9}", said["node.id"], re.ASCII):
        raise ValueError(f"its node.id is {said['node.id']!r}")
    if not said["cluster.id"]:
        raise ValueError("its cluster.id is empty")
    return Identity(said["cluster.id"], int(said["node.id"]), uuid_from_text(said["directory.id"]))


def parse_properties(text: str) -> dict[str, str]:
    """The lines of a Java properties file that are simple enough for identifiers: comments, and name=value."""
    found = {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and stripped[0] not in "#!":
            name, separator, value = stripped.partition("=")
            if not separator:
                raise ValueError(f"the line {stripped[:40]!r} is not of the form name=value")
            found[name.strip()] = value.strip()
    return found


def write_identity(disk: Disk, path: str, identity: Identity) -> None:
    """Durable when it returns. Raises DiskFault."""
    lines = (
        "version=1",
        f"cluster.id={identity.cluster_id}",
        f"node.id={identity.node_id}",
        f"directory.id={uuid_text(identity.directory_id)}",
    )
    disk.write_file(f"{path}/{META_PROPERTIES}", "".join(f"{line}\n" for line in lines).encode())


def format_directories(
    disk: Disk,
    paths: Sequence[str],
    *,
    cluster_id: str,
    node_id: int,
    new_uuid: Callable[[], bytes],
    now_ms: int,
    features: Mapping[str, int] = DEFAULT_FEATURES,
    voters: VoterSet | None = None,
) -> list[Identity]:
    """Prepare log directories; the first one also gets the cluster's first records. `voters`: those that the metadata
    log names from its beginning, this node among them; its directory is the first one.

    A directory that already belongs to this node is left as it is. Raises UsageError, before anything is written,
    when one belongs to another node or cluster or holds files that are not ours, and DiskFault.
    """
    known = [read_identity(disk, path) for path in paths]
    for path, identity in zip(paths, known, strict=True):
        if identity is None:
            _refuse_strange_files(disk, path)
        else:
            check_identity(path, identity, cluster_id, node_id)
    made = []
    for number, (path, identity) in enumerate(zip(paths, known, strict=True)):
        if identity is None:
            first = voters.get(node_id) if voters is not None and number == 0 else None
            identity = Identity(cluster_id, node_id, first.directory_id if first else fresh_id(new_uuid))
            _format(disk, path, identity, number, features, now_ms, voters if first else None)
        made.append(identity)
    return made


def _format(
    disk: Disk,
    path: str,
    identity: Identity,
    number: int,
    features: Mapping[str, int],
    now_ms: int,
    voters: VoterSet | None,
) -> None:
    disk.mkdirs(path)
    if voters is not None:
        disk.mkdirs(f"{path}/{DIRECTORY}")
        disk.write_file(f"{path}/{DIRECTORY}/{SnapshotId(0, 0).file_name}", encode_first_voters(voters, now_ms))
        disk.sync_dir(path)
    if number == 0:
        disk.write_file(f"{path}/{BOOTSTRAP}", encode_bootstrap(features, now_ms))
    write_identity(disk, path, identity)


def encode_first_voters(voters: VoterSet, now_ms: int) -> bytes:
    """The content of the snapshot at offset 0."""
    controls = controls_of(Standing(-1, NEWEST_KRAFT_VERSION, voters))
    return encode_snapshot([], lambda kind: 0, epoch=0, last_append_ms=0, now_ms=now_ms, controls=controls)


def parse_controllers(text: str, listener: str) -> VoterSet:
    """The voters in `ID@HOST:PORT:DIRECTORY,...`, reached on a listener of that name. Raises UsageError."""
    voters = []
    for item in (part.strip() for part in text.split(",") if part.strip()):
        match = re.fullmatch(r"(\d{1,9})@(.+):(\d{1,5}):([A-Za-z0-9_-]{22})", item, re.ASCII)
        if match is None:
            raise UsageError(f"{item!r} is not ID@HOST:PORT:DIRECTORY", "DIRECTORY is the directory.id, 22 letters")
        node_id, host, port, directory = match.groups()
        address = Address(listener, host.strip("[]"), int(port))
        voters.append(Voter(int(node_id), uuid_from_text(directory), (address,)))
    if len({voter.node_id for voter in voters}) < len(voters):
        raise UsageError("a node is named twice among the first controllers", "each one once")
    return VoterSet(voters)


def encode_bootstrap(features: Mapping[str, int], now_ms: int) -> bytes:
    """The content of `bootstrap.checkpoint`: metadata.version first, then every other feature above level 0."""
    from logctl.wire.stored.feature_level_record import FeatureLevelRecord

    level = features["metadata.version"]
    ordered = sorted(features.items(), key=lambda feature: (feature[0] != "metadata.version", feature[0]))
    records: list[Any] = [FeatureLevelRecord(name=name, feature_level=at) for name, at in ordered if at > 0]
    return encode_snapshot(records, lambda kind: record_version(kind, level), epoch=0, last_append_ms=0, now_ms=now_ms)


_HARMLESS: Final = frozenset({DIRECTORY, BOOTSTRAP, f"{BOOTSTRAP}.tmp", f"{META_PROPERTIES}.tmp", LOCK, "lost+found"})
"""What a directory may hold before it has an identity: traces of a formatting that was cut short, and the system's."""


def _refuse_strange_files(disk: Disk, path: str) -> None:
    strange = [name for name in _listing(disk, path) if name not in _HARMLESS]
    first = {SnapshotId(0, 0).file_name, f"{SnapshotId(0, 0).file_name}.tmp"}
    strange += [f"{DIRECTORY}/{name}" for name in _listing(disk, f"{path}/{DIRECTORY}") if name not in first]
    if strange:
        raise UsageError(
            f"{path} has no {META_PROPERTIES} but is not empty: it holds {strange[0]}"
            + (f" and {len(strange) - 1} more" if len(strange) > 1 else ""),
            "Give an empty directory. If this one belongs to a node, restore its meta.properties",
        )


def _listing(disk: Disk, path: str) -> Iterable[str]:
    return disk.listdir(path) if disk.exists(path) else ()


def check_identity(path: str, identity: Identity, cluster_id: str | None, node_id: int | None) -> None:
    """Raises UsageError when a directory belongs to another cluster or node; None stands for any."""
    if cluster_id is not None and identity.cluster_id != cluster_id:
        raise UsageError(
            f"{path} belongs to cluster {identity.cluster_id}, not to {cluster_id}",
            "Nothing was changed. Give the directory of this cluster, or the id of that one",
        )
    if node_id is not None and identity.node_id != node_id:
        raise UsageError(
            f"{path} belongs to node {identity.node_id}, not to node {node_id}",
            "Nothing was changed. Give this node's own directory, or set node.id to that of the directory",
        )


def open_directories(
    disk: Disk, paths: Sequence[str], *, node_id: int | None = None, cluster_id: str | None = None
) -> list[Identity]:
    """The identities of a node's directories, which must all be formatted and agree. Raises UsageError."""
    found: list[Identity] = []
    for path in paths:
        identity = read_identity(disk, path)
        if identity is None:
            raise UsageError(
                f"{path} has no {META_PROPERTIES}: it has not been prepared for a node",
                "prepare it with `logctl node format --config FILE`",
            )
        first = found[0] if found else identity
        check_identity(path, identity, cluster_id or first.cluster_id, first.node_id if node_id is None else node_id)
        if any(identity.directory_id == other.directory_id for other in found):
            raise UsageError(
                f"{path} has the directory.id of another directory of this node: it is a copy",
                "A node cannot use a directory and its copy; take one of them out of log.dirs",
            )
        found.append(identity)
    return found


def fresh_id(new_uuid: Callable[[], bytes]) -> bytes:
    """An identifier that is not one of the reserved ones and whose text does not look like a command line option."""
    while True:
        made = new_uuid()
        if int.from_bytes(made) >= _RESERVED_DIRECTORY_IDS and not uuid_text(made).startswith("-"):
            return made
