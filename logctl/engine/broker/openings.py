"""Opening the logs of a node: with which settings, from which offsets, and when.

Theory of operation. A node may hold thousands of partitions of which few are in use, so a log is opened when somebody
first asks for it, where that is safe:

- after an orderly stop: the checkpoints tell where it begins and ends, and nothing needs recovery;
- while nothing was ever written to it: its folder holds no segment.

What a crash may have left half written is opened, and thereby recovered, before the node serves. So are the logs of
coordinators, which are read at once.

Those who copy from each other need not open a log either, as long as its outline tells that both have the same
(`Replica.outline`).

The settings of a topic are worked out once for all its partitions, and again when the image has others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from logctl.engine.broker.log_dirs import LogDir, Place
from logctl.engine.broker.replica import Outline
from logctl.engine.controller.image import Image
from logctl.engine.controller.names import INTERNAL_TOPICS
from logctl.engine.controller.topic_configs import Layers, typed_configs
from logctl.engine.log.config import LogConfig
from logctl.engine.log.directory import METADATA_FILE, prepare, read_topic_id
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.epochs import FILE_NAME as EPOCHS_FILE
from logctl.engine.log.epochs import UNDEFINED, LeaderEpochs
from logctl.engine.log.log import Log
from logctl.engine.log.segment import OpenFiles

_BARE: Final = {METADATA_FILE, EPOCHS_FILE}
"""What a folder holds as long as nothing was written to its log."""


class Openings:
    """`configs_of(image, topic)` answers the settings that hold; `say` and `new_id` are the node's."""

    def __init__(
        self,
        disk: Disk,
        files: OpenFiles,
        configs_of: Callable[[Image, str], LogConfig],
        say: Callable[[str, str], None],
        new_id: Callable[[], bytes],
    ) -> None:
        self._disk = disk
        self._files = files
        self._configs_of = configs_of
        self._say = say
        self._new_id = new_id
        self._image = Image()
        self._configs: dict[str, LogConfig] = {}

    def follow(self, image: Image) -> None:
        """From now on logs get the settings of this image."""
        if image.configs is not self._image.configs:
            self._configs.clear()
        self._image = image

    def forget_configs(self) -> None:
        """The settings of the node have changed."""
        self._configs.clear()

    def config(self, topic: str) -> LogConfig:
        """What holds for the logs of a topic."""
        known = self._configs.get(topic)
        if known is None:
            known = self._configs[topic] = self._configs_of(self._image, topic)
        return known

    def may_wait(self, place: Place, directory: LogDir, *, found: bool) -> bool:
        """Whether the log need not be opened before somebody asks for it. Raises DiskFault."""
        if place.topic in INTERNAL_TOPICS:
            return False
        if not found:
            return True
        if directory.clean:
            return directory.knows(place)
        return not directory.recovery_point(place) and _BARE.issuperset(self._disk.listdir(directory.path_of(place)))

    def outline(self, place: Place, directory: LogDir, *, found: bool) -> Outline | None:
        """Of a log that may wait; None where it must be opened to be known. Raises DiskFault."""
        if not found or not directory.recovery_point(place):
            return None if directory.start_offset(place) else Outline(0, 0, UNDEFINED)
        bounds = directory.bounds(place)
        path = f"{directory.path_of(place)}/{EPOCHS_FILE}"
        if bounds.high_watermark < bounds.recovery_point or not self._disk.exists(path):
            return None
        try:
            last_epoch = LeaderEpochs.decode(self._disk.read_file(path)).latest
        except ValueError:
            return None
        return Outline(bounds.start_offset, bounds.recovery_point, last_epoch)

    def open(self, place: Place, topic_id: bytes, directory: LogDir, now_ms: int) -> Log:
        """Raises DiskFault."""
        self.make_folder(place, topic_id, directory)
        log = Log.open(
            self._disk,
            directory.path_of(place),
            topic=place.topic,
            partition=place.partition,
            topic_id=topic_id,
            config=self.config(place.topic),
            now_ms=now_ms,
            clean=directory.clean,
            recovery_point=directory.recovery_point(place),
            log_start_offset=directory.start_offset(place),
            is_synced=directory.is_synced,
            files=self._files,
        )
        self.tell_notes(log)
        return log

    def make_folder(self, place: Place, topic_id: bytes, directory: LogDir) -> None:
        """See to it that the log's folder is there, and is that of this topic. Raises DiskFault.

        It need not be durable: a folder that a crash takes away is made again, and the first flush of a log makes its
        folder's name durable.
        """
        path, notes = directory.path_of(place), list[str]()
        if self._disk.exists(path):
            known = read_topic_id(self._disk, path, notes)
            if known == topic_id:
                return
            if known is not None:
                self.set_aside(place, directory, "is what another topic of this name has left")
                directory.forget(place)
        prepare(self._disk, path, topic_id, notes)
        for note in notes:
            self._say("recovery", note)

    def set_aside(self, place: Place, directory: LogDir, why: str) -> None:
        """Rename a log's folder so that nobody takes it for one, and tell the diary."""
        target = f"{directory.path}/{place.folder}.{self._new_id().hex()}-stray"
        try:
            self._disk.rename(directory.path_of(place), target)
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")
            return
        self._say("recovery", f"{place.folder} {why}: it was set aside as {target}")

    def tell_notes(self, log: Log) -> None:
        """What recovery, or the log's own care since then, has to say."""
        for note in log.notes:
            self._say("recovery", f"{log.name}: {note}")
        log.notes.clear()

    def size_bytes(self, place: Place, directory: LogDir) -> int:
        """What the segments of a log that is not open take up. Raises DiskFault."""
        path = directory.path_of(place)
        names = self._disk.listdir(path) if self._disk.exists(path) else []
        return sum(self._disk.file_size(f"{path}/{name}") for name in names if name.endswith(".log"))


def log_config(
    image: Image, topic: str, node_id: int, server_values: Mapping[str, str], producer_id_expiration_ms: int
) -> LogConfig:
    """The part of a topic's typed configs that its logs act on. An internal segment size comes before the usual one."""
    layers = Layers(image.broker_configs(node_id), image.broker_configs(None), server_values)
    values: dict[str, Any] = typed_configs(image.topic_configs(topic), layers)
    config = {name.replace(".", "_"): value for name, value in values.items()}
    known = {name: config[name] for name in LogConfig.__dataclass_fields__ if name in config}
    known["cleanup_policy"] = frozenset(config["cleanup_policy"])
    known["segment_bytes"] = config.get("internal_segment_bytes") or config["segment_bytes"]
    return LogConfig(**known, producer_id_expiration_ms=producer_id_expiration_ms)
