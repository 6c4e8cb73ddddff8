"""What somebody wants changed about groups: copy positions, forget them, delete a group. (Resetting: `group_reset`.)

A group that has members keeps its positions itself and would not notice what was changed behind its back, so each of
these wants the group empty, and names who is in the way.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from logctl.admin.group_changes import key, place
from logctl.admin.group_kinds import IDLE_STATES, SHARE
from logctl.admin.groups import unknown_group
from logctl.admin.observe import Resource, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.positions import Place
from logctl.errors import OperationFailed, UsageError

_NAMED = 8
"""So many partitions a sentence names; the others are in the list of changes."""


def group_resource(name: str) -> Resource:
    return Resource("group", name)


def state_of_group(snapshot: Snapshot, name: str) -> State:
    """The group as it was observed; None when it does not exist. Raises what kept it from being observed."""
    if name in snapshot.failures:
        raise snapshot.failures[name]
    return snapshot.states.get(group_resource(name))


def is_live(state: State) -> bool:
    return state is not None and state["state"].lower() not in IDLE_STATES


def live_group(name: str, state: Mapping[str, Any]) -> OperationFailed:
    """The refusal for a group that somebody is in."""
    members = list(dict.fromkeys(state["members"]))
    who = ", ".join(members[:5]) + (f" and {len(members) - 5} more" if len(members) > 5 else "")
    told = f": {who}" if who else ""
    return OperationFailed(
        f"group {name} is {state['state']}, and must be empty{told}", "stop its members first, then repeat this"
    )


def positions(state: State) -> dict[Place, int]:
    """The offsets of a state, by place."""
    return {} if state is None else {place(name): offset for name, offset in state["offsets"].items()}


def moving(group: str, state: State, offsets: Mapping[Place, int], sentence: str) -> tuple[Change, Step]:
    """The change and the step that put a group at `offsets`, with the way back."""
    resource = group_resource(group)
    current = positions(state)
    kind = None if state is None else state["type"]
    before = None
    if state is not None:
        held = {key(at): current[at] for at in offsets if at in current}
        before = {"state": state["state"], "offsets": held}
    change = Change(resource, before, {"offsets": {key(at): offset for at, offset in offsets.items()}})
    back = Undo("group.delete", f"delete group {group}, which did not exist before", {"group": group}, Risk.DESTRUCTIVE)
    if state is not None:
        arguments = _arguments(group, kind, {at: current.get(at) for at in offsets})
        back = Undo("group.set_offsets", f"put group {group} back to where it was", arguments, Risk.DISRUPTIVE)
    step = Step(
        "group.set_offsets", sentence, _arguments(group, kind, offsets), Risk.DISRUPTIVE, (resource,),
        None if kind == SHARE else back,
    )  # fmt: skip
    return change, step


def _arguments(group: str, kind: str | None, offsets: Mapping[Place, int | None]) -> dict[str, Any]:
    return {
        "group": group,
        "type": kind,
        "offsets": [[topic, number, offset] for (topic, number), offset in offsets.items()],
    }


def moves_text(current: Mapping[Place, int], offsets: Mapping[Place, int]) -> str:
    """'orders-0 5 -> 0 (-5), orders-1 - -> 0', the first few of them."""
    told = []
    for at, offset in list(offsets.items())[:_NAMED]:
        if at in current:
            told.append(f"{key(at)} {current[at]} -> {offset} ({offset - current[at]:+})")
        else:
            told.append(f"{key(at)} - -> {offset}")
    return ", ".join(told) + _more(len(offsets))


def _more(count: int) -> str:
    return f" and {count - _NAMED} more" if count > _NAMED else ""


def _names(places: Sequence[Place]) -> str:
    return ", ".join(map(key, places[:_NAMED])) + _more(len(places))


# -- copying -----------------------------------------------------------------------------------------------------------


class CloneOffsets(NamedTuple):
    """Put `target` where `source` is, in all of its topics or those that match `topics`. `existing`: the groups there
    are, for suggestions."""

    source: str
    target: str
    topics: tuple[str, ...] = ()
    existing: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UsageError."""
        if self.source == self.target:
            raise UsageError("the group to copy from and the one to copy to are the same")

    def wants(self) -> Wants:
        return Wants(looks=(group_resource(self.source), group_resource(self.target)))

    def plan(self, snapshot: Snapshot) -> Plan:
        title = f"copy the positions of group {self.source} to group {self.target}"
        source, target = state_of_group(snapshot, self.source), state_of_group(snapshot, self.target)
        if source is None:
            raise unknown_group(self.source, self.existing)
        if target is not None and is_live(target):
            raise live_group(self.target, target)
        if SHARE in (source["type"], target["type"] if target is not None else ""):
            raise OperationFailed("the positions of share groups cannot be copied", "use `logctl group reset`")
        held = {at: offset for at, offset in positions(source).items() if self._includes(at[0])}
        if not held:
            raise OperationFailed(f"group {self.source} has no positions to copy", "see `logctl group lag`")
        current = positions(target)
        new = {at: offset for at, offset in held.items() if current.get(at) != offset}
        if not new:
            note = f"group {self.target} is where {self.source} is already"
            return Plan(title, notes=(note,), cluster_id=snapshot.cluster_id)
        sentence = f"put group {self.target} where group {self.source} is: {moves_text(current, new)}"
        change, step = moving(self.target, target, new, sentence)
        warnings: tuple[str, ...] = ()
        if is_live(source):
            warnings = (f"group {self.source} is {source['state']}: it reads on, and these positions are of now",)
        wants = Wants(looks=(group_resource(self.target),))
        return Plan(title, (change,), (step,), (), warnings, snapshot.cluster_id, wants)

    def _includes(self, topic: str) -> bool:
        return not self.topics or any(fnmatch.fnmatchcase(topic, pattern) for pattern in self.topics)


# -- forgetting --------------------------------------------------------------------------------------------------------


class DeleteOffsets(NamedTuple):
    """Make a group forget where it was, in these topics (partitions None: all of them) or, with none, in all.
    `existing`: the groups there are, for suggestions."""

    group: str
    scope: tuple[tuple[str, tuple[int, ...] | None], ...] = ()
    existing: tuple[str, ...] = ()

    def check(self) -> None:
        """Any scope is allowed."""

    def wants(self) -> Wants:
        return Wants(looks=(group_resource(self.group),))

    def plan(self, snapshot: Snapshot) -> Plan:
        title = f"forget positions of group {self.group}"
        state = state_of_group(snapshot, self.group)
        if state is None:
            raise unknown_group(self.group, self.existing)
        current = positions(state)
        gone = [at for at in current if self._includes(at)]
        read = [at for at in gone if key(at) in state["reads"]]
        if read:
            who = state["reads"][key(read[0])]
            raise OperationFailed(
                f"group {self.group} reads {key(read[0])} ({who}): its positions there cannot be taken away",
                "stop its members first, then repeat this",
            )
        notes = tuple(self._absent(current))
        if not gone:
            notes = notes or (f"group {self.group} has no positions",)
            return Plan(title, notes=notes, cluster_id=snapshot.cluster_id)
        kind = state["type"]
        if kind == SHARE:
            self._check_whole_topics(current, gone)
        resource = group_resource(self.group)
        change = Change(
            resource,
            {"offsets": {key(at): current[at] for at in gone}},
            {"offsets": {key(at): None for at in gone}},
        )
        undo = Undo(
            "group.set_offsets", f"put group {self.group} back to where it was",
            _arguments(self.group, kind, {at: current[at] for at in gone}), Risk.DISRUPTIVE,
        )  # fmt: skip
        step = Step(
            "group.set_offsets", f"make group {self.group} forget where it was in {_names(gone)}",
            _arguments(self.group, kind, dict.fromkeys(gone)), Risk.DESTRUCTIVE, (resource,),
            None if kind == SHARE else undo,
        )  # fmt: skip
        return Plan(title, (change,), (step,), notes, (), snapshot.cluster_id, self.wants())

    def _includes(self, at: Place) -> bool:
        return not self.scope or any(
            at[0] == topic and (numbers is None or at[1] in numbers) for topic, numbers in self.scope
        )

    def _absent(self, current: Mapping[Place, int]) -> Iterable[str]:
        for topic, numbers in self.scope:
            if numbers is None and not any(at[0] == topic for at in current):
                yield f"group {self.group} has no position in topic {topic}"
            for number in numbers or ():
                if (topic, number) not in current:
                    yield f"group {self.group} has no position in {topic}-{number}"

    def _check_whole_topics(self, current: Mapping[Place, int], gone: Sequence[Place]) -> None:
        for topic in {at[0] for at in gone}:
            if any(at[0] == topic and at not in gone for at in current):
                raise OperationFailed(f"a share group forgets whole topics: name {topic} without partitions")


# -- deleting ----------------------------------------------------------------------------------------------------------


class DeleteGroups(NamedTuple):
    """Delete groups with their positions. With `if_exists` those that do not exist are no mistake. `existing`: the
    groups there are, for suggestions."""

    names: tuple[str, ...]
    if_exists: bool = False
    existing: tuple[str, ...] = ()

    def check(self) -> None:
        """Any name may be deleted."""

    def wants(self) -> Wants:
        return Wants(looks=tuple(map(group_resource, self.names)))

    def plan(self, snapshot: Snapshot) -> Plan:
        title = "delete " + (f"group {self.names[0]}" if len(self.names) == 1 else f"{len(self.names)} groups")
        changes, steps, notes = [], [], []
        for name in self.names:
            state = state_of_group(snapshot, name)
            if state is None:
                if not self.if_exists:
                    raise unknown_group(name, self.existing)
                notes.append(f"group {name} does not exist")
                continue
            if is_live(state):
                raise live_group(name, state)
            brief = {"type": state["type"], "state": state["state"], "offsets": dict(state["offsets"])}
            changes.append(Change(group_resource(name), brief, None))
            steps.append(_deletion(name, state))
        return Plan(title, tuple(changes), tuple(steps), tuple(notes), (), snapshot.cluster_id, self.wants())


def _deletion(name: str, state: Mapping[str, Any]) -> Step:
    held = positions(state)
    undo = None
    if held and state["type"] != SHARE:
        arguments = _arguments(name, state["type"], held)
        undo = Undo("group.set_offsets", f"make group {name} anew where it was", arguments, Risk.SAFE)
    what = f"its {len(held)} positions" if len(held) != 1 else "its position"
    sentence = f"delete {state['type']} group {name} and {what}"
    return Step("group.delete", sentence, {"group": name}, Risk.DESTRUCTIVE, (group_resource(name),), undo)
