"""All groups that this node coordinates: which partition a group lives in, loading, deadlines, housekeeping.

The broker owns one `Groups`. It follows the image: for each partition of `__consumer_offsets` that this node leads
there is a `Home`, loaded slice by slice from `tick`; a partition that another node leads, or that is gone, is closed.
Handlers ask `home(group_id)`, which refuses with the error that sends a client to wait (COORDINATOR_LOAD_IN_PROGRESS)
or to look elsewhere (NOT_COORDINATOR), and `run` a step there.

One queue of deadlines serves all groups. Housekeeping goes one partition per tick: offsets that have expired every
`offsets.retention.check.interval.ms`, and logs that have grown are written anew (`home.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from logctl.engine.broker.groups.names import OFFSETS_TOPIC, partition_for
from logctl.engine.broker.groups.settings import GroupSettings
from logctl.engine.broker.groups.timers import Timer, Timers
from logctl.engine.broker.groups.turn import Caller, Reply, Turn
from logctl.engine.controller.delta import Delta
from logctl.engine.controller.image import Image, ResourceType
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.groups.home import Home
    from logctl.engine.broker.groups.shard import Shard
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.replicas import Replicas
    from logctl.engine.broker.waiting import Waiting
    from logctl.wire.messages.offset_commit import OffsetCommitRequest

Result = TypeVar("Result")

LOAD_BYTES_PER_TICK: Final = 256 << 10


class SettingsSource(Protocol):
    """The node's settings."""

    def integer(self, name: str) -> int: ...
    def text(self, name: str) -> str: ...
    def items(self, name: str) -> list[str]: ...


class Groups:
    """See above. `fresh_id` answers sixteen bytes nobody has seen; `say(kind, sentence)` writes the diary."""

    def __init__(
        self,
        node_id: int,
        settings: SettingsSource,
        replicas: Replicas,
        waiting: Waiting,
        fresh_id: Callable[[], bytes],
        say: Callable[[str, str], None],
    ) -> None:
        self.settings = GroupSettings.read(settings, self._overrides)
        self._source = settings
        self._node_id = node_id
        self._replicas = replicas
        self._waiting = waiting
        self._fresh_id = fresh_id
        self._say = say
        self._default_partitions = settings.integer("offsets.topic.num.partitions")
        self._codec = settings.integer("offsets.topic.compression.codec")
        self._answer_timeout_ms = settings.integer("offsets.commit.timeout.ms")
        self._timers = Timers()
        self._homes: dict[int, Home] = {}
        self._image = Image()
        self._version = 0
        self._now_ms = 0
        self._loading: dict[int, None] = {}
        self._check_at_ms = 0
        self._to_check: list[int] = []
        self._rewriting: dict[Home, None] = {}

    def _overrides(self, group_id: str) -> Mapping[str, str]:
        return self._image.configs.get((ResourceType.GROUP, group_id), {})

    # Following the cluster.

    def start(self, image: Image, version: int, now_ms: int) -> None:
        """The replicas are open: take up what the image gives to this node. `version` rises with every image."""
        self._check_at_ms = now_ms + self.settings.offsets_retention_check_interval_ms
        self._see(image, version, topics_came=True)
        self._follow(now_ms)

    def apply(self, delta: Delta, version: int, now_ms: int) -> None:
        """The image has changed, and the replicas have followed it."""
        self._see(delta.new, version, topics_came=bool(delta.created))
        if any(kind == ResourceType.BROKER for kind, _ in delta.configs):
            self._configure()
        deleted = frozenset(topic.name for topic in delta.deleted)
        if any(topic.name == OFFSETS_TOPIC for topic in delta.deleted):
            for partition in list(self._homes):
                self._close(partition, now_ms)
        if delta.old.topics.get(OFFSETS_TOPIC) is not delta.new.topics.get(OFFSETS_TOPIC):
            self._follow(now_ms)
        if deleted - {OFFSETS_TOPIC}:
            self._forget_topics(deleted, now_ms)

    def _configure(self) -> None:
        """Settings of the node have changed."""
        self.settings = GroupSettings.read(self._source, self._overrides)
        for home in self._homes.values():
            home.shard.configure(self.settings)

    def _see(self, image: Image, version: int, topics_came: bool) -> None:
        self._image, self._version = image, version
        for home in self._homes.values():
            home.shard.see(image, version, topics_came)

    def _follow(self, now_ms: int) -> None:
        topic = self._image.topics.get(OFFSETS_TOPIC)
        for partition, placed in topic.partitions.items() if topic else ():
            replica = self._replicas.get(OFFSETS_TOPIC, partition)
            home = self._homes.get(partition)
            leads = replica is not None and placed.leader == self._node_id
            if home is not None and (not leads or home.leader_epoch != placed.leader_epoch):
                self._close(partition, now_ms)
            if leads and partition not in self._homes and replica is not None:
                self._take_up(replica, now_ms)

    def _take_up(self, replica: Replica, now_ms: int) -> None:
        """Coordinate the groups of a partition. One that was just made serves at once. A node without groups pays
        nothing for their code."""
        from logctl.engine.broker.groups.home import Home

        home = Home(
            replica,
            self._new_shard,
            self._waiting,
            lambda said: self._say("groups", said),
            codec=self._codec,
            answer_timeout_ms=self._answer_timeout_ms,
        )
        self._homes[replica.partition] = home
        if replica.log.start_offset == replica.log.written_end:
            home.load(now_ms)
        else:
            self._loading[replica.partition] = None

    def _new_shard(self) -> Shard:
        from logctl.engine.broker.groups.shard import Shard

        shard = Shard(self.settings, self._timers, self._fresh_id)
        shard.see(self._image, self._version, topics_came=True)
        return shard

    def _close(self, partition: int, now_ms: int) -> None:
        self._loading.pop(partition, None)
        home = self._homes.pop(partition)
        self._rewriting.pop(home, None)
        home.close(now_ms)

    def _forget_topics(self, topics: frozenset[str], now_ms: int) -> None:
        for home in list(self._homes.values()):
            self._check_writes(home)
            if home.loading:
                home.deleted_topics |= topics
            else:
                self._step(home, now_ms, lambda shard, turn: shard.forget_topics(turn, topics))

    # Asking.

    @property
    def partition_count(self) -> int:
        topic = self._image.topics.get(OFFSETS_TOPIC)
        return len(topic.partitions) if topic else self._default_partitions

    def home(self, group_id: str) -> Home:
        """Where the group lives. Raises WireError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS."""
        home = self._homes.get(partition_for(group_id, self.partition_count))
        if home is None or home.replica.refusal:
            raise WireError(errors.NOT_COORDINATOR)
        self._check_writes(home)
        if home.loading:
            raise WireError(errors.COORDINATOR_LOAD_IN_PROGRESS)
        return home

    def _check_writes(self, home: Home) -> None:
        """Before anything else is written or concluded: does the log hold what the shard says?"""
        if home.has_lost_writes and not home.replica.refusal:
            self._say("groups", f"{OFFSETS_TOPIC}-{home.partition} has lost a write and is loaded again")
            home.start_over(self._now_ms, errors.COORDINATOR_NOT_AVAILABLE)
            self._loading[home.partition] = None

    def homes(self) -> Iterator[Home]:
        """All partitions of this node. Raises WireError COORDINATOR_LOAD_IN_PROGRESS while one is loading."""
        if self._loading:
            raise WireError(errors.COORDINATOR_LOAD_IN_PROGRESS)
        return iter(self._homes.values())

    def run(self, group_id: str, now_ms: int, reply: Reply, act: Callable[[Shard, Turn], Message | None]) -> None:
        """Take one step in the group's shard. What `act` answers, and what it leaves in the turn, is sent once the
        records it wrote are durable. Raises WireError when the step is refused."""
        home = self.home(group_id)
        turn = Turn(now_ms)
        try:
            response = act(home.shard, turn)
            if response is not None:
                turn.answer(reply, response)
        finally:
            self._settle(home, turn)

    def change(self, group_id: str, now_ms: int, act: Callable[[Shard, Turn], Result]) -> tuple[Home, Result]:
        """As `run`, for one group of several in a request: the caller answers, `when_durable` of the home."""
        home = self.home(group_id)
        turn = Turn(now_ms)
        try:
            result = act(home.shard, turn)
        finally:
            self._finish(home, turn)
        return home, result

    def commit_again(self, home: Home, now_ms: int, caller: Caller, request: OffsetCommitRequest) -> None:
        """A commit of one known partition, like one that `home` has taken before; the caller answers when what was
        appended is durable. Raises WireError, also where `run` has to find out what to say."""
        if home.loading or home.replica.refusal or home.has_lost_writes:
            raise WireError(errors.NOT_COORDINATOR)
        turn = Turn(now_ms)
        code = home.shard.commit_one(turn, caller, request)
        if code:
            raise WireError(code)
        self._finish(home, turn)

    def _finish(self, home: Home, turn: Turn) -> None:
        try:
            home.finish(turn)
        finally:
            if home.loading:
                self._loading[home.partition] = None

    # Time.

    def tick(self, now_ms: int) -> None:
        """Load on, let deadlines pass, keep house."""
        self._now_ms = now_ms
        for home in self._homes.values():
            self._check_writes(home)
        self._load(now_ms)
        for timer in self._timers.due(now_ms):
            self._ring(timer, now_ms)
        self._keep_house(now_ms)

    def _load(self, now_ms: int) -> None:
        """About a slice, of one partition or of several small ones. One that cannot be read is not served."""
        left = LOAD_BYTES_PER_TICK
        while self._loading and left > 0:
            partition = next(iter(self._loading))
            home = self._homes[partition]
            try:
                left -= home.load(now_ms)
            except (DiskFault, WireError) as error:
                said = f"{OFFSETS_TOPIC}-{partition} cannot be loaded, and its groups are not served: {error}"
                self._say("groups", said)
                self._close(partition, now_ms)
            else:
                if not home.loading:
                    del self._loading[partition]

    def _ring(self, timer: Timer, now_ms: int) -> None:
        """A deadline of a group has come. Timers of groups that were unloaded meanwhile mean nothing."""
        group: Any = timer.arguments[0]
        home = self._homes.get(partition_for(group.group_id, self.partition_count))
        if home is not None and not home.loading and home.shard.groups.get(group.group_id) is group:
            self._step(home, now_ms, lambda _shard, turn: timer.act(turn, *timer.arguments))

    def _settle(self, home: Home, turn: Turn) -> None:
        """Finish a turn whose answers are all in it: if the log refuses, they were told."""
        try:
            self._finish(home, turn)
        except WireError:
            pass

    def _step(self, home: Home, now_ms: int, act: Callable[[Shard, Turn], None]) -> None:
        """A step that nobody asked for."""
        turn = Turn(now_ms)
        act(home.shard, turn)
        self._settle(home, turn)

    def _keep_house(self, now_ms: int) -> None:
        if now_ms >= self._check_at_ms:
            self._check_at_ms = now_ms + self.settings.offsets_retention_check_interval_ms
            self._to_check = list(self._homes)
        if self._to_check:
            home = self._homes.get(self._to_check.pop())
            if home is not None and not home.loading:
                self._step(home, now_ms, lambda shard, turn: shard.expire_offsets(turn))
                self._rewrite(home, now_ms)
        for home in list(self._rewriting)[:1]:
            self._rewrite(home, now_ms)

    def _rewrite(self, home: Home, now_ms: int) -> None:
        try:
            if home.is_rewriting:
                home.rewrite(now_ms)
            elif home.wants_rewriting():
                home.begin_rewrite(now_ms)
        except (WireError, DiskFault) as error:
            self._say("groups", f"{OFFSETS_TOPIC}-{home.partition} could not be rewritten: {error}")
        if home.is_rewriting:
            self._rewriting[home] = None
        else:
            self._rewriting.pop(home, None)

    def next_deadline_ms(self) -> int | None:
        if self._loading or self._to_check or self._rewriting:
            return self._now_ms
        if not self._homes:
            return None
        due_ms = self._timers.next_deadline_ms()
        return self._check_at_ms if due_ms is None else min(due_ms, self._check_at_ms)
