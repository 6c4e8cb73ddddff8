"""Why a JVM died: the one line of a Kafka log that says it.

Kafka logs the same failure several times on its way out, each time wrapped differently. What helps is the first error,
and of its stack trace the cause nearest to the root.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_ERROR_LINE: Final = re.compile(
    r"\b(ERROR|FATAL)\b|^Exception in thread|^Error[: ]|^Unrecognized |^Invalid |OutOfMemoryError"
)
_STACK_LINE: Final = re.compile(r"^\s+(at |\.\.\. )")
_FAILURE_LINE: Final = re.compile(
    r"^(Caused by: |Exception in thread \"[^\"]*\" )?(?P<what>[\w.$]+(Exception|Error)\b.*)"
)


def decisive_line(log: str) -> str:
    """The line of a Kafka log that says why it gave up; the last line when nothing looks like an error."""
    last = next((line for line in reversed(log.splitlines()) if line.strip()), "it logged nothing")
    return failure_line(log) or last


def failure_line(log: str) -> str | None:
    """The same, or None when nothing looks like an error: what was killed from outside leaves no reason."""
    lines = log.splitlines()
    for index, line in enumerate(lines):
        if _ERROR_LINE.search(line):
            return _root_cause(lines, index)
    return None


def _root_cause(lines: Sequence[str], start: int) -> str:
    """Of the stack trace below an error line the innermost failure, else the error line itself."""
    cause = lines[start]
    if cause.startswith("Error occurred during initialization"):  # the JVM's own: the reason is the next line
        return " ".join(lines[start : start + 2])
    for line in lines[start + 1 :]:
        failure = _FAILURE_LINE.match(line)
        if failure:
            cause = failure["what"]
        elif not _STACK_LINE.match(line):
            break
    return cause.strip()
