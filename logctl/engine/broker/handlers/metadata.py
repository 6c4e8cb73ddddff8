"""Metadata (3), versions 0 to 13: brokers, topics, partitions and their leaders.

All topics: an empty list in version 0, null later. From version 10 on topics may be asked for by id, which Apache
answers from version 12 on only. Once one is, names count no longer: Java sends an empty name with each id.
Auto-creation: in version 4 and later when the request allows it, before always, and only when
`auto.create.topics.enable` is set. Where Apache answers UNKNOWN_TOPIC_OR_PARTITION and lets the client ask again, this
node answers when the topic exists: the client is spared a round.

Not implemented: nothing of the request; `offline_replicas` names replicas on fenced brokers, not failed directories of
live ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from logctl.engine.broker.auto_creation import create_missing
from logctl.engine.broker.endpoints import controller_shown, endpoint_for
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.engine.controller.image import Image, Partition, Topic
from logctl.engine.controller.names import INTERNAL_TOPICS
from logctl.security.acl import CLUSTER_NAME, Operation, Resource
from logctl.wire import errors
from logctl.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from logctl.wire.primitives import ZERO_UUID

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 3
VERSIONS = (0, 13)

NO_LEADER = -1


def handle(broker: Broker, request: Request[MetadataRequest], now_ms: int) -> Answer:
    asked = request.body.topics
    if asked is None or (request.version == 0 and not asked):
        return _response(broker, request, _every_topic(broker, request))
    objection = _objection(asked, request.version)
    if objection:
        return _refused(broker, asked, objection)
    asked = _by_id_if_any_is(asked)
    missing = _to_create(broker, request, asked)
    if not missing:
        return _response(broker, request, _asked_topics(broker, request, asked, {}))

    def created(failures: dict[str, int]) -> None:
        broker.reply(request, _response(broker, request, _asked_topics(broker, request, asked, failures)))

    create_missing(broker, missing, created)
    return PARKED


def _objection(asked: list[MetadataRequestTopic], version: int) -> int:
    """Ids are in the request since version 10 but are meant since 12; a nameless topic needs one."""
    for topic in asked:
        if version < 12 and (topic.name is None or topic.topic_id != ZERO_UUID):
            return errors.INVALID_REQUEST
        if topic.name is None and topic.topic_id == ZERO_UUID:
            return errors.INVALID_REQUEST
    return errors.NONE


def _by_id_if_any_is(asked: list[MetadataRequestTopic]) -> list[MetadataRequestTopic]:
    by_id = [MetadataRequestTopic(topic_id=one.topic_id, name=None) for one in asked if one.topic_id != ZERO_UUID]
    return by_id or asked


def _refused(broker: Broker, asked: list[MetadataRequestTopic], code: int) -> MetadataResponse:
    topics = [MetadataResponseTopic(error_code=code, name=t.name or "", topic_id=t.topic_id) for t in asked]
    return MetadataResponse(topics=topics, cluster_id=broker.cluster_id, controller_id=controller_shown(broker))


def _to_create(broker: Broker, request: Request[MetadataRequest], asked: list[MetadataRequestTopic]) -> list[str]:
    if not broker.settings.flag("auto.create.topics.enable"):
        return []
    if request.version >= 4 and not request.body.allow_auto_topic_creation:
        return []
    topics = broker.metadata.image.topics
    absent = {topic.name: None for topic in asked if topic.name is not None and topic.name not in topics}
    return [name for name in absent if _may_create(broker, request, name)]


def _may_create(broker: Broker, request: Request[Any], name: str) -> bool:
    return broker.may(request, Operation.CREATE, Resource.CLUSTER, CLUSTER_NAME) or broker.may(
        request, Operation.CREATE, Resource.TOPIC, name
    )


def _every_topic(broker: Broker, request: Request[MetadataRequest]) -> list[MetadataResponseTopic]:
    image = broker.metadata.image
    found = (topic for topic in image.topics.values() if _may_describe(broker, request, topic.name))
    return [_described(broker, request, image, topic) for topic in found]


def _may_describe(broker: Broker, request: Request[Any], name: str) -> bool:
    return broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name)


def _asked_topics(
    broker: Broker, request: Request[MetadataRequest], asked: list[MetadataRequestTopic], failures: dict[str, int]
) -> list[MetadataResponseTopic]:
    image = broker.metadata.image
    unique = {(one.topic_id if one.name is None else one.name): one for one in asked}
    return [_asked_topic(broker, request, image, one, failures) for one in unique.values()]


def _asked_topic(
    broker: Broker,
    request: Request[MetadataRequest],
    image: Image,
    asked: MetadataRequestTopic,
    failures: dict[str, int],
) -> MetadataResponseTopic:
    name = asked.name
    if name is None:
        topic = image.topic_by_id(asked.topic_id)
        if topic is None or not _may_describe(broker, request, topic.name):
            return MetadataResponseTopic(error_code=errors.UNKNOWN_TOPIC_ID, name=None, topic_id=asked.topic_id)
        return _described(broker, request, image, topic)
    if not _may_describe(broker, request, name):
        return MetadataResponseTopic(error_code=errors.TOPIC_AUTHORIZATION_FAILED, name=name)
    topic = image.topics.get(name)
    if topic is None:
        code = failures.get(name, errors.UNKNOWN_TOPIC_OR_PARTITION)
        return MetadataResponseTopic(error_code=code, name=name, is_internal=name in INTERNAL_TOPICS)
    return _described(broker, request, image, topic)


def _described(
    broker: Broker, request: Request[MetadataRequest], image: Image, topic: Topic
) -> MetadataResponseTopic:
    alive = {one.broker_id for one in image.brokers.values() if not one.fenced}
    described = MetadataResponseTopic(
        errors.NONE,
        topic.name,
        topic.topic_id,
        topic.name in INTERNAL_TOPICS,
        [_partition(number, partition, alive) for number, partition in topic.partitions.items()],
    )
    if request.version >= 8 and request.body.include_topic_authorized_operations:
        described.topic_authorized_operations = broker.operations(request, Resource.TOPIC, topic.name)
    return described


def _partition(number: int, partition: Partition, alive: set[int]) -> MetadataResponsePartition:
    leader = partition.leader if partition.leader in alive else NO_LEADER
    return MetadataResponsePartition(
        errors.NONE if leader != NO_LEADER else errors.LEADER_NOT_AVAILABLE,
        number,
        leader,
        partition.leader_epoch,
        partition.replicas,
        partition.isr,
        [replica for replica in partition.replicas if replica not in alive],
    )


def _response(
    broker: Broker, request: Request[MetadataRequest], topics: Iterable[MetadataResponseTopic]
) -> MetadataResponse:
    response = MetadataResponse(
        brokers=_brokers(broker, request.peer.listener),
        cluster_id=broker.cluster_id,
        controller_id=controller_shown(broker),
        topics=list(topics),
    )
    if 8 <= request.version <= 10 and request.body.include_cluster_authorized_operations:
        response.cluster_authorized_operations = broker.operations(request, Resource.CLUSTER, CLUSTER_NAME)
    return response


def _brokers(broker: Broker, listener: str) -> list[MetadataResponseBroker]:
    shown = []
    for one in broker.metadata.image.brokers.values():
        endpoint = endpoint_for(one, listener)
        if endpoint is not None and not one.fenced:
            shown.append(MetadataResponseBroker(one.broker_id, endpoint.host, endpoint.port, one.rack))
    return shown
