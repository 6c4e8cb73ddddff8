"""From what is declared and what is seen to a plan: the typed difference, made of the steps of other operations.

Theory of operation
-------------------
Each kind is compared by a function of its own, which answers a `Part`: the plans of the operations that bring about
what is declared, the plans that take away what is not, sentences about what was found undeclared, and refusals: what
cannot be brought about this way at all. Nothing is planned when anything is refused.

Taking away happens with `delete` alone, and only of what lies in the scope of exactly one owner. Without it, the
undeclared is told as a warning. Inside a declared topic, quota or user, settings, limits and mechanisms that are not
declared count as undeclared things too. The cluster's own topics are nobody's business.

Order: users, topics, settings, ACLs and quotas come first; then everything that takes away. A gap in access during the
change is thereby avoided where the files themselves leave none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from logctl.admin import acls, quotas, users
from logctl.admin.acl_rules import Rule
from logctl.admin.config_changes import ChangeSettings
from logctl.admin.configs import Config, Entity
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Seen, Snapshot, State, Topic, Wants
from logctl.admin.operation import Change, Plan, Step, Undo
from logctl.admin.routing import Cluster
from logctl.admin.state_files import Declared, DeclaredQuota, DeclaredTopic, DeclaredUser, Item
from logctl.admin.topic_changes import AddPartitions, CreateTopic, DeleteTopics, merged
from logctl.admin.topics import near_names
from logctl.errors import LogctlError, OperationFailed

SETTING_NAMES: Final = Resource("setting-names", "topic")
"""Looking at it shows which settings topics of this cluster have: {'names': [...]}; nothing where there is no topic."""


def observe_setting_names(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The settings that any one topic has; which one does not matter."""
    from logctl.admin.configs import describe_settings

    topic = next(iter(cluster.topic_ids), None)
    if topic is None:
        return Seen({}, {})
    try:
        settings = describe_settings(cluster, Entity("topic", topic), deadline)
    except LogctlError:  # it only helps to find misspelt names: whether they are right is the cluster's to say
        return Seen({}, {})
    return Seen({SETTING_NAMES.name: {"names": [one.name for one in settings]}}, {})


class Part(NamedTuple):
    """What one kind asks for."""

    given: list[Plan]
    taken: list[Plan]
    undeclared: list[str]
    refused: list[str]
    warnings: list[str]


def _part() -> Part:
    return Part([], [], [], [], [])


class ApplyState(NamedTuple):
    """Make the cluster what the files declare. `delete`: also take away what lies in their scopes undeclared.

    `has_password` (user, place) raises UsageError when the password of a user to be created cannot be read: better
    before the first step than in the middle.
    """

    declared: Declared
    delete: bool = False
    has_password: Callable[[str, str], None] = lambda user, place: None

    def check(self) -> None:
        """Reading the files has checked everything that can be told without asking anybody."""

    def wants(self) -> Wants:
        topics: tuple[str, ...] | None = tuple(item.wanted.name for item in _declared_topics(self.declared))
        looks: list[Resource] = []
        if self.declared.scoped("topics"):
            topics = None
        if any(item.wanted.configs for item in _declared_topics(self.declared)):
            looks.append(SETTING_NAMES)
        for kind, every in (("acls", acls.EVERY), ("quotas", quotas.EVERY), ("users", users.EVERY)):
            if self.declared.of(kind) or self.declared.scoped(kind):
                looks.append(every)
        return Wants(topics, configs=topics != (), looks=tuple(looks))

    def plan(self, snapshot: Snapshot) -> Plan:
        self._refuse_unseen(snapshot)
        declared, snapshot = self.declared, snapshot._replace(failures={})
        parts = [
            _users(declared, snapshot),
            _topics(declared, snapshot),
            _acls(declared, snapshot),
            _quotas(declared, snapshot),
        ]
        _refuse([sentence for part in parts for sentence in part.refused])
        for plan in parts[0].given:
            for step in plan.steps:
                self.has_password(step.arguments["name"], step.arguments["password_from"])
        plans = [plan for part in parts for plan in part.given]
        plans += [plan for part in reversed(parts) for plan in part.taken] if self.delete else []
        return self._whole([plan for plan in plans if plan.steps], parts, snapshot)

    def _refuse_unseen(self, snapshot: Snapshot) -> None:
        """What is declared, or could be undeclared, and was not told: its state is not guessed."""
        declared = {str(item.wanted) for item in self.declared.items}
        for name, failure in snapshot.failures.items():
            if name in declared or any(self.declared.claimants(kind, name) for kind in ("topics", "users")):
                raise failure

    def _whole(self, plans: list[Plan], parts: list[Part], snapshot: Snapshot) -> Plan:
        undeclared = [] if self.delete else [sentence for part in parts for sentence in part.undeclared]
        steps = tuple(_about(step, plan) for plan in plans for step in plan.steps)
        return Plan(
            f"apply the state of {', '.join(owner.name for owner in self.declared.owners)}",
            _one_for_each(change for plan in plans for change in plan.changes),
            steps,
            () if steps else ("everything is as declared",),
            (
                *(warning for part in parts for warning in part.warnings),
                *dict.fromkeys(warning for plan in plans for warning in plan.warnings),
                *(f"{sentence} is not declared; --delete would take it away" for sentence in undeclared),
            ),
            snapshot.cluster_id,
            merged([plan.wants._replace(settings=(), configs=True) for plan in plans]),
        )


def _refuse(sentences: list[str]) -> None:
    if len(sentences) == 1:
        raise OperationFailed(sentences[0])
    if sentences:
        raise OperationFailed(f"{len(sentences)} things cannot be applied: {'; '.join(sentences)}")


def _about(step: Step, plan: Plan) -> Step:
    return step if step.about else step._replace(about=tuple(change.resource for change in plan.changes))


def _one_for_each(changes: Iterable[Change]) -> tuple[Change, ...]:
    """One change for each resource, whatever it is made of: it is looked at as a whole afterwards."""
    found: dict[Resource, Change] = {}
    for change in changes:
        first = found.get(change.resource)
        if first is None:
            found[change.resource] = change
        else:
            before, after = _joined(first.before, change.before), _joined(first.after, change.after)
            found[change.resource] = Change(change.resource, before, after)
    return tuple(found.values())


def _joined(one: State, other: State) -> State:
    """Both, and what both have in one; what was not there before the first was not there."""
    if one is None or other is None:
        return None
    joined = dict(one)
    for key, value in other.items():
        has = joined.get(key)
        joined[key] = {**has, **value} if isinstance(has, Mapping) and isinstance(value, Mapping) else value
    return joined


# -- topics ------------------------------------------------------------------------------------------------------------


class _TopicItem(NamedTuple):
    wanted: DeclaredTopic
    where: str


def _declared_topics(declared: Declared) -> list[_TopicItem]:
    return [_TopicItem(item.wanted, item.where) for item in declared.items if isinstance(item.wanted, DeclaredTopic)]


def _topics(declared: Declared, snapshot: Snapshot) -> Part:
    part = _part()
    known = snapshot.states.get(SETTING_NAMES)
    settings = () if known is None else known["names"]
    for wanted, where in _declared_topics(declared):
        part.warnings.extend(_unknown_settings(wanted, where, settings))
        topic = snapshot.topics.get(wanted.name)
        if topic is None:
            counts = wanted.partitions, wanted.replication_factor
            part.given.append(CreateTopic(wanted.name, *counts, wanted.configs or {}).plan(snapshot))
        elif topic.internal:
            part.refused.append(f"{where}: topic {topic.name} is the cluster's own")
        else:
            part.refused.extend(_impossible(wanted, topic, where))
            _compare_topic(part, wanted, topic, snapshot)
    names = {item.wanted.name for item in _declared_topics(declared)}
    for name, topic in sorted(snapshot.topics.items()):
        if name not in names and not topic.internal and _undeclared(declared, part, "topics", name, f"topic {name}"):
            part.taken.append(DeleteTopics((name,)).plan(snapshot))
    return part


def _undeclared(declared: Declared, part: Part, kind: str, thing: Rule | str, called: str) -> bool:
    """Is this thing, which nobody declared, somebody's business? Says so; two claimants are refused."""
    claimants = declared.claimants(kind, thing)
    if len(claimants) > 1:
        part.refused.append(f"{called} lies in the scopes of two owners: {' and '.join(claimants)}; narrow one of them")
    elif claimants:
        part.undeclared.append(f"{called}, which is in the scope of {claimants[0]},")
    return len(claimants) == 1


def _impossible(wanted: DeclaredTopic, topic: Topic, where: str) -> Iterator[str]:
    have, factor = len(topic.partitions), topic.replication_factor
    if wanted.partitions is not None and wanted.partitions < have:
        yield (
            f"{where}: topic {topic.name} has {have} partitions, and {wanted.partitions} are declared: they can only "
            f"become more, so declare {have}, or make a new topic"
        )
    if wanted.replication_factor is not None and wanted.replication_factor != factor:
        yield (
            f"{where}: topic {topic.name} has replication factor {factor}, not {wanted.replication_factor}: to change "
            f"that, its partitions have to be reassigned (kafka-reassign-partitions); until then declare {factor}"
        )


def _compare_topic(part: Part, wanted: DeclaredTopic, topic: Topic, snapshot: Snapshot) -> None:
    if wanted.partitions is not None and wanted.partitions > len(topic.partitions):
        part.given.append(AddPartitions(topic.name, wanted.partitions).plan(snapshot))
    if wanted.configs is None:
        return
    have = topic.configs or {}
    if wanted.configs:
        part.given.append(_settings(topic, wanted.configs, snapshot))
    extra = sorted(name for name in have if name not in wanted.configs)
    if extra:
        part.undeclared.extend(f"setting {name}={have[name]} of topic {topic.name}" for name in extra)
        part.taken.append(_settings(topic, dict.fromkeys(extra), snapshot))


def _settings(topic: Topic, changes: Mapping[str, str | None], snapshot: Snapshot) -> Plan:
    """The plan of the settings' own operation, from what was seen of the topic."""
    entity, have = Entity("topic", topic.name), topic.configs or {}
    seen = tuple(Config(name, value, "topic", True, False, False, "", None, ()) for name, value in have.items())
    plan = ChangeSettings(entity, changes).plan(snapshot._replace(settings={entity: seen}))
    return plan._replace(steps=tuple(_undoable(step, have) for step in plan.steps), warnings=())


def _undoable(step: Step, have: Mapping[str, str]) -> Step:
    if step.undo is not None:
        return step
    before = {name: have.get(name) for name in step.arguments["changes"]}
    sentence = f"put {', '.join(before)} of topic {step.arguments['name']} back"
    return step._replace(undo=Undo(step.action, sentence, {**step.arguments, "changes": before}))


def _unknown_settings(wanted: DeclaredTopic, where: str, known: Iterable[str]) -> Iterator[str]:
    for name in wanted.configs or ():
        if known and name not in known:
            near = near_names(name, known)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            yield f"{where}: topics of this cluster have no setting {name}{hint}"


# -- ACLs --------------------------------------------------------------------------------------------------------------


def _acls(declared: Declared, snapshot: Snapshot) -> Part:
    part = _part()
    wanted = [item.wanted for item in declared.items if isinstance(item.wanted, Rule)]
    if wanted:
        part.given.append(acls.Grant(tuple(wanted)).plan(snapshot))
    extra = [
        rule
        for rule in acls.rules_seen(snapshot)
        if rule not in wanted and _undeclared(declared, part, "acls", rule, f"ACL {rule}")
    ]
    if extra:
        part.taken.append(acls.revoking(extra, snapshot.cluster_id))
    return part


# -- quotas ------------------------------------------------------------------------------------------------------------


def _quotas(declared: Declared, snapshot: Snapshot) -> Part:
    part, seen = _part(), quotas.quotas_seen(snapshot)
    wanted = {item.wanted.subject: item.wanted for item in declared.items if isinstance(item.wanted, DeclaredQuota)}
    for subject, quota in wanted.items():
        have = seen.get(subject, {})
        if quota.limits:
            part.given.append(quotas.ChangeQuota(subject, dict(quota.limits)).against(have, snapshot.cluster_id))
        extra = [key for key in have if key not in quota.limits]
        part.undeclared.extend(f"{key} of quota {subject}" for key in extra)
        part.taken.extend(_unlimited(subject, extra, have, snapshot) if extra else ())
    for subject, have in seen.items():
        if subject not in wanted and _undeclared(declared, part, "quotas", str(subject), f"quota {subject}"):
            part.taken.extend(_unlimited(subject, list(have), have, snapshot))
    return part


def _unlimited(
    subject: quotas.Subject, keys: list[str], have: Mapping[str, float], snapshot: Snapshot
) -> Iterator[Plan]:
    yield quotas.ChangeQuota(subject, dict.fromkeys(keys)).against(have, snapshot.cluster_id)


# -- users -------------------------------------------------------------------------------------------------------------


def _users(declared: Declared, snapshot: Snapshot) -> Part:
    part, seen = _part(), users.users_seen(snapshot)
    wanted = {item.wanted.name: item for item in declared.items if isinstance(item.wanted, DeclaredUser)}
    for name, item in wanted.items():
        _compare_user(part, item, seen.get(name), snapshot)
    for name in seen:
        if name not in wanted and _undeclared(declared, part, "users", name, f"user {name}"):
            part.taken.append(users.DeleteUser(name).plan(snapshot))
    return part


def _compare_user(part: Part, item: Item, user: users.User | None, snapshot: Snapshot) -> None:
    wanted = item.wanted
    assert isinstance(wanted, DeclaredUser)
    have = user.mechanisms if user is not None else {}
    missing = [one for one in wanted.mechanisms if one not in have]
    if user is None and not missing:
        missing = ["SCRAM-SHA-256"]
    if missing and wanted.password is None:
        what = "does not exist" if user is None else f"has no {' and no '.join(missing)}"
        verb = "create" if user is None else "alter"
        part.refused.append(
            f"{item.where}: user {wanted.name} {what}, and no password is declared: add `password: env:NAME` "
            f"(or file:PATH), or run `logctl user {verb} {wanted.name}` first"
        )
    elif missing:
        part.given.extend(_logins(wanted, missing, user, snapshot))
    extra = [one for one in have if wanted.mechanisms and one not in wanted.mechanisms]
    if extra:
        after = {wanted.name: {"mechanisms": {**have, **dict.fromkeys(missing, wanted.iterations)}}}
        then = snapshot._replace(states={**snapshot.states, users.EVERY: {"users": after}})
        part.undeclared.extend(f"{one} of user {wanted.name}" for one in extra)
        part.taken.append(users.DeleteUser(wanted.name, tuple(extra)).plan(then))


def _logins(wanted: DeclaredUser, missing: list[str], user: users.User | None, snapshot: Snapshot) -> Iterator[Plan]:
    """The first password creates the user; each further one is added to it."""
    now = {} if user is None else dict(user.mechanisms)
    for mechanism in missing:
        credential = users.Credential(wanted.password or "", mechanism, wanted.iterations)
        if not now:
            yield users.CreateUser(wanted.name, credential).plan(snapshot)
        else:
            seen = {wanted.name: {"mechanisms": now}}
            states = {**snapshot.states, users.EVERY: {"users": seen}}
            yield users.AlterUser(wanted.name, credential).plan(snapshot._replace(states=states))
        now[mechanism] = wanted.iterations
