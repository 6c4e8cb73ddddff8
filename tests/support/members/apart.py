"""Members in processes of their own: kcat, and Python clients that a story is going to kill.

    python -m support.members.apart CLIENT PROTOCOL JOINING      joins, and tells of rebalances a line each
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from support.clients.kcat import binary
from support.members import ASSIGNED, COOPERATIVE, READ, REVOKED, Event, Joining, MemberThread, held

_TESTS: Final = Path(__file__).parents[2]
_KCAT_REBALANCE = re.compile(r"% Group \S+ rebalanced.*?(assign|revoke)(?P<rest>.*)")


class Apart:
    """A process whose lines tell what happens to its member."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.events: list[Event] = []
        guard = shutil.which("setpriv")
        self._process = subprocess.Popen(
            [*([guard, "--pdeathsig", "KILL"] if guard else []), *command], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._listeners = [
            threading.Thread(target=self._listen, args=(pipe, take), daemon=True)
            for pipe, take in ((self._process.stdout, self.take), (self._process.stderr, self.take_error))
        ]
        for listener in self._listeners:
            listener.start()

    def _listen(self, pipe: Any, take: Any) -> None:
        with pipe:
            for line in pipe:
                take(line.rstrip("\n"))

    def take(self, line: str) -> None:
        raise NotImplementedError

    def take_error(self, line: str) -> None: ...

    def assignment(self) -> set[int]:
        return held(list(self.events))

    def vanish(self) -> None:
        self._end(signal.SIGKILL)

    def leave(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(30)
        for listener in self._listeners:
            listener.join()

    def note(self, what: str, offsets: Mapping[int, int], value: str = "") -> None:
        self.events.append(Event(time.monotonic(), what, offsets, value))


class PythonApart(Apart):
    def __init__(self, client: str, protocol: str, joining: Joining) -> None:
        command = [sys.executable, "-m", "support.members.apart", client, protocol, json.dumps(asdict(joining))]
        super().__init__(command, {**os.environ, "PYTHONPATH": str(_TESTS)})

    def take(self, line: str) -> None:
        what, partitions = json.loads(line)
        self.note(what, dict.fromkeys(partitions, 0))


class KcatMember(Apart):
    """It commits by itself, every five seconds, when partitions are taken away and when it leaves; it does not say so.

    (`auto.commit.interval.ms` is a topic's setting to kcat 1.7.1, and has no effect as one.)
    """

    def __init__(self, protocol: str, joining: Joining) -> None:
        settings = {
            "partition.assignment.strategy": "cooperative-sticky" if protocol == COOPERATIVE else "range",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": str(joining.commits).lower(),
            "session.timeout.ms": str(joining.session_timeout_ms),
            "heartbeat.interval.ms": "300",
            "reconnect.backoff.ms": "20",
            "reconnect.backoff.max.ms": "200",
        } | ({"group.instance.id": joining.instance} if joining.instance else {})
        wanted = [flag for name, value in settings.items() for flag in ("-X", f"{name}={value}")]
        told = ["-E", "-u", "-f", "%p %o %s\\n"]  # -E: it would end when it has lost all brokers
        super().__init__([binary(), "-b", joining.bootstrap, "-G", joining.group, *told, *wanted, joining.topic])

    def take(self, line: str) -> None:
        partition, offset, value = line.split(" ", 2)
        self.note(READ, {int(partition): int(offset)}, value)

    def take_error(self, line: str) -> None:
        match = _KCAT_REBALANCE.search(line)
        if match:
            partitions = re.findall(r"\[(\d+)\]", match["rest"])
            self.note(ASSIGNED if match[1] == "assign" else REVOKED, dict.fromkeys(map(int, partitions), 0))

    def commit(self) -> Mapping[int, int]:
        raise NotImplementedError("kcat commits by itself")

    def seek(self, partition: int, offset: int) -> None:
        raise NotImplementedError("kcat goes forward only")


def main(client: str, protocol: str, joining: str) -> None:
    from support.members.python_clients import CONSUMERS

    def told(what: str, partitions: Iterable[int]) -> None:
        print(json.dumps([what, list(partitions)]), flush=True)

    def opening(how: Joining, note: Any) -> Any:
        def both(what: str, partitions: Iterable[int]) -> None:
            note(what, partitions)
            told(what, partitions)

        return CONSUMERS[client](protocol, how, both)

    member = MemberThread(opening, Joining(**json.loads(joining)))
    while True:
        member.assignment()  # raises what the member failed with
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
