"""A member of a group that reads all the time, commits what it read, and remembers both."""

from __future__ import annotations

from collections import defaultdict
from threading import Event, Thread

from confluent_kafka import Consumer, KafkaException, TopicPartition
from support.clients.librdkafka import SILENCE
from support.history import Partition, Poll
from support.waiting import wait_until

_MARKER = b"the end"


class GroupReader:
    """Use as a context manager. `polls` are the records in the order they came, cut where partitions were given out
    anew; `committed` the offsets whose commit was answered, by partition and in that order."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self.polls: list[Poll] = []
        self.committed: dict[int, list[int]] = defaultdict(list)
        self.records = 0
        self._topic = topic
        self._given_out = False
        self._stopping = Event()
        self._seen: dict[Partition, list[tuple[int, int]]] = defaultdict(list)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "group.protocol": "classic",
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 500,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "retry.backoff.ms": 20,
                "reconnect.backoff.max.ms": 200,
                "topic.metadata.refresh.interval.ms": 2000,
                "socket.timeout.ms": 10000,
                "error_cb": lambda error: None,
                "logger": SILENCE,
            }
        )
        self._consumer.subscribe([topic], on_assign=self._begin_anew, on_revoke=self._begin_anew)
        self._thread = Thread(target=self._run, name=group)

    def __enter__(self) -> GroupReader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._begin_anew()
        self._consumer.close()

    def goes_on(self, more: int = 40) -> None:
        """Wait until that many more records were read, and something was committed behind them."""
        wanted, commits = self.records + more, self._commits()
        wait_until(lambda: self.records >= wanted and self._commits() > commits, f"the group to read {more} more")

    def went_back(self) -> list[str]:
        """Commits that were answered after a higher one."""
        return [
            f"{offset} of partition {partition} after {max(offsets[:place])}"
            for partition, offsets in self.committed.items()
            for place, offset in enumerate(offsets)
            if offset < max(offsets[:place], default=0)
        ]

    def _commits(self) -> int:
        return sum(map(len, self.committed.values()))

    def _begin_anew(self, *_: object) -> None:
        self._given_out = True
        for partition, seen in self._seen.items():
            self.polls.append(Poll("group", partition, tuple(seen)))
        self._seen.clear()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._given_out = False
            records = [one for one in self._consumer.consume(500, 0.1) if one.error() is None]
            for record in records:
                value = record.value()
                if value != _MARKER:
                    self._note((self._topic, record.partition()), record.offset(), int(value))
            self.records += len(records)
            if records:
                self._commit()

    def _note(self, partition: Partition, offset: int, value: int) -> None:
        """Records from before and after partitions were given out anew may come at once."""
        seen = self._seen[partition]
        if self._given_out and seen and offset <= seen[-1][0]:
            self.polls.append(Poll("group", partition, tuple(seen)))
            seen.clear()
        seen.append((offset, value))

    def _commit(self) -> None:
        """What was not answered is not noted: it may have been taken."""
        try:
            taken = self._consumer.commit(asynchronous=False)
        except KafkaException:
            return
        for one in taken or ():
            if isinstance(one, TopicPartition) and one.error is None and one.offset >= 0:
                self.committed[one.partition].append(one.offset)
