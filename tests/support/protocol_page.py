"""Writes docs/protocol.md: what a node serves of the Kafka protocol, read from the headers of its handlers.

    python tests/support/protocol_page.py > docs/protocol.md
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module

from logctl.engine.broker.dispatch import BETWEEN_NODES, SERVED, versions_answered
from logctl.wire.api import API

_HEAD = """\
# The protocol: what a node serves

Generated from the headers of the handlers (`logctl/engine/broker/handlers/`) by `tests/support/protocol_page.py`; a
test checks that it is current. Versions are those of Apache Kafka 4.3. An API that is not listed is not advertised, and
a request for it, or for a version outside the range, closes the connection, as with Apache Kafka.

"""


def page() -> str:
    """The whole page."""
    rows = ["| Key | API | Advertised | Answered |", "| --- | --- | --- | --- |", *map(_row, SERVED)]
    left_out = ", ".join(f"{api.name} ({key})" for key, api in API.items() if key not in SERVED and api.on_brokers)
    sections = "\n".join(_section(key) for key in sorted({*SERVED, *BETWEEN_NODES}))
    return f"{_HEAD}" + "\n".join(rows) + f"\n\nNot served: {left_out}.\n\n{_between_nodes()}{sections}"


def _between_nodes() -> str:
    """What nodes ask of each other, on a listener of their own."""
    rows = ["| Key | API | Advertised | Answered |", "| --- | --- | --- | --- |", *map(_row, BETWEEN_NODES)]
    return "Between nodes, on the listeners of controller.listener.names, and nothing else there:\n\n" + (
        "\n".join(rows) + "\n\n"
    )


def _range(lowest: int, highest: int) -> str:
    return str(lowest) if lowest == highest else f"{lowest} to {highest}"


def _row(key: int) -> str:
    api = API[key]
    advertised = _range(api.versions.lowest, api.versions.highest)
    return f"| {key} | {api.name} | {advertised} | {_range(*versions_answered(key))} |"


def _section(key: int) -> str:
    """The handler's header, whose first sentence is the summary."""
    module = import_module(f"logctl.engine.broker.handlers.{API[key].module_name}")
    text = re.sub(r"^(.+)\n-{3,}$", r"**\1**\n", inspect.cleandoc(module.__doc__ or ""), flags=re.MULTILINE)
    title, _, rest = text.partition(":")
    rest = rest.strip()
    return f"## {title}\n\n{rest[:1].upper()}{rest[1:]}\n"


if __name__ == "__main__":
    print(page(), end="")
