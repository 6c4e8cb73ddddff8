"""Configs of client metrics subscriptions (KIP-714). They are kept; nothing is asked of clients, because this engine
does not serve telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logctl.engine.controller.config_types import Config, anything, between, config, parse_in
from logctl.wire import errors
from logctl.wire.errors import WireError

CATALOGUE: Final[dict[str, Config]] = {
    line.name: line
    for line in (
        config(
            "interval.ms", "int", "300000", between(100, 3_600_000), "",
            "How often clients push the metrics of this subscription.",
        ),
        config("match", "list", "", anything, "", "Which clients it is for: attribute=expression pairs."),
        config("metrics", "list", "", anything, "", "Prefixes of the names of the metrics wanted; * for all."),
    )
}  # fmt: skip


def check_metrics_configs(values: Mapping[str, str]) -> None:
    """Raises WireError INVALID_REQUEST, as Apache does for this kind."""
    for name, text in values.items():
        try:
            parse_in(CATALOGUE, "client metrics", name, text)
        except WireError as refusal:
            raise WireError(errors.INVALID_REQUEST, refusal.message) from None
