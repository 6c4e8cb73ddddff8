"""The kinds of resource that carry configs: which names they may have, what may be set on them, which are lists.

Refusals carry the code Apache answers for that kind, which for one mistake is not always the same: a value that does
not fit is INVALID_CONFIG on a topic and INVALID_REQUEST on a broker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from logctl.engine.controller import group_configs, metrics_configs, topic_configs
from logctl.engine.controller.config_types import Config, ConfigType
from logctl.engine.controller.decision import Controller
from logctl.engine.controller.image import ResourceType
from logctl.engine.controller.terms import Terms
from logctl.engine.controller.topics import topic_layers
from logctl.wire import errors
from logctl.wire.errors import WireError

Values = Mapping[str, str]


class Kind(NamedTuple):
    """What is asked about one type of resource. Both checks raise WireError.

    `check_values` is given the controller, the name, the set before and the set wanted. `list_default` answers the
    default of a config that is a list, and None for one that is not.
    """

    check_name: Callable[[Controller, str], None]
    check_values: Callable[[Controller, str, Values, Values], None]
    list_default: Callable[[Controller, str], str | None]


def kind_of(resource_type: int) -> Kind:
    """Raises WireError INVALID_REQUEST for a type whose configs cannot be changed."""
    kind = _KINDS.get(resource_type)
    if kind is None:
        raise WireError(errors.INVALID_REQUEST, f"Resources of type {resource_type} have no configs that can be set")
    return kind


def _check_topic(controller: Controller, name: str) -> None:
    if not name:
        raise WireError(errors.INVALID_REQUEST, "Topics have no common default configs; name a topic")
    if name not in controller.image.topics:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic '{name}'")


def _check_topic_values(controller: Controller, name: str, before: Values, after: Values) -> None:
    topic_configs.check_topic_configs(after, topic_layers(controller))


def _check_broker(controller: Controller, name: str) -> None:
    if not name:
        return
    if not name.isdecimal():
        raise WireError(errors.INVALID_REQUEST, f"A broker is named by its id, not by '{name}'")
    if int(name) not in controller.image.brokers:
        raise WireError(errors.INVALID_REQUEST, f"Broker {name} is not registered")


def _check_broker_values(controller: Controller, name: str, before: Values, after: Values) -> None:
    if before.get(_LEAST) != after.get(_LEAST) and Terms(controller).keeps_eligible:
        _check_minimum(name, after)
    for config, value in after.items():
        if before.get(config) != value:
            controller.rules.check_broker_config(name, config, value)


_LEAST: Final = "min.insync.replicas"


def _check_minimum(name: str, after: Values) -> None:
    """While eligible leader replicas are kept, all brokers go by one value (KIP-966)."""
    rest = "while eligible.leader.replicas.version is 1"
    if name:
        raise WireError(errors.INVALID_CONFIG, f"{_LEAST} cannot be set for one broker alone {rest}: set it for all")
    if _LEAST not in after:
        raise WireError(errors.INVALID_CONFIG, f"{_LEAST} of all brokers cannot be removed {rest}: set another value")


def _check_named(what: str) -> Callable[[Controller, str], None]:
    def check(controller: Controller, name: str) -> None:
        if not name:
            raise WireError(errors.INVALID_REQUEST, f"{what} needs a name")

    return check


def _check_group_values(controller: Controller, name: str, before: Values, after: Values) -> None:
    group_configs.check_group_configs(after, controller.rules.limit)


def _check_metrics_values(controller: Controller, name: str, before: Values, after: Values) -> None:
    metrics_configs.check_metrics_configs(after)


def _lists_of(table: Mapping[str, Config]) -> Callable[[Controller, str], str | None]:
    def list_default(controller: Controller, name: str) -> str | None:
        known = table.get(name)
        return known.default if known is not None and known.type is ConfigType.LIST else None

    return list_default


def _broker_list(controller: Controller, name: str) -> str | None:
    return controller.rules.broker_list_default(name)


_KINDS: Final = {
    ResourceType.TOPIC: Kind(_check_topic, _check_topic_values, _lists_of(topic_configs.CATALOGUE)),
    ResourceType.BROKER: Kind(_check_broker, _check_broker_values, _broker_list),
    ResourceType.CLIENT_METRICS: Kind(
        _check_named("A client metrics subscription"), _check_metrics_values, _lists_of(metrics_configs.CATALOGUE)
    ),
    ResourceType.GROUP: Kind(_check_named("A group"), _check_group_values, _lists_of(group_configs.CATALOGUE)),
}
