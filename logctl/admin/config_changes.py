"""Changing settings: of topics, brokers, all brokers, groups, loggers, client metrics; the operation, and the action of
its step.

A change of one setting is an `Edit`: a value, a `Secret`, None to put it back to what is inherited, or entries to
`Append` to a list or `Subtract` from it. The cluster itself edits lists (IncrementalAlterConfigs, KIP-339), so that two
operators who add an entry each do not undo each other; what comes of it is foreseen for the preview all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.client import Lost
from logctl.admin.configs import HIDDEN, Config, Entity, ask_owners
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Snapshot, Wants
from logctl.admin.operation import Change, Plan, Step, Undo
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import near_names, unknown_topics
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, UsageError
from logctl.security.secrets import Secret
from logctl.wire import errors

_SET, _DELETE, _APPEND, _SUBTRACT = 0, 1, 2, 3
_SECRET: Final = re.compile(r"password|secret|jaas\.config|credential|(^|\.)ssl\.keystore\.key$")


class Append(NamedTuple):
    """Add these entries to a list, those that are not in it yet."""

    entries: tuple[str, ...]


class Subtract(NamedTuple):
    """Take these entries out of a list, those that are in it."""

    entries: tuple[str, ...]


Edit = str | Secret | Append | Subtract | None


def looks_secret(name: str) -> bool:
    """Does a setting of that name hold a password or a key, as far as its name tells?"""
    return _SECRET.search(name) is not None


class ChangeSettings(NamedTuple):
    """Make the edits, by name of the setting, on the entity and on those in `also` alike."""

    entity: Entity
    changes: Mapping[str, Edit]
    also: tuple[Entity, ...] = ()

    @property
    def entities(self) -> tuple[Entity, ...]:
        return tuple(dict.fromkeys((self.entity, *self.also)))

    def wants(self) -> Wants:
        topics = tuple(entity.name for entity in self.entities if entity.kind == "topic")
        return Wants(topics, near=True, settings=self.entities)

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        for entity in self.entities:
            entity.check()
        if not self.changes:
            raise UsageError("no setting was named")
        for name, edit in self.changes.items():
            if isinstance(edit, Append | Subtract) and not edit.entries:
                raise UsageError(f"{name}: no entry was named")

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        for failure in snapshot.failures.values():
            raise failure
        missing = [entity.name for entity in self.entities if entity not in snapshot.settings]
        if missing:
            raise unknown_topics(missing, snapshot.names)
        parts = [_Part(entity, self.changes, snapshot.settings[entity]) for entity in self.entities]
        title = f"change settings of {self._named()}"
        notes = tuple(note for part in parts for note in part.notes())
        warnings = tuple(warning for part in parts for warning in part.warnings())
        open_parts = [part for part in parts if part.needed]
        if not open_parts:
            return Plan(title, (), (), notes, warnings, snapshot.cluster_id)
        changes = tuple(part.change() for part in open_parts)
        steps = _steps(open_parts)
        return Plan(title, changes, steps, notes, warnings, snapshot.cluster_id, self.wants())

    def _named(self) -> str:
        more = len(self.entities) - 1
        return f"{self.entity} and {more} more" if more else str(self.entity)


class _Part:
    """What the edits come to on one entity: `needed` are those that change something."""

    def __init__(self, entity: Entity, edits: Mapping[str, Edit], configs: Iterable[Config]) -> None:
        self.entity = entity
        self.edits = edits
        self.known = {config.name: config for config in configs}
        self.needed = {name: edit for name, edit in edits.items() if not self._is_so(name, edit)}

    def _is_so(self, name: str, edit: Edit) -> bool:
        config = self.known.get(name)
        if isinstance(edit, Append | Subtract):
            entries = self._entries(name)
            return entries is not None and not _meant(edit, entries)
        if config is None or not config.is_set:
            return edit is None
        return not config.sensitive and edit is not None and config.value == edit

    def _entries(self, name: str) -> list[str] | None:
        """The list as an edit finds it; None where that is not told. Raises OperationFailed when it is no list."""
        config = self.known.get(name)
        if config is None:
            return None
        if config.type not in ("list", "unknown"):
            raise OperationFailed(
                f"{name} is not a list: nothing can be appended to it or subtracted from it",
                "use `logctl config set`",
            )
        held = config.value if config.is_set else config.default
        return None if held is None else _split(held)

    def change(self) -> Change:
        before = {name: self._before(name) for name in self.needed}
        after = {name: self._after(name, edit) for name, edit in self.needed.items() if self._is_foreseen(name, edit)}
        return Change(Resource(*self.entity), {"configs": before}, {"configs": after})

    def _before(self, name: str) -> str | None:
        config = self.known.get(name)
        return config.shown if config is not None and config.is_set else None

    def _is_foreseen(self, name: str, edit: Edit) -> bool:
        if isinstance(edit, Append | Subtract):
            return self._entries(name) is not None
        return edit is not None or self.entity.kind != "broker-logger"  # a logger always tells a level

    def _after(self, name: str, edit: Edit) -> str | Secret | None:
        if not isinstance(edit, Append | Subtract):
            return self._concealed(name, edit)
        entries, meant = self._entries(name) or [], _meant(edit, self._entries(name) or [])
        kept = entries + meant if isinstance(edit, Append) else [one for one in entries if one not in meant]
        return ",".join(kept)

    def _concealed(self, name: str, edit: str | Secret | None) -> str | Secret | None:
        return Secret(edit) if isinstance(edit, str) and self._is_secret(name) else edit

    def _is_secret(self, name: str) -> bool:
        config = self.known.get(name)
        # Of a name that no broker knows, Apache Kafka hides the value; that alone makes no secret of it here.
        return (config is not None and config.sensitive and config.type == "password") or looks_secret(name)

    def arguments(self) -> dict[str, Any]:
        return {**self.entity._asdict(), "changes": {name: self._argument(name) for name in self.needed}}

    def _argument(self, name: str) -> Any:
        edit = self.needed[name]
        if isinstance(edit, Append):
            return {"append": list(edit.entries)}
        if isinstance(edit, Subtract):
            return {"subtract": list(edit.entries)}
        return self._concealed(name, edit)

    def sentence(self) -> str:
        given = [f"{name}={self._concealed(name, edit)}" for name, edit in self._plain() if edit is not None]
        dropped = [name for name, edit in self._plain() if edit is None]
        parts = [f"set {', '.join(given)}"] if given else []
        parts += [f"put {', '.join(dropped)} back to the default"] if dropped else []
        for name, edit in self.needed.items():
            if isinstance(edit, Append):
                parts.append(f"append {', '.join(edit.entries)} to {name}")
            elif isinstance(edit, Subtract):
                parts.append(f"take {', '.join(edit.entries)} out of {name}")
        return f"{' and '.join(parts)} on {self.entity}"

    def _plain(self) -> list[tuple[str, str | Secret | None]]:
        return [(name, edit) for name, edit in self.needed.items() if not isinstance(edit, Append | Subtract)]

    def restored(self) -> dict[str, str | None] | None:
        """What the settings were, by name; None where that is not known, because one of them is a secret."""
        before = {name: self._before(name) for name in self.needed}
        return None if HIDDEN in before.values() else before

    def notes(self) -> list[str]:
        return [self._note(name, edit) for name, edit in self.edits.items() if name not in self.needed]

    def _note(self, name: str, edit: Edit) -> str:
        if edit is None:
            return f"{name} is not set on {self.entity}"
        if isinstance(edit, Append):
            return f"{', '.join(edit.entries)} is in {name} on {self.entity} already"
        if isinstance(edit, Subtract):
            return f"{', '.join(edit.entries)} is not in {name} on {self.entity}"
        return f"{name} is {self._concealed(name, edit)} on {self.entity} already"

    def warnings(self) -> list[str]:
        return [*self._doubts(), *self._losses()]

    def _doubts(self) -> list[str]:
        """Names that the cluster does not list: it may refuse them, or keep them without any effect."""
        doubts = []
        for name, edit in self.edits.items():
            if edit is not None and self.known and name not in self.known and self.entity.kind in _LISTING_ALL:
                near = near_names(name, self.known)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                doubts.append(f"{self.entity} lists no setting {name}{hint}")
        return doubts

    def _losses(self) -> list[str]:
        """Retention that becomes shorter deletes records, and no undo brings them back."""
        return [
            f"a lower {name} deletes records of {self.entity} that lie beyond it, for good"
            for name, edit in self.needed.items()
            if name in _RETENTION and isinstance(edit, str) and self._falls(name, edit)
        ]

    def _falls(self, name: str, edit: str) -> bool:
        config = self.known.get(name)
        now, then = _number(config.value if config is not None else None), _number(edit)
        return now is not None and then is not None and then >= 0 and (now < 0 or then < now)


_LISTING_ALL: Final = ("topic", "broker", "group")
_RETENTION: Final = ("retention.ms", "retention.bytes")


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _split(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _meant(edit: Append | Subtract, entries: list[str]) -> list[str]:
    """The entries of the edit that make a difference to the list."""
    return [one for one in edit.entries if (one in entries) == isinstance(edit, Subtract)]


def _steps(parts: list[_Part]) -> tuple[Step, ...]:
    """One step for each broker whose own business its settings are, one for everything else."""
    common = [part for part in parts if part.entity.broker is None]
    steps = [_step([part]) for part in parts if part.entity.broker is not None]
    return (*([_step(common)] if common else []), *steps)


def _step(parts: list[_Part]) -> Step:
    sentence = "; ".join(part.sentence() for part in parts)
    return Step(
        "config.change",
        sentence,
        _gathered([part.arguments() for part in parts]),
        about=tuple(Resource(*part.entity) for part in parts),
        undo=_undo(parts),
    )


def _gathered(each: list[dict[str, Any]]) -> dict[str, Any]:
    """The arguments of one entity as they are, those of several under 'each'."""
    return each[0] if len(each) == 1 else {"each": each}


def _undo(parts: list[_Part]) -> Undo | None:
    restored = [part.restored() for part in parts]
    if None in restored:
        return None
    each = [{**part.entity._asdict(), "changes": before} for part, before in zip(parts, restored, strict=True)]
    sentences = [
        f"{', '.join(_back(name, value) for name, value in (before or {}).items())} on {part.entity}"
        for part, before in zip(parts, restored, strict=True)
    ]
    return Undo("config.change", f"put back {'; '.join(sentences)}", _gathered(each))


def _back(name: str, value: str | None) -> str:
    return f"{name} (to the default)" if value is None else f"{name}={value}"


# -- the action --------------------------------------------------------------------------------------------------------


def change_settings(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Any, LogctlError | None]:
    """The action of a ChangeSettings' step. `dry`: the broker validates only."""
    from logctl.wire.messages.incremental_alter_configs import AlterConfigsResource, IncrementalAlterConfigsRequest

    wanted = {Entity(one["kind"], one["name"]): one["changes"] for one in arguments.get("each") or [arguments]}
    need(cluster, "IncrementalAlterConfigs", deadline)

    def request(entities: list[Entity]) -> IncrementalAlterConfigsRequest:
        resources = [AlterConfigsResource(*one.resource, _alterations(wanted[one])) for one in entities]
        return IncrementalAlterConfigsRequest(resources=resources, validate_only=dry)

    gathered = ask_owners(cluster, wanted, request, deadline)
    outcomes: dict[Any, LogctlError | None] = {}
    for entity in wanted:
        if entity in gathered.missing:
            outcomes[Resource(*entity)] = _in_doubt(gathered.missing[entity])
        else:
            outcomes[Resource(*entity)] = _outcome(entity, gathered.answers[entity])
    return outcomes


def _in_doubt(error: LogctlError) -> LogctlError:
    """Why a broker could not be asked. Raises DeadlineExceeded when it may have acted all the same."""
    if isinstance(error, Lost | DeadlineExceeded):
        raise DeadlineExceeded(f"{error.message}; whether it was carried out is unknown", error.hint)
    return error


def _outcome(entity: Entity, response: Any) -> LogctlError | None:
    kind, name = entity.resource
    result = next(one for one in response.responses if (one.resource_type, one.resource_name) == (kind, name))
    if result.error_code == errors.NONE:
        return None
    if result.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
        return unknown_topics([entity.name], ())
    return refusal(f"cannot change {entity}", result.error_code, result.error_message)


def _alterations(changes: Mapping[str, Any]) -> list[Any]:
    from logctl.wire.messages.incremental_alter_configs import AlterableConfig

    return [AlterableConfig(name, *_altered(name, value)) for name, value in changes.items()]


def _altered(name: str, value: Any) -> tuple[int, str | None]:
    """(kind of change, value) as the protocol has it. Raises UsageError for a secret that a plan in a file left out."""
    if value is None:
        return _DELETE, None
    if isinstance(value, Mapping):
        [(verb, entries)] = value.items()
        return (_APPEND if verb == "append" else _SUBTRACT), ",".join(entries)
    if isinstance(value, Secret):
        return _SET, value.reveal()
    if value == HIDDEN:
        raise UsageError(f"the plan does not hold the value of {name}: secrets are never written", "repeat the command")
    return _SET, value


ACTIONS: Final = {"change": change_settings}
