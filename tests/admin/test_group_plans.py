"""What shall become of groups, as data: an observed group and an operation -> a plan, or a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from logctl.admin.group_operations import CloneOffsets, DeleteGroups, DeleteOffsets, group_resource
from logctl.admin.group_reset import ResetGroups, Target, To, parse_iso_duration_ms, parse_scope
from logctl.admin.observe import Snapshot
from logctl.admin.operation import Plan, Risk
from logctl.admin.positions import Place, Range
from logctl.admin.reset_files import read_positions, write_positions
from logctl.errors import AccessDenied, OperationFailed, UsageError

HELD: dict[Place, Range] = {("t", 0): Range(10, 100), ("t", 1): Range(0, 50), ("u", 0): Range(0, 7)}


def group(state: str = "Empty", kind: str = "classic", members: tuple[str, ...] = (), **offsets: int) -> dict[str, Any]:
    """t_0=5: the position in partition 0 of t. Members read partition 0 of t."""
    return {
        "type": kind,
        "state": state,
        "members": list(members),
        "reads": {"t-0": members[0]} if members else {},
        "offsets": {name.replace("_", "-"): offset for name, offset in offsets.items()},
    }


def seen(**groups: dict[str, Any] | None) -> Snapshot:
    return Snapshot("here", states={group_resource(name): state for name, state in groups.items()})


def moved(plan: Plan) -> dict[str, Any]:
    return {change.resource.name: (change.after or {}).get("offsets") for change in plan.changes}


def reset(to: To, value: int = 0, places: tuple[Place, ...] | None = (("t", 0),), **more: Any) -> ResetGroups:
    return ResetGroups(("g",), Target(to, value), places, HELD, **more)


# -- resetting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "new", "warning"),
    [
        (reset(To.EARLIEST), 10, ""),
        (reset(To.LATEST), 100, ""),
        (reset(To.OFFSET, 42), 42, ""),
        (reset(To.OFFSET, 3), 10, "t-0 begins at 10: 3 becomes 10"),
        (reset(To.OFFSET, 300), 100, "t-0 ends at 100: 300 becomes 100"),
        (reset(To.SHIFT, 5), 25, ""),
        (reset(To.SHIFT, -5), 15, ""),
        (reset(To.SHIFT, -15), 10, "t-0 begins at 10: 5 becomes 10"),
        (reset(To.TIME, 1_700_000_000_000, times={("t", 0): 77}), 77, ""),
        (reset(To.TIME, 1_700_000_000_000, times={("t", 0): -1}), 100, ""),
        (reset(To.FILE, filed={"g": {("t", 0): 60}}), 60, ""),
    ],
)
def test_each_way_of_resetting(operation: ResetGroups, new: int, warning: str) -> None:
    plan = operation.plan(seen(g=group(t_0=20)))
    assert moved(plan) == {"g": {"t-0": new}}
    assert list(plan.warnings) == ([warning] if warning else [])
    [step] = plan.steps
    assert step.risk is Risk.DISRUPTIVE
    assert step.arguments == {"group": "g", "type": "classic", "offsets": [["t", 0, new]]}
    assert step.sentence == f"move group g: t-0 20 -> {new} ({new - 20:+})"
    assert step.undo is not None
    assert step.undo.arguments == {"group": "g", "type": "classic", "offsets": [["t", 0, 20]]}
    assert plan.changes[0].before == {"state": "Empty", "offsets": {"t-0": 20}}


def test_what_is_there_already_is_left_out() -> None:
    plan = reset(To.CURRENT).plan(seen(g=group(t_0=20)))
    assert (plan.steps, plan.notes) == ((), ("group g is at these offsets already",))
    some = reset(To.EARLIEST, places=None).plan(seen(g=group(t_0=10, t_1=5)))
    assert moved(some) == {"g": {"t-1": 0}}


def test_all_topics_are_those_that_the_group_has_positions_in() -> None:
    plan = reset(To.LATEST, places=None).plan(seen(g=group(t_1=5, u_0=0, gone_3=9)))
    assert moved(plan) == {"g": {"t-1": 50, "u-0": 7}}
    assert plan.warnings == ("gone-3 does not exist any more: the position of group g in it stays",)


def test_where_a_group_has_no_position() -> None:
    assert moved(reset(To.CURRENT).plan(seen(g=group()))) == {"g": {"t-0": 100}}
    with pytest.raises(OperationFailed, match="group g has no position in t-0 to shift from"):
        reset(To.SHIFT, 1).plan(seen(g=group()))
    plan = reset(To.LATEST).plan(seen(g=None))
    assert plan.warnings == ("group g does not exist: this makes it",)
    assert plan.changes[0].before is None
    assert plan.steps[0].undo is not None
    assert plan.steps[0].undo.action == "group.delete"
    typo = ResetGroups(("biling",), Target(To.LATEST), (("t", 0),), HELD, existing=("billing",))
    assert typo.plan(seen()).warnings == ("group biling does not exist: this makes it; did you mean billing?",)
    with pytest.raises(OperationFailed, match="group g does not exist"):
        reset(To.LATEST, places=None).plan(seen(g=None))


def test_a_group_with_members_is_refused_or_passed_over() -> None:
    live = group("Stable", members=("desk on 10.0.0.1", "desk on 10.0.0.2"), t_0=20)
    with pytest.raises(OperationFailed, match=r"g is Stable, and must be empty: desk on 10\.0\.0\.1, desk on 10"):
        reset(To.LATEST).plan(seen(g=live))
    both = ResetGroups(("g", "h"), Target(To.LATEST), (("t", 0),), HELD, skip_live=True)
    plan = both.plan(seen(g=live, h=group(t_0=20)))
    assert moved(plan) == {"h": {"t-0": 100}}
    assert plan.warnings[0].endswith("; left as it is")
    assert plan.wants.looks == (group_resource("h"),)


def test_what_could_not_be_observed_is_not_changed() -> None:
    snapshot = Snapshot("here", failures={"g": AccessDenied("group g: no")})
    for operation in (reset(To.LATEST), CloneOffsets("g", "h"), DeleteOffsets("g"), DeleteGroups(("g",))):
        with pytest.raises(AccessDenied):
            operation.plan(snapshot)


def test_share_groups_have_no_way_back() -> None:
    """Their start offset is all that is seen of them; what was finished behind it is not."""
    [step] = reset(To.EARLIEST).plan(seen(g=group(kind="share", t_0=20))).steps
    assert (step.arguments["type"], step.undo) == ("share", None)


@pytest.mark.parametrize(
    ("text", "span_ms"),
    [("P1D", 86_400_000), ("PT2H30M", 9_000_000), ("pt1.5s", 1500), ("-PT1M", -60_000), ("P1DT1S", 86_401_000)],
)
def test_durations_of_iso_8601(text: str, span_ms: int) -> None:
    assert parse_iso_duration_ms(text) == span_ms


@pytest.mark.parametrize("text", ["", "P", "PT", "1D", "P1H", "PT1D", "soon"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        parse_iso_duration_ms(text)


def test_scopes() -> None:
    assert parse_scope(["t", "u:0,1,1"]) == (("t", None), ("u", (0, 1)))
    for wrong in ("", ":1", "t:", "t:x", "t:1,", "t:-1"):
        with pytest.raises(UsageError):
            parse_scope([wrong])


# -- files -------------------------------------------------------------------------------------------------------------


def test_files_are_written_as_apache_does() -> None:
    long = "a-topic-with-a-very-long-name"
    assert write_positions({"g": {("t", 0): 5, (long, 1): 7}}) == f't,0,5\n"{long}",1,7\n'
    assert write_positions({"g h": {("t", 0): 5}, "i": {("t", 0): 6}}) == '"g h",t,0,5\ni,t,0,6\n'


def test_files_are_read() -> None:
    assert read_positions('t,0,5\n\n"u",1,7\n', "f", ["g"]) == {"g": {("t", 0): 5, ("u", 1): 7}}
    assert read_positions('"g",t,0,5\nx,t,0,6\n', "f", ["g", "h"]) == {"g": {("t", 0): 5}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("t,0\n", "f, line 1: topic,partition,offset was expected, not 2 fields"),
        ("t,0,1\nt,x,1\n", "f, line 2: the partition 'x' is not a number"),
        ("t,0,-1\n", "f, line 1: the offset '-1' is not a number"),
        ("t,0,99999999999999999999\n", "f, line 1: the offset"),
        (",0,1\n", "f, line 1: the topic is empty"),
        ("t,0,1\nt,0,2\n", "f, line 2: partition 0 of t is named twice"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_line(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_positions(text, "f", ["g"])
    with pytest.raises(UsageError, match="with several groups"):
        read_positions("t,0,1\n", "f", ["g", "h"])


# -- copying, forgetting, deleting -------------------------------------------------------------------------------------


def test_positions_are_copied() -> None:
    plan = CloneOffsets("a", "b").plan(seen(a=group(t_0=20, u_0=3), b=group(t_0=20, u_0=1)))
    assert moved(plan) == {"b": {"u-0": 3}}
    assert moved(CloneOffsets("a", "b", ("t*",)).plan(seen(a=group(t_0=20, u_0=3), b=None))) == {"b": {"t-0": 20}}
    live = group("Stable", members=("desk on h",), t_0=20)
    assert CloneOffsets("a", "b").plan(seen(a=live, b=None)).warnings[0].startswith("group a is Stable: it reads on")
    with pytest.raises(OperationFailed, match="must be empty: desk on h"):
        CloneOffsets("a", "b").plan(seen(a=group(t_0=1), b=live))
    with pytest.raises(OperationFailed, match="group a has no positions to copy"):
        CloneOffsets("a", "b").plan(seen(a=group(), b=None))
    with pytest.raises(UsageError):
        CloneOffsets("a", "a").check()


def test_positions_are_forgotten() -> None:
    plan = DeleteOffsets("g", (("t", None), ("x", None), ("u", (3,)))).plan(seen(g=group(t_0=1, t_1=2, u_0=3)))
    assert moved(plan) == {"g": {"t-0": None, "t-1": None}}
    assert plan.notes == ("group g has no position in topic x", "group g has no position in u-3")
    assert plan.risk is Risk.DESTRUCTIVE
    live = group("Stable", members=("desk on h",), t_0=20, u_0=1)
    with pytest.raises(OperationFailed, match=r"group g reads t-0 \(desk on h\)"):
        DeleteOffsets("g", (("t", None),)).plan(seen(g=live))
    assert moved(DeleteOffsets("g", (("u", None),)).plan(seen(g=live))) == {"g": {"u-0": None}}
    with pytest.raises(OperationFailed, match="forgets whole topics"):
        DeleteOffsets("g", (("t", (0,)),)).plan(seen(g=group(kind="share", t_0=1, t_1=1)))


def test_groups_are_deleted() -> None:
    plan = DeleteGroups(("a", "b"), if_exists=True).plan(seen(a=group(t_0=1), b=None))
    assert [step.sentence for step in plan.steps] == ["delete classic group a and its position"]
    assert plan.steps[0].undo is not None
    assert plan.steps[0].undo.arguments["offsets"] == [["t", 0, 1]]
    assert plan.notes == ("group b does not exist",)
    with pytest.raises(OperationFailed, match="group b does not exist"):
        DeleteGroups(("a", "b")).plan(seen(a=group(), b=None))
