"""The one family of failures an operator can meet.

Each class exists because somebody acts differently on it. `message` says what happened, `hint` what to do next.
Exit codes are the command line's contract and live in `cli/exits`; Kafka's own error codes live in `wire/errors`.
Mistakes of our own are assertions and are not caught.
"""

from __future__ import annotations


class LogctlError(Exception):
    """Base of everything an operator is told about. `hint` may be empty, and so may `kafka_name`: Kafka's own name of
    the error, when a broker gave one."""

    kafka_name = ""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class OperationFailed(LogctlError):
    """The cluster refused, or what was asked for was not observed afterwards."""


class UsageError(LogctlError):
    """Flags, settings, context or file are wrong; found before anything was changed."""


class PartialFailure(LogctlError):
    """Some items failed and others did not; `failures` holds one sentence for each that did."""

    def __init__(self, message: str, failures: list[str], hint: str = "") -> None:
        super().__init__(message, hint)
        self.failures = failures


class Declined(LogctlError):
    """A guard refused, or the operator said no."""


class DeadlineExceeded(LogctlError):
    """Time ran out and the outcome is unknown; the hint says how to find out."""


class Unreachable(LogctlError):
    """Nobody answered at the addresses tried."""


class AccessDenied(LogctlError):
    """Not authenticated, or not authorised."""


class StalePlan(LogctlError):
    """The world moved between the preview and the change."""
