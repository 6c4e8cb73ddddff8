"""One partition as this node holds it: its log, who leads it, and how far readers may see.

`replicas.py` creates these from the image and tells them about leadership (`lead`, `follow`), about configuration
changes (`configure`), and about the end (`close_off` when the partition is deleted, `fence` when its disk failed).
Handlers only call `append`, `read` and the questions.

The log is opened when it is first asked for (`openings.py` says why). Until then the slots that it fills are empty, and
`__getattr__`, which Python calls for an empty slot alone, opens it: what is used often pays nothing for that.

The high watermark is what readers may see and what acks=all promises. With one replica it is the flushed end of the
log under the default policy, and the written end with `flush=os`. Where there are others, `followers` (of this leader
epoch) says how far they are, and the lowest of all in-sync members counts; it rests while they are fewer than
min.insync.replicas asks for. A follower takes the watermark that its leader tells. It never moves back but for a log
that is cut. After a restart it begins where the checkpoint has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logctl.engine.broker.acknowledgements import Promises
from logctl.engine.broker.followers import UNKNOWN, Followers
from logctl.engine.broker.range import Range
from logctl.engine.broker.waiting import Place
from logctl.engine.log.config import FOREVER_MS
from logctl.engine.log.log import CLIENT, COORDINATOR, REPLICATION
from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Appends
    from logctl.engine.broker.waiting import Waiting
    from logctl.engine.controller.image import Partition
    from logctl.engine.log.log import Appended, Log

NOBODY = -1
_FROM_THE_LOG: Final = ("durable", "epoch_start", "high_watermark", "log", "short_of_isr")


class Outline(NamedTuple):
    """What is known of a log that is not open: all of it is durable, and lies below the high watermark."""

    start_offset: int
    end_offset: int
    last_epoch: int


class Replica(Place):
    """`refusal` is the error code every request gets at the moment; 0 while this node leads and serves."""

    __slots__ = (
        "_appends",
        "_open",
        "_promises",
        "_staged",
        "_waiting",
        "awake",
        "durable",
        "epoch_start",
        "flush_every_batch",
        "followers",
        "high_watermark",
        "isr",
        "known_mark",
        "leader_epoch",
        "leader_id",
        "log",
        "outline",
        "partition",
        "refusal",
        "short_of_isr",
        "size",
        "told_mark",
        "topic",
        "topic_id",
    )

    def __init__(
        self,
        topic: str,
        topic_id: bytes,
        partition: int,
        open_log: Callable[[Replica], Log],
        *,
        appends: Appends,
        waiting: Waiting,
        flush_every_batch: bool = True,
    ) -> None:
        """`open_log` raises WireError KAFKA_STORAGE_ERROR when it cannot, and the next one who asks tries again.
        `flush_every_batch`: the default policy; False leaves flushing to the OS, `flush.messages` and `flush.ms`."""
        super().__init__()
        self.topic = topic
        self.topic_id = topic_id
        self.partition = partition
        self.awake = False
        """Whether the log is open."""
        self.outline: Outline | None = None
        """Where the log need not be opened to know this."""
        self.log: Log
        self.high_watermark: int
        self.durable: bool
        self.short_of_isr: bool
        self.epoch_start: int
        """Where the log ended when this node began to lead."""
        self.followers: Followers | None = None
        """Where there are others who copy from this node."""
        self.known_mark = 0
        """The high watermark that the checkpoint has from before the start."""
        self.told_mark = UNKNOWN
        """The high watermark of the leader, as this follower was told last."""
        self.leader_id = NOBODY
        self.leader_epoch = -1
        self.isr: tuple[int, ...] = ()
        self.size = 1
        self.refusal = errors.NOT_LEADER_OR_FOLLOWER
        self.flush_every_batch = flush_every_batch
        self._appends = appends
        self._waiting = waiting
        self._open = open_log
        self._staged = False
        self._promises: Promises | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in _FROM_THE_LOG:
            raise AttributeError(name)
        self.wake()
        return getattr(self, name)

    def wake(self) -> None:
        """Open the log, if it is not. Raises WireError KAFKA_STORAGE_ERROR."""
        if self.awake:
            return
        self.log = log = self._open(self)
        self.awake, self.outline = True, None
        self._appends.owners[log] = self.flushed
        self.configure()
        own_end = log.flushed_end if self.durable else log.written_end
        self.high_watermark = own_end if self.size == 1 else max(log.start_offset, min(self.known_mark, own_end))
        self.epoch_start = log.end_offset
        if self.followers is not None:
            log.begin_epoch(self.leader_epoch)
        if self.size > 1:
            self._advance()

    # What the image says.

    def lead(self, leader_id: int, partition: Partition, now_ms: int) -> None:
        """This node (`leader_id`) leads."""
        begins = self.leader_id != leader_id or self.leader_epoch != partition.leader_epoch
        self.leader_id, self.leader_epoch = leader_id, partition.leader_epoch
        self.isr, self.size = partition.isr, len(partition.replicas)
        if begins:
            self._begin_reign()
        if self.refusal != errors.KAFKA_STORAGE_ERROR:
            self.refusal = errors.NONE
        self._know_followers(partition, now_ms)
        self.configure()
        if self.awake:
            self._advance()
        self._waiting.stir(self)

    def _begin_reign(self) -> None:
        self.followers, self.told_mark = None, UNKNOWN
        self._break_promises(errors.NOT_LEADER_OR_FOLLOWER)
        if self.awake:
            self._drop_staged()
            self.epoch_start = self.log.end_offset

    def _know_followers(self, partition: Partition, now_ms: int) -> None:
        if len(partition.replicas) == 1:
            self.followers = None
            return
        if self.followers is None:
            self.followers = Followers(self.leader_id)
            if self.awake:
                self.log.begin_epoch(self.leader_epoch)
        self.followers.arrange(partition.replicas, partition.isr, partition.partition_epoch, now_ms)

    def follow(self, partition: Partition) -> None:
        """Another node leads (or none: -1)."""
        if self.leader_epoch != partition.leader_epoch:
            self.followers, self.told_mark = None, UNKNOWN
        self.leader_id, self.leader_epoch = partition.leader, partition.leader_epoch
        self.isr, self.size = partition.isr, len(partition.replicas)
        if self.refusal != errors.KAFKA_STORAGE_ERROR:
            self.refusal = errors.NOT_LEADER_OR_FOLLOWER
        self._break_promises(errors.NOT_LEADER_OR_FOLLOWER)
        self._waiting.stir(self)

    def _drop_staged(self) -> None:
        """Copies of an earlier leader's that are not in the file yet: nothing was promised on them."""
        if self._staged:
            self._appends.staged.remove(self)
            self.discarded()

    def configure(self) -> None:
        """The log's configuration, or the in-sync set, has changed."""
        if not self.awake:
            return
        config = self.log.config
        self.durable = self.flush_every_batch or config.flush_messages == 1
        # A minimum above the number of replicas can never be met; Apache caps it, and so do we.
        self.short_of_isr = len(self.isr) < min(config.min_insync_replicas, self.size)
        if self.short_of_isr:
            self._break_promises(errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND)

    def close_off(self) -> None:
        """The partition is deleted here: whoever waits learns of it."""
        self.refusal = errors.UNKNOWN_TOPIC_OR_PARTITION
        self._break_promises(self.refusal)
        if self.awake:
            self._appends.forget(self)
        self._waiting.stir(self)

    def fence(self) -> None:
        """The disk under this log failed: nothing more is read from it or promised on it."""
        self.refusal = errors.KAFKA_STORAGE_ERROR
        self._break_promises(self.refusal)
        if self.awake:
            self._appends.forget(self)
        self._waiting.stir(self)

    def exchange(self, log: Log) -> Log:
        """The log has moved: `log` holds the same records, all of them durable. Returns the old one."""
        before, self.log = self.log, log
        self._appends.forget_log(self, before)
        self._appends.owners[log] = self.flushed
        log.take_epochs(before)
        self._appends.dirty.add(log)
        self.configure()
        self._advance()
        return before

    @property
    def staging(self) -> bool:
        """Whether batches are staged that are not written yet."""
        return self._staged

    @property
    def fenced(self) -> bool:
        return self.refusal == errors.KAFKA_STORAGE_ERROR

    def follows_in_sync(self, node_id: int) -> bool:
        """Whether another node leads, and this one (`node_id`) has what its members have."""
        return self.refusal == errors.NOT_LEADER_OR_FOLLOWER and {self.leader_id, node_id} <= set(self.isr)

    @property
    def is_leader(self) -> bool:
        return self.refusal == errors.NONE

    # Appending.

    def append(self, batches: memoryview, acks: int, now_ms: int) -> Appended:
        """Stage what a client sent. Raises WireError with the code Apache answers."""
        if self.refusal:
            raise WireError(self.refusal)
        if acks == -1 and self.short_of_isr:
            wanted = self.log.config.min_insync_replicas
            raise WireError(
                errors.NOT_ENOUGH_REPLICAS, f"{len(self.isr)} in sync, min.insync.replicas asks for {wanted}"
            )
        appended = self.log.stage(batches, self.leader_epoch, now_ms, CLIENT)
        if appended.duplicate:
            if self.durable and self.log.flushed_end <= appended.last_offset:
                self._appends.dirty.add(self.log)
        elif not self._staged:
            self._staged = True
            self._appends.staged.append(self)
        return appended

    def append_own(self, batch: memoryview, now_ms: int) -> None:
        """Stage what a coordinator of this node writes, as with acks=all. Raises WireError."""
        if self.refusal:
            raise WireError(self.refusal)
        if self.short_of_isr:
            raise WireError(errors.NOT_ENOUGH_REPLICAS)
        self.log.stage(batch, self.leader_epoch, now_ms, COORDINATOR)
        if not self._staged:
            self._staged = True
            self._appends.staged.append(self)

    def copy(self, batches: memoryview, now_ms: int) -> None:
        """Stage what the leader sent. Raises WireError when it does not go on where the log ends."""
        self.log.stage(batches, self.leader_epoch, now_ms, REPLICATION)
        if not self._staged:
            self._staged = True
            self._appends.staged.append(self)

    def must_wait(self, acks: int, last_offset: int) -> bool:
        """Whether the answer about `last_offset` may leave only after a flush."""
        return acks == -1 and self.durable and self.log.flushed_end <= last_offset

    @property
    def is_shared(self) -> bool:
        """Whether others copy it: then nobody may be answered with a flush alone, for a member may join before."""
        return self.followers is not None

    def written(self, now_ms: int) -> None:
        """The staged batches are in the file."""
        self._staged = False
        log = self.log
        if self.followers is not None:
            self._waiting.stir(self)
        if self.durable:
            self._appends.dirty.add(log)
            return
        if log.written_end - log.flushed_end >= log.config.flush_messages:
            self._appends.dirty.add(log)
        elif log.config.flush_ms < FOREVER_MS:
            self._appends.flush_at(self, now_ms + log.config.flush_ms)
        self._advance()

    def discarded(self) -> None:
        """The staged batches did not reach the file and are forgotten."""
        self._staged = False
        self.log.discard_staged()
        if self._promises is not None:
            lost = WireError(errors.KAFKA_STORAGE_ERROR, "The disk did not take the batch")
            self._promises.break_from(self.log.end_offset, lost)
        self._waiting.stir(self)

    def flushed(self) -> None:
        """The log's `flushed_end` has moved."""
        self._appends.forget_timer(self)
        if self.durable:
            self._advance()

    # Promises.

    def promise(self, promise: Any) -> None:
        """Decide this one (`acknowledgements.py`) as soon as it is known what becomes of its batch."""
        promises = self._promises
        if promises is None:
            promises = self._promises = Promises(self._waiting.decided)
        if not promises or promise.deadline_ms < self._waiting.owing_due_ms:
            self._waiting.owe(promises, promise.deadline_ms)
        promises.add(promise)
        if promise.last_offset < self.high_watermark:
            self._keep_promises()

    def _keep_promises(self) -> None:
        assert self._promises is not None
        self._promises.keep(self.high_watermark)

    def _break_promises(self, code: int) -> None:
        if self._promises:
            self._promises.break_all(WireError(code))

    # The high watermark.

    @property
    def own_end(self) -> int:
        """What this node holds as the policy has it: flushed, or written."""
        return self.log.flushed_end if self.durable else self.log.written_end

    @property
    def is_established(self) -> bool:
        """Whether all from before this node began to lead is known to be on every in-sync member (KIP-207)."""
        return self.followers is None or self.high_watermark >= self.epoch_start

    @property
    def joining_offset(self) -> int:
        """What a follower must have to be in sync: all that is committed, and all from before this node led."""
        if self.outline is not None:
            return self.outline.end_offset
        return max(self.high_watermark, self.epoch_start)

    def has_nothing_for(self, offset: int, last_epoch: int) -> bool:
        """Whether it is known without opening the log that a follower which asks so has the same log to its end."""
        outline = self.outline
        if outline is None or offset != outline.end_offset:
            return False
        return not offset or last_epoch == outline.last_epoch

    def has_less_for(self, offset: int, last_epoch: int) -> bool:
        """Whether it is known in the same way that the follower knows a leader epoch in which nothing was written here:
        the logs part at the end of both."""
        outline = self.outline
        if outline is None or offset != outline.end_offset:
            return False
        return 0 <= outline.last_epoch < last_epoch < self.leader_epoch

    def _advance(self) -> None:
        """Some member has more than before, or fewer count: look how far all of them are."""
        end = self.log.flushed_end if self.durable else self.log.written_end
        if self.followers is not None:
            if self.short_of_isr:
                return  # what fewer have than were asked for must not be shown: others may lead without it (KIP-966)
            end = self.followers.watermark(end)
        elif self.size > 1:
            end = min(end, self.told_mark)
        if end > self.high_watermark:
            self.high_watermark = end
            self._waiting.mark(self)
            if self._promises:
                self._keep_promises()

    def follower_asked(self, broker_id: int, broker_epoch: int, offset: int, start_offset: int, now_ms: int) -> None:
        """A follower has everything below `offset`. Raises WireError for a node that holds no replica."""
        progress = self.followers.members.get(broker_id) if self.followers is not None else None
        if progress is None:
            raise WireError(errors.NOT_LEADER_OR_FOLLOWER, f"Broker {broker_id} holds no replica of this partition")
        if start_offset != progress.start_offset:
            self._waiting.stir(self)
        moved = offset != progress.offset
        outline = self.outline
        end = outline.end_offset if outline is not None else self.log.written_end
        progress.asked(offset, start_offset, broker_epoch, end, now_ms)
        if moved and outline is None:
            self._advance()

    def lowest_start(self, let_in: set[int]) -> int:
        """Where the log begins on all who hold it, of the followers those that are let in; -1: one has not asked."""
        members = self.followers.members.items() if self.followers is not None else ()
        return min([self.log.start_offset, *(one.start_offset for broker, one in members if broker in let_in)])

    def watermark_may_move(self) -> None:
        """Fewer members count than before."""
        self._advance()

    def leader_told(self, high_watermark: int) -> None:
        """The leader's high watermark: it holds here as far as this log reaches."""
        self.told_mark = high_watermark
        if self.outline is None:
            self._advance()

    def cut(self, offset: int) -> None:
        """This log and the leader's part at `offset`. Durable on return. Raises DiskFault."""
        self._drop_staged()
        self.log.truncate_to(offset)
        self.high_watermark = min(self.high_watermark, self.log.end_offset)

    def begin_anew(self, offset: int, now_ms: int) -> None:
        """The leader has nothing below `offset` any more. Durable on return. Raises DiskFault."""
        self._drop_staged()
        self.log.truncate_fully_at(offset, now_ms)
        self.high_watermark = offset

    # Reading.

    @property
    def last_stable_offset(self) -> int:
        """The first offset of an undecided transaction, or the high watermark when it comes first."""
        undecided = self.log.producers.first_undecided_offset(self.high_watermark)
        return self.high_watermark if undecided is None else min(undecided, self.high_watermark)

    def check_epoch(self, current_leader_epoch: int) -> None:
        """KIP-320: refuse a client that knows an older or newer leader than we do. -1 means it does not say."""
        if current_leader_epoch < 0 or current_leader_epoch == self.leader_epoch:
            return
        if current_leader_epoch < self.leader_epoch:
            raise WireError(errors.FENCED_LEADER_EPOCH)
        raise WireError(errors.UNKNOWN_LEADER_EPOCH)

    def check_serving(self, current_leader_epoch: int = -1) -> None:
        """Raise the error that a request to this partition gets at the moment, if any."""
        if self.refusal:
            raise WireError(self.refusal)
        self.check_epoch(current_leader_epoch)

    def read(self, offset: int, max_bytes: int, up_to_offset: int, minimum_one_batch: bool) -> Range | None:
        """Where the batches from `offset` on lie, or None where there are none yet.

        Raises WireError OFFSET_OUT_OF_RANGE, and DiskFault.
        """
        found = self.log.read(offset, max_bytes, up_to_offset, minimum_one_batch)
        return Range(found.file, found.position, found.length) if found.file is not None else None
