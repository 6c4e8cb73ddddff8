"""The partitions that this node holds: opened, changed and given up as the image says.

`start` takes up every partition that the image gives to this node, wherever its log lies, and `apply` is told of each
change and does what it means here: new partitions get a log, deleted ones are renamed at once and removed
`file.delete.delay.ms` later, changed configs reach the logs that run, a new leader or in-sync set reaches the replica.
Logs are opened late (`openings.py`).

`tick` does the housekeeping: folders for new logs, retention, checkpoints, removals. What there may be thousands of is
done in portions, with requests served in between; the start as well (`starting`). Until that is over nothing is known
of the logs that were not taken up: nothing is noted, and a stop leaves the directories as it found them.

A folder that lies in a directory but belongs to no partition of the image is not understood, and is never deleted: it
is renamed to `...-stray` and the diary says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from logctl.engine.broker.damages import Damages
from logctl.engine.broker.log_dirs import LogDir, Place
from logctl.engine.broker.losses import Losses
from logctl.engine.broker.moves import UNLIMITED, Move, Moves
from logctl.engine.broker.noting import Home, Notes
from logctl.engine.broker.openings import Openings, log_config
from logctl.engine.broker.replica import Replica
from logctl.engine.controller.delta import Delta
from logctl.engine.controller.image import LOST_DIRECTORY, Image, Partition, ResourceType, Topic
from logctl.engine.log.config import LogConfig
from logctl.engine.log.directory import remove_tree, retire_directory
from logctl.engine.log.disk import Disk, DiskFault, sync_volume
from logctl.engine.log.log import Log, OpenFiles
from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Appends
    from logctl.engine.broker.waiting import Waiting

_PORTION: Final = 64
"""Logs that one tick looks at: a few milliseconds."""


Result = TypeVar("Result")


class Rules(NamedTuple):
    """What the node's settings say about its logs. Times in ms. `server_values`: settings the operator gave.
    `cordoned`: paths of directories that get no new partitions, or *."""

    flush_every_batch: bool = True
    retention_check_ms: int = 300_000
    checkpoint_ms: int = 60_000
    producer_id_expiration_ms: int = 86_400_000
    server_values: Mapping[str, str] = {}
    move_bytes_per_second: int = UNLIMITED
    cordoned: frozenset[str] = frozenset()


class Replicas:
    """All replicas of this node. `say(kind, sentence)` writes the diary; `new_id` answers sixteen fresh bytes."""

    def __init__(
        self,
        node_id: int,
        disk: Disk,
        directories: Sequence[LogDir],
        rules: Rules,
        *,
        appends: Appends,
        waiting: Waiting,
        say: Callable[[str, str], None],
        new_id: Callable[[], bytes],
    ) -> None:
        self.directories = list(directories)
        self._node_id = node_id
        self._disk = disk
        self._files = OpenFiles(disk)
        self._rules = rules
        self._appends = appends
        self._waiting = waiting
        self._say = say
        self.new_id = new_id
        self._by_name: dict[tuple[str, int], Home] = {}
        self._by_id: dict[tuple[bytes, int], Replica] = {}
        self._openings = Openings(disk, self._files, self._config, say, new_id)
        self._now_ms = 0
        self._unmade: dict[Replica, None] = {}
        """Whose folder is not made yet."""
        self._to_retain: deque[Replica] = deque()
        """Those that the present round of retention has not come to."""
        self._removals: list[tuple[int, str]] = []
        self._shedding: dict[Log, None] = {}
        self.moves = Moves(disk, self._files, appends, say, new_id, self._moved)
        self.untold: dict[tuple[bytes, int], bytes] = {}
        """(topic id, partition) -> directory id of replicas that lie where the image does not have them yet."""
        self.losses = Losses(node_id)
        self.damages = Damages(node_id, self, self._openings.config, say)
        self.reseated: dict[Replica, None] | None = None
        """Where somebody asks: replicas that lead or follow otherwise than before, or are given up."""
        self.notes = Notes(self.directories, self._by_name, appends, say)
        self._started = False
        self._retention_due_ms = 0
        self._checkpoint_due_ms = 0
        self.obey(rules)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Replica]:
        return (home.replica for home in self._by_name.values())

    def get(self, topic: str, partition: int) -> Replica | None:
        """The replica of a partition, by the topic's name."""
        home = self._by_name.get((topic, partition))
        return home.replica if home is not None else None

    def get_by_id(self, topic_id: bytes, partition: int) -> Replica | None:
        """The replica of a partition, by the topic's id."""
        return self._by_id.get((topic_id, partition))

    # Following the image.

    def start(self, image: Image, now_ms: int) -> None:
        """Take up what the image gives to this node."""
        for _ in self.starting(image, now_ms):
            pass

    def starting(self, image: Image, now_ms: int) -> Iterator[None]:
        """The same, a portion at a time."""
        self._now_ms = now_ms
        self._openings.follow(image)
        self.losses.begin(image)
        lying = self._what_lies_around(image)
        for directory in self.directories:
            if not directory.clean and sum(one is directory for one in lying.values()) > _PORTION:
                directory.is_synced = self._or_say(partial(sync_volume, self._disk, directory.path)) or False
        for directory in self.directories:
            for path in directory.leaving():
                heappush(self._removals, (now_ms, path))
            for note in directory.notes:
                self._say("recovery", note)
        mine = (
            (topic, number, partition)
            for topic in image.topics.values()
            for number, partition in topic.partitions.items()
            if self._node_id in partition.replicas
        )
        while portion := list(islice(mine, _PORTION)):
            for topic, number, partition in portion:
                self._open(topic, number, partition, lying.pop(Place(topic.name, number), None))
            yield
        for place, directory in lying.items():
            self._openings.set_aside(place, directory, "belongs to no topic of this cluster")
        self._move_on(now_ms)
        self._retention_due_ms = now_ms + self._rules.retention_check_ms
        self._checkpoint_due_ms = now_ms + self._rules.checkpoint_ms
        self._started = True

    def apply(self, delta: Delta, now_ms: int) -> None:
        """The image has changed."""
        self._now_ms = now_ms
        for topic in delta.deleted:
            self._delete(topic, now_ms)
        self._openings.follow(delta.new)
        for topic in delta.created:
            opened = self._apply_partitions(topic, {})
            self._say("topic", f"Created {topic.name} with {_count(opened, 'partition')} here")
        for before, after in delta.changed:
            opened = self._apply_partitions(after, before.partitions)
            if opened:
                self._say("topic", f"{after.name} got {_count(opened, 'more partition')} here")
        if delta.configs:
            self._apply_configs(delta)
        self._make_folders()

    def _apply_partitions(self, topic: Topic, known: Mapping[int, Partition]) -> int:
        """How many partitions were opened."""
        opened = 0
        for number, partition in topic.partitions.items():
            if known.get(number) is partition:
                continue
            if self._node_id not in partition.replicas:
                self._leave(topic, number)
                continue
            replica = self.get(topic.name, number)
            if replica is None:
                self._open(topic, number, partition, None)
                opened += 1
            else:
                self._take_office(replica, partition)
        return opened

    def _apply_configs(self, delta: Delta) -> None:
        """A change of a broker's settings may reach every log; one of a topic's reaches its own."""
        everywhere = any(kind == ResourceType.BROKER for kind, _ in delta.configs)
        names = {name for kind, name in delta.configs if kind == ResourceType.TOPIC}
        for (name, _), home in self._by_name.items():
            if (everywhere or name in names) and home.replica.awake and name in delta.new.topics:
                home.replica.log.config = self._openings.config(name)
                home.replica.configure()
                home.replica.watermark_may_move()

    def _config(self, image: Image, topic: str) -> LogConfig:
        rules = self._rules
        return log_config(image, topic, self._node_id, rules.server_values, rules.producer_id_expiration_ms)

    def obey(self, rules: Rules) -> None:
        """The node's settings have changed; logs take theirs with the change of the image that follows."""
        self._rules = rules
        self._openings.forget_configs()
        self.moves.bytes_per_second = rules.move_bytes_per_second
        for directory in self.directories:
            directory.cordoned = directory.path in rules.cordoned or "*" in rules.cordoned

    def _take_office(self, replica: Replica, partition: Partition) -> None:
        if partition.leader == self._node_id:
            replica.lead(self._node_id, partition, self._now_ms)
        else:
            replica.follow(partition)
        if self.damages.may_be_replaced(replica, partition):
            self._begin_anew(replica, partition)
        elif self.losses.end((replica.topic_id, replica.partition), partition):
            self.untold[replica.topic_id, replica.partition] = self.home_of(replica).directory_id
        if self.reseated is not None:
            self.reseated[replica] = None

    # Opening and giving up.

    def _what_lies_around(self, image: Image) -> dict[Place, LogDir]:
        """Every log on disk and the directory it lies in. Of two with one name, which a crash in the middle of a move
        leaves, the one counts that the image names, else the first; the other is set aside."""
        lying: dict[Place, LogDir] = {}
        for directory in self.directories:
            for place in directory.logs():
                other = lying.setdefault(place, directory)
                if other is not directory:
                    topic = image.topics.get(place.topic)
                    partition = topic.partitions.get(place.partition) if topic is not None else None
                    is_held = partition is not None and self._node_id in partition.replicas
                    named = partition.directory_of(self._node_id) if partition is not None and is_held else None
                    kept, spare = (directory, other) if named == directory.directory_id else (other, directory)
                    lying[place] = kept
                    self._openings.set_aside(place, spare, f"is in {kept.path} too")
        return lying

    def _move_on(self, now_ms: int) -> None:
        """Moves that were under way at the last stop are begun anew; copies that nobody waits for are removed."""
        for directory in self.directories:
            for place, path in list(directory.futures()):
                home = self._by_name.get(place)
                heappush(self._removals, (now_ms, path))
                if home is not None and home.directory is not directory:
                    try:
                        self.move(home.replica, directory, now_ms)
                    except DiskFault as fault:
                        self._say("disk", f"{fault.message}. {fault.hint}")

    def _open(self, topic: Topic, number: int, partition: Partition, found: LogDir | None) -> None:
        """Take up a partition; its log is opened now only where that cannot wait."""
        place = Place(topic.name, number)
        directory = found or self._choose(partition)
        is_lost = found is None and self.losses.is_certain(place, partition, directory, self.directories)
        if found is None:
            directory.forget(place)
        replica = Replica(
            topic.name,
            topic.topic_id,
            number,
            self._open_log,
            appends=self._appends,
            waiting=self._waiting,
            flush_every_batch=self._rules.flush_every_batch,
        )
        replica.size = len(partition.replicas)
        replica.known_mark = directory.high_watermark(place)
        home = self._by_name[topic.name, number] = Home(replica, directory)
        try:
            if not self._openings.may_wait(place, directory, found=found is not None):
                replica.wake()
            elif replica.size > 1:
                replica.outline = self._openings.outline(place, directory, found=found is not None)
        except (DiskFault, WireError) as problem:
            if self.damages.are_told(replica):
                self._adopt(home, partition)
                return
            self._by_name.pop((topic.name, number), None)
            if isinstance(problem, DiskFault):
                self._refuse(home, problem)
            return
        self._adopt(home, partition)
        if is_lost or (replica.awake and self.losses.is_cut(place, partition, directory, replica.log.written_end)):
            self._tell_loss(home)
        if found is None and not replica.awake:
            self._unmade[replica] = None

    def _tell_loss(self, home: Home) -> None:
        key = home.replica.topic_id, home.replica.partition
        self.losses.add(key)
        self.untold[key] = LOST_DIRECTORY
        self._say("recovery", f"{home.place.folder} lacks what it held: nothing is led here before it is copied anew")

    def _open_log(self, replica: Replica) -> Log:
        """Called by a replica whose log is asked for the first time. Raises WireError KAFKA_STORAGE_ERROR."""
        home = self._by_name.get((replica.topic, replica.partition))
        if home is None or home.replica is not replica or home.directory.failed:
            raise WireError(errors.KAFKA_STORAGE_ERROR)
        self._unmade.pop(replica, None)
        try:
            log = self._openings.open(home.place, replica.topic_id, home.directory, self._now_ms)
            if replica.size > 1 and home.directory.is_cut_short(home.place, log.written_end):
                log.close(clean=False)
                self.damages.found_short(replica)
                raise WireError(errors.KAFKA_STORAGE_ERROR)
            return log
        except DiskFault as fault:
            self._refuse(home, fault)
            raise WireError(errors.KAFKA_STORAGE_ERROR, fault.message) from fault

    def _refuse(self, home: Home, fault: DiskFault) -> None:
        self._say("disk", f"{home.place.folder} is not served: {fault.message}. {fault.hint}")
        self.fail(home.directory, fault)

    def _adopt(self, home: Home, partition: Partition) -> None:
        replica, directory = home
        self._by_id[replica.topic_id, replica.partition] = replica
        directory.held += 1
        if self.losses.is_still_one(partition):
            self.losses.add((replica.topic_id, replica.partition))
        elif partition.directory_of(self._node_id) != directory.directory_id:
            self.untold[replica.topic_id, replica.partition] = directory.directory_id
        self._take_office(replica, partition)

    def _choose(self, partition: Partition) -> LogDir:
        """The directory that the image names, else the one with the fewest logs."""
        named = partition.directory_of(self._node_id)
        known = next((one for one in self.directories if one.directory_id == named), None)
        if known is not None:
            return known
        usable = [one for one in self.directories if not one.failed] or self.directories
        open_ones = [one for one in usable if not one.cordoned] or usable
        return min(open_ones, key=lambda one: one.held)

    # Moving.

    def size_bytes(self, replica: Replica) -> int:
        """What the segments of a log take up. Raises DiskFault."""
        if replica.awake:
            return replica.log.size_bytes
        home = self._by_name[replica.topic, replica.partition]
        return self._openings.size_bytes(home.place, home.directory)

    def directory_at(self, path: str) -> LogDir | None:
        """The directory with exactly this path."""
        return next((one for one in self.directories if one.path == path), None)

    def home_of(self, replica: Replica) -> LogDir:
        return self._by_name[replica.topic, replica.partition].directory

    def move(self, replica: Replica, target: LogDir, now_ms: int) -> None:
        """Move a replica to another directory; to its own: stay, if it was about to move. Raises DiskFault."""
        source = self.home_of(replica)
        if source is target:
            self.moves.cancel(replica)
        else:
            self.moves.begin(replica, source, target, now_ms)

    def _moved(self, move: Move, log: Log, now_ms: int) -> None:
        replica = move.replica
        old = replica.exchange(log)
        self._shedding.pop(old, None)
        self._by_name[move.place] = Home(replica, move.target)
        move.source.held -= 1
        move.target.held += 1
        self.untold[replica.topic_id, replica.partition] = move.target.directory_id
        try:
            gone = old.retire(self.new_id().hex())
            self._disk.sync_dir(move.source.path)
            heappush(self._removals, (now_ms + log.config.file_delete_delay_ms, gone))
            move.target.note_arrival(self.notes.bounds(move.target))
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")

    def _delete(self, topic: Topic, now_ms: int) -> None:
        gone = []
        for number in topic.partitions:
            home = self._by_name.pop((topic.name, number), None)
            self._by_id.pop((topic.topic_id, number), None)
            if home is not None:
                self._give_up(home, now_ms)
                gone.append(home)
        if gone:
            for directory in dict.fromkeys(home.directory for home in gone):
                self._or_say(partial(self._disk.sync_dir, directory.path))
            self._say("topic", f"Deleted {topic.name} with {_count(len(gone), 'partition')}")

    def _leave(self, topic: Topic, number: int) -> None:
        """Others hold this partition now."""
        home = self._by_name.pop((topic.name, number), None)
        self._by_id.pop((topic.topic_id, number), None)
        if home is not None:
            self._give_up(home, self._now_ms)
            self._or_say(partial(self._disk.sync_dir, home.directory.path))
            self._say("topic", f"{topic.name}-{number} is held by other nodes now; its log here is removed")

    def _begin_anew(self, replica: Replica, partition: Partition) -> None:
        """Another leads, and this replica is known not to count: what it has is set aside."""
        home = self._by_name.pop((replica.topic, replica.partition))
        del self._by_id[replica.topic_id, replica.partition]
        self._close_off(home)
        if replica.awake:
            self._or_say(partial(replica.log.close, clean=False))
        self._openings.set_aside(home.place, home.directory, "is damaged and is copied anew")
        topic = Topic(replica.topic, replica.topic_id, {})
        self._open(topic, replica.partition, partition, None)

    def _give_up(self, home: Home, now_ms: int) -> None:
        self._close_off(home)
        self.losses.forget((home.replica.topic_id, home.replica.partition))
        delay_ms = self._openings.config(home.replica.topic).file_delete_delay_ms
        self._or_say(partial(self._retire, home, now_ms + delay_ms))

    def _close_off(self, home: Home) -> None:
        replica, directory = home
        replica.close_off()
        if self.reseated is not None:
            self.reseated[replica] = None
        directory.held -= 1
        directory.forget(home.place)
        self.moves.cancel(replica)
        if replica.awake:
            self._shedding.pop(replica.log, None)

    def _retire(self, home: Home, due_ms: int) -> None:
        """Take the log's name from its folder, and remove it when it is due. Raises DiskFault."""
        replica, fresh_id = home.replica, self.new_id().hex()
        if replica in self._unmade:
            del self._unmade[replica]
            return
        path = home.directory.path_of(home.place)
        gone = replica.log.retire(fresh_id) if replica.awake else retire_directory(self._disk, path, fresh_id)
        heappush(self._removals, (due_ms, gone))

    # Failing.

    def directory_of(self, log: Log) -> LogDir | None:
        """The directory that a log lies in."""
        return next((one for one in self.directories if log.path.startswith(f"{one.path}/")), None)

    def fail(self, directory: LogDir, fault: DiskFault) -> None:
        """The disk under a directory failed: none of its logs is read, written or promised on any more."""
        if directory.failed:
            return
        directory.failed = True
        self.moves.leave(directory)
        fenced = [home.replica for home in self._by_name.values() if home.directory is directory]
        for replica in fenced:
            replica.fence()
        self._say(
            "disk",
            f"The log directory {directory.path} is closed, and {_count(len(fenced), 'partition')} with it, "
            f"until the node is started anew: {fault.message}",
        )

    # Housekeeping.

    def tick(self, now_ms: int) -> None:
        """Whatever is due."""
        if not self._started:
            return
        self._now_ms = now_ms
        self._make_folders()
        if now_ms >= self._retention_due_ms:
            self._retention_due_ms = now_ms + self._rules.retention_check_ms
            self._to_retain = deque(home.replica for home in self._by_name.values())
        for _ in range(min(_PORTION, len(self._to_retain))):
            self._apply_retention(self._to_retain.popleft(), now_ms)
        if now_ms >= self._checkpoint_due_ms:
            self._checkpoint_due_ms = now_ms + self._rules.checkpoint_ms
            self.notes.begin()
        self.notes.tick()
        if self._removals:
            self._remove_due(now_ms)
        if self._shedding:
            self._purge_due(now_ms)
        self.moves.tick(now_ms)

    def next_deadline_ms(self) -> int | None:
        if not self._started:
            return None
        if self._unmade or self._to_retain or self.notes.are_under_way:
            return 0
        removals = [due_ms for due_ms, _ in self._removals[:1]]
        purges = (log.purge_due_ms or 0 for log in self._shedding)
        moves = self.moves.next_deadline_ms()
        due = min(self._retention_due_ms, self._checkpoint_due_ms, *removals, *purges)
        return due if moves is None else min(due, moves)

    def _make_folders(self) -> None:
        """A portion of those that new logs need."""
        for replica in list(islice(self._unmade, _PORTION)):
            del self._unmade[replica]
            home = self._by_name[replica.topic, replica.partition]
            if home.directory.failed:
                continue
            try:
                self._openings.make_folder(home.place, replica.topic_id, home.directory)
            except DiskFault as fault:
                self._refuse(home, fault)

    def _apply_retention(self, replica: Replica, now_ms: int) -> None:
        home = self._by_name.get((replica.topic, replica.partition))
        if home is None or home.replica is not replica or home.directory.failed or self._is_known_empty(home):
            return
        try:
            log = replica.log
            start_offset = log.start_offset
            log.roll_if_due(now_ms)
            for sentence in log.apply_retention(now_ms, replica.high_watermark):
                self._say("retention", sentence)
            log.expire_producers(now_ms)
            if log.start_offset != start_offset:
                self._waiting.stir(replica)
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")
        except WireError:
            return  # it cannot be opened: that has been said
        self._openings.tell_notes(log)
        if log.purge_due_ms is not None:
            self._shedding[log] = None

    def _is_known_empty(self, home: Home) -> bool:
        """A log that was never opened and holds nothing need not be opened to let something go."""
        bounds = home.directory.bounds(home.place)
        return not home.replica.awake and bounds.start_offset >= bounds.recovery_point

    def _purge_due(self, now_ms: int) -> None:
        """Remove the files of segments that went `file.delete.delay.ms` ago."""
        for log in list(self._shedding):
            try:
                log.purge_deleted(now_ms)
            except DiskFault as fault:
                self._say("disk", f"{fault.message}. {fault.hint}")
                del self._shedding[log]
                continue
            if log.purge_due_ms is None:
                del self._shedding[log]

    def _remove_due(self, now_ms: int) -> None:
        for _ in range(_PORTION):
            if not self._removals or self._removals[0][0] > now_ms:
                return
            _, path = heappop(self._removals)
            self._or_say(partial(remove_tree, self._disk, path))

    def _or_say(self, work: Callable[[], Result]) -> Result | None:
        """Do it; when the disk refuses, the diary says why."""
        try:
            return work()
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")
            return None

    def close(self) -> None:
        """Flush and close every log. A directory where that fails counts as failed: it is not left in order.

        Before the start was over, an unclean directory is not left in order either, and what is noted there stays.
        """
        if not self._started:
            for directory in self.directories:
                directory.failed = directory.failed or not directory.clean
            return
        self.moves.close()
        for directory in self.directories:
            if directory.failed:
                continue
            try:
                homes = (home for home in self._by_name.values() if home.directory is directory)
                logs = [home.replica.log for home in homes if home.replica.awake]
                for log in logs:
                    log.settle()
                is_synced = len(logs) > _PORTION and sync_volume(self._disk, directory.path)
                for log in logs:
                    log.close(clean=True, is_synced=is_synced)
                directory.checkpoint(self.notes.bounds(directory))
            except DiskFault as fault:
                directory.failed = True
                self._say("disk", f"{fault.message}. {directory.path} will be recovered at the next start")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
