"""Which topic names are allowed (the rules of org.apache.kafka.common.internals.Topic)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from logctl.wire import errors
from logctl.wire.errors import WireError

MAX_LENGTH: Final = 249
METADATA_TOPIC: Final = "__cluster_metadata"
INTERNAL_TOPICS: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})
_LEGAL: Final = re.compile(r"[a-zA-Z0-9._-]+")


def check_topic_name(name: str) -> None:
    """Raises WireError INVALID_TOPIC_EXCEPTION with a sentence, or INVALID_REQUEST for the metadata log's own name."""
    if name == METADATA_TOPIC:
        raise WireError(errors.INVALID_REQUEST, f"{METADATA_TOPIC} belongs to the cluster and cannot be created")
    reason = _objection(name)
    if reason:
        raise WireError(errors.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {reason}")


def _objection(name: str) -> str:
    if not name:
        return "it is empty"
    if name in (".", ".."):
        return f"'{name}' would be a directory"
    if len(name) > MAX_LENGTH:
        return f"it has {len(name)} characters, at most {MAX_LENGTH} are allowed"
    if not _LEGAL.fullmatch(name):
        return f"'{name}' contains characters other than ASCII letters, digits, '.', '_' and '-'"
    return ""


def collision(name: str, taken: Mapping[str, Any] | Iterable[str]) -> str | None:
    """An existing name that differs from this one only in '.' against '_': metrics could not tell the two apart."""
    folded = _fold(name)
    if folded == name and "_" not in name:
        return None
    length = len(name)
    return next((other for other in taken if len(other) == length and other != name and _fold(other) == folded), None)


def _fold(name: str) -> str:
    return name.replace(".", "_")
