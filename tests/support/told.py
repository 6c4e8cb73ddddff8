"""What the clients of a simulated world did and saw, in the words of `support.history`."""

from __future__ import annotations

from typing import Any

from support.history import Outcome, Poll, Send

from logctl.engine.simulation.promises import Partition, Promises, Seen, Sent

FINAL = "restart"
"""Who reads whole logs."""


def history(promises: Promises) -> tuple[list[Send], list[Poll]]:
    """Of the partitions that are left whole, with every value that somebody sent."""
    left = {
        (topic.topic_id, number)
        for topic in promises.topics.values()
        for number in range(topic.partitions)
        if not topic.lossy and (topic.topic_id, number) not in promises.cut_at_most
    }
    entries = [entry for entry in promises.history if entry.partition in left]
    sends = [_send(promises, entry) for entry in entries if isinstance(entry, Sent)]
    seen = [entry for entry in entries if isinstance(entry, Seen)]
    polls = [Poll(one.process, _place(promises, one.partition), one.records) for one in seen if one.process != FINAL]
    last = {one.partition: one for one in seen if one.process == FINAL}
    polls += [Poll("final", _place(promises, one.partition), one.records, final=True) for one in last.values()]
    told = {send.value for send in sends}
    for partition in left:
        untold = promises.sent.get(partition, set()) - told
        sends += [Send("?", _place(promises, partition), value, 0, 0, Outcome.INFO) for value in sorted(untold)]
    return sends, polls


def _place(promises: Promises, partition: Partition) -> tuple[str, int]:
    return promises.name_of(partition), 0


def _send(promises: Promises, entry: Any) -> Send:
    outcome = Outcome.OK if entry.outcome == "ok" and entry.acks == -1 else Outcome.INFO
    offset = entry.offset if outcome is Outcome.OK else None
    place = _place(promises, entry.partition)
    return Send(entry.process, place, entry.value, entry.began_s, entry.ended_s, outcome, offset)
