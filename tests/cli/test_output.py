"""How listings are laid out: columns chosen and sorted, tables cut to the terminal, every format from one view."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
from typing import Annotated, Any, TypedDict

import jsonschema
import pytest
from cli.conftest import command, environment

from logctl.cli.output import Column, Format, Layout, Listing, Nested, fitted, laid_out
from logctl.cli.schema import schema_of
from logctl.errors import OperationFailed, UsageError


class Fruit(TypedDict):
    name: str
    weight_g: Annotated[int | None, "null when it was never weighed"]


class Basket(TypedDict):
    name: str
    fruits: list[Fruit]


class Market(TypedDict):
    town: str


FRUITS = Listing(
    "fruits",
    Fruit,
    (
        Column("NAME", lambda fruit: fruit["name"]),
        Column("WEIGHT", lambda fruit: "-" if fruit["weight_g"] is None else f"{fruit['weight_g']} g", number=True,
               key=lambda fruit: fruit["weight_g"]),
        Column("LETTERS", lambda fruit: len(fruit["name"]), number=True, wide=True),
    ),
    also=Market,
)  # fmt: skip
BASKETS = Listing("baskets", Basket, FRUITS.columns, Nested("fruits", "BASKET", lambda item: f"{item['name']}:\n"))
ITEMS: list[Fruit] = [
    {"name": "pear", "weight_g": 178},
    {"name": "quince", "weight_g": None},
    {"name": "apple", "weight_g": 95},
]


def lines(layout: Layout) -> list[str]:
    return laid_out(FRUITS.view(ITEMS, town="Ulm"), layout).splitlines()


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert lines(Layout()) == ["NAME    WEIGHT", "pear     178 g", "quince       -", "apple     95 g"]


def test_wide_and_csv_show_every_column() -> None:
    assert lines(Layout(Format.WIDE))[0].split() == ["NAME", "WEIGHT", "LETTERS"]
    assert lines(Layout(Format.CSV)) == ["name,weight,letters", "pear,178 g,4", "quince,-,6", "apple,95 g,5"]


def test_columns_are_chosen_by_title_in_any_spelling() -> None:
    assert lines(Layout(columns=("letters", "Name"), headers=False)) == ["4  pear", "6  quince", "5  apple"]


def test_sorting_goes_by_value_and_puts_what_is_unknown_last() -> None:
    assert [line.split()[0] for line in lines(Layout(sort="weight", headers=False))] == ["apple", "pear", "quince"]
    assert [line.split()[0] for line in lines(Layout(sort="-weight", headers=False))] == ["pear", "apple", "quince"]
    assert [line.split()[0] for line in lines(Layout(sort="-name", headers=False))] == ["quince", "pear", "apple"]


@pytest.mark.parametrize("layout", [Layout(columns=("colour",)), Layout(sort="colour")])
def test_a_column_that_there_is_not_is_named_with_those_there_are(layout: Layout) -> None:
    with pytest.raises(UsageError, match="no column 'colour'") as caught:
        laid_out(FRUITS.view(ITEMS), layout)
    assert caught.value.hint == "there are name, weight, letters"


def test_items_with_rows_become_blocks_or_flat_csv() -> None:
    view = BASKETS.view([{"name": "left", "fruits": ITEMS[:1]}, {"name": "right", "fruits": ITEMS[1:]}])
    assert laid_out(view, Layout(columns=("name",), headers=False)) == "left:\npear\n\nright:\nquince\napple\n"
    rows = list(csv.reader(io.StringIO(laid_out(view, Layout(Format.CSV, sort="name")))))
    assert [row[:2] for row in rows] == [
        ["basket", "name"], ["left", "pear"], ["right", "apple"], ["right", "quince"],
    ]  # fmt: skip


def test_json_holds_what_could_not_be_told_and_keeps_to_its_schema() -> None:
    error = OperationFailed("fruit fig is rotten", "buy another")
    document = json.loads(laid_out(FRUITS.view(ITEMS, {"fig": error}, town="Ulm"), Layout(Format.JSON)))
    assert document["complete"] is False
    assert document["errors"] == [
        {"name": "fig", "error": "", "message": "fruit fig is rotten", "hint": "buy another"}
    ]
    schema = schema_of(FRUITS)
    jsonschema.validate(document, schema)
    assert schema["properties"]["fruits"]["items"]["properties"]["weight_g"] == {
        "type": ["integer", "null"],
        "description": "null when it was never weighed",
    }
    document["fruits"][0]["weight_g"] = "heavy"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_texts_are_cut_widest_first_and_numbers_never() -> None:
    rows = [["n" * 40, "1234567890123", "t" * 20]]
    assert fitted(rows, [False, True, False], 60) == [["n" * 22 + "…", "1234567890123", "t" * 20]]
    assert fitted(rows, [False, True, False], 20) == [["n" * 9 + "…", "1234567890123", "t" * 9 + "…"]]
    assert fitted(rows, [False, True, False], 100) == rows


def test_a_terminal_gets_lines_that_fit_and_a_pipe_gets_them_whole(bootstrap: str) -> None:
    name = "a-topic-with-a-name-so-long-that-no-narrow-terminal-can-hold-it-" + "x" * 60
    env: dict[str, Any] = environment(bootstrap)
    subprocess.run(command("topic", "create", name), env=env, check=True, capture_output=True, timeout=60)
    listing = command("topic", "list", "a-topic-with*", "-o", "wide")
    piped = subprocess.run(listing, env=env, check=True, capture_output=True, text=True, timeout=60).stdout
    assert name in piped
    parent, child = pty.openpty()
    os.set_blocking(parent, True)
    subprocess.run(["stty", "cols", "70"], stdin=child, check=True, timeout=60)
    shown = subprocess.run(listing, env=env, stdout=child, stderr=subprocess.PIPE, check=True, timeout=60)
    os.close(child)
    assert not shown.stderr
    text = os.read(parent, 65536).decode().splitlines()
    os.close(parent)
    assert max(len(line) for line in text) <= 70
    assert "…" in text[1]
