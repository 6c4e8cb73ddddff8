"""What a node is made of, and in which order the parts come to life and rest; without sockets, threads or a clock.

Opening: the metadata log (its controller leads), this broker's registration with the addresses it is reached at, the
logs of its partitions. Closing: those logs, checkpoints, the metadata log, marks of an orderly stop. The parts know
each other only through what they are given here. `node.py` puts a server around them, the simulation its own world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePath

from logctl.engine import dynamic_settings
from logctl.engine.broker.addresses import INTER_BROKER, Addresses
from logctl.engine.broker.appends import Appends
from logctl.engine.broker.belonging import Belonging
from logctl.engine.broker.broker import Broker
from logctl.engine.broker.config_news import news
from logctl.engine.broker.fetch_sessions import FetchSessions
from logctl.engine.broker.fetcher import Pace
from logctl.engine.broker.life import Life
from logctl.engine.broker.log_dirs import LogDir
from logctl.engine.broker.metadata import Metadata
from logctl.engine.broker.metadata_snapshot_keeping import Options
from logctl.engine.broker.quorum_talk import QuorumTalk, Transport
from logctl.engine.broker.replicas import Replicas
from logctl.engine.broker.replicas import Rules as LogRules
from logctl.engine.broker.voter_changes import VoterChanges
from logctl.engine.broker.waiting import Waiting
from logctl.engine.controller.brokers import start_broker, stop_broker
from logctl.engine.controller.decision import Rules
from logctl.engine.controller.delta import difference
from logctl.engine.controller.image import Image, ResourceType
from logctl.engine.controller.versions import RUNNABLE_FEATURES
from logctl.engine.directory import Identity
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.log import Log
from logctl.engine.quorum.raft import Timing
from logctl.engine.quorum.voters import Address
from logctl.engine.settings import Listener, Settings
from logctl.errors import UsageError
from logctl.wire.errors import WireError
from logctl.wire.messages.broker_registration import BrokerRegistrationRequest, Feature
from logctl.wire.messages.broker_registration import Listener as Endpoint

Say = Callable[[str, str], None]


class Assembly:
    """The parts of one node. `identities` are those of `paths`, the first of which holds the metadata log."""

    def __init__(
        self,
        settings: Settings,
        disk: Disk,
        paths: Sequence[str],
        identities: Sequence[Identity],
        *,
        say: Say,
        new_uuid: Callable[[], bytes],
        clock: Callable[[], int],
        jitter: Callable[[int], int] = lambda limit: 0,
    ) -> None:
        """Reads the metadata log. Raises OperationFailed when it cannot be used, DiskFault."""
        self.settings = settings
        self.cluster_id = identities[0].cluster_id
        self._say = say
        self._new_uuid = new_uuid
        self._clock = clock
        self._jitter = jitter
        self.directories = [
            LogDir(disk, path, identity.directory_id) for path, identity in zip(paths, identities, strict=True)
        ]
        self.settings_listeners: list[Callable[[], None]] = []
        """Called when settings have changed while the node runs."""
        self.appends = Appends()
        waiting = Waiting()
        self.metadata = self._open_metadata(disk, paths[0], identities[0].directory_id)
        self.addresses = Addresses(
            self.metadata,
            own=[Address(one.name, one.host, one.port) for one in settings.advertised_controllers],
            fixed={voter.node_id: Address("", voter.host, voter.port) for voter in settings.voters},
            seeds=[Address("", one.host, one.port) for one in settings.seeds],
            inter_broker=settings.text("inter.broker.listener.name") or INTER_BROKER,
        )
        for directory in self.directories:
            directory.begin()
        homes = {PurePath(path) for path in settings.log_dirs}
        self.replicas = Replicas(
            settings.node_id,
            disk,
            [one for one in self.directories if PurePath(one.path) in homes] or self.directories,
            log_rules(settings),
            appends=self.appends,
            waiting=waiting,
            say=say,
            new_id=new_uuid,
        )
        self.broker = Broker(
            node_id=settings.node_id,
            cluster_id=self.cluster_id,
            settings=settings,
            metadata=self.metadata,
            replicas=self.replicas,
            appends=self.appends,
            waiting=waiting,
            sessions=FetchSessions(settings.integer("max.incremental.fetch.session.cache.slots"), self._session_id),
            say=say,
        )

    @property
    def takes_part(self) -> bool:
        """There are other nodes, or may come to be: this node's vote is told of, and it has a listener for them."""
        metadata, settings = self.metadata, self.settings
        named = metadata.voters.are_in_the_log or bool(settings.voters)
        return not metadata.raft.is_alone or (named and bool(settings.controller_listeners))

    def check_doors(self) -> None:
        """Raises UsageError when the metadata log gives this node a place that its settings do not."""
        raft, settings = self.metadata.raft, self.settings
        doors = [*settings.controller_listeners, *([] if raft.is_voter else [settings.inter_broker_listener])]
        if not raft.is_alone and not any(doors):
            voters = ", ".join(map(str, raft.voters)) or "unknown"
            raise UsageError(
                f"the voters of this cluster are {voters}, but node {settings.node_id} has no listener for other nodes",
                "process.roles=broker,controller, with a listener that controller.listener.names names",
            )

    def _open_metadata(self, disk: Disk, path: str, directory_id: bytes) -> Metadata:
        settings = self.settings
        return Metadata.open(
            disk,
            path,
            node_id=settings.node_id,
            rules=controller_rules(settings, self.cluster_id),
            clock=self._clock,
            new_uuid=self._new_uuid,
            mark_dirty=self._mark_dirty,
            clean=self.directories[0].clean,
            voters=tuple(sorted(voter.node_id for voter in settings.voters)),
            directory_id=directory_id,
            joins=settings.joins,
            jitter=self._jitter,
            timing=Timing(
                settings.integer("controller.quorum.election.timeout.ms"),
                settings.integer("controller.quorum.fetch.timeout.ms"),
                settings.integer("controller.quorum.election.backoff.max.ms"),
            ),
            options=Options(
                segment_bytes=settings.integer("metadata.log.segment.bytes"),
                snapshot_interval_bytes=settings.integer("metadata.log.max.record.bytes.between.snapshots"),
                snapshot_interval_ms=settings.integer("metadata.log.max.snapshot.interval.ms"),
            ),
        )

    def join(
        self,
        transport: Transport,
        advertised: Sequence[Listener],
        *,
        let_in: Callable[[], None],
        hopeless: Callable[[str], None],
    ) -> None:
        """Begin a life among other nodes: vote, register, be let in. Raises LogctlError, DiskFault."""
        metadata, broker = self.metadata, self.broker
        self.appends.owners[metadata.log] = metadata.on_flushed
        metadata.start()
        self.tell_notes()
        voter = QuorumTalk(
            metadata,
            self.cluster_id,
            transport,
            clock=self._clock,
            reply=broker.reply,
            say=self._say,
            addresses=self.addresses,
            hopeless=hopeless,
        )
        broker.join(transport, voter)
        transport.refused = broker.nobody_at
        broker.voter_changes = VoterChanges(metadata, self.addresses, transport, self.cluster_id, self._say)
        broker.belonging = Belonging(
            metadata,
            self.addresses,
            broker.ask_controller,
            self.cluster_id,
            auto_join=self.settings.flag("controller.quorum.auto.join.enable"),
            new_id=self._new_uuid,
            say=self._say,
        )
        broker.life = Life(
            metadata,
            self._registration(advertised),
            broker.ask_controller,
            heartbeat_ms=self.settings.integer("broker.heartbeat.interval.ms"),
            clock=self._clock,
            open_logs=self._open_logs,
            let_in=let_in,
            hopeless=hopeless,
            say=self._say,
            offline_dirs=lambda: [one.directory_id for one in self.directories if one.failed],
            cordoned_dirs=lambda: [one.directory_id for one in self.directories if one.cordoned],
            is_ready=lambda: self.replicas.losses.are_known(metadata.image),
        )

    def _open_logs(self) -> Iterator[None]:
        """All that was decided before this broker registered is known: take up what it gives to this node, a portion at
        a time, and then what was decided meanwhile."""
        metadata = self.metadata
        image, applied_offset = metadata.image, metadata.applied_offset
        self._take_dynamic_settings(image)
        yield from self.replicas.starting(image, self._clock())
        if self.broker.life is not None:
            self.broker.copy_replicas(copying_pace(self.settings))
        self.broker.groups.start(image, applied_offset, self._clock())
        metadata.listeners.append(self._image_changed)
        if metadata.image is not image:
            self._image_changed(image, metadata.image, None)

    def open(self, advertised: Sequence[Listener]) -> None:
        """Take office, register under these addresses, open the logs. Raises LogctlError when that cannot be."""
        metadata = self.metadata
        metadata.start()
        self.tell_notes()
        self._take_dynamic_settings(metadata.image)
        registration = self._registration(advertised)
        metadata.decide(lambda controller: start_broker(controller, registration), lambda decision: None)
        metadata.flush()
        self.appends.dirty.discard(metadata.log)
        self.appends.owners[metadata.log] = metadata.on_flushed
        for _ in self._open_logs():
            pass

    def close(self) -> None:
        """Close everything in order. What fails is said, and recovered at the next start."""
        registered = self.metadata.image.brokers.get(self.settings.node_id)
        self.replicas.close()
        if self.broker.life is None:
            self._take_leave()
        self.metadata.listeners.clear()
        self._close_metadata()
        for directory in self.directories:
            if not directory.failed:
                self._or_say(partial(directory.mark_clean, registered.epoch if registered else -1), directory)

    def _close_metadata(self) -> None:
        home = self.directories[0]
        if home.failed:
            self.metadata.close(clean=False)
        else:
            self._or_say(self.metadata.close, home)
        self.tell_notes()

    def _or_say(self, work: Callable[[], None], directory: LogDir) -> None:
        """Do it; when the disk refuses, the directory is not left in order, and the diary says why."""
        try:
            work()
        except DiskFault as fault:
            directory.failed = True
            self._say("disk", f"{fault.message}. {directory.path} will be recovered at the next start")

    def _take_leave(self) -> None:
        """Write down that this broker stops in order. Where that fails the log is in trouble, as its closing will say.
        """
        self.metadata.listeners.clear()
        try:
            self.metadata.decide(
                lambda controller: stop_broker(controller, self.settings.node_id), lambda decision: None
            )
        except WireError as error:
            self._say("metadata", f"The end of this broker could not be written down: {error.message}")

    def tell_notes(self) -> None:
        """Move what the metadata log has to say to the diary."""
        for note in self.metadata.notes:
            self._say("metadata", note)
        self.metadata.notes.clear()

    def _mark_dirty(self, log: Log) -> None:
        """The set of dirty logs is replaced with every flush: it must be looked up anew."""
        self.appends.dirty.add(log)

    def _session_id(self) -> int:
        """A fresh id for a fetch session: positive, and not to be guessed."""
        return int.from_bytes(self._new_uuid()[:4]) & 0x7FFFFFFF or 1

    def _image_changed(self, old: Image, new: Image, records: list[object] | None) -> None:
        self.tell_notes()
        delta, now_ms = difference(old, new, records), self._clock()
        if any(kind == ResourceType.BROKER for kind, _ in delta.configs):
            self._take_dynamic_settings(new)
        self.replicas.apply(delta, now_ms)
        self.broker.groups.apply(delta, self.metadata.applied_offset, now_ms)
        for sentence in news(delta, self.settings.described()):
            self._say("settings", sentence)

    def _take_dynamic_settings(self, image: Image) -> None:
        """What was set while the cluster runs holds from now on, wherever it is read."""
        self.settings.overlay(dynamic_settings.overlay_of(image, self.settings.node_id))
        self.replicas.obey(log_rules(self.settings))
        for listener in self.settings_listeners:
            listener()

    def _registration(self, advertised: Sequence[Listener]) -> BrokerRegistrationRequest:
        return BrokerRegistrationRequest(
            broker_id=self.settings.node_id,
            cluster_id=self.cluster_id,
            incarnation_id=self._new_uuid(),
            listeners=[Endpoint(one.name, one.host, one.port, 0) for one in advertised],
            features=[Feature(name, *levels) for name, levels in RUNNABLE_FEATURES.items()],
            rack=self.settings.text("broker.rack") or None,
            log_dirs=[one.directory_id for one in self.replicas.directories],
            previous_broker_epoch=min(one.broker_epoch for one in self.directories),
        )


def controller_rules(settings: Settings, cluster_id: str) -> Rules:
    """What the settings say about decisions."""
    return Rules(
        cluster_id=cluster_id,
        default_partitions=settings.integer("num.partitions"),
        default_replication_factor=settings.integer("default.replication.factor"),
        delete_topics=settings.flag("delete.topic.enable"),
        server_values=settings.given_texts(),
        check_broker_config=dynamic_settings.check,
        broker_list_default=dynamic_settings.list_default,
        limit=settings.integer,
    )


def copying_pace(settings: Settings) -> Pace:
    """What the settings say about following."""
    usual = Pace()
    of_one = "replica.fetch.max.bytes"
    return Pace(
        wait_max_ms=settings.integer("replica.fetch.wait.max.ms"),
        min_bytes=settings.integer("replica.fetch.min.bytes"),
        max_bytes=settings.integer("replica.fetch.response.max.bytes"),
        partition_max_bytes=settings.integer(of_one) if of_one in settings.given else usual.partition_max_bytes,
        longest_pause_ms=settings.integer("replica.fetch.backoff.ms"),
    )


def log_rules(settings: Settings) -> LogRules:
    """What the settings say about the logs of partitions."""
    return LogRules(
        flush_every_batch=settings.flush_on_acks,
        retention_check_ms=settings.integer("log.retention.check.interval.ms"),
        checkpoint_ms=settings.integer("log.flush.offset.checkpoint.interval.ms"),
        producer_id_expiration_ms=settings.integer("producer.id.expiration.ms"),
        server_values=settings.given_texts(),
        move_bytes_per_second=settings.integer("replica.alter.log.dirs.io.max.bytes.per.second"),
        cordoned=frozenset(settings.items("cordoned.log.dirs")),
    )
