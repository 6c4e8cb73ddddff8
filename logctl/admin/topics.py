"""Topics: which are meant, listing them, describing them, and what their names may be.

Theory of operation
-------------------
A list is one Metadata request. A description needs more: eligible leaders (DescribeTopicPartitions, in pages), the
settings made on each topic (DescribeConfigs, a page of topics at a time, since a broker answers with every setting
there is) and what is moving. `pages` does that page by page, so that the first topics of a large cluster can be shown
while the others are still to be asked for, and the answers of one page are gone before the next one comes.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.observe import Snapshot, Topic, Wants, observe, topic_from
from logctl.admin.partitions import Moves, moves
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

_LEGAL_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_TOPICS_PER_PAGE: Final = 400
_PARTITIONS_PER_PAGE: Final = 2000


class Selection(NamedTuple):
    """Which topics are meant: names and shell patterns, or a regular expression, or the topic with that id (base64);
    all when nothing is given. `missing_ok`: a name that does not exist is no failure."""

    names: tuple[str, ...] = ()
    regex: str | None = None
    internal: bool = True
    topic_id: str | None = None
    missing_ok: bool = False

    def exact(self) -> tuple[str, ...]:
        """The names among the patterns: what must exist."""
        return tuple(name for name in self.names if not is_pattern(name))

    def only_names(self) -> bool:
        """Are names all there is? Then nothing else needs to be asked for."""
        return bool(self.names) and self.regex is None and len(self.exact()) == len(self.names)

    def wants(self) -> Wants:
        """Ask for the named topics only, when names are all there is."""
        return Wants(self.names if self.only_names() else None, near=not self.missing_ok)

    def includes(self, name: str, internal: bool) -> bool:
        if internal and not self.internal:
            return False
        if not self.names and self.regex is None:
            return True
        if self.regex is not None and re.fullmatch(self.regex, name):
            return True
        return name in self.names or any(fnmatch.fnmatchcase(name, pattern) for pattern in self.names)

    def holds(self, topic: Topic) -> bool:
        if self.topic_id is not None and topic.id_text != self.topic_id:
            return False
        return self.includes(topic.name, topic.internal)

    def check(self) -> None:
        """Raises UsageError for an expression that does not parse."""
        try:
            re.compile(self.regex or "")
        except re.error as error:
            raise UsageError(f"{self.regex!r} is not a regular expression: {error}") from None


def selection_of(
    names: Iterable[str],
    regex: str | None = None,
    *,
    internal: bool = True,
    topic_id: str | None = None,
    missing_ok: bool = False,
) -> Selection:
    """A selection in which an expression that could be a topic's name is that name, as whoever wrote it will have
    meant: 'a.b' is not to reach a topic 'axb'."""
    if regex is not None and legal(regex):
        return Selection((*names, regex), None, internal, topic_id, missing_ok)
    return Selection(tuple(names), regex, internal, topic_id, missing_ok)


def is_pattern(name: str) -> bool:
    """Does it hold one of the shell's wildcards? None of them is legal in a topic's name."""
    return any(character in name for character in "*?[")


class Found(NamedTuple):
    """Topics in the order of their names, and one sentence for each that could not be told. `moving`: the partitions
    that are being moved, None where not told. `min_isr`: what each topic needs in sync, where it was asked for.
    `live`: ids of the brokers there are."""

    topics: list[Topic]
    failures: dict[str, LogctlError]
    cluster_id: str | None = None
    moving: Moves | None = None
    min_isr: Mapping[str, int] = {}
    live: frozenset[int] = frozenset()


def list_topics(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """The topics selected. Raises OperationFailed, with near names, when one that is named does not exist."""
    selection.check()
    return _select(selection, observe(cluster, selection.wants(), deadline))


def describe_topics(cluster: Cluster, selection: Selection, deadline: Deadline, *, settings: bool = True) -> Found:
    """As `list_topics`, with what is moving, where the cluster tells them eligible leaders, and with `settings` those
    made on each topic."""
    found = Found([], {})
    for page in pages(cluster, selection, deadline, settings=settings):
        found.topics.extend(page.topics)
        found.failures.update(page.failures)
        found = page._replace(topics=found.topics, failures=found.failures, min_isr={**found.min_isr, **page.min_isr})
    return found


def list_partitions(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """As `describe_topics`, with what each topic needs in sync instead of its settings."""
    found = describe_topics(cluster, selection, deadline, settings=False)
    return found._replace(min_isr=min_isr_of(cluster, [topic.name for topic in found.topics], deadline))


def pages(cluster: Cluster, selection: Selection, deadline: Deadline, *, settings: bool = True) -> Iterator[Found]:
    """What `describe_topics` answers, a page of topics at a time; at least one page."""
    selection.check()
    if selection.exact() or selection.topic_id is not None or not _tells_of_all(cluster, deadline):
        listed = list_topics(cluster, selection, deadline)
        parts = _in_parts(cluster, listed, deadline)
    else:
        listed = Found([], {}, cluster.cluster_id)
        parts = ([one for one in page if selection.holds(one)] for page in _described(cluster, [], deadline))
    context = listed._replace(moving=moves(cluster, deadline), live=frozenset(cluster.brokers))
    failures = dict(listed.failures)
    for topics in parts:
        min_isr: dict[str, int] = {}
        if settings:
            topics, min_isr = _with_settings(cluster, topics, failures, deadline)
        yield context._replace(topics=topics, failures=failures, min_isr=min_isr)
        failures = {}


def _tells_of_all(cluster: Cluster, deadline: Deadline) -> bool:
    cluster.refresh(deadline)
    return cluster.offers("DescribeTopicPartitions")


def _in_parts(cluster: Cluster, listed: Found, deadline: Deadline) -> Iterator[list[Topic]]:
    """The topics listed, with eligible leaders where the cluster tells them."""
    for start in range(0, max(1, len(listed.topics)), _TOPICS_PER_PAGE):
        part = {topic.name: topic for topic in listed.topics[start : start + _TOPICS_PER_PAGE]}
        if part and cluster.offers("DescribeTopicPartitions"):
            for page in _described(cluster, list(part), deadline):
                part.update({topic.name: topic for topic in page})
        yield list(part.values())


def _described(cluster: Cluster, names: Iterable[str], deadline: Deadline) -> Iterator[list[Topic]]:
    """Topics with their eligible leader replicas (KIP-966), all when none is named: page by page, each topic whole."""
    from logctl.wire.messages.describe_topic_partitions import (
        DescribeTopicPartitionsRequest,
        DescribeTopicPartitionsRequestCursor,
        TopicRequest,
    )

    request = DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name=name) for name in sorted(names)], response_partition_limit=_PARTITIONS_PER_PAGE
    )
    begun: Topic | None = None
    while True:
        response = cluster.ask(request, deadline)
        page = [topic_from(entry) for entry in response.topics if entry.error_code == errors.NONE]
        if begun is not None and page and page[0].name == begun.name:
            page[0] = page[0]._replace(partitions=begun.partitions + page[0].partitions)
        cursor = response.next_cursor
        begun = page.pop() if cursor is not None and page and page[-1].name == cursor.topic_name else None
        yield page
        if cursor is None:
            return
        request.cursor = DescribeTopicPartitionsRequestCursor(cursor.topic_name, cursor.partition_index)


def _select(selection: Selection, snapshot: Snapshot) -> Found:
    chosen = [topic for _, topic in sorted(snapshot.topics.items()) if selection.holds(topic)]
    failures = {name: error for name, error in snapshot.failures.items() if selection.includes(name, False)}
    missing = [name for name in selection.exact() if name not in snapshot.topics and name not in failures]
    existing = snapshot.names or tuple(snapshot.topics)
    if selection.topic_id is not None and not chosen and not selection.missing_ok:
        raise OperationFailed(f"no topic has the id {selection.topic_id}", "`logctl topic list -o wide` shows the ids")
    if missing and not selection.missing_ok:
        if not chosen:
            raise unknown_topics(missing, existing)
        for name in missing:
            failures[name] = unknown_topics([name], existing)
    return Found(chosen, failures, snapshot.cluster_id)


# -- settings --------------------------------------------------------------------------------------------------------

_TOPIC_CONFIG: Final = 2
_SET_ON_THE_TOPIC: Final = 1
_MIN_ISR: Final = "min.insync.replicas"


def settings_of(
    cluster: Cluster, names: Iterable[str], deadline: Deadline, keys: Sequence[str] | None = None
) -> tuple[dict[str, list[Any]], dict[str, LogctlError]]:
    """The settings of each topic as DescribeConfigs tells them (`keys` only, when given), and why others are missing.
    A topic that does not exist any more is in neither."""
    from logctl.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

    found: dict[str, list[Any]] = {}
    failures: dict[str, LogctlError] = {}
    wanted = None if keys is None else list(keys)
    resources = [DescribeConfigsResource(_TOPIC_CONFIG, name, wanted) for name in names]
    for result in cluster.ask(DescribeConfigsRequest(resources=resources), deadline).results if resources else ():
        if result.error_code == errors.NONE:
            found[result.resource_name] = result.configs
        elif result.error_code != errors.UNKNOWN_TOPIC_OR_PARTITION:
            subject = f"settings of topic {result.resource_name}"
            failures[result.resource_name] = refusal(subject, result.error_code, result.error_message)
    return found, failures


def min_isr_of(cluster: Cluster, names: Sequence[str], deadline: Deadline) -> dict[str, int]:
    """The in-sync replicas each topic needs, as set on it or on the cluster; a topic that does not tell is left out."""
    found: dict[str, int] = {}
    for start in range(0, len(names), _TOPICS_PER_PAGE):
        told, _ = settings_of(cluster, names[start : start + _TOPICS_PER_PAGE], deadline, [_MIN_ISR])
        found.update({name: needed for name, configs in told.items() if (needed := _min_isr(configs)) is not None})
    return found


def _min_isr(configs: Iterable[Any]) -> int | None:
    values = [entry.value for entry in configs if entry.name == _MIN_ISR]
    return int(values[0]) if values and values[0] and values[0].isdigit() else None


def _with_settings(
    cluster: Cluster, topics: list[Topic], failures: dict[str, LogctlError], deadline: Deadline
) -> tuple[list[Topic], dict[str, int]]:
    """The topics with the settings made on each, without those that have gone meanwhile, and what they need in sync."""
    told, refused = settings_of(cluster, [topic.name for topic in topics], deadline)
    failures.update(refused)
    needed = {name: least for name, configs in told.items() if (least := _min_isr(configs)) is not None}
    there = [topic for topic in topics if topic.name in told or topic.name in refused]
    return [topic._replace(configs=_overrides(told.get(topic.name))) for topic in there], needed


def _overrides(configs: Iterable[Any] | None) -> dict[str, str] | None:
    if configs is None:
        return None
    return {entry.name: entry.value or "" for entry in configs if entry.config_source == _SET_ON_THE_TOPIC}


# -- names -----------------------------------------------------------------------------------------------------------


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
