"""Plans in files: what `Plan.document` writes becomes a Plan again, or a sentence that names file, line and field.

A file is JSON unless its name ends in .yaml or .yml. `logctl_plan` is the version of its form. Whoever edits a plan by
hand meets everything that is wrong with it before anything is asked of a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from logctl.admin.configs import Entity
from logctl.admin.executor import MODULES
from logctl.admin.observe import OBSERVERS, Resource, Wants
from logctl.admin.operation import PLAN_VERSION, Change, Plan, Risk, Step, Undo
from logctl.errors import UsageError
from logctl.security.secrets import HIDDEN

_HINT: Final = "write one with --dry-run -o json"


def read_plan(text: str, where: str) -> Plan:
    """The plan in the text of the file `where`. Raises UsageError."""
    parse = _parsed_yaml if where.endswith((".yaml", ".yml")) else _parsed_json
    return plan_from(parse(text, where), where)


def plan_from(document: object, where: str) -> Plan:
    """The plan that the document holds; `where` is how a complaint begins. Raises UsageError."""
    node = _Node(document, where)
    version = node.mapping().get("logctl_plan")
    if version is None:
        node.refuse("this is not a plan: it has no logctl_plan")
    if version != PLAN_VERSION:
        node.refuse(f"logctl_plan: {version!r} is a form that this logctl does not know; it knows {PLAN_VERSION}")
    node.only("logctl_plan title cluster_id changes steps notes warnings wants command")
    return Plan(
        title=node["title"].text(),
        changes=tuple(_change(one) for one in node["changes"].each()),
        steps=tuple(_step(one) for one in node["steps"].each()),
        notes=node["notes"].texts(),
        warnings=node["warnings"].texts(),
        cluster_id=node["cluster_id"].text_or_none(),
        wants=_wants(node["wants"]),
    )


def secrets_missing(arguments: object) -> bool:
    """Does a value read '(not shown)' where a secret was? Then it cannot be sent."""
    if isinstance(arguments, Mapping):
        return any(map(secrets_missing, arguments.values()))
    if isinstance(arguments, list | tuple):
        return any(map(secrets_missing, arguments))
    return arguments == HIDDEN


# -- fields ------------------------------------------------------------------------------------------------------------


class _Node:
    """A value and the way to it: 'plan.json: steps[2].risk'."""

    __slots__ = ("path", "value", "where")

    def __init__(self, value: object, where: str, path: str = "") -> None:
        self.value = value
        self.where = where
        self.path = path

    def __getitem__(self, name: str) -> _Node:
        """The field of that name; None where it is left out."""
        return _Node(self.mapping().get(name), self.where, f"{self.path}.{name}" if self.path else name)

    def refuse(self, sentence: str) -> NoReturn:
        place = f"{self.path}: " if self.path else ""
        raise UsageError(f"{self.where}: {place}{sentence}", _HINT)

    def mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.value, Mapping):
            self.refuse(f"{_shown(self.value)} is not an object of named fields")
        return self.value

    def only(self, names: str) -> None:
        for name in self.mapping():
            if name not in names.split():
                self.refuse(f"there is no field {name!r} here; there are {', '.join(names.split())}")

    def each(self) -> list[_Node]:
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self.refuse(f"{_shown(self.value)} is not a list")
        return [_Node(one, self.where, f"{self.path}[{index}]") for index, one in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            self.refuse("a text was expected" + ("" if self.value is None else f", not {_shown(self.value)}"))
        return self.value

    def text_or_none(self) -> str | None:
        return None if self.value is None else self.text()

    def texts(self) -> tuple[str, ...]:
        return tuple(one.text() for one in self.each())

    def flag(self) -> bool:
        if self.value not in (None, True, False):
            self.refuse(f"{_shown(self.value)} is neither true nor false")
        return bool(self.value)

    def one_of(self, names: Sequence[str]) -> str:
        if self.value not in names:
            self.refuse(f"{_shown(self.value)} is not one of {', '.join(names)}")
        return str(self.value)


def _shown(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 40 else f"{said[:37]}..."


def _change(node: _Node) -> Change:
    node.only("kind name before after")
    before, after = node["before"], node["after"]
    return Change(
        Resource(node["kind"].text(), node["name"].text()),
        None if before.value is None else before.mapping(),
        None if after.value is None else after.mapping(),
    )


def _step(node: _Node) -> Step:
    node.only("action sentence risk arguments about undo gates")
    undo = node["undo"]
    return Step(
        action=_action(node["action"]),
        sentence=node["sentence"].text(),
        arguments=node["arguments"].mapping(),
        risk=_risk(node["risk"]),
        about=tuple(_resource(one) for one in node["about"].each()),
        undo=None if undo.value is None else _undo(undo),
        gates=node["gates"].texts(),
    )


def _undo(node: _Node) -> Undo:
    node.only("action sentence risk arguments")
    return Undo(_action(node["action"]), node["sentence"].text(), node["arguments"].mapping(), _risk(node["risk"]))


def _action(node: _Node) -> str:
    name = node.text()
    if name.partition(".")[0] not in MODULES:
        node.refuse(f"there is no action {_shown(name)}")
    return name


def _risk(node: _Node) -> Risk:
    return Risk[node.one_of([risk.name.lower() for risk in Risk]).upper()]


def _resource(node: _Node) -> Resource:
    node.only("kind name")
    return Resource(node["kind"].text(), node["name"].text())


def _wants(node: _Node) -> Wants:
    if node.value is None:
        return Wants()
    node.only("topics configs settings looks")
    topics = None if "topics" in node.mapping() and node["topics"].value is None else node["topics"].texts()
    settings = [_known(one, _is_entity, "has no settings") for one in node["settings"].each()]
    looks = [_known(one, OBSERVERS.__contains__, "cannot be looked at") for one in node["looks"].each()]
    return Wants(topics, node["configs"].flag(), False, tuple(Entity(*one) for one in settings), tuple(looks))


def _known(node: _Node, is_known: Callable[[str], bool], sentence: str) -> Resource:
    resource = _resource(node)
    if not is_known(resource.kind):
        node["kind"].refuse(f"{_shown(resource.kind)} {sentence}")
    return resource


def _is_entity(kind: str) -> bool:
    try:
        return bool(Entity(kind, "any").resource)
    except KeyError:
        return False


# -- text --------------------------------------------------------------------------------------------------------------


class _Twice(ValueError):
    """A field was given twice."""


def _parsed_json(text: str, where: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: line {error.lineno}: this is not JSON: {error.msg}", _HINT) from None
    except _Twice as error:
        raise UsageError(f"{where}: {error}", _HINT) from None
    except RecursionError:
        raise UsageError(f"{where}: this is nested too deeply", _HINT) from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(f"the field {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _parsed_yaml(text: str, where: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """The safe loader, and a name given twice is refused."""

    def construct(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        pairs = [(loader.construct_object(key, True), loader.construct_object(one, True)) for key, one in node.value]
        return _without_doubles(pairs)

    Loader.add_constructor("tag:yaml.org,2002:map", construct)
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UsageError(f"{where}: {line}this is not YAML: {error.problem}", _HINT) from None
    except (yaml.YAMLError, _Twice, TypeError) as error:
        raise UsageError(f"{where}: {error}", _HINT) from None
    except RecursionError:
        raise UsageError(f"{where}: this is nested too deeply", _HINT) from None
