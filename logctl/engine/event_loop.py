"""asyncio without ssl: a node uses the loop as poller and timer only, its sockets are its own.

asyncio imports ssl when it can, for transports that are not used here; that costs a node 15 ms of its start and 4 MiB.
"""

from __future__ import annotations

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_hide = "ssl" not in _modules
if _hide:
    _modules["ssl"] = None
import asyncio  # noqa: E402 - the line above is the point

if _hide:
    del _modules["ssl"]

__all__ = ["asyncio"]
