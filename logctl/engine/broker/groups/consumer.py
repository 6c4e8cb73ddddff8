"""A group of the consumer protocol (KIP-848): its members and its assignments, as data that records are replayed into.

Theory of operation
-------------------
Here the coordinator divides the work. Three numbers say how far that has come:

- the *group epoch* rises when something happens that may change the division: a member comes, goes or reads other
  topics, or a topic it reads has changed;
- the *assignment epoch* is the group epoch that the *target* (what everybody is meant to have) was made for;
- a *member epoch* is the assignment epoch that the member has reached.

A member moves from what it has to its target step by step (`reconcile.py`): it first gives up what is not in its
target, then rises to the assignment epoch, and gets of its target whatever nobody holds any more. So no partition is
ever held twice. `owners` says who holds what; a member holds what it was assigned and what it still has to give up.

Every change is a record, and the state changes only by replaying it. That makes live and reloaded state equal by
construction; what is not in records (deadlines, the time of the next look at the topics) starts afresh after a load.

Members that speak the classic protocol may be among them (KIP-848's migration): `classic` is set for those, and
`consumer_classic.py` serves them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logctl.engine.broker.groups.timers import Timer
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.stored.consumer_group_current_member_assignment import (
    ConsumerGroupCurrentMemberAssignmentValue,
    TopicPartitions,
)
from logctl.wire.stored.consumer_group_member_metadata import (
    ClassicMemberMetadata,
    ClassicProtocol,
    ConsumerGroupMemberMetadataValue,
)
from logctl.wire.stored.consumer_group_regular_expression import ConsumerGroupRegularExpressionValue
from logctl.wire.stored.consumer_group_target_assignment_member import (
    ConsumerGroupTargetAssignmentMemberValue,
    TopicPartition,
)

STABLE: Final = 0
UNREVOKED: Final = 1
UNRELEASED: Final = 2
"""Where a member is on its way: there; asked to give up partitions; waiting for others to give up theirs."""

FIRST_EPOCH: Final = 1
"""Of a group that has no members yet, as in Apache Kafka since 4.2; the first member makes it 2."""

LEAVING_EPOCH: Final = -1
STATIC_LEAVING_EPOCH: Final = -2

Assigned = dict[bytes, dict[int, int]]
"""By topic id: partition -> the assignment epoch in which the member got it."""
Target = Mapping[bytes, frozenset[int]]

NOTHING: Final[Target] = {}


@dataclass(frozen=True, slots=True)
class ClassicSide:
    """What a member told us in its JoinGroup; its protocols are consumer protocols, the first being its choice."""

    session_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]

    @property
    def protocol(self) -> str:
        return self.protocols[0][0]


@dataclass(frozen=True, slots=True)
class Member:
    """One member as the records say. `topics` are sorted names; an empty `regex` is no pattern."""

    member_id: str
    epoch: int = 0
    previous_epoch: int = -1
    state: int = STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: tuple[str, ...] = ()
    regex: str = ""
    rebalance_timeout_ms: int = -1
    server_assignor: str | None = None
    assigned: Assigned = field(default_factory=dict)
    revoking: Assigned = field(default_factory=dict)
    classic: ClassicSide | None = None

    def has_reached(self, epoch: int) -> bool:
        return self.state == STABLE and self.epoch == epoch

    @property
    def held(self) -> Target:
        """What it has and what it still has to give up."""
        topics = sorted({*self.assigned, *self.revoking})
        return {topic: frozenset((*self.assigned.get(topic, ()), *self.revoking.get(topic, ()))) for topic in topics}

    def assigned_in(self, topic_id: bytes, partition: int) -> int | None:
        """The epoch in which it got a partition that it holds, or None."""
        epoch = self.assigned.get(topic_id, {}).get(partition)
        return self.revoking.get(topic_id, {}).get(partition) if epoch is None else epoch

    def owns_only(self, owned: Iterable[tuple[bytes, Iterable[int]]] | None) -> bool:
        """Whether what the member says it owns is part of what it was assigned."""
        if owned is None:
            return False
        return all(partition in self.assigned.get(topic, {}) for topic, parts in owned for partition in parts)

    # Records.

    def described(self) -> ConsumerGroupMemberMetadataValue:
        return ConsumerGroupMemberMetadataValue(
            instance_id=self.instance_id,
            rack_id=self.rack_id,
            client_id=self.client_id,
            client_host=self.client_host,
            subscribed_topic_names=list(self.topics),
            subscribed_topic_regex=self.regex,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            server_assignor=self.server_assignor,
            classic_member_metadata=self.classic
            and ClassicMemberMetadata(
                self.classic.session_timeout_ms, [ClassicProtocol(*protocol) for protocol in self.classic.protocols]
            ),
        )

    def with_description(self, value: ConsumerGroupMemberMetadataValue) -> Member:
        told = value.classic_member_metadata
        return replace(
            self,
            instance_id=value.instance_id,
            rack_id=value.rack_id,
            client_id=value.client_id,
            client_host=value.client_host,
            topics=tuple(sorted(value.subscribed_topic_names)),
            regex=value.subscribed_topic_regex or "",
            rebalance_timeout_ms=value.rebalance_timeout_ms,
            server_assignor=value.server_assignor,
            classic=None
            if told is None
            else ClassicSide(
                told.session_timeout_ms,
                tuple((protocol.name, bytes(protocol.metadata)) for protocol in told.supported_protocols),
            ),
        )

    def whereabouts(self) -> ConsumerGroupCurrentMemberAssignmentValue:
        return ConsumerGroupCurrentMemberAssignmentValue(
            member_epoch=self.epoch,
            previous_member_epoch=self.previous_epoch,
            state=self.state,
            assigned_partitions=_listed(self.assigned),
            partitions_pending_revocation=_listed(self.revoking),
        )

    def with_whereabouts(self, value: ConsumerGroupCurrentMemberAssignmentValue) -> Member:
        return replace(
            self,
            epoch=value.member_epoch,
            previous_epoch=value.previous_member_epoch,
            state=value.state,
            assigned=_assigned(value.assigned_partitions, value.member_epoch),
            revoking=_assigned(value.partitions_pending_revocation, value.member_epoch),
        )

    def without_whereabouts(self) -> Member:
        """As a member that has just left an assignment behind: at epoch -1, with nothing."""
        return replace(self, epoch=LEAVING_EPOCH, previous_epoch=-1, state=STABLE, assigned={}, revoking={})


def _listed(assigned: Assigned) -> list[TopicPartitions]:
    return [
        TopicPartitions(topic_id, sorted(parts), [parts[partition] for partition in sorted(parts)])
        for topic_id, parts in sorted(assigned.items())
    ]


def _assigned(listed: list[TopicPartitions], epoch: int) -> Assigned:
    """Records from before KIP-1251 have no epochs of partitions; the member's stands in."""
    return {
        entry.topic_id: dict(
            zip(entry.partitions, entry.assignment_epochs or [epoch] * len(entry.partitions), strict=True)
        )
        for entry in listed
    }


def target_value(target: Target) -> ConsumerGroupTargetAssignmentMemberValue:
    return ConsumerGroupTargetAssignmentMemberValue(
        [TopicPartition(topic_id, sorted(parts)) for topic_id, parts in sorted(target.items()) if parts]
    )


@dataclass(frozen=True, slots=True)
class ResolvedRegex:
    """The topics a pattern matched when it was last looked at; `version` is that of the metadata then."""

    topics: frozenset[str]
    version: int
    timestamp: int

    def value(self) -> ConsumerGroupRegularExpressionValue:
        return ConsumerGroupRegularExpressionValue(sorted(self.topics), self.version, self.timestamp)


class ConsumerGroup:
    """One group. `refresh_at_ms` and the timers are not in the log."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = FIRST_EPOCH
        self.metadata_hash = 0
        self.assignment_epoch = FIRST_EPOCH
        self.assignment_timestamp = 0
        self.members: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        self.targets: dict[str, Target] = {}
        self.regexes: dict[str, ResolvedRegex] = {}
        self.owners: dict[bytes, dict[int, str]] = {}
        self.has_partition_metadata = False
        self.refresh_at_ms = 0
        self.sessions: dict[str, Timer] = {}
        self.rebalances: dict[str, Timer] = {}
        self.joins: dict[str, Timer] = {}
        self.syncs: dict[str, Timer] = {}

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def state(self) -> str:
        """As the protocol shows it."""
        if not self.members:
            return "Empty"
        if self.epoch > self.assignment_epoch:
            return "Assigning"
        reached = all(member.has_reached(self.assignment_epoch) for member in self.members.values())
        return "Stable" if reached else "Reconciling"

    def member(self, member_id: str) -> Member:
        """Raises WireError UNKNOWN_MEMBER_ID."""
        member = self.members.get(member_id)
        if member is None:
            raise WireError(errors.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {self.group_id}.")
        return member

    def static_member(self, instance_id: str | None) -> Member | None:
        member_id = self.static.get(instance_id) if instance_id is not None else None
        return self.members.get(member_id) if member_id is not None else None

    def target_of(self, member_id: str) -> Target:
        """What the member is meant to have."""
        return self.targets.get(member_id, NOTHING)

    def is_owned(self, topic_id: bytes, partition: int) -> bool:
        return partition in self.owners.get(topic_id, NOTHING)

    # What follows from the members.

    def subscribed_names(self) -> Iterator[str]:
        """Topics that somebody reads, each as often as it is read."""
        for member in self.members.values():
            yield from self.topics_of(member)

    def topics_of(self, member: Member) -> frozenset[str]:
        """The topics it reads, by name or pattern; a pattern that is not resolved yet matches none."""
        names = frozenset(member.topics)
        if not member.regex:
            return names
        resolved = self.regexes.get(member.regex)
        return names if resolved is None else names | resolved.topics

    def reads(self, topic: str) -> bool:
        return any(topic in self.topics_of(member) for member in self.members.values())

    def readers_of(self, regex: str) -> int:
        return sum(member.regex == regex for member in self.members.values())

    def assignor(self, default: str) -> str:
        """What most members ask for."""
        asked = Counter(member.server_assignor for member in self.members.values() if member.server_assignor)
        return min(asked, key=lambda name: (-asked[name], name)) if asked else default

    def classic_members(self) -> list[Member]:
        return [member for member in self.members.values() if member.classic is not None]

    def supports_classic(self, protocol_type: str, names: list[str]) -> bool:
        """Whether a classic member with these protocols may join: it is a consumer, and the classic members have one
        of its protocols in common."""
        if protocol_type != "consumer":
            return False
        sides = [set(dict(member.classic.protocols)) for member in self.members.values() if member.classic is not None]
        return bool(names) and (not sides or any(all(name in side for side in sides) for name in names))

    def waits_for_others(self, member: Member) -> bool:
        """Whether part of its target is still held by somebody else."""
        return member.state == UNRELEASED and any(
            partition not in member.assigned.get(topic, NOTHING) and self.is_owned(topic, partition)
            for topic, parts in self.target_of(member.member_id).items()
            for partition in parts
        )

    # Replaying.

    def put_member(self, member: Member) -> None:
        self._release(self.members.get(member.member_id))
        self.members[member.member_id] = member
        if member.instance_id is not None:
            self.static[member.instance_id] = member.member_id
        for held in (member.assigned, member.revoking):
            for topic_id, parts in held.items():
                self.owners.setdefault(topic_id, {}).update(dict.fromkeys(parts, member.member_id))

    def drop_member(self, member_id: str) -> None:
        member = self.members.pop(member_id, None)
        self._release(member)
        if member is not None and member.instance_id is not None and self.static.get(member.instance_id) == member_id:
            del self.static[member.instance_id]

    def _release(self, member: Member | None) -> None:
        if member is None:
            return
        for held in (member.assigned, member.revoking):
            for topic_id, parts in held.items():
                owners = self.owners.get(topic_id, {})
                for partition in parts:
                    if owners.get(partition) == member.member_id:
                        del owners[partition]
                if not owners:
                    self.owners.pop(topic_id, None)

    def forget_timers(self, member_id: str) -> Iterator[Timer]:
        for timers in (self.sessions, self.rebalances, self.joins, self.syncs):
            timer = timers.pop(member_id, None)
            if timer is not None:
                yield timer
