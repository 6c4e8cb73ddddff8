"""Topics: which are meant, listing them, describing them, and what their names may be."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.observe import Snapshot, Topic, Wants, add_configs, describe_partitions, observe
from logctl.admin.routing import Cluster
from logctl.errors import LogctlError, OperationFailed, UsageError

_LEGAL_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Selection(NamedTuple):
    """Which topics are meant: names and shell patterns, or a regular expression; all when nothing is given."""

    names: tuple[str, ...] = ()
    regex: str | None = None
    internal: bool = True

    def exact(self) -> tuple[str, ...]:
        """The names among the patterns: what must exist."""
        return tuple(name for name in self.names if not is_pattern(name))

    def wants(self) -> Wants:
        """Ask for the named topics only, when names are all there is."""
        only_names = self.names and self.regex is None and len(self.exact()) == len(self.names)
        return Wants(self.names if only_names else None, near=True)

    def includes(self, name: str, internal: bool) -> bool:
        if internal and not self.internal:
            return False
        if not self.names and self.regex is None:
            return True
        if self.regex is not None and re.fullmatch(self.regex, name):
            return True
        return name in self.names or any(fnmatch.fnmatchcase(name, pattern) for pattern in self.names)

    def check(self) -> None:
        """Raises UsageError for an expression that does not parse."""
        try:
            re.compile(self.regex or "")
        except re.error as error:
            raise UsageError(f"{self.regex!r} is not a regular expression: {error}") from None


def is_pattern(name: str) -> bool:
    """Does it hold one of the shell's wildcards? None of them is legal in a topic's name."""
    return any(character in name for character in "*?[")


class Found(NamedTuple):
    """Topics in the order of their names, and one sentence for each that could not be told."""

    topics: list[Topic]
    failures: dict[str, LogctlError]
    cluster_id: str | None = None


def list_topics(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """The topics selected. Raises OperationFailed, with near names, when one that is named does not exist."""
    selection.check()
    return _select(selection, observe(cluster, selection.wants(), deadline))


def describe_topics(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """As `list_topics`, with the settings made on each topic and, where the cluster tells them, eligible leaders."""
    found = list_topics(cluster, selection, deadline)
    topics = {topic.name: topic for topic in found.topics}
    failures = dict(found.failures)
    if topics:
        add_configs(cluster, topics, failures, deadline)
    if topics and cluster.offers("DescribeTopicPartitions"):
        for name, richer in describe_partitions(cluster, topics, deadline).items():
            topics[name] = richer._replace(configs=topics[name].configs)
    return Found(list(topics.values()), failures, found.cluster_id)


def _select(selection: Selection, snapshot: Snapshot) -> Found:
    chosen = [topic for name, topic in sorted(snapshot.topics.items()) if selection.includes(name, topic.internal)]
    failures = {name: error for name, error in snapshot.failures.items() if selection.includes(name, False)}
    missing = [name for name in selection.exact() if name not in snapshot.topics and name not in failures]
    existing = snapshot.names or tuple(snapshot.topics)
    if missing and not chosen:
        raise unknown_topics(missing, existing)
    for name in missing:
        failures[name] = unknown_topics([name], existing)
    return Found(chosen, failures, snapshot.cluster_id)


def unknown_topics(names: Sequence[str], existing: Sequence[str]) -> OperationFailed:
    """The refusal for topics that do not exist, with names that look alike."""
    what = f"topic {names[0]} does not exist" if len(names) == 1 else f"topics do not exist: {', '.join(names)}"
    near = near_names(names[0], existing)
    if near:
        return OperationFailed(what, f"did you mean {' or '.join(near)}?")
    return OperationFailed(what, f"create it with `logctl topic create {names[0]}`" if legal(names[0]) else "")


def near_names(name: str, existing: Iterable[str]) -> list[str]:
    """At most three existing names that look like `name`, nearest first."""
    from difflib import get_close_matches

    return get_close_matches(name, list(existing), n=3, cutoff=0.7)


def legal(name: str) -> bool:
    return _LEGAL_NAME.fullmatch(name) is not None and name not in (".", "..")


def check_name(name: str) -> None:
    """Raises UsageError for a name that Kafka would refuse."""
    if not legal(name):
        raise UsageError(
            f"{name!r} cannot be a topic's name",
            "use 1 to 249 of the letters, digits, '.', '_' and '-', and neither '.' nor '..' alone",
        )
