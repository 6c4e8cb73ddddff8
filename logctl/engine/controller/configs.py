"""Changing configs of topics, brokers, groups and client metrics (IncrementalAlterConfigs, AlterConfigs).

The incremental request names single changes; the older one replaces a resource's whole set. Both are reduced to the
set that the resource would have afterwards; that set is checked, and what differs becomes records. Each resource
succeeds or fails on its own. What may be set on which kind of resource is said in `config_kinds`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import partial
from typing import Any, Final

from logctl.engine.controller.config_kinds import kind_of
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import EMPTY, Resource, ResourceType, Topic
from logctl.engine.controller.terms import Terms
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages import alter_configs as whole
from logctl.wire.messages import incremental_alter_configs as single
from logctl.wire.stored.clear_elr_record import ClearElrRecord
from logctl.wire.stored.config_record import ConfigRecord
from logctl.wire.stored.partition_change_record import PartitionChangeRecord


class Operation(IntEnum):
    """Kinds of change in IncrementalAlterConfigs."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


def incremental_alter_configs(
    controller: Controller, request: single.IncrementalAlterConfigsRequest
) -> Decision[single.IncrementalAlterConfigsResponse]:
    """Single changes: set, delete, append to a list, subtract from a list."""
    records, outcomes = _decide(controller, request.resources, _changed)
    responses = [single.AlterConfigsResourceResponse(**outcome) for outcome in outcomes]
    return Decision(
        [] if request.validate_only else records, single.IncrementalAlterConfigsResponse(responses=responses)
    )


def alter_configs(controller: Controller, request: whole.AlterConfigsRequest) -> Decision[whole.AlterConfigsResponse]:
    """The whole set: what is not named goes back to its default."""
    records, outcomes = _decide(controller, request.resources, _replaced)
    responses = [whole.AlterConfigsResourceResponse(**outcome) for outcome in outcomes]
    return Decision([] if request.validate_only else records, whole.AlterConfigsResponse(responses=responses))


ListDefault = Callable[[str], str | None]
"""The default of a config that is a list; None for one that is not."""
Wanted = Callable[[ListDefault, Mapping[str, str], Any], dict[str, str]]
"""(which configs are lists, the resource's set now, the request's part about it) -> its set afterwards; raises
WireError."""


def _decide(controller: Controller, parts: list[Any], wanted: Wanted) -> tuple[list[Any], list[dict[str, Any]]]:
    times = Counter((part.resource_type, part.resource_name) for part in parts)
    records: list[Any] = []
    outcomes = []
    for part in parts:
        resource = (part.resource_type, part.resource_name)
        outcome: dict[str, Any] = {"error_code": errors.NONE, "error_message": None}
        try:
            if times[resource] > 1:
                raise WireError(errors.INVALID_REQUEST, "A resource is named more than once in the request")
            kind = kind_of(part.resource_type)
            kind.check_name(controller, part.resource_name)
            now = controller.image.configs.get(resource, EMPTY)
            after = wanted(partial(kind.list_default, controller), now, part)
            kind.check_values(controller, part.resource_name, now, after)
            records += _difference(resource, now, after)
            records += _forget_eligible(controller, resource, now, after)
        except WireError as refusal:
            outcome = {"error_code": refusal.code, "error_message": refusal.message}
        outcomes.append({**outcome, "resource_type": resource[0], "resource_name": resource[1]})
    return records, outcomes


def _difference(resource: Resource, now: Mapping[str, str], after: Mapping[str, str]) -> list[Any]:
    kind, owner = resource
    return [
        ConfigRecord(resource_type=kind, resource_name=owner, name=name, value=after.get(name))
        for name in sorted({*now, *after})
        if now.get(name) != after.get(name)
    ]


def _forget_eligible(
    controller: Controller, resource: Resource, now: Mapping[str, str], after: Mapping[str, str]
) -> list[Any]:
    """Who is eligible to lead was decided by the old min.insync.replicas, and is not by the new one (KIP-966). Where
    nobody is in sync, the last leader that is known stays known: without it only an unclean election would help."""
    kind, owner = resource
    everywhere = kind == ResourceType.BROKER and not owner
    if now.get(_LEAST) == after.get(_LEAST) or not (everywhere or kind == ResourceType.TOPIC):
        return []
    if not Terms(controller).keeps_eligible:
        return []
    topics = [one for one in controller.image.topics.values() if everywhere or one.name == owner]
    return [ClearElrRecord(topic_name=owner), *(known for topic in topics for known in _last_leaders(topic))]


def _last_leaders(topic: Topic) -> list[PartitionChangeRecord]:
    return [
        PartitionChangeRecord(
            partition_id=number, topic_id=topic.topic_id, last_known_elr=list(partition.last_known_elr)
        )
        for number, partition in topic.partitions.items()
        if partition.last_known_elr and not partition.isr
    ]


_LEAST: Final = "min.insync.replicas"


def _replaced(list_default: ListDefault, now: Mapping[str, str], part: Any) -> dict[str, str]:
    _check_named_once(part)
    return {config.name: _given(config) for config in part.configs}


def _changed(list_default: ListDefault, now: Mapping[str, str], part: Any) -> dict[str, str]:
    _check_named_once(part)
    after = dict(now)
    for config in part.configs:
        _change(list_default, after, config)
    return after


def _check_named_once(part: Any) -> None:
    if any(count > 1 for count in Counter(config.name for config in part.configs).values()):
        raise WireError(errors.INVALID_REQUEST, "A config is named more than once for one resource")


def _change(list_default: ListDefault, after: dict[str, str], config: Any) -> None:
    name, operation = config.name, config.config_operation
    if operation == Operation.DELETE:
        after.pop(name, None)
    elif operation == Operation.SET:
        after[name] = _given(config)
    elif operation in (Operation.APPEND, Operation.SUBTRACT):
        after[name] = _edited_list(list_default(name), after.get(name), config)
    else:
        raise WireError(errors.INVALID_REQUEST, f"{operation} is not a kind of config change")


def _given(config: Any) -> str:
    if config.value is None:
        raise WireError(errors.INVALID_REQUEST, f"A value is needed for {config.name}")
    value: str = config.value
    return value


def _edited_list(default: str | None, now: str | None, config: Any) -> str:
    if default is None:
        raise WireError(
            errors.INVALID_CONFIG,
            f"{config.name} is not a list, so nothing can be appended to it or subtracted from it",
        )
    before = _entries(default if now is None else now)
    given = _entries(_given(config))
    if config.config_operation == Operation.APPEND:
        return ",".join(before + [entry for entry in given if entry not in before])
    return ",".join(entry for entry in before if entry not in given)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]
