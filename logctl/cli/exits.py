"""The exit codes: the command line's contract. The only place that knows the numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from logctl import errors


class Exit(IntEnum):
    DONE = 0
    """Done, or there was nothing to do."""
    REFUSED = 1
    """The cluster refused, or what was wanted was not observed."""
    USAGE = 2
    """Flags, context or file are wrong; found before connecting."""
    CHANGES = 3
    """The plan holds changes (only with --exit-code)."""
    PARTIAL = 4
    """Partly done; each item is listed."""
    DECLINED = 5
    """A guard refused, or the operator said no."""
    UNKNOWN = 6
    """Still in progress, or the outcome is unknown."""
    UNREACHABLE = 7
    """Nobody answered."""
    DENIED = 8
    """Not authenticated, or not authorised."""
    STALE = 9
    """The world moved since the preview."""
    INTERRUPTED = 130


_CODES: Final[dict[type[errors.LogctlError], Exit]] = {
    errors.OperationFailed: Exit.REFUSED,
    errors.UsageError: Exit.USAGE,
    errors.PartialFailure: Exit.PARTIAL,
    errors.Declined: Exit.DECLINED,
    errors.DeadlineExceeded: Exit.UNKNOWN,
    errors.Unreachable: Exit.UNREACHABLE,
    errors.AccessDenied: Exit.DENIED,
    errors.StalePlan: Exit.STALE,
}


def exit_code_for(error: errors.LogctlError) -> Exit:
    """The code of the nearest known class of the error."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), Exit.REFUSED)
