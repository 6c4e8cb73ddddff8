"""The partitions that this node holds: opened, changed and given up as the image says.

`start` opens every log that the image gives to this node and that lies in one of its directories, and creates those
that are missing. `apply` is told of each change and does what it means here: new partitions get a log,
deleted ones are renamed at once and removed `file.delete.delay.ms` later, changed configs reach the logs that run, a
new leader or in-sync set reaches the replica. `tick` does the housekeeping: retention, checkpoints, removals.

A folder that lies in a directory but belongs to no partition of the image is not understood, and is never deleted: it
is renamed to `...-stray` and the diary says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from logctl.engine.broker.log_dirs import Bounds, LogDir, Place
from logctl.engine.broker.moves import UNLIMITED, Move, Moves
from logctl.engine.broker.replica import Replica
from logctl.engine.controller.delta import Delta
from logctl.engine.controller.image import Image, Partition, ResourceType, Topic
from logctl.engine.controller.topic_configs import Layers, typed_configs
from logctl.engine.log.config import LogConfig
from logctl.engine.log.directory import read_topic_id, remove_tree
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.log import Log, OpenFiles

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Appends
    from logctl.engine.broker.waiting import Waiting


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


class Home(NamedTuple):
    """A replica and the directory it lives in."""

    replica: Replica
    directory: LogDir


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
        self._removals: list[tuple[int, str]] = []
        self._shedding: dict[Log, None] = {}
        self.moves = Moves(disk, self._files, appends, say, new_id, self._moved)
        self.untold: dict[tuple[bytes, int], bytes] = {}
        """(topic id, partition) -> directory id of replicas that lie where the image does not have them yet."""
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
        """Open what the image gives to this node."""
        lying = self._what_lies_around(image)
        for directory in self.directories:
            self._removals += [(now_ms, path) for path in directory.leaving()]
            for note in directory.notes:
                self._say("recovery", note)
        for topic in image.topics.values():
            for number, partition in topic.partitions.items():
                if self._node_id in partition.replicas:
                    found = lying.pop(Place(topic.name, number), None)
                    self._open(image, topic, number, partition, found, now_ms)
        for place, directory in lying.items():
            self._set_aside(place, directory, "belongs to no topic of this cluster")
        self._move_on(now_ms)
        self._retention_due_ms = now_ms + self._rules.retention_check_ms
        self._checkpoint_due_ms = now_ms + self._rules.checkpoint_ms

    def apply(self, delta: Delta, now_ms: int) -> None:
        """The image has changed."""
        for topic in delta.deleted:
            self._delete(topic, now_ms)
        for topic in delta.created:
            opened = self._apply_partitions(delta.new, topic, {}, now_ms)
            self._say("topic", f"Created {topic.name} with {_count(opened, 'partition')} here")
        for before, after in delta.changed:
            opened = self._apply_partitions(delta.new, after, before.partitions, now_ms)
            if opened:
                self._say("topic", f"{after.name} got {_count(opened, 'more partition')} here")
        if delta.configs:
            self._apply_configs(delta)

    def _apply_partitions(self, image: Image, topic: Topic, known: Mapping[int, Partition], now_ms: int) -> int:
        """How many partitions were opened."""
        opened = 0
        for number, partition in topic.partitions.items():
            if known.get(number) is partition or self._node_id not in partition.replicas:
                continue
            replica = self.get(topic.name, number)
            if replica is None:
                self._open(image, topic, number, partition, None, now_ms)
                opened += 1
            else:
                self._take_office(replica, partition)
        return opened

    def _apply_configs(self, delta: Delta) -> None:
        """A change of a broker's settings may reach every log; one of a topic's reaches its own."""
        everywhere = any(kind == ResourceType.BROKER for kind, _ in delta.configs)
        names = {name for kind, name in delta.configs if kind == ResourceType.TOPIC}
        configs: dict[str, LogConfig] = {}
        for (name, _), home in self._by_name.items():
            if (everywhere or name in names) and name in delta.new.topics:
                if name not in configs:
                    configs[name] = self._config(delta.new, name)
                home.replica.log.config = configs[name]
                home.replica.configure()

    def obey(self, rules: Rules) -> None:
        """The node's settings have changed; logs take theirs with the change of the image that follows."""
        self._rules = rules
        self.moves.bytes_per_second = rules.move_bytes_per_second
        for directory in self.directories:
            directory.cordoned = directory.path in rules.cordoned or "*" in rules.cordoned

    def _config(self, image: Image, topic: str) -> LogConfig:
        layers = Layers(image.broker_configs(self._node_id), image.broker_configs(None), self._rules.server_values)
        values = typed_configs(image.topic_configs(topic), layers)
        return log_config(values, self._rules.producer_id_expiration_ms)

    def _take_office(self, replica: Replica, partition: Partition) -> None:
        if partition.leader == self._node_id:
            replica.lead(self._node_id, partition.leader_epoch, partition.isr, len(partition.replicas))
        else:
            replica.follow(partition.leader, partition.leader_epoch)

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
                    named = partition.directory_of(self._node_id) if partition is not None else None
                    kept, spare = (directory, other) if named == directory.directory_id else (other, directory)
                    lying[place] = kept
                    self._set_aside(place, spare, f"is in {kept.path} too")
        return lying

    def _move_on(self, now_ms: int) -> None:
        """Moves that were under way at the last stop are begun anew; copies that nobody waits for are removed."""
        for directory in self.directories:
            for place, path in list(directory.futures()):
                home = self._by_name.get(place)
                self._removals.append((now_ms, path))
                if home is not None and home.directory is not directory:
                    try:
                        self.move(home.replica, directory, now_ms)
                    except DiskFault as fault:
                        self._say("disk", f"{fault.message}. {fault.hint}")

    def _open(
        self, image: Image, topic: Topic, number: int, partition: Partition, found: LogDir | None, now_ms: int
    ) -> None:
        place = Place(topic.name, number)
        directory = found or self._choose(partition)
        if found is not None and self._lies_in_the_way(place, found, topic.topic_id):
            found = None
        try:
            log = self._open_log(image, topic, place, directory, known=found is not None, now_ms=now_ms)
        except DiskFault as fault:
            self._say("disk", f"{place.folder} is not served: {fault.message}. {fault.hint}")
            self.fail(directory, fault)
            return
        self._tell_notes(log)
        self._adopt(log, topic, number, partition, directory)

    def _tell_notes(self, log: Log) -> None:
        """What recovery, or the log's own care since then, has to say."""
        for note in log.notes:
            self._say("recovery", f"{log.name}: {note}")
        log.notes.clear()

    def _open_log(
        self, image: Image, topic: Topic, place: Place, directory: LogDir, *, known: bool, now_ms: int
    ) -> Log:
        return Log.open(
            self._disk,
            directory.path_of(place),
            topic=topic.name,
            partition=place.partition,
            topic_id=topic.topic_id,
            config=self._config(image, topic.name),
            now_ms=now_ms,
            clean=directory.clean,
            recovery_point=directory.recovery_point(place) if known else 0,
            log_start_offset=directory.start_offset(place) if known else None,
            files=self._files,
        )

    def _lies_in_the_way(self, place: Place, directory: LogDir, topic_id: bytes) -> bool:
        """Whether the folder on disk is that of another topic of this name; it is set aside then."""
        notes: list[str] = []
        found = read_topic_id(self._disk, directory.path_of(place), notes)
        if found is None or found == topic_id:
            return False
        self._set_aside(place, directory, "is what another topic of this name has left")
        return True

    def _adopt(self, log: Log, topic: Topic, number: int, partition: Partition, directory: LogDir) -> None:
        replica = Replica(
            topic.name,
            topic.topic_id,
            number,
            log,
            appends=self._appends,
            waiting=self._waiting,
            flush_every_batch=self._rules.flush_every_batch,
        )
        self._by_name[topic.name, number] = Home(replica, directory)
        self._by_id[topic.topic_id, number] = replica
        directory.held += 1
        if partition.directory_of(self._node_id) != directory.directory_id:
            self.untold[topic.topic_id, number] = directory.directory_id
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
            self._removals.append((now_ms + log.config.file_delete_delay_ms, gone))
            move.target.note_arrival(self._bounds(move.target))
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")

    def _delete(self, topic: Topic, now_ms: int) -> None:
        gone = 0
        for number in topic.partitions:
            home = self._by_name.pop((topic.name, number), None)
            self._by_id.pop((topic.topic_id, number), None)
            if home is not None:
                self._give_up(home, now_ms)
                gone += 1
        if gone:
            self._say("topic", f"Deleted {topic.name} with {_count(gone, 'partition')}")

    def _give_up(self, home: Home, now_ms: int) -> None:
        replica = home.replica
        replica.close_off()
        home.directory.held -= 1
        self.moves.cancel(replica)
        self._shedding.pop(replica.log, None)
        delay_ms = replica.log.config.file_delete_delay_ms
        try:
            target = replica.log.retire(self.new_id().hex())
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")
            return
        self._removals.append((now_ms + delay_ms, target))

    def _set_aside(self, place: Place, directory: LogDir, why: str) -> None:
        target = f"{directory.path}/{place.folder}.{self.new_id().hex()}-stray"
        try:
            self._disk.rename(directory.path_of(place), target)
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")
            return
        self._say("recovery", f"{place.folder} {why}: it was set aside as {target}")

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
        if now_ms >= self._retention_due_ms:
            self._retention_due_ms = now_ms + self._rules.retention_check_ms
            self._apply_retention(now_ms)
        if now_ms >= self._checkpoint_due_ms:
            self._checkpoint_due_ms = now_ms + self._rules.checkpoint_ms
            self.checkpoint()
        if self._removals:
            self._remove_due(now_ms)
        if self._shedding:
            self._purge_due(now_ms)
        self.moves.tick(now_ms)

    def next_deadline_ms(self) -> int | None:
        removals = (due_ms for due_ms, _ in self._removals)
        purges = (log.purge_due_ms or 0 for log in self._shedding)
        moves = self.moves.next_deadline_ms()
        due = min(self._retention_due_ms, self._checkpoint_due_ms, *removals, *purges)
        return due if moves is None else min(due, moves)

    def _apply_retention(self, now_ms: int) -> None:
        for home in list(self._by_name.values()):
            if home.directory.failed:
                continue
            log = home.replica.log
            try:
                log.roll_if_due(now_ms)
                for sentence in log.apply_retention(now_ms, home.replica.high_watermark):
                    self._say("retention", sentence)
                log.expire_producers(now_ms)
            except DiskFault as fault:
                self._say("disk", f"{fault.message}. {fault.hint}")
            self._tell_notes(log)
            if log.purge_due_ms is not None:
                self._shedding[log] = None

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

    def checkpoint(self) -> None:
        """Note in every directory how far its logs are on disk.

        A recovery point moves only once the indexes below it are durable too: what a log writes now for that is
        flushed with the next round, and noted the next time.
        """
        for directory in self.directories:
            if directory.failed:
                continue
            try:
                for home in self._by_name.values():
                    if home.directory is directory and home.replica.log.failed is None:
                        self._prepare_recovery_point(home.replica.log)
                directory.checkpoint(self._bounds(directory))
            except DiskFault as fault:
                self._say("disk", f"{fault.message}. {fault.hint}")

    def _prepare_recovery_point(self, log: Log) -> None:
        log.checkpoint()
        if log.recovery_point < log.written_end:
            self._appends.dirty.add(log)

    def save_start_offsets(self, moved: Iterable[Replica]) -> None:
        """Note where the logs of these replicas begin, so that a crash does not move it back. Raises DiskFault."""
        touched = {self._by_name[replica.topic, replica.partition].directory.path for replica in moved}
        for directory in self.directories:
            if directory.path in touched:
                directory.save_start_offsets(self._bounds(directory))

    def _bounds(self, directory: LogDir) -> Iterator[Bounds]:
        for (topic, number), (replica, home) in self._by_name.items():
            if home is directory:
                log = replica.log
                yield Bounds(Place(topic, number), log.start_offset, log.recovery_point, replica.high_watermark)

    def _remove_due(self, now_ms: int) -> None:
        due = [path for due_ms, path in self._removals if due_ms <= now_ms]
        self._removals = [(due_ms, path) for due_ms, path in self._removals if due_ms > now_ms]
        for path in due:
            try:
                remove_tree(self._disk, path)
            except DiskFault as fault:
                self._say("disk", f"{fault.message}. {fault.hint}")

    def close(self) -> None:
        """Flush and close every log. A directory where that fails counts as failed: it is not left in order."""
        self.moves.close()
        for directory in self.directories:
            if directory.failed:
                continue
            try:
                for home in self._by_name.values():
                    if home.directory is directory:
                        home.replica.log.close(clean=True)
                directory.checkpoint(self._bounds(directory))
            except DiskFault as fault:
                directory.failed = True
                self._say("disk", f"{fault.message}. {directory.path} will be recovered at the next start")


def log_config(values: Mapping[str, Any], producer_id_expiration_ms: int) -> LogConfig:
    """The part of a topic's typed configs that its logs act on. An internal segment size comes before the usual one."""
    config = {name.replace(".", "_"): value for name, value in values.items()}
    known = {name: config[name] for name in LogConfig.__dataclass_fields__ if name in config}
    known["cleanup_policy"] = frozenset(config["cleanup_policy"])
    known["segment_bytes"] = config.get("internal_segment_bytes") or config["segment_bytes"]
    return LogConfig(**known, producer_id_expiration_ms=producer_id_expiration_ms)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
