"""Asking a human for what must not be seen."""

from __future__ import annotations

import os
import sys
from functools import cache

from logctl.errors import UsageError


@cache
def ask_unseen(purpose: str) -> str:
    """What is typed at the terminal, which does not show it; asked once in a process. stdin may be something else: the
    terminal itself is read. Raises UsageError where there is none."""
    if not (sys.stderr.isatty() and _has_terminal()):
        raise UsageError(f"{purpose}: there is no terminal to ask for it at")
    import getpass

    return getpass.getpass(f"{purpose} (not shown): ")


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def ask_nobody(purpose: str) -> str:
    """For work behind an operator's back, such as completion."""
    raise UsageError(f"{purpose}: nobody is asked for it here")
