"""A log directory's identity: prepared once, checked at every start, never changed by a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from logctl.engine.broker.metadata_snapshots import decode_snapshot
from logctl.engine.directory import (
    Identity,
    check_identity,
    format_directories,
    fresh_id,
    open_directories,
    read_identity,
    write_identity,
)
from logctl.engine.log.disk import RealDisk
from logctl.errors import UsageError
from logctl.wire.primitives import uuid_from_text

CLUSTER = "AAAAAAAAQACAAAAAAAAAAQ"
DISK = RealDisk()


def ids(first: int = 1000) -> Iterator[bytes]:
    return (number.to_bytes(16) for number in count(first))


def prepared(*paths: Path, cluster_id: str = CLUSTER, node_id: int = 1) -> list[Identity]:
    names = [str(path) for path in paths]
    return format_directories(
        DISK, names, cluster_id=cluster_id, node_id=node_id, new_uuid=ids().__next__, now_ms=1_700_000_000_000
    )


def content(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir() if file.is_file()}


def test_a_new_directory_gets_an_identity_and_the_first_records(tmp_path: Path) -> None:
    [identity] = prepared(tmp_path / "data")
    assert read_identity(DISK, str(tmp_path / "data")) == identity
    assert identity == Identity(CLUSTER, 1, (1000).to_bytes(16))
    records = decode_snapshot((tmp_path / "data" / "bootstrap.checkpoint").read_bytes()).records
    assert [(record.name, record.feature_level) for record in records] == [
        ("metadata.version", 30),
        ("group.version", 1),
    ]
    assert open_directories(DISK, [str(tmp_path / "data")], node_id=1, cluster_id=CLUSTER) == [identity]


def test_only_the_first_of_several_directories_holds_the_records(tmp_path: Path) -> None:
    first, second = prepared(tmp_path / "a", tmp_path / "b")
    assert first.directory_id != second.directory_id
    assert (tmp_path / "a" / "bootstrap.checkpoint").exists()
    assert not (tmp_path / "b" / "bootstrap.checkpoint").exists()


def test_what_apache_writes_is_understood(tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text(
        "#\n#Tue Nov 24 20:27:42 UTC 2026\nnode.id=1\ndirectory.id=2nQu0lCJxNH_W5Hr5U2xbg\n"
        f"version=1\ncluster.id={CLUSTER}\n"
    )
    assert read_identity(DISK, str(tmp_path)) == Identity(CLUSTER, 1, uuid_from_text("2nQu0lCJxNH_W5Hr5U2xbg"))


def test_formatting_twice_changes_nothing(tmp_path: Path) -> None:
    prepared(tmp_path)
    before = content(tmp_path)
    prepared(tmp_path)
    assert content(tmp_path) == before


def test_a_formatting_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "bootstrap.checkpoint").write_bytes(b"half")
    (tmp_path / ".lock").touch()
    prepared(tmp_path)
    assert decode_snapshot((tmp_path / "bootstrap.checkpoint").read_bytes()).records


def test_somebody_s_files_are_not_taken_for_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(UsageError, match=r"is not empty: it holds diary\.txt"):
        prepared(tmp_path)
    assert content(tmp_path) == {"diary.txt": b"dear diary"}


@pytest.mark.parametrize(
    ("cluster_id", "node_id", "sentence"),
    [
        ("elsewhere", 1, "belongs to cluster AAAAAAAAQACAAAAAAAAAAQ, not to elsewhere"),
        (CLUSTER, 2, "belongs to node 1, not to node 2"),
    ],
)
def test_a_directory_of_another_cluster_or_node_is_left_alone(
    tmp_path: Path, cluster_id: str, node_id: int, sentence: str
) -> None:
    prepared(tmp_path / "a")
    before = content(tmp_path / "a")
    with pytest.raises(UsageError, match=sentence) as refusal:
        prepared(tmp_path / "b", tmp_path / "a", cluster_id=cluster_id, node_id=node_id)
    assert refusal.value.hint
    assert content(tmp_path / "a") == before
    assert not (tmp_path / "b").exists(), "nothing is written when one of them does not fit"
    with pytest.raises(UsageError, match=sentence):
        open_directories(DISK, [str(tmp_path / "a")], cluster_id=cluster_id, node_id=node_id)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "version, cluster.id, node.id, directory.id is missing"),
        ("version=1\nnode.id=1\ndirectory.id=2nQu0lCJxNH_W5Hr5U2xbg\n", "cluster.id is missing"),
        ("version=2\ncluster.id=c\nnode.id=1\ndirectory.id=2nQu0lCJxNH_W5Hr5U2xbg\n", "its version is 2"),
        ("version=1\ncluster.id=c\nnode.id=one\ndirectory.id=2nQu0lCJxNH_W5Hr5U2xbg\n", "node.id is 'one'"),
        ("version=1\ncluster.id=\nnode.id=1\ndirectory.id=2nQu0lCJxNH_W5Hr5U2xbg\n", "cluster.id is empty"),
        ("version=1\ncluster.id=c\nnode.id=1\ndirectory.id=short\n", "not an identifier"),
        ("garbage", "not of the form name=value"),
        ("\udcff", "utf-8"),
    ],
)
def test_a_damaged_identity_stops_the_start_and_stays_as_it_is(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "meta.properties").write_bytes(text.encode("utf-8", "surrogateescape"))
    before = content(tmp_path)
    with pytest.raises(UsageError, match=reason) as refusal:
        open_directories(DISK, [str(tmp_path)])
    assert "Nothing was changed" in refusal.value.hint
    assert content(tmp_path) == before


def test_a_directory_without_identity_must_be_prepared_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not been prepared"):
        open_directories(DISK, [str(tmp_path)])


def test_directories_of_one_node_must_agree_and_differ(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    [identity] = prepared(a)
    prepared(b, node_id=2)
    with pytest.raises(UsageError, match="belongs to node 2"):
        open_directories(DISK, [str(a), str(b)])
    write_identity(DISK, str(b), identity)
    with pytest.raises(UsageError, match="it is a copy"):
        open_directories(DISK, [str(a), str(b)])


def test_any_node_and_cluster_will_do_when_none_is_expected() -> None:
    check_identity("data", Identity("some", 7, bytes(16)), None, None)


def test_fresh_ids_avoid_the_reserved_ones_and_leading_dashes() -> None:
    offered = iter([bytes(16), (2).to_bytes(16), b"\xf8" + bytes(15), b"\x01" * 16])
    assert fresh_id(lambda: next(offered)) == b"\x01" * 16
