"""Reading contexts.yaml strictly: every complaint names the file, the line and the field.

YAML is composed into its nodes and not constructed: values stay the text that was written, duplicate keys are seen, and
every node knows its line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from logctl.errors import UsageError

Fields = dict[str, Any]
"""Of one context: text, and a dict of text for `properties`."""


def parse(text: str, source: str, known: Mapping[str, Sequence[str]]) -> tuple[str | None, dict[str, Fields]]:
    """The current context and the fields of each by name. `known`: fields, with the values they may have, where these
    are few. Raises UsageError."""
    reader = _Reader(source, known)
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{source}, line {line}: this is not YAML ({error.problem})") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{source}: this is not YAML ({str(error).splitlines()[0]})") from None
    return (None, {}) if root is None else reader.contexts(root)


class _Reader:
    def __init__(self, source: str, known: Mapping[str, Sequence[str]]) -> None:
        self._source = source
        self._fields = known

    def contexts(self, root: yaml.Node) -> tuple[str | None, dict[str, Fields]]:
        fields = self._mapping(root, "the file")
        self._known(fields, ("current", "contexts"), "the file")
        by_name = {}
        if "contexts" in fields:
            for name, (_, node) in self._mapping(fields["contexts"][1], "contexts").items():
                by_name[name] = self._context(name, node)
        current = self._text(fields["current"][1], "current") if "current" in fields else None
        if current and current not in by_name:
            raise self._wrong(fields["current"][1], f"current: there is no context {current}")
        return current or None, by_name

    def _context(self, name: str, node: yaml.Node) -> Fields:
        fields = self._mapping(node, f"context {name}")
        self._known(fields, tuple(self._fields), f"context {name}")
        values: Fields = {}
        for field, (_, value) in fields.items():
            if field == "properties":
                pairs = self._mapping(value, f"{name}.properties")
                values[field] = {key: self._text(one, f"{name}.{key}") for key, (_, one) in pairs.items()}
            elif field == "bootstrap_servers" and isinstance(value, yaml.SequenceNode):
                values[field] = ",".join(self._text(one, f"{name}.{field}") for one in value.value)
            else:
                values[field] = self._chosen(value, field, name)
        return {field: value for field, value in values.items() if value}

    def _chosen(self, node: yaml.Node, field: str, name: str) -> str:
        text = self._text(node, f"{name}.{field}")
        choices = self._fields[field]
        if choices and text and text not in choices:
            raise self._wrong(node, f"{name}.{field} is one of {', '.join(choices)}, not {text}")
        return text

    def _mapping(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key -> its node and its value's."""
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"{what} must hold fields, each with a value")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = self._text(key, what)
            if name in found:
                raise self._wrong(key, f"{what}: {name} is given twice")
            found[name] = (key, value)
        return found

    def _text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._wrong(node, f"{what} must be one value")
        return str(node.value)

    def _known(self, fields: dict[str, tuple[yaml.Node, yaml.Node]], known: tuple[str, ...], what: str) -> None:
        from difflib import get_close_matches

        for name, (key, _) in fields.items():
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise self._wrong(key, f"{what} has no field {name}", hint)

    def _wrong(self, node: yaml.Node, sentence: str, hint: str = "") -> UsageError:
        return UsageError(f"{self._source}, line {node.start_mark.line + 1}: {sentence}", hint)
