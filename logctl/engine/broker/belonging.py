"""What a node sees to itself about its place in the quorum (KIP-853, KIP-919).

- One that votes tells the leader where it is reached and what it can run, when the log says otherwise, or, where voters
  are fixed, once in every epoch.
- One that could vote and does not registers as a controller, so that the others know where it is reached.
- With controller.quorum.auto.join.enable it asks to be let in as soon as it has copied the log; where its id still
  votes from a directory that is gone, it has that voter removed first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.broker.voters import NEWEST_KRAFT_VERSION
from logctl.engine.controller.versions import RUNNABLE_FEATURES
from logctl.engine.quorum.voters import Voter

if TYPE_CHECKING:
    from logctl.engine.broker.addresses import Addresses
    from logctl.engine.broker.life import AskController
    from logctl.engine.broker.metadata import Metadata
    from logctl.wire.schema import Message

_AGAIN_MS: Final = 1_000
CONTROLLERS_SINCE_LEVEL: Final = 15
"""3.7-IV0: from here on controllers are registered."""


class Belonging:
    """`ask_controller` sends to the leader of the quorum, which may be this node."""

    def __init__(
        self,
        metadata: Metadata,
        addresses: Addresses,
        ask_controller: AskController,
        cluster_id: str,
        *,
        auto_join: bool,
        new_id: Callable[[], bytes],
        say: Callable[[str, str], None],
    ) -> None:
        self._metadata = metadata
        self._addresses = addresses
        self._ask_controller = ask_controller
        self._cluster_id = cluster_id
        self._auto_join = auto_join
        self._incarnation_id = new_id()
        self._say = say
        self._asking = False
        self._due_ms = 0
        self._told_epoch = -1
        self._refused = ""

    def advance(self, now_ms: int) -> None:
        """Do what is due."""
        metadata = self._metadata
        if self._asking or now_ms < self._due_ms or metadata.leader_id < 0 or not self._addresses.own:
            return
        if not metadata.image.metadata_version or metadata.raft.high_watermark is None:
            return
        request = self._update() if metadata.raft.is_voter else self._register() or self._join()
        if request is not None:
            self._ask(request)

    def next_deadline_ms(self) -> int | None:
        return self._due_ms if self._due_ms and not self._asking else None

    def _ask(self, request: Message) -> None:
        self._asking, epoch = True, self._metadata.epoch
        self._due_ms = 0

        def answered(response: Any) -> None:
            self._asking = False
            if response is None or response.error_code:
                self._due_ms = self._metadata.clock() + _AGAIN_MS
                self._note(getattr(response, "error_message", None) or "")
            else:
                self._told_epoch = epoch

        self._ask_controller(request, answered)

    def _note(self, refusal: str) -> None:
        if refusal and refusal != self._refused:
            self._refused = refusal
            self._say("quorum", f"This node is not let in as a voter yet: {refusal}")

    def _own(self) -> Voter:
        raft = self._metadata.raft
        return Voter(raft.node_id, raft.directory_id, self._addresses.own, 0, NEWEST_KRAFT_VERSION)

    def _update(self) -> Message | None:
        from logctl.wire.messages.update_raft_voter import KRaftVersionFeature, Listener, UpdateRaftVoterRequest

        raft, own = self._metadata.raft, self._own()
        if self._told_epoch == raft.epoch or raft.voter_set.get(own.node_id) == own:
            return None
        return UpdateRaftVoterRequest(
            cluster_id=self._cluster_id,
            current_leader_epoch=raft.epoch,
            voter_id=own.node_id,
            voter_directory_id=own.directory_id,
            listeners=[Listener(*address) for address in own.addresses],
            kraft_version_feature=KRaftVersionFeature(own.lowest, own.highest),
        )

    def _register(self) -> Message | None:
        from logctl.wire.messages.controller_registration import ControllerRegistrationRequest, Feature, Listener

        image, own = self._metadata.image, self._own()
        known = image.controllers.get(own.node_id)
        at = [] if known is None else [(one.name, one.host, one.port) for one in known.end_points]
        if at == list(own.addresses) or image.metadata_version < CONTROLLERS_SINCE_LEVEL:
            return None
        return ControllerRegistrationRequest(
            controller_id=own.node_id,
            incarnation_id=self._incarnation_id,
            listeners=[Listener(*address, 0) for address in own.addresses],
            features=[Feature(name, *levels) for name, levels in RUNNABLE_FEATURES.items()],
        )

    def _join(self) -> Message | None:
        from logctl.wire.messages.add_raft_voter import AddRaftVoterRequest, Listener
        from logctl.wire.messages.remove_raft_voter import RemoveRaftVoterRequest

        metadata, own = self._metadata, self._own()
        if not self._auto_join or not metadata.voters.are_in_the_log:
            return None
        former = metadata.raft.voter_set.get(own.node_id)
        if former is not None:
            return RemoveRaftVoterRequest(
                cluster_id=self._cluster_id, voter_id=own.node_id, voter_directory_id=former.directory_id
            )
        return AddRaftVoterRequest(
            cluster_id=self._cluster_id,
            timeout_ms=_AGAIN_MS,
            voter_id=own.node_id,
            voter_directory_id=own.directory_id,
            listeners=[Listener(*address) for address in own.addresses],
            ack_when_committed=False,
        )


