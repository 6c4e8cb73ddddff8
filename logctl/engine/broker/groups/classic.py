"""A group of the classic protocol: its members, its state and its generation, as data with rules.

Theory of operation
-------------------
The clients of such a group divide the work among themselves; the coordinator only gathers and hands out. A round goes

    Empty --join--> PreparingRebalance --all have joined--> CompletingRebalance --leader's sync--> Stable
      ^                    ^                                        |                                |
      +---- nobody left ---+---------- somebody joins or leaves ----+--------------------------------+

In PreparingRebalance the joins of the members wait. When everybody has joined, or time is up, the generation rises by
one, the members vote on a protocol, and all joins are answered; the leader's answer lists the members. The leader
divides the work and sends it with its sync; the syncs of the others wait for that. Who is not in the current generation
is told so by the error to its next request, and joins again.

A *static* member (KIP-345) has a name of its own (group.instance.id): it may be away for as long as its session lasts,
come back under a new member id and find its place; whoever then speaks under the old member id is fenced.

A *pending* member has been told an id (KIP-394) and has not joined with it yet.

Only what `stored` answers is written to the log, when a round is complete, the group empties, or a static member is
exchanged. `rounds.py` moves the group from state to state; this file knows what is true in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final

from logctl.engine.broker.groups import subscription
from logctl.engine.broker.groups.settings import MOST_RECORD_BYTES
from logctl.engine.broker.groups.timers import Timer
from logctl.engine.broker.groups.turn import Reply
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.stored.group_metadata import GroupMetadataValue, MemberMetadata

if TYPE_CHECKING:
    from logctl.wire.messages.join_group import JoinGroupRequest

CONSUMER: Final = "consumer"
"""The protocol type of consumers, whose metadata the coordinator can read."""

Protocols = tuple[tuple[str, bytes], ...]
"""Names a member supports, best first, each with the metadata the member sends along."""


class State(Enum):
    """Names as the protocol shows them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class ClassicMember:
    """One member. `joining` and `syncing` are the answers it waits for; None while it waits for none."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "instance_id",
        "is_new",
        "joining",
        "member_id",
        "protocols",
        "rebalance_timeout_ms",
        "session",
        "session_timeout_ms",
        "syncing",
    )

    def __init__(
        self,
        member_id: str,
        instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocols: Protocols,
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocols = protocols
        self.assignment = assignment
        self.is_new = False
        self.joining: Reply | None = None
        self.syncing: Reply | None = None
        self.session: Timer | None = None

    def metadata(self, protocol: str | None) -> bytes:
        """What it sent along with that protocol; empty when it does not support it."""
        return next((metadata for name, metadata in self.protocols if name == protocol), b"")

    def vote(self, candidates: Iterable[str]) -> str:
        """The first of its protocols that is a candidate."""
        allowed = set(candidates)
        return next(name for name, _ in self.protocols if name in allowed)

    def is_alive(self) -> bool:
        """Whether it needs no heartbeat now: it waits for an answer of ours. A new member's join may time out."""
        return not self.is_new and (self.joining is not None or self.syncing is not None)


class ClassicGroup:
    """One group. `subscribed` are the topics its members read, None when that is not known; `written` is what the log
    says of the group, None while it says nothing (a group that only has offsets)."""

    def __init__(self, group_id: str, now_ms: int) -> None:
        self.group_id = group_id
        self.state = State.EMPTY
        self.previous_state = State.EMPTY
        self.state_since_ms = now_ms
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.leader: str | None = None
        self.members: dict[str, ClassicMember] = {}
        self.static: dict[str, str] = {}
        self.pending: dict[str, Timer] = {}
        self.not_synced: dict[str, None] = {}
        self.subscribed: frozenset[str] | None = None
        self.member_added = False
        self.join_timer: Timer | None = None
        self.sync_timer: Timer | None = None
        self.written: GroupMetadataValue | None = None

    @property
    def is_empty(self) -> bool:
        return self.state is State.EMPTY

    def enter(self, state: State, now_ms: int) -> None:
        self.previous_state, self.state, self.state_since_ms = self.state, state, now_ms

    # Members.

    def add(self, member: ClassicMember, protocol_type: str) -> None:
        """Take it in; the first member decides the protocol type, and leads until the round is over."""
        if not self.members:
            self.protocol_type = protocol_type
        if self.leader is None:
            self.leader = member.member_id
        self.members[member.member_id] = member
        if member.instance_id is not None:
            self.static[member.instance_id] = member.member_id
        self.pending.pop(member.member_id, None)

    def remove(self, member_id: str) -> None:
        """Forget the member or pending member of that id."""
        self.pending.pop(member_id, None)
        self.not_synced.pop(member_id, None)
        member = self.members.pop(member_id, None)
        if member is None:
            return
        if member.instance_id is not None and self.static.get(member.instance_id) == member_id:
            del self.static[member.instance_id]
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)

    def rename_static(self, instance_id: str, new_id: str) -> ClassicMember:
        """The static member goes on under a new member id, in its old place."""
        old_id = self.static[instance_id]
        self.members = {new_id if name == old_id else name: member for name, member in self.members.items()}
        member = self.members[new_id]
        member.member_id = self.static[instance_id] = new_id
        if self.leader == old_id:
            self.leader = new_id
        if old_id in self.not_synced:
            del self.not_synced[old_id]
            self.not_synced[new_id] = None
        return member

    def member(self, member_id: str, instance_id: str | None) -> ClassicMember:
        """The member that speaks. Raises WireError UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID."""
        if instance_id is not None:
            current = self.static.get(instance_id)
            if current is None:
                raise WireError(errors.UNKNOWN_MEMBER_ID)
            if current != member_id:
                raise WireError(errors.FENCED_INSTANCE_ID)
        member = self.members.get(member_id)
        if member is None:
            raise WireError(errors.UNKNOWN_MEMBER_ID)
        return member

    def has_room(self, member_id: str, most: int) -> bool:
        """Whether it may join. While a round is prepared only those who have joined count: the last to come are left
        out when the limit was lowered."""
        if self.state is State.PREPARING:
            member = self.members.get(member_id)
            waiting = sum(member.joining is not None for member in self.members.values())
            return (member is not None and member.joining is not None) or waiting < most
        return self.is_empty or member_id in self.members or len(self.members) < most

    def all_joined(self) -> bool:
        return not self.pending and all(member.joining is not None for member in self.members.values())

    def not_rejoined(self) -> list[ClassicMember]:
        return [member for member in self.members.values() if member.joining is None]

    def leader_joined(self) -> bool:
        """Sees to it that the leader is somebody who has joined. False when nobody has."""
        if self.leader in self.members and self.members[self.leader].joining is not None:
            return True
        joined = next((name for name, member in self.members.items() if member.joining is not None), None)
        if joined is None:
            return False
        self.leader = joined
        return True

    @property
    def rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    # Protocols.

    def supports(self, protocol_type: str, names: Sequence[str]) -> bool:
        """Whether somebody with these protocols can be a member: there is one that everybody supports."""
        if self.is_empty or not self.members:
            return protocol_type != "" and len(names) > 0
        return self.protocol_type == protocol_type and any(name in names for name in self._common())

    def _common(self) -> list[str]:
        """Protocols that every member supports, in the order of the first."""
        every = [{name for name, _ in member.protocols} for member in self.members.values()]
        first = next(iter(self.members.values())).protocols
        return [name for name, _ in first if all(name in one for one in every)]

    def choose_protocol(self) -> str:
        """Each member votes for the first of its protocols that all support; most votes win."""
        candidates = self._common()
        votes = dict.fromkeys(candidates, 0)
        for member in self.members.values():
            votes[member.vote(candidates)] += 1
        return max(candidates, key=lambda name: votes[name])

    def uses_consumer_protocol(self) -> bool:
        return self.protocol_type == CONSUMER

    def next_generation(self, now_ms: int) -> None:
        """Everybody who is coming has come: count up, choose the protocol, wait for the leader."""
        self.generation += 1
        if self.members:
            self.protocol_name = self.choose_protocol()
            self.enter(State.COMPLETING, now_ms)
        else:
            self.protocol_name = None
            self.enter(State.EMPTY, now_ms)
        self.not_synced.clear()
        self.note_subscriptions()

    def note_subscriptions(self) -> None:
        """Learn from the members' metadata which topics are read."""
        if not self.uses_consumer_protocol():
            self.subscribed = None
        elif not self.members:
            self.subscribed = frozenset()
        elif self.protocol_name is None:
            self.subscribed = None
        else:
            metadata = [member.metadata(self.protocol_name) for member in self.members.values()]
            self.subscribed = subscription.topics_of(metadata)

    def reads(self, topic: str) -> bool:
        """Whether a member reads the topic, as far as is known; a consumer group of which it is not known may."""
        return self.uses_consumer_protocol() if self.subscribed is None else topic in self.subscribed

    # The log.

    def stored(self) -> GroupMetadataValue:
        """What a restart has to know."""
        return GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation,
            protocol=self.protocol_name,
            leader=self.leader,
            current_state_timestamp=self.state_since_ms,
            members=[
                MemberMetadata(
                    member.member_id,
                    member.instance_id,
                    member.client_id,
                    member.client_host,
                    member.rebalance_timeout_ms,
                    member.session_timeout_ms,
                    member.metadata(self.protocol_name),
                    member.assignment,
                )
                for member in self.members.values()
            ],
        )

    def fits_a_record(self) -> bool:
        """Whether `stored` is small enough for the log."""
        shares = (len(member.metadata(self.protocol_name)) + len(member.assignment) for member in self.members.values())
        return sum(shares) + 200 * len(self.members) <= MOST_RECORD_BYTES

    @classmethod
    def restore(cls, group_id: str, value: GroupMetadataValue, now_ms: int) -> ClassicGroup:
        """The group that a record describes: stable, or empty when it lists nobody."""
        group = cls(group_id, now_ms if value.current_state_timestamp < 0 else value.current_state_timestamp)
        group.generation = value.generation
        group.protocol_type = value.protocol_type or None
        group.protocol_name = value.protocol
        group.leader = value.leader
        group.state = group.previous_state = State.STABLE if value.members else State.EMPTY
        for stored in value.members:
            timeout_ms = stored.rebalance_timeout if stored.rebalance_timeout != -1 else stored.session_timeout
            member = ClassicMember(
                stored.member_id,
                stored.group_instance_id,
                stored.client_id,
                stored.client_host,
                timeout_ms,
                stored.session_timeout,
                ((value.protocol or "", bytes(stored.subscription)),),
                bytes(stored.assignment),
            )
            group.add(member, value.protocol_type)
        group.note_subscriptions()
        group.written = group.stored()
        return group

    def timers(self) -> Iterator[Timer]:
        """Everything that is running for it."""
        yield from self.pending.values()
        yield from (member.session for member in self.members.values() if member.session is not None)
        yield from (timer for timer in (self.join_timer, self.sync_timer) if timer is not None)


def protocols_of(request: JoinGroupRequest) -> Protocols:
    return tuple((protocol.name, bytes(protocol.metadata)) for protocol in request.protocols)
