"""The nodes of a folder: how they find their quorum, in folders of today and of before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logctl import seats
from logctl.engine.several import entries, lay, new_seat
from logctl.errors import OperationFailed, UsageError


def settings(folder: Path, table: seats.Table, node_id: int) -> dict[str, str]:
    [seat] = [one for one in table.seats if one.node_id == node_id]
    return {entry.name: entry.text for entry in entries(folder, table, seat)}


def test_a_new_folder_names_its_voters_once(tmp_path: Path) -> None:
    table = lay(tmp_path, 3, 0, "cluster")
    assert seats.remembered(tmp_path) == table
    assert [text.partition("@")[0] for text in table.first_voters.split(",")] == ["1", "2", "3"]
    assert table.begun().first_voters == "", "an empty directory in the place of one of them later is another voter's"
    told = settings(tmp_path, table.begun(), 2)
    assert told["controller.quorum.bootstrap.servers"] == table.seeds
    assert "controller.quorum.voters" not in told


def test_a_folder_of_before_keeps_its_fixed_voters_and_takes_more_nodes(tmp_path: Path) -> None:
    before = [{"node_id": node, "port": 20000 + node, "inner_port": 30000 + node} for node in (1, 2)]
    (tmp_path / seats.FILE).write_text(json.dumps({"cluster_id": "cluster", "nodes": before}))
    table = seats.remembered(tmp_path)
    assert table is not None
    assert settings(tmp_path, table, 1)["controller.quorum.voters"] == "1@127.0.0.1:30001,2@127.0.0.1:30002"
    grown = table.with_seat(new_seat(table))
    assert settings(tmp_path, grown, 1)["controller.quorum.voters"] == "1@127.0.0.1:30001,2@127.0.0.1:30002"
    third = settings(tmp_path, grown, 3)
    assert (third["process.roles"], third["inter.broker.listener.name"]) == ("broker", "INTERNAL")
    assert third["controller.quorum.bootstrap.servers"] == "127.0.0.1:30001,127.0.0.1:30002"
    seats.write(tmp_path, grown)
    seats.forget(tmp_path, 3)
    assert seats.remembered(tmp_path) == table


def test_there_are_no_more_than_belong_on_one_machine(tmp_path: Path) -> None:
    table = lay(tmp_path, 9, 0, "cluster")
    with pytest.raises(UsageError, match="1 to 9 nodes"):
        new_seat(table)


def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"cluster_id": "c", "nodes": [{}]}'):
        (tmp_path / seats.FILE).write_text(text)
        with pytest.raises(OperationFailed, match="cannot be read"):
            seats.remembered(tmp_path)
        assert (tmp_path / seats.FILE).read_text() == text
