"""Plans as a human reads them before they are carried out."""

from __future__ import annotations

from logctl.admin.observe import Resource
from logctl.admin.operation import Change, Plan, Risk, Step
from logctl.cli.preview import plan_text

BILLING, SHIPPING = Resource("group", "billing"), Resource("group", "shipping\x1b[2J")


def moved(resource: Resource, before: dict[str, int] | None, after: dict[str, int | None]) -> Change:
    return Change(resource, None if before is None else {"offsets": before}, {"offsets": after})


def test_what_moves_in_groups_is_one_table() -> None:
    changes = (
        moved(BILLING, {"orders-0": 5, "orders-to-be-10": 7}, {"orders-0": 0, "orders-to-be-10": 17}),
        moved(SHIPPING, None, {"orders-0": 3}),
    )
    steps = (Step("group.set_offsets", "move them", {}, Risk.DISRUPTIVE),)
    assert plan_text(Plan("reset", changes, steps)) == (
        "move them [disruptive, no way back]\n"
        "GROUP            TOPIC         PARTITION  CURRENT  NEW  DELTA\n"
        "billing          orders                0        5    0     -5\n"
        "billing          orders-to-be         10        7   17    +10\n"
        "shipping\\x1b[2J  orders                0        -    3      -\n"
    )


def test_a_position_that_is_forgotten_leaves_none() -> None:
    text = plan_text(Plan("forget", (moved(BILLING, {"orders-0": 5}, {"orders-0": None}),)))
    assert text.splitlines()[1].split() == ["billing", "orders", "0", "5", "-", "-"]


def test_a_group_that_goes_is_told_line_by_line() -> None:
    gone = Change(BILLING, {"state": "Empty", "offsets": {"orders-0": 5}}, None)
    assert plan_text(Plan("delete", (gone,))) == "group billing\n  - state: Empty\n  - offsets.orders-0: 5\n"


def test_what_differs_elsewhere_is_told_line_by_line() -> None:
    before = {"partitions": 1, "configs": {"a": "1", "b": "2"}}
    after = {"partitions": 3, "configs": {"a": None, "c": "4"}}
    change = Change(Resource("topic", "orders"), before, after)
    assert plan_text(Plan("alter", (change,), notes=("one thing is so already",))) == (
        "one thing is so already; nothing to do\n"
        "topic orders\n  ~ partitions: 1 -> 3\n  - configs.a: 1\n  + configs.c: 4\n"
    )
