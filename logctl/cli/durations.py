"""How long, as an operator writes it. Apart from the options, so that completion can ask without starting Typer."""

from __future__ import annotations

import re
from typing import Final

from logctl.errors import UsageError

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration_s(text: str) -> float:
    """'30', '30s', '500ms', '2m', '1h' in seconds. Raises UsageError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{text!r} is not a duration", "write it as 30, 30s, 500ms, 2m or 1h")
    return float(found[1]) * _UNITS_S[found[2] or "s"]
