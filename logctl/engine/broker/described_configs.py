"""The settings of one resource with their layers, as DescribeConfigs shows them.

A topic's value is the first of: the topic's own, the broker's dynamic ones, those of all brokers, the settings file,
the default. A broker has the same layers without the first, a group its own and those of the broker setting behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.controller import group_configs, metrics_configs
from logctl.engine.controller.config_types import Config, Source
from logctl.engine.controller.config_types import Setting as Layer
from logctl.engine.controller.image import Image, ResourceType
from logctl.engine.controller.names import check_topic_name
from logctl.engine.controller.topic_configs import Layers, effective
from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.described import Described

_RANKED: Final = (
    ("log.roll.ms", "log.roll.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
)
_SYNONYMS: Final = {names[place]: names[place:] for names in _RANKED for place in range(len(names))}
"""Broker settings that stand in for one another when the first is not given."""
_UNKNOWN_TYPE: Final = 0
_STRING: Final = 2


class Shown(NamedTuple):
    """One setting with its layers, strongest first; the first of its own name holds. No layers: there is no value."""

    name: str
    layers: list[Layer]
    read_only: bool
    sensitive: bool
    type_code: int
    meaning: str
    takes_any_name: bool = False
    """A layer of another name holds too: its value is in this setting's unit."""

    @property
    def holds(self) -> Layer | None:
        return next((one for one in self.layers if self.takes_any_name or one.name == self.name), None)


def of_topic(broker: Broker, name: str) -> Iterator[Shown]:
    """Raises WireError for a name that is none, or a topic that does not exist."""
    check_topic_name(name)
    image = broker.metadata.image
    if name not in image.topics:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic '{name}'")
    return (_line(config, found) for config, found in effective(image.topic_configs(name), _layers(broker)))


def _layers(broker: Broker) -> Layers:
    image = broker.metadata.image
    return Layers(image.broker_configs(broker.node_id), image.broker_configs(None), broker.settings.given_texts())


def _line(config: Config, layers: list[Layer]) -> Shown:
    return Shown(config.name, layers, False, False, int(config.type), config.documentation, takes_any_name=True)


def of_group(broker: Broker, name: str) -> Iterator[Shown]:
    """A group need not exist to have settings. Raises WireError INVALID_REQUEST without a name."""
    if not name:
        raise WireError(errors.INVALID_REQUEST, "A group needs a name")
    own = broker.metadata.image.configs.get((ResourceType.GROUP, name), {})
    layers = _layers(broker)
    return (_line(config, _group_layers(config, own, layers)) for config in group_configs.CATALOGUE.values())


def _group_layers(config: Config, own: Mapping[str, str], layers: Layers) -> list[Layer]:
    found = [Layer(config.name, own[config.name], Source.GROUP)] if config.name in own else []
    behind = config.synonyms[0].name if config.synonyms else config.name
    for source, values in zip((Source.BROKER, Source.ALL_BROKERS, Source.SETTINGS_FILE), layers, strict=True):
        if behind in values:
            found.append(Layer(behind, values[behind], source))
    return [*found, Layer(behind, config.default, Source.DEFAULT)]


def of_metrics(broker: Broker, name: str) -> Iterator[Shown]:
    """A subscription to client metrics. Raises WireError INVALID_REQUEST without a name."""
    if not name:
        raise WireError(errors.INVALID_REQUEST, "A client metrics subscription needs a name")
    own = broker.metadata.image.configs.get((ResourceType.CLIENT_METRICS, name), {})
    for config in metrics_configs.CATALOGUE.values():
        given = [Layer(config.name, own[config.name], Source.CLIENT_METRICS)] if config.name in own else []
        yield _line(config, [*given, Layer(config.name, config.default, Source.DEFAULT)])


def of_logger(broker: Broker, name: str) -> Iterator[Shown]:
    """The one logger of this node: its diary. Raises WireError INVALID_REQUEST for another node's."""
    if name != str(broker.node_id):
        raise WireError(errors.INVALID_REQUEST, f"This is broker {broker.node_id}; ask broker {name} itself")
    meaning = "The diary of this node, which has one level."
    return iter([Shown("root", [Layer("root", "INFO", Source.LOGGER)], True, False, _STRING, meaning)])


def of_all_brokers(broker: Broker) -> Iterator[Shown]:
    """Only what was set for them."""
    described = _described(broker)
    for name, value in sorted(broker.metadata.image.broker_configs(None).items()):
        layers = [Layer(name, value, Source.ALL_BROKERS)]
        yield _shown(described[name], layers) if name in described else _unknown(name, layers)


def of_broker(broker: Broker, name: str) -> Iterator[Shown]:
    """Raises WireError INVALID_REQUEST for another broker."""
    if name != str(broker.node_id):
        raise WireError(errors.INVALID_REQUEST, f"This is broker {broker.node_id}; ask broker {name} itself")
    return _of_this_broker(_described(broker), _dynamic(broker.metadata.image, broker.node_id))


Dynamic = list[tuple[Source, Mapping[str, str]]]


def _dynamic(image: Image, broker_id: int) -> Dynamic:
    return [(Source.BROKER, image.broker_configs(broker_id)), (Source.ALL_BROKERS, image.broker_configs(None))]


def _of_this_broker(described: Mapping[str, Described], dynamic: Dynamic) -> Iterator[Shown]:
    for one in described.values():
        yield _shown(one, list(_broker_layers(one, described, dynamic)))
    for name in sorted({name for _, values in dynamic for name in values if name not in described}):
        yield _unknown(name, [Layer(name, values[name], source) for source, values in dynamic if name in values])


def _broker_layers(one: Described, described: Mapping[str, Described], dynamic: Dynamic) -> Iterator[Layer]:
    names = [name for name in _SYNONYMS.get(one.name, (one.name,)) if name in described]
    for source, values in dynamic:
        yield from (Layer(name, values[name], source) for name in names if name in values)
    yield from (Layer(name, described[name].value, Source.SETTINGS_FILE) for name in names if described[name].given)
    defaults = ((name, described[name].default) for name in names)
    yield from (Layer(name, default, Source.DEFAULT) for name, default in defaults if default is not None)


def _described(broker: Broker) -> dict[str, Described]:
    return {one.name: one for one in broker.settings.described()}


def _shown(about: Described, layers: Iterable[Layer]) -> Shown:
    return Shown(about.name, list(layers), about.read_only, about.sensitive, about.type_code, about.meaning)


def _unknown(name: str, layers: list[Layer]) -> Shown:
    """What it means is for a plug-in to say; it may be a secret."""
    return Shown(name, layers, True, True, _UNKNOWN_TYPE, "")
