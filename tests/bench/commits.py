"""Offset commits, one record each: our node beside Apache Kafka, same members, same frames, in one run.

    .venv/bin/python tests/bench/commits.py [--seconds 5] [--rounds 3] [--modes os,every append] [--partitions 50]

Classic groups of one member commit one offset per request, each member on a connection of its own (`--members`), as
fast as answers come. The load is raw/load.c, so that the brokers are what is measured; they take turns, and medians
are shown. CPU is what the kernel counts for the broker's process. `--partitions` are those of `__consumer_offsets`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench import process  # noqa: E402
from bench.brokers import BROKERS, Broker, broker  # noqa: E402
from bench.wire import CLIENT_ID, Conversation  # noqa: E402
from support.waiting import wait_until  # noqa: E402

from logctl.wire import errors  # noqa: E402
from logctl.wire.frames import request_frame  # noqa: E402
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest  # noqa: E402
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest  # noqa: E402
from logctl.wire.messages.join_group import (  # noqa: E402
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from logctl.wire.messages.offset_commit import (  # noqa: E402
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment  # noqa: E402

TOPIC = "bench"
VERSION = 7
ERROR_AT = 4 + 4 + 4 + 4 + 2 + len(TOPIC) + 4 + 4
"""Where the first partition's error code lies in an answer of that version."""
SESSION_MS = 1_800_000
MODES = ("os", "every append")


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="logctl-bench-") as scratch:
        program = Path(scratch) / "load"
        subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "raw" / "load.c")], check=True)
        for mode in options.modes:
            run_mode(mode, program, Path(scratch) / mode.replace(" ", "-"), options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--partitions", type=int, default=50)
    parser.add_argument("--modes", default=",".join(MODES), type=lambda text: text.split(","))
    parser.add_argument("--brokers", default=",".join(BROKERS), type=lambda text: text.split(","))
    return parser.parse_args()


def run_mode(mode: str, program: Path, scratch: Path, options: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as running:
        loads = []
        for name in options.brokers:
            one = broker(name, scratch / name, mode)
            one.settings = {
                **one.settings,
                "offsets.topic.num.partitions": str(options.partitions),
                "group.initial.rebalance.delay.ms": "0",
            }
            running.callback(one.stop)
            one.start()
            frames = scratch / f"{name}.frames"
            size = write_frames(one, frames, options.members)
            loads.append((name, one, [str(program), str(one.port), str(frames), str(size)]))
            commit(loads[-1][2], 4.0, options)
        for _ in range(options.rounds):
            for name, one, command in loads:
                before = process.cpu_s(one.pid)
                told = commit(command, options.seconds, options)
                rates[name].append(told["answers"] / told["seconds"])
                costs[name].append((process.cpu_s(one.pid) - before) / told["answers"] * 1e6)
    for name in options.brokers:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        print(f"{mode:14} {name:8} {rate:8.0f} commits/s {cost:7.1f} us CPU each")
    if len(options.brokers) == len(BROKERS):
        rate, cost = (statistics.median(of["logctl"]) / statistics.median(of["apache"]) for of in (rates, costs))
        print(f"{mode:14} ratio    {rate:8.2f}x commits/s {cost:6.2f}x CPU", flush=True)


def commit(command: list[str], seconds: float, options: argparse.Namespace) -> dict[str, float]:
    words = [*command, str(seconds), str(options.members), "1", str(ERROR_AT), "own"]
    told: dict[str, float] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    assert not told["failures"], f"{told['failures']} of {told['answers']} commits were refused"
    return told


def write_frames(one: Broker, path: Path, members: int) -> int:
    """One frame for each member of as many new groups; answers their size, which is the same for all."""
    with Conversation(one.address) as asking:
        asking.ask(CreateTopicsRequest(topics=[CreatableTopic(TOPIC, 1, 1)], timeout_ms=30_000), 5)
        frames = []
        for number in range(members):
            group = f"group-{number:04}"
            member = joined(asking, group)
            asked = OffsetCommitRequestTopic(TOPIC, partitions=[OffsetCommitRequestPartition(0, number)])
            body = OffsetCommitRequest(group, member.generation_id, member.member_id, topics=[asked])
            frames.append(request_frame(body.api_key, VERSION, number, CLIENT_ID, body))
    assert len({len(frame) for frame in frames}) == 1
    path.write_bytes(b"".join(frames))
    return len(frames[0])


def joined(asking: Conversation, group: str) -> JoinGroupResponse:
    """A member that is alone in its group and has its share."""
    request = JoinGroupRequest(
        group_id=group,
        session_timeout_ms=SESSION_MS,
        rebalance_timeout_ms=SESSION_MS,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol("range", b"")],
    )

    answers: list[JoinGroupResponse] = []

    def is_member() -> bool:
        asking.ask(FindCoordinatorRequest(group), 2)  # makes the topic
        answers.append(asking.ask(request, 5))
        request.member_id = answers[-1].member_id
        return answers[-1].error_code == errors.NONE

    wait_until(is_member, f"a member of {group}")
    member = answers[-1]
    shares = [SyncGroupRequestAssignment(member.member_id, b"")]
    sync = SyncGroupRequest(group, member.generation_id, member.member_id, assignments=shares)
    assert asking.ask(sync, 3).error_code == errors.NONE
    return member


if __name__ == "__main__":
    main()
