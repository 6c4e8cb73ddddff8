"""Replicas with damage in what was flushed long ago: set aside, and copied anew from another (KIP-966).

Theory of operation
-------------------
A node that has started reads over what it holds, in the background (`look_over`). A replica that turns out damaged must
neither lead nor count as in sync, for others would copy what is wrong, or lack what is gone. So as soon as another
member is in sync, the controller is told that the replica lies in no directory any more (LOST, as in `losses.py`): it
takes it out of the in-sync set and lets another lead. When that has happened, the folder is set aside, with everything
in it, and the replica begins anew, empty, as one that has come late. While nobody else is in sync the damaged one is
the best there is: it goes on.

A log that turns out shorter than an orderly stop left it is worse: whoever copies from it would be cut. It is told as
lost at once, and not served in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.broker.log_dirs import Place
from logctl.engine.controller.image import LOST_DIRECTORY, NO_LEADER, Partition
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.look_over import Suspicion, look_over
from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.replicas import Replicas
    from logctl.engine.log.config import LogConfig

_GONE: Final = errors.UNKNOWN_TOPIC_OR_PARTITION
"""What a replica answers that is not held here any more."""
_SHORT: Final = "ends before what an orderly stop had left of it"


class Folder(NamedTuple):
    """A log to look over."""

    replica: Replica
    path: str
    compacts: bool
    end_offset: int


class Finding(NamedTuple):
    replica: Replica
    suspicion: Suspicion


class Damages:
    """What is known of one node's replicas."""

    def __init__(
        self,
        node_id: int,
        replicas: Replicas,
        config_of: Callable[[str], LogConfig],
        say: Callable[[str, str], None],
    ) -> None:
        """`config_of` answers what holds for the logs of a topic."""
        self._node_id = node_id
        self._replicas = replicas
        self._config_of = config_of
        self._say = say
        self._waiting: dict[Replica, None] = {}
        """Nobody else is in sync yet."""
        self._told: dict[Replica, None] = {}

    def folders(self) -> list[Folder]:
        """What may be looked over: the logs that others hold, too."""
        found = []
        for replica in self._replicas:
            home = self._replicas.home_of(replica)
            if replica.size > 1 and not home.failed:
                place = Place(replica.topic, replica.partition)
                compacts = self._config_of(replica.topic).compacts
                found.append(Folder(replica, home.path_of(place), compacts, home.recovery_point(place)))
        return found

    def found(self, finding: Finding) -> None:
        """Somebody has looked the folder over. Whether it is so still, the log itself knows."""
        replica, (base, position) = finding
        if replica in self._told or replica in self._waiting or replica.refusal == _GONE:
            return
        try:
            damage = replica.log.damage_at(base, position)
        except (DiskFault, WireError):
            return  # its directory fails: that is said, and done about, elsewhere
        if damage:
            self._waiting[replica] = None
            self._say("recovery", f"{replica.log.name} is damaged: {damage}. It is copied anew when another is in sync")
            self.tell()

    def found_short(self, replica: Replica) -> None:
        """Its log was opened late, and lacks records."""
        name = f"{replica.topic}-{replica.partition}"
        self._say("recovery", f"{name} {_SHORT}: it is copied anew before it is served")
        replica.fence()
        self._tell(replica)

    def tell(self) -> None:
        """Tell of those that another may replace by now."""
        for replica in list(self._waiting):
            if replica.refusal == _GONE:
                del self._waiting[replica]
            elif set(replica.isr) - {self._node_id}:
                self._tell(replica)

    def _tell(self, replica: Replica) -> None:
        self._waiting.pop(replica, None)
        self._told[replica] = None
        self._replicas.untold[replica.topic_id, replica.partition] = LOST_DIRECTORY

    def are_told(self, replica: Replica) -> bool:
        return replica in self._told

    def may_be_replaced(self, replica: Replica, partition: Partition) -> bool:
        """Whether the controller has taken note, and another one leads. Says so once."""
        if replica in self._waiting:
            self.tell()
        if replica not in self._told or partition.directory_of(self._node_id) != LOST_DIRECTORY:
            return False
        if partition.leader in (NO_LEADER, self._node_id):
            return False
        del self._told[replica]
        return True


def look_over_all(disk: Disk, folders: list[Folder]) -> Iterator[Finding | None]:
    """None after each piece read. What cannot be read is passed over: whoever uses it will say so."""
    for replica, path, compacts, end_offset in folders:
        try:
            for suspicion in look_over(disk, path, compacts=compacts, end_offset=end_offset):
                yield Finding(replica, suspicion) if suspicion is not None else None
        except DiskFault:
            continue
