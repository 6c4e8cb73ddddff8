"""The JSON schema of what a command prints, made from the TypedDict that its items are.

A field's type becomes its schema, and the words in Annotated[type, "words"] its description. Only what JSON can say is
understood: str, int, float, bool, None, list[...], dict[str, ...], Literal, unions of these and other TypedDicts.
"""

from __future__ import annotations

import types
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

if TYPE_CHECKING:
    from logctl.cli.output import Listing

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: Final = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_ERROR: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "what could not be told: a topic, a group, `broker N`, ..."},
        "error": {"type": "string", "description": "Kafka's name of the error; empty when no broker gave one"},
        "message": {"type": "string"},
        "hint": {"type": "string"},
    },
    "required": ["name", "error", "message", "hint"],
    "additionalProperties": False,
}


def schema_of(listing: Listing) -> dict[str, Any]:
    """The schema of the JSON document of a listing."""
    also = _fields(listing.also) if listing.also is not None else {}
    properties = {
        **also,
        listing.noun: {"type": "array", "items": _schema(listing.item)},
        "complete": {"type": "boolean", "description": "false when `errors` names what is missing"},
        "errors": {"type": "array", "items": _ERROR},
    }
    return {"$schema": DIALECT, "title": f"logctl: {listing.noun}", **_object(properties)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _fields(kind: type) -> dict[str, Any]:
    return {name: _schema(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}


def _schema(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return {**_schema(arguments[0]), "description": arguments[1]}
    if is_typeddict(hint):
        return _object(_fields(hint))
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union([_schema(argument) for argument in arguments])
    if hint is Any:
        return {}
    return {"type": _PLAIN[hint]}


def _union(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    if all(set(schema) == {"type"} for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": schemas}
