"""What a voter must never forget: the newest epoch it has heard of, and whom it voted for in it.

Kept in `quorum-state` beside the metadata log, as Apache writes it (QuorumStateData, as JSON): in version 0 for voters
by configuration, which it names, in version 1 for voters that the log names (KIP-853). A vote that was forgotten could
be given twice, so the file is on disk before the vote is on the wire.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from logctl.wire.primitives import ZERO_UUID, uuid_from_text, uuid_text

FILE_NAME: Final = "quorum-state"
NOBODY: Final = -1


class DamagedState(Exception):
    """The file does not say what it should. Says why, as a sentence."""


class ElectionState(NamedTuple):
    """`leader_id` and `voted_id` belong to `epoch`; NOBODY when there is none (yet)."""

    epoch: int = 0
    leader_id: int = NOBODY
    voted_id: int = NOBODY
    voted_directory_id: bytes = ZERO_UUID


def encode_state(state: ElectionState, voters: tuple[int, ...] | None) -> bytes:
    """The file's content. `voters` are those by configuration; None when the log names them."""
    fields: dict[str, Any] = {
        "leaderId": state.leader_id,
        "leaderEpoch": state.epoch,
        "votedId": state.voted_id,
    }
    if voters is None:
        fields |= {"votedDirectoryId": uuid_text(state.voted_directory_id), "data_version": 1}
    else:
        named = [{"voterId": voter} for voter in voters]
        fields = {"clusterId": "", **fields, "appliedOffset": 0, "currentVoters": named, "data_version": 0}
    return json.dumps(fields, separators=(",", ":")).encode()


def decode_state(data: bytes) -> ElectionState:
    """Raises DamagedState."""
    try:
        fields = json.loads(data)
    except ValueError:
        raise DamagedState("it is not JSON") from None
    if not isinstance(fields, dict) or fields.get("data_version") not in (0, 1):
        raise DamagedState("its data_version is neither 0 nor 1")
    epoch, leader_id = _number(fields, "leaderEpoch"), _number(fields, "leaderId")
    if epoch < 0:
        raise DamagedState("its leaderEpoch is negative")
    return ElectionState(epoch, leader_id, _number(fields, "votedId"), _directory(fields))


def _number(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int or not -1 <= value < 2**31:
        raise DamagedState(f"its {name} is not a number of 32 bits")
    return value


def _directory(fields: dict[str, Any]) -> bytes:
    try:
        return uuid_from_text(str(fields["votedDirectoryId"])) if "votedDirectoryId" in fields else ZERO_UUID
    except ValueError:
        raise DamagedState("its votedDirectoryId is not an identifier") from None
