"""Who votes: sets of voters, and what the metadata log says about them from which record on (KIP-853).

Under kraft.version 0 the voters are fixed by the settings and known by id alone. Under kraft.version 1 the log names
them, each with the directory that it votes from: who lost its directory, or gave its id to another machine, is another
voter. A set counts from the moment it stands in the log, not only when it is committed, and no more when its record is
cut off: then the one before holds again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

ANY_DIRECTORY = bytes(16)
"""The directory of a voter that is known by its id alone."""


class Address(NamedTuple):
    """Where a voter's listener is reached."""

    name: str
    host: str
    port: int


class Voter(NamedTuple):
    """`lowest` and `highest`: the levels of kraft.version it can run."""

    node_id: int
    directory_id: bytes = ANY_DIRECTORY
    addresses: tuple[Address, ...] = ()
    lowest: int = 0
    highest: int = 1


class VoterSet:
    """Voters by id. Nobody changes one; `with_` and `without` answer another."""

    __slots__ = ("_voters", "ids")

    def __init__(self, voters: Iterable[Voter] = ()) -> None:
        self._voters = {voter.node_id: voter for voter in sorted(voters)}
        self.ids = tuple(self._voters)
        """Ascending."""

    @classmethod
    def of_ids(cls, ids: Iterable[int]) -> VoterSet:
        return cls(Voter(node_id) for node_id in ids)

    def __iter__(self) -> Iterator[Voter]:
        return iter(self._voters.values())

    def __len__(self) -> int:
        return len(self._voters)

    def __contains__(self, node_id: int) -> bool:
        return node_id in self._voters

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VoterSet) and self._voters == other._voters

    def __hash__(self) -> int:
        return hash(self.ids)

    def __repr__(self) -> str:
        return f"VoterSet{self.ids}"

    def get(self, node_id: int) -> Voter | None:
        return self._voters.get(node_id)

    def has(self, node_id: int, directory_id: bytes = ANY_DIRECTORY) -> bool:
        """Whether that node votes from that directory; where either is not told, the id decides."""
        voter = self._voters.get(node_id)
        return voter is not None and (
            ANY_DIRECTORY in (directory_id, voter.directory_id) or directory_id == voter.directory_id
        )

    def with_(self, voter: Voter) -> VoterSet:
        return VoterSet((*(one for one in self if one.node_id != voter.node_id), voter))

    def without(self, node_id: int) -> VoterSet:
        return VoterSet(one for one in self if one.node_id != node_id)


class Standing(NamedTuple):
    """What holds behind the record at `offset`. `voters` is None where the log names none."""

    offset: int
    kraft_version: int
    voters: VoterSet | None


class VoterHistory:
    """What a log says about its voters, in the order of its records. `fixed`: those of the settings."""

    def __init__(self, fixed: VoterSet | None = None) -> None:
        self.fixed = fixed or VoterSet()
        self._standings = [Standing(-1, 0, None)]

    @property
    def newest(self) -> Standing:
        return self._standings[-1]

    @property
    def are_in_the_log(self) -> bool:
        return self.newest.kraft_version > 0

    @property
    def voters(self) -> VoterSet:
        """Who votes now."""
        if not self.are_in_the_log:
            return self.fixed
        return self.newest.voters or VoterSet()

    def at(self, end_offset: int) -> Standing:
        """What the records below `end_offset` say."""
        return next(one for one in reversed(self._standings) if one.offset < end_offset or one.offset < 0)

    def add(self, offset: int, *, kraft_version: int | None = None, voters: VoterSet | None = None) -> None:
        """A record at `offset` says so."""
        last = self.newest
        self._standings.append(
            Standing(
                offset,
                last.kraft_version if kraft_version is None else kraft_version,
                last.voters if voters is None else voters,
            )
        )

    def truncate(self, end_offset: int) -> bool:
        """The log was cut: whether what it said about voters went with that."""
        before = len(self._standings)
        self._standings = [one for one in self._standings if one.offset < end_offset or one.offset < 0]
        return len(self._standings) < before

    def begin_from(self, standing: Standing) -> None:
        """All the log says is in a snapshot."""
        self._standings = [Standing(-1, 0, None), standing]
