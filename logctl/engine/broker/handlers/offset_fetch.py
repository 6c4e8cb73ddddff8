"""OffsetFetch (9), versions 1 to 10: how far groups have come.

Without a list of topics (from version 2 on) everything the group has is told. Version 7 may ask for stable offsets only
(KIP-447): one that a transaction would change is answered UNSTABLE_OFFSET_COMMIT. Version 8 asks for several groups,
each with its own error; 9 says which member asks (KIP-848), 10 names topics by id. A group or an offset that does not
exist is no error: the offset is -1. The answer waits until what it tells is on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logctl.engine.broker.groups.home import Home
from logctl.engine.broker.groups.reply import Later, answer_when_durable
from logctl.engine.broker.locate import topic_name
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from logctl.wire.primitives import ZERO_UUID

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 9
VERSIONS = (1, 10)

FIRST_VERSION_WITH_ERROR = 2
FIRST_VERSION_WITH_GROUPS = 8
FIRST_VERSION_WITH_TOPIC_IDS = 10


def handle(broker: Broker, request: Request[OffsetFetchRequest], now_ms: int) -> Answer:
    homes: list[Home] = []
    answers = [_group(broker, request, asked, homes) for asked in _asked(request)]
    answer_when_durable(homes, Later(broker, request), _formed(request, answers), now_ms)
    return PARKED


def _asked(request: Request[OffsetFetchRequest]) -> list[OffsetFetchRequestGroup]:
    """Every version's request in the form of the newest."""
    body = request.body
    if request.version >= FIRST_VERSION_WITH_GROUPS:
        return body.groups
    if body.topics is None:
        return [OffsetFetchRequestGroup(group_id=body.group_id, topics=None)]
    topics = [OffsetFetchRequestTopics(one.name, ZERO_UUID, one.partition_indexes) for one in body.topics]
    return [OffsetFetchRequestGroup(group_id=body.group_id, topics=topics)]


def _group(
    broker: Broker, request: Request[OffsetFetchRequest], asked: OffsetFetchRequestGroup, homes: list[Home]
) -> OffsetFetchResponseGroup:
    """One group's answer; the partition it lives in is added to `homes`."""
    try:
        if not broker.may(request, Operation.DESCRIBE, Resource.GROUP, asked.group_id):
            raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
        home = broker.groups.home(asked.group_id)
        homes.append(home)
        failed: list[OffsetFetchResponseTopics] = []
        if asked.topics is not None:
            asked.topics = _known(broker, request, asked.topics, failed)
        answer = home.shard.fetch_offsets(asked, request.body.require_stable)
    except WireError as error:
        return _refused_group(asked, error.code)
    if asked.topics is None:
        answer.topics = [topic for topic in answer.topics if _may_be_told(broker, request, topic)]
    answer.topics += failed
    return answer


def _known(
    broker: Broker,
    request: Request[OffsetFetchRequest],
    topics: list[OffsetFetchRequestTopics],
    failed: list[OffsetFetchResponseTopics],
) -> list[OffsetFetchRequestTopics]:
    """Topics by name and id; those that may not be told, or whose id nobody has, go to `failed`."""
    known = []
    for topic in topics:
        try:
            name = topic_name(broker.metadata.image, topic.name, topic.topic_id)
            if not broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name):
                raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
            known.append(OffsetFetchRequestTopics(name, topic.topic_id, topic.partition_indexes))
        except WireError as error:
            failed.append(_failed_topic(topic, error.code))
    return known


def _may_be_told(broker: Broker, request: Request[Any], topic: OffsetFetchResponseTopics) -> bool:
    has_id = topic.topic_id != ZERO_UUID or request.version < FIRST_VERSION_WITH_TOPIC_IDS
    return has_id and broker.may(request, Operation.DESCRIBE, Resource.TOPIC, topic.name)


def _failed_topic(topic: OffsetFetchRequestTopics, code: int) -> OffsetFetchResponseTopics:
    results = [OffsetFetchResponsePartitions(number, -1, -1, "", code) for number in topic.partition_indexes]
    return OffsetFetchResponseTopics(topic.name, topic.topic_id, results)


def _refused_group(asked: OffsetFetchRequestGroup, code: int) -> OffsetFetchResponseGroup:
    return OffsetFetchResponseGroup(asked.group_id, [], code)


def _formed(request: Request[OffsetFetchRequest], answers: list[OffsetFetchResponseGroup]) -> OffsetFetchResponse:
    """The answers in the form of the request's version. Version 1 has room for errors at partitions only."""
    if request.version >= FIRST_VERSION_WITH_GROUPS:
        return OffsetFetchResponse(groups=answers)
    (answer,) = answers
    topics = answer.topics
    if answer.error_code and request.version < FIRST_VERSION_WITH_ERROR:
        topics = [_failed_topic(topic, answer.error_code) for topic in _asked(request)[0].topics or []]
    return OffsetFetchResponse(
        error_code=answer.error_code,
        topics=[
            OffsetFetchResponseTopic(
                topic.name,
                [
                    OffsetFetchResponsePartition(
                        one.partition_index,
                        one.committed_offset,
                        one.committed_leader_epoch,
                        one.metadata,
                        one.error_code,
                    )
                    for one in topic.partitions
                ],
            )
            for topic in topics
        ],
    )


def refused(request: Request[OffsetFetchRequest], error: WireError) -> OffsetFetchResponse:
    """The whole request was refused: every group says so."""
    return _formed(request, [_refused_group(asked, error.code) for asked in _asked(request)])
