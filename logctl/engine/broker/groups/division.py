"""What a consumer group's division rests on, and the division itself: topics, patterns, epochs, targets.

Every step here is taken while a heartbeat or join of one member is answered, as in Apache Kafka: nothing runs on its
own. The group epoch rises when a member's subscription changes, when a member goes, or when the *metadata hash* shows
that a topic the group reads has come, gone or grown. The hash is ours, not Apache's: where a directory changes hands
the new coordinator sees another number, and divides once more, with the same outcome.

A new target is computed at most once in `group.consumer.assignment.interval.ms`, so that many joins cost few divisions.
"""

from __future__ import annotations

from hashlib import blake2b

from logctl.engine.broker.groups import consumer_records as records
from logctl.engine.broker.groups.assignors import Assignor, Wish, by_name
from logctl.engine.broker.groups.consumer import ConsumerGroup, Member, ResolvedRegex
from logctl.engine.broker.groups.context import Context
from logctl.engine.broker.groups.regex import InvalidPattern, matching
from logctl.engine.broker.groups.settings import METADATA_REFRESH_MS, REGEX_REFRESH_MIN_MS
from logctl.engine.broker.groups.turn import Turn
from logctl.wire import errors
from logctl.wire.errors import WireError


class Division:
    """The steps, over one partition's groups."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # Topics.

    def topic_ids(self, group: ConsumerGroup, member: Member) -> frozenset[bytes]:
        """The topics the member reads and that exist."""
        topics = self._context.image.topics
        return frozenset(topics[name].topic_id for name in group.topics_of(member) if name in topics)

    def metadata_hash(self, group: ConsumerGroup) -> int:
        """A signed 64-bit number that changes when the topics the group reads do; 0 when there are none."""
        topics = self._context.image.topics
        names = sorted({name for name in group.subscribed_names() if name in topics})
        if not names:
            return 0
        digest = blake2b(digest_size=8)
        for name in names:
            topic = topics[name]
            digest.update(b"%b%d/%b;" % (topic.topic_id, len(topic.partitions), name.encode()))
        return int.from_bytes(digest.digest(), "big", signed=True)

    def refresh(self, turn: Turn, group: ConsumerGroup, bump: bool) -> None:
        """Raise the group epoch if `bump` says so or the topics have changed; look again in an hour at the latest."""
        if not bump and turn.now_ms < group.refresh_at_ms:
            return
        metadata_hash = self.metadata_hash(group)
        if bump or metadata_hash != group.metadata_hash:
            records.put_epoch(turn, group, group.epoch + 1, metadata_hash)
        group.refresh_at_ms = turn.now_ms + METADATA_REFRESH_MS
        if group.has_partition_metadata:
            records.drop_partition_metadata(turn, group)

    # Patterns.

    def check_regex(self, group: ConsumerGroup, regex: str) -> dict[str, frozenset[str]]:
        """The topics of a pattern nobody has brought yet. Raises WireError INVALID_REGULAR_EXPRESSION."""
        if not regex or regex in group.regexes:
            return {}
        return self._match([regex])

    def _match(self, regexes: list[str]) -> dict[str, frozenset[str]]:
        try:
            return matching(regexes, self._context.image.topics)
        except InvalidPattern as error:
            message = f"SubscribedTopicRegex `{regexes[0]}` is not a valid regular expression: {error}."
            raise WireError(errors.INVALID_REGULAR_EXPRESSION, message) from None

    def put_resolved(self, turn: Turn, group: ConsumerGroup, found: dict[str, frozenset[str]]) -> bool:
        """Note what patterns match; answers whether that is anything else than before."""
        changed = False
        for regex, topics in found.items():
            before = group.regexes.get(regex)
            changed |= topics != (before.topics if before else frozenset())
            resolved = ResolvedRegex(topics, self._context.image_version, turn.now_ms)
            records.put_regex(turn, group, regex, resolved)
        return changed

    def refresh_regexes(self, turn: Turn, group: ConsumerGroup) -> bool:
        """Match the group's patterns anew when topics have come, or after `regex.refresh.interval.ms`, but not twice
        within ten seconds. Answers whether any matches something else than before."""
        if not group.regexes:
            return False
        last_ms = max(resolved.timestamp for resolved in group.regexes.values())
        seen = min(resolved.version for resolved in group.regexes.values())
        is_old = turn.now_ms > last_ms + self._context.settings.regex_refresh_interval_ms
        if turn.now_ms <= last_ms + REGEX_REFRESH_MIN_MS or not (is_old or seen < self._context.topics_version):
            return False
        try:
            return self.put_resolved(turn, group, self._match(list(group.regexes)))
        except WireError:
            return False

    def drop_unread_regexes(self, turn: Turn, group: ConsumerGroup) -> None:
        read = {member.regex for member in group.members.values()}
        for regex in [regex for regex in group.regexes if regex not in read]:
            records.drop_regex(turn, group, regex)

    # Targets.

    def divide(self, turn: Turn, group: ConsumerGroup) -> None:
        """Compute a target for the group epoch, unless there is one or the last is too fresh."""
        if group.epoch <= group.assignment_epoch:
            return
        interval_ms = self._context.settings.assignment_interval_ms(group.group_id)
        if group.assignment_timestamp and interval_ms and turn.now_ms < group.assignment_timestamp + interval_ms:
            return
        for member_id, target in self._new_targets(group).items():
            if group.targets.get(member_id) != target:
                records.put_target(turn, group, member_id, target)
        records.put_target_epoch(turn, group, group.epoch, turn.now_ms)

    def _new_targets(self, group: ConsumerGroup) -> dict[str, dict[bytes, frozenset[int]]]:
        wishes = {
            member_id: Wish(self.topic_ids(group, member), member.instance_id, group.target_of(member_id))
            for member_id, member in group.members.items()
        }
        topics = (self._context.image.topics.get(name) for name in set(group.subscribed_names()))
        sizes = {topic.topic_id: len(topic.partitions) for topic in topics if topic is not None}
        return self._assignor(group)(wishes, dict(sorted(sizes.items())))

    def _assignor(self, group: ConsumerGroup) -> Assignor:
        default = self._context.settings.consumer_assignors[0]
        try:
            return by_name(group.assignor(default))
        except KeyError:
            # A record may name one that the node which wrote it had been given.
            return by_name(default)
