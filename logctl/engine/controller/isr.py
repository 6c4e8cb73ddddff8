"""In-sync sets as their leaders see them (AlterPartition; KIP-497, KIP-704, KIP-841, KIP-903).

A leader knows who keeps up; the controller knows who is alive and in which life. So a leader proposes, from a state of
the partition that must be the current one, and the controller agrees or says why not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from logctl.engine.controller.changes import change
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import LOST_DIRECTORY, Image, Partition, Topic
from logctl.engine.controller.leading import RECOVERING, SOUND
from logctl.engine.controller.replay import changed
from logctl.engine.controller.terms import Terms
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    AlterPartitionResponse,
    AlterPartitionResponsePartitionData,
    AlterPartitionResponseTopicData,
    BrokerState,
)

EPOCHS_SINCE: Final = 3
"""From this version on members are named with the epochs of their brokers."""
ANY_EPOCH: Final = -1


def alter_partition(
    controller: Controller, request: AlterPartitionRequest, version: int = EPOCHS_SINCE
) -> Decision[AlterPartitionResponse]:
    """Each partition for itself, answered as it is afterwards. Raises WireError STALE_BROKER_EPOCH for the whole."""
    check_broker(controller.image, request.broker_id, request.broker_epoch)
    terms, records, topics = Terms(controller), [], []
    for asked in request.topics:
        made = [_alter(terms, request.broker_id, asked, one, version) for one in asked.partitions]
        records += [record for record, _ in made if record is not None]
        topics.append(AlterPartitionResponseTopicData(asked.topic_id, [answer for _, answer in made]))
    return Decision(records, AlterPartitionResponse(topics=topics))


def check_broker(image: Image, broker_id: int, epoch: int) -> None:
    """Raises WireError STALE_BROKER_EPOCH for a broker in a life that is over."""
    broker = image.brokers.get(broker_id)
    if broker is None or broker.epoch != epoch:
        raise WireError(errors.STALE_BROKER_EPOCH, f"Broker {broker_id} is not registered with epoch {epoch}")


def _alter(
    terms: Terms,
    broker_id: int,
    asked: AlterPartitionRequestTopicData,
    wanted: AlterPartitionRequestPartitionData,
    version: int,
) -> tuple[Any, AlterPartitionResponsePartitionData]:
    """The record, if there is one, and the line of the answer."""
    number = wanted.partition_index
    members = wanted.new_isr_with_epochs if version >= EPOCHS_SINCE else [BrokerState(one) for one in wanted.new_isr]
    try:
        topic = _topic(terms.image, asked.topic_id)
        partition = _checked(terms, topic, broker_id, wanted, members)
    except WireError as refusal:
        return None, AlterPartitionResponsePartitionData(partition_index=number, error_code=refusal.code)
    target = partition._replace(
        isr=tuple(member.broker_id for member in members), leader_recovery_state=wanted.leader_recovery_state
    )
    record = change(terms, topic, number, target)
    after = changed(partition, record) if record is not None else partition
    return record, _told(number, broker_id, after)


def _told(number: int, broker_id: int, after: Partition) -> AlterPartitionResponsePartitionData:
    """A reassignment that this change completes may take the leader out of office: it is told so."""
    if after.leader != broker_id:
        return AlterPartitionResponsePartitionData(partition_index=number, error_code=errors.NEW_LEADER_ELECTED)
    return AlterPartitionResponsePartitionData(
        partition_index=number,
        leader_id=after.leader,
        leader_epoch=after.leader_epoch,
        isr=list(after.isr),
        leader_recovery_state=after.leader_recovery_state,
        partition_epoch=after.partition_epoch,
    )


def _topic(image: Image, topic_id: bytes) -> Topic:
    topic = image.topic_by_id(topic_id)
    if topic is None:
        raise WireError(errors.UNKNOWN_TOPIC_ID, f"There is no topic with the id {topic_id.hex()}")
    return topic


def _checked(
    terms: Terms,
    topic: Topic,
    broker_id: int,
    wanted: AlterPartitionRequestPartitionData,
    members: list[BrokerState],
) -> Partition:
    """The partition, when the proposal is one to agree to. Raises WireError.

    A leader that knows of later epochs than this controller has another controller to talk to.
    """
    partition = topic.partitions.get(wanted.partition_index)
    if partition is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    if wanted.leader_epoch > partition.leader_epoch or wanted.partition_epoch > partition.partition_epoch:
        raise WireError(errors.NOT_CONTROLLER)
    if wanted.leader_epoch < partition.leader_epoch:
        raise WireError(errors.FENCED_LEADER_EPOCH)
    if broker_id != partition.leader:
        raise WireError(errors.INVALID_REQUEST)
    if wanted.partition_epoch < partition.partition_epoch:
        raise WireError(errors.INVALID_UPDATE_VERSION)
    _check_members(partition, wanted, [member.broker_id for member in members])
    if not all(_eligible(terms, partition, member) for member in members):
        raise WireError(errors.INELIGIBLE_REPLICA)
    return partition


def _check_members(partition: Partition, wanted: AlterPartitionRequestPartitionData, isr: Iterable[int]) -> None:
    members = list(isr)
    sane = len(set(members)) == len(members) and set(members) <= set(partition.replicas)
    recovering = wanted.leader_recovery_state == RECOVERING
    if not sane or partition.leader not in members or wanted.leader_recovery_state not in (SOUND, RECOVERING):
        raise WireError(errors.INVALID_REQUEST)
    if recovering and (len(members) > 1 or partition.leader_recovery_state == SOUND):
        raise WireError(errors.INVALID_REQUEST)


def _eligible(terms: Terms, partition: Partition, member: BrokerState) -> bool:
    """Alive, staying, and in the life in which it caught up (KIP-903)."""
    broker = terms.image.brokers.get(member.broker_id)
    return (
        broker is not None
        and broker.active
        and member.broker_epoch in (broker.epoch, ANY_EPOCH)
        and partition.directory_of(member.broker_id) != LOST_DIRECTORY
    )
