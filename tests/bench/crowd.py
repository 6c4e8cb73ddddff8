"""Many clients that each do little, in one process; one line of JSON tells how it went.

    crowd.py heartbeats ADDRESS --groups 1000 --members 10 --seconds 30    classic members, a heartbeat every 3 s each
    crowd.py rebalance  ADDRESS --members 200 --rounds 3                   one group whose members all join anew
    crowd.py idle       ADDRESS --connections 2000                         holds them until standard input ends

Every member has a connection of its own. `ready` is printed once everybody has joined or connected, and what a broker
used can be measured from then on.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench.wire import Conversation  # noqa: E402

from logctl.wire import errors  # noqa: E402
from logctl.wire.messages.api_versions import ApiVersionsRequest  # noqa: E402
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest  # noqa: E402
from logctl.wire.messages.heartbeat import HeartbeatRequest  # noqa: E402
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol  # noqa: E402
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment  # noqa: E402

HEARTBEAT_S = 3.0
"""heartbeat.interval.ms of Apache's consumer, as it comes."""
SESSION_MS, REBALANCE_MS = 45_000, 300_000
SUBSCRIPTION = b"\0\1\0\0\0\1\0\4many\xff\xff\xff\xff\0\0\0\0"
ASSIGNMENT = b"\0\1\0\0\0\1\0\4many\0\0\0\1\0\0\0\0\xff\xff\xff\xff"


@dataclass
class Member:
    group: str
    line: Conversation
    member_id: str = ""
    generation: int = -1
    everybody: tuple[str, ...] = ()
    """Whom the leader has to assign something; empty for the others."""

    def send_join(self) -> None:
        protocols = [JoinGroupRequestProtocol("range", SUBSCRIPTION)]
        request = JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            member_id=self.member_id,
            protocol_type="consumer",
            protocols=protocols,
        )
        self.line.send(request, 5)

    def joined(self) -> bool:
        """Receive the answer to a join; False when the broker first gave the member its id."""
        answer = self.line.receive()
        self.member_id = answer.member_id
        if answer.error_code == errors.MEMBER_ID_REQUIRED:
            return False
        assert answer.error_code == 0, answer
        self.generation = answer.generation_id
        self.everybody = tuple(one.member_id for one in answer.members)
        return True

    def send_sync(self) -> None:
        assignments = [SyncGroupRequestAssignment(one, ASSIGNMENT) for one in self.everybody]
        self.line.send(SyncGroupRequest(self.group, self.generation, self.member_id, assignments=assignments), 3)

    def synced(self) -> None:
        assert self.line.receive().error_code == 0

    def heartbeat(self) -> int:
        """The error code."""
        code: int = self.line.ask(HeartbeatRequest(self.group, self.generation, self.member_id), 3).error_code
        return code


def join(members: list[Member]) -> None:
    """One round, all members of all groups at once."""
    for member in members:
        member.send_join()
    finish(members)


def join_anew(members: list[Member]) -> None:
    """Of one group: its leader asks for a round, and once the others can learn of that by a heartbeat, they join."""
    [leader] = [member for member in members if member.everybody]
    others = [member for member in members if member is not leader]
    leader.send_join()
    while others[0].heartbeat() != errors.REBALANCE_IN_PROGRESS:
        pass
    for member in others:
        member.send_join()
    finish(members)


def finish(members: list[Member]) -> None:
    for member in members:
        assert member.joined()
    for member in members:
        member.send_sync()
    for member in members:
        member.synced()


def introduce(members: list[Member]) -> None:
    """Get every member its id (KIP-394)."""
    for member in members:
        member.send_join()
    for member in members:
        assert not member.joined()


def groups(address: str, names: list[str], size: int) -> list[Member]:
    """Side by side, since each waits for group.initial.rebalance.delay.ms first."""
    members = [Member(name, Conversation(address)) for _ in range(size) for name in names]
    introduce(members)
    join(members)
    return members


def heartbeats(options: argparse.Namespace) -> dict[str, float]:
    """Each member's turn comes every three seconds, and the turns of all are spread evenly."""
    warm_up(options.address)
    members = groups(options.address, [f"group-{number}" for number in range(options.groups)], options.members)
    print("ready", flush=True)
    began = due = time.monotonic()
    beats = 0
    while due < began + options.seconds:
        assert members[beats % len(members)].heartbeat() == errors.NONE
        beats += 1
        due += HEARTBEAT_S / len(members)
        time.sleep(max(due - time.monotonic(), 0))
    took = time.monotonic() - began
    return {"seconds": took, "heartbeats": beats, "late_s": took - options.seconds}


def warm_up(address: str) -> None:
    """The first group of a node has the topic of offsets made."""
    with Conversation(address) as line:
        deadline = time.monotonic() + 60
        while line.ask(FindCoordinatorRequest("group-0"), 2).error_code:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    time.sleep(1)


def rebalance(options: argparse.Namespace) -> dict[str, object]:
    warm_up(options.address)
    members = groups(options.address, ["large"], options.members)
    print("ready", flush=True)
    took = []
    for _ in range(options.rounds):
        began = time.monotonic()
        join_anew(members)
        took.append(time.monotonic() - began)
    return {"seconds": statistics.median(took), "all": took}


def idle(options: argparse.Namespace) -> dict[str, float]:
    lines = []
    for _ in range(options.connections):
        line = Conversation(options.address)
        line.ask(ApiVersionsRequest(client_software_name="bench", client_software_version="1"), 3)
        lines.append(line)
    print("ready", flush=True)
    sys.stdin.read()
    closed = len(select.select([], [], [], 0)[0])
    return {"connections": len(lines), "closed": closed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crowd", choices=("heartbeats", "rebalance", "idle"))
    parser.add_argument("address")
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(json.dumps({"heartbeats": heartbeats, "rebalance": rebalance, "idle": idle}[options.crowd](options)))


if __name__ == "__main__":
    main()
