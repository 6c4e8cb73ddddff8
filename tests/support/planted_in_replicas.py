"""Bugs planted into replicas, their controller and their coordinators, to see that the simulation of three nodes finds
them. They live in tests alone.

Most are mistakes that Apache Kafka, or the proofs made of it, have known: the KIP that ended each is named.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.planted import Plant

from logctl.engine.broker.fetcher import Copied, Fetcher
from logctl.engine.broker.followers import Followers
from logctl.engine.broker.groups.home import Home
from logctl.engine.broker.handlers import fetch
from logctl.engine.broker.replica import Replica
from logctl.engine.broker.replication import Replication
from logctl.engine.controller import isr, leading
from logctl.engine.controller.terms import Terms
from logctl.engine.log import producer_snapshot
from logctl.engine.log.log import Log
from logctl.engine.log.producers import ProducerStates
from logctl.wire.messages.fetch import EpochEndOffset

# Promises of followers.


def cuts_to_the_watermark(patch: pytest.MonkeyPatch) -> None:
    """KIP-101: a follower of a new leader cuts its log to the high watermark it knows, instead of asking."""
    genuine = Replica.follow

    def follow(self: Replica, partition: Any) -> None:
        begins = self.leader_epoch != partition.leader_epoch
        genuine(self, partition)
        if begins and self.awake and not self.fenced:
            self.cut(max(self.high_watermark, self.log.start_offset))

    patch.setattr(Replica, "follow", follow)


def asks_before_it_has_flushed(patch: pytest.MonkeyPatch) -> None:
    """A follower's next question promises what is not on its disk."""
    patch.setattr(Replica, "own_end", property(lambda self: self.log.end_offset))


def parts_where_the_leader_says(patch: pytest.MonkeyPatch) -> None:
    """KIP-279: after two failovers the epoch that both know may have ended earlier here."""
    genuine = Fetcher._part

    def part(self: Fetcher, copied: Copied, parting: Any) -> None:
        log = copied.replica.log
        log.end_offset_for_epoch = lambda epoch: (epoch, -1)  # type: ignore[method-assign]
        try:
            genuine(self, copied, parting)
        finally:
            del log.end_offset_for_epoch

    patch.setattr(Log, "__slots__", (), raising=False)
    patch.setattr(Fetcher, "_part", part)


def never_parts(patch: pytest.MonkeyPatch) -> None:
    """The leader sends what follows without comparing histories."""
    patch.setattr(fetch, "_diverging", lambda replica, epoch, offset: None)


def compares_the_last_epoch_alone(patch: pytest.MonkeyPatch) -> None:
    """KIP-279: the leader says where the follower's last epoch ended, also where it has never had that epoch."""
    genuine = fetch._diverging

    def diverging(replica: Replica, last_epoch: int, offset: int) -> EpochEndOffset | None:
        epoch, end = replica.log.end_offset_for_epoch(last_epoch)
        return genuine(replica, last_epoch, offset) if epoch == last_epoch or end < 0 else None

    patch.setattr(fetch, "_diverging", diverging)


def believes_the_leaders_watermark(patch: pytest.MonkeyPatch) -> None:
    """A follower shows what it has not copied yet as committed."""

    def told(self: Replica, high_watermark: int) -> None:
        self.told_mark = high_watermark
        if high_watermark > self.high_watermark:
            self.high_watermark = high_watermark

    patch.setattr(Replica, "leader_told", told)


# Promises of leaders.


def counts_what_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    """acks=all is answered when the leader has written."""

    def advance(self: Replica) -> None:
        end = self.log.written_end
        if self.followers is not None:
            end = self.followers.watermark(end)
        elif self.size > 1:
            end = min(end, self.told_mark)
        if end > self.high_watermark:
            self.high_watermark = end
            self._waiting.stir(self)

    patch.setattr(Replica, "_advance", advance)


def counts_its_own_disk_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Followers, "watermark", lambda self, own: own)


def counts_a_majority(patch: pytest.MonkeyPatch) -> None:
    """Two of three are enough, whoever else is in sync."""

    def watermark(self: Followers, own: int) -> int:
        ends = sorted([own, *(one.offset for one in self._counted)], reverse=True)
        return min(own, ends[len(ends) // 2])

    patch.setattr(Followers, "watermark", watermark)


def counts_an_older_in_sync_set(patch: pytest.MonkeyPatch) -> None:
    """Who counts is what it was when the leader began."""
    genuine = Followers.arrange

    def arrange(self: Followers, replicas: Any, isr: Any, partition_epoch: int, now_ms: int) -> None:
        genuine(self, replicas, self.isr or isr, partition_epoch, now_ms)

    patch.setattr(Followers, "arrange", arrange)


def leaves_out_who_is_late(patch: pytest.MonkeyPatch) -> None:
    """A leader that hears nothing of the others goes on without asking the controller."""
    genuine = Replication._want

    def want(self: Replication, replica: Replica, wanted: tuple[int, ...]) -> None:
        genuine(self, replica, wanted)
        followers = replica.followers
        assert followers is not None
        followers._counted = [one for broker, one in followers.members.items() if broker in wanted]
        replica.watermark_may_move()

    patch.setattr(Replication, "_want", want)


def does_not_count_the_proposed(patch: pytest.MonkeyPatch) -> None:
    """KIP-497: the controller may have agreed already."""

    def count(self: Followers) -> None:
        self._counted = [progress for one, progress in self.members.items() if one in self.isr]

    patch.setattr(Followers, "_count", count)


def counts_when_too_few_are_in_sync(patch: pytest.MonkeyPatch) -> None:
    """KIP-966: what fewer have than min.insync.replicas asks for counts as committed."""
    genuine = Replica._advance

    def advance(self: Replica) -> None:
        short, self.short_of_isr = self.short_of_isr, False
        genuine(self)
        self.short_of_isr = short

    patch.setattr(Replica, "_advance", advance)


def remembers_followers_of_another_epoch(patch: pytest.MonkeyPatch) -> None:
    """KIP-320, third rule: what followers had in an earlier epoch, they may have cut since."""

    def begin_reign(self: Replica) -> None:
        if self.awake:
            self._drop_staged()
            self.epoch_start = self.log.end_offset

    def follow(self: Replica, partition: Any) -> None:
        kept = self.followers
        genuine(self, partition)
        self.followers = kept

    genuine = Replica.follow
    patch.setattr(Replica, "_begin_reign", begin_reign)
    patch.setattr(Replica, "follow", follow)


def lets_in_before_the_epoch_begins(patch: pytest.MonkeyPatch) -> None:
    """KIP-320, fourth rule: who has not reached the beginning of the epoch may lack what was committed before it."""
    genuine = Followers.may_join
    patch.setattr(Followers, "may_join", lambda self, broker_id, at_least: genuine(self, broker_id, 0))


def shows_what_is_not_committed(patch: pytest.MonkeyPatch) -> None:
    """Readers are given all that the leader has flushed."""
    genuine = fetch.Fetching._read

    def read(self: Any, wanted: Any) -> Any:
        if self.follower >= 0:
            return genuine(self, wanted)
        replica = self._find(wanted)
        mark = replica.high_watermark
        replica.high_watermark = replica.log.flushed_end
        try:
            return genuine(self, wanted)
        finally:
            replica.high_watermark = mark

    patch.setattr(fetch.Fetching, "_read", read)


def ignores_leader_epochs(patch: pytest.MonkeyPatch) -> None:
    """KIP-320, first rule: who asks in another epoch is answered."""
    patch.setattr(Replica, "check_epoch", lambda self, epoch: None)


def goes_on_leading(patch: pytest.MonkeyPatch) -> None:
    """A leader that is told of another one goes on answering, and takes its followers for as far as they were."""

    def follow(self: Replica, partition: Any) -> None:
        if self.refusal or partition.leader < 0:
            genuine(self, partition)

    genuine = Replica.follow
    patch.setattr(Replica, "follow", follow)


# Producers and groups.


def forgets_producers_at_failover(patch: pytest.MonkeyPatch) -> None:
    genuine = Replica._begin_reign

    def begin_reign(self: Replica) -> None:
        genuine(self)
        if self.awake:
            self.log.producers = ProducerStates()

    patch.setattr(Replica, "_begin_reign", begin_reign)


def remembers_one_batch_of_five(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(producer_snapshot, "REMEMBERED_BATCHES", 1)
    genuine = ProducerStates.record

    def record(self: ProducerStates, *given: Any) -> None:
        genuine(self, *given)
        state = self._states[given[0]]
        self._states[given[0]] = state._replace(batches=state.batches[-1:])

    patch.setattr(ProducerStates, "record", record)


def keeps_producers_of_what_is_cut(patch: pytest.MonkeyPatch) -> None:
    """A batch that was cut off counts as a duplicate when it is sent again."""
    genuine = Log.truncate_to

    def truncate_to(self: Log, offset: int) -> None:
        known = self.producers
        genuine(self, offset)
        self.producers = known

    patch.setattr(Log, "truncate_to", truncate_to)


def does_not_load_groups(patch: pytest.MonkeyPatch) -> None:
    """Who takes groups over begins with none."""
    genuine = Home.__init__

    def begin(self: Home, *given: Any, **named: Any) -> None:
        genuine(self, *given, **named)
        self._position = self.replica.log.written_end

    patch.setattr(Home, "__init__", begin)


def answers_commits_before_they_are_copied(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Home, "is_durable", property(lambda self: self.replica.log.flushed_end >= self.replica.log.end_offset)
    )

    def release(self: Home) -> bool:
        if self.is_durable:
            due = list(self._due)
            self._due.clear()
            for one in due:
                one.reply(one.response)
        return genuine(self)

    genuine = Home.release
    patch.setattr(Home, "release", release)


# Promises of the controller.


def elects_whoever_is_there(patch: pytest.MonkeyPatch) -> None:
    """Rather somebody than nobody, though nobody has asked for that."""
    patch.setattr(Terms, "may_lose", lambda self, topic: True)


def elects_the_first_replica(patch: pytest.MonkeyPatch) -> None:
    """In sync or not."""
    genuine = leading._choose

    def choose(terms: Any, topic: Any, before: Any, target: Any, eligible: Any, wish: Any) -> Any:
        choice = genuine(terms, topic, before, target, eligible, wish)
        there = [one for one in target.replicas if terms.may_lead(target, one)]
        if choice.leader != target.leader and there:
            return choice._replace(leader=there[0], isr=tuple(dict.fromkeys((there[0], *choice.isr))))
        return choice

    patch.setattr(leading, "_choose", choose)


def agrees_to_another_life(patch: pytest.MonkeyPatch) -> None:
    """KIP-903: a broker that came back without its logs is taken in for what it was before."""

    def eligible(terms: Any, partition: Any, member: Any) -> bool:
        broker = terms.image.brokers.get(member.broker_id)
        return broker is not None and broker.active

    patch.setattr(isr, "_eligible", eligible)


def agrees_to_who_is_fenced(patch: pytest.MonkeyPatch) -> None:
    """KIP-841: a broker that is gone is taken into the in-sync set."""
    patch.setattr(isr, "_eligible", lambda terms, partition, member: True)


def agrees_to_older_leaders(patch: pytest.MonkeyPatch) -> None:
    """A leader that was deposed, or knows an older state, has its in-sync set."""
    genuine = isr._checked

    def checked(terms: Any, topic: Any, broker_id: int, wanted: Any, members: Any) -> Any:
        partition = topic.partitions.get(wanted.partition_index)
        if partition is not None and broker_id == partition.leader:
            wanted.leader_epoch, wanted.partition_epoch = partition.leader_epoch, partition.partition_epoch
        return genuine(terms, topic, broker_id, wanted, members)

    patch.setattr(isr, "_checked", checked)


FOUND_SOON: tuple[Plant, ...] = (
    counts_what_is_not_flushed,
    counts_its_own_disk_alone,
    counts_a_majority,
    counts_an_older_in_sync_set,
    leaves_out_who_is_late,
    forgets_producers_at_failover,
)
"""Those looked for in every run of the tests."""

REPLICATION: dict[Plant, int] = dict.fromkeys(
    (
        *FOUND_SOON,
        answers_commits_before_they_are_copied,
        compares_the_last_epoch_alone,
        counts_when_too_few_are_in_sync,
        cuts_to_the_watermark,
        does_not_count_the_proposed,
        does_not_load_groups,
        elects_the_first_replica,
        elects_whoever_is_there,
        goes_on_leading,
        keeps_producers_of_what_is_cut,
        lets_in_before_the_epoch_begins,
        never_parts,
        remembers_one_batch_of_five,
        shows_what_is_not_committed,
    ),
    0,
)
"""Each with the seed from which on it is looked for."""

HARD: tuple[Plant, ...] = (
    agrees_to_another_life,
    agrees_to_older_leaders,
    agrees_to_who_is_fenced,
    asks_before_it_has_flushed,
    believes_the_leaders_watermark,
    ignores_leader_epochs,
    parts_where_the_leader_says,
    remembers_followers_of_another_epoch,
)
"""Those that take many seeds, if they are found at all: docs/reliability.md."""
