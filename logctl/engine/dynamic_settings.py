"""Broker settings that are changed while the node runs: what may be set, and how it reaches those who read it.

A dynamic value lies in the metadata log, for one broker or for all. `check` says whether one may be set, `overlay_of`
what holds for a broker once they are set. As in Apache Kafka a name that nobody knows is accepted, because a plug-in
may; it is never shown again, for it may be a secret.
"""

from __future__ import annotations

from typing import Final

from logctl.engine import catalogue
from logctl.engine.catalogue import BadValue, Setting
from logctl.engine.controller.image import Image
from logctl.wire import errors
from logctl.wire.errors import WireError

ALL_BROKERS: Final = ""
_LISTENER_PREFIX: Final = "listener.name."
_AT_THE_START_ONLY: Final = frozenset({"listeners", "listener.security.protocol.map"})
"""Apache opens and closes listeners while it runs; this node does so at its start only."""


def check(broker: str, name: str, text: str) -> None:
    """Raises WireError INVALID_REQUEST when the setting may not get this value while the node runs.

    `broker`: its id as text, or `ALL_BROKERS`.
    """
    setting = _behind(name)
    if setting is None:
        return
    objection = _objection(setting, broker, per_listener=name != setting.name)
    if objection:
        raise WireError(errors.INVALID_REQUEST, f"{name} {objection}")
    try:
        catalogue.parse(setting, text)
    except BadValue as error:
        raise WireError(errors.INVALID_REQUEST, str(error)) from None


def _behind(name: str) -> Setting | None:
    """The setting that a name means, also behind a listener's prefix."""
    if name.startswith(_LISTENER_PREFIX):
        name = name.removeprefix(_LISTENER_PREFIX).partition(".")[2]
    return catalogue.broker_settings().get(name)


def _objection(setting: Setting, broker: str, *, per_listener: bool) -> str:
    if setting.read_only or setting.name in _AT_THE_START_ONLY:
        return "can be changed in the settings file only, with a restart"
    if setting.for_one_broker_only:
        if broker == ALL_BROKERS:
            return "is set on one broker at a time; name the broker"
        if setting.name.startswith(("ssl.", "sasl.")) and not per_listener:
            return f"is set for one listener at a time: {_LISTENER_PREFIX}NAME.{setting.name}"
    return ""


def list_default(name: str) -> str | None:
    """The default of a setting that is a list; None for others."""
    setting = catalogue.broker_settings().get(name)
    return (setting.default or "") if setting is not None and setting.type == "list" else None


def overlay_of(image: Image, broker_id: int) -> dict[str, str]:
    """The dynamic values that hold on a broker: its own before those of all brokers."""
    return {**image.broker_configs(None), **image.broker_configs(broker_id)}
