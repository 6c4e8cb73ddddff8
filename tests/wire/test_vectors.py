"""The vectors that Java left behind keep the codec honest where there is no Java.

Each line of vectors.jsonl is one message in one version as the classes of Apache Kafka 4.3.1 wrote it, with the values
they read. `support/oracle.py` writes the file anew.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from support.messages import KINDS, Kind
from support.oracle import VECTORS, differences


@cache
def vectors() -> dict[str, list[dict[str, Any]]]:
    """The lines of the file, by message."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in VECTORS.read_text().splitlines():
        vector = json.loads(line)
        found.setdefault(vector["message"], []).append(vector)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_version_is_read_and_written_as_java_does(kind: Kind) -> None:
    assert [vector["version"] for vector in vectors()[kind.name]] == list(kind.versions)
    for vector in vectors()[kind.name]:
        version, data = vector["version"], bytes.fromhex(vector["bytes"])
        message, end = kind.message.decode(data, version)
        assert end == len(data)
        assert differences(message, version, vector["values"]) == []
        assert message.encode(version) == data
        assert b"".join(message.encode_parts(version)) == data


def test_no_vector_is_left_over() -> None:
    assert vectors().keys() == {kind.name for kind in KINDS}
