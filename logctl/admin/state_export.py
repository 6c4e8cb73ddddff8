"""From what is there to a state file: the document that `state apply` would find nothing to do about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin import acls, quotas, users
from logctl.admin.acl_rules import Filter
from logctl.admin.deadline import Deadline
from logctl.admin.link import NotOffered
from logctl.admin.observe import Topic, Wants, observe
from logctl.admin.quotas import DEFAULT, Quota, exact
from logctl.admin.routing import Cluster
from logctl.admin.state_files import KINDS, RulePattern, Scope
from logctl.errors import LogctlError, OperationFailed


class Exported(NamedTuple):
    """`document`: in the form of a state file. `left_out`: why a kind is not in it, though nobody asked to leave it
    out; `failures`: things that could not be told, by name."""

    document: dict[str, Any]
    left_out: list[str]
    failures: dict[str, LogctlError]


def export_state(
    cluster: Cluster, owner: str, scope: Scope, deadline: Deadline, *, as_far_as_offered: bool = False
) -> Exported:
    """The kinds whose scope is not None, as far as the scope covers them. With `as_far_as_offered`, kinds that the
    cluster does not keep are left out with a sentence; otherwise they raise."""
    found: dict[str, list[dict[str, Any]]] = {}
    left_out: list[str] = []
    failures: dict[str, LogctlError] = {}
    for kind in KINDS:
        if scope.of(kind) is None:
            continue
        try:
            found[kind] = _READERS[kind](cluster, scope, deadline, failures)
        except (NotOffered, OperationFailed) as error:
            if not as_far_as_offered or not _lacking(error):
                raise
            left_out.append(f"{kind} are left out: {error.message}")
    said = {kind: _scope_document(patterns) for kind in found if (patterns := scope.of(kind)) is not None}
    return Exported({"owner": owner, "scope": said, **found}, left_out, failures)


def _lacking(error: LogctlError) -> bool:
    return isinstance(error, NotOffered) or error.kafka_name == "SECURITY_DISABLED"


def _scope_document(patterns: Iterable[Any]) -> list[Any]:
    return [_pattern_document(one) if isinstance(one, RulePattern) else one for one in patterns]


def _pattern_document(pattern: RulePattern) -> str | dict[str, str]:
    narrow = {name: text for name, text in pattern._asdict().items() if text != "*"}
    return pattern.principal if narrow.keys() <= {"principal"} else narrow


def _topics(
    cluster: Cluster, scope: Scope, deadline: Deadline, failures: dict[str, LogctlError]
) -> list[dict[str, Any]]:
    snapshot = observe(cluster, Wants(None, configs=True), deadline)
    failures.update({name: one for name, one in snapshot.failures.items() if scope.covers("topics", name)})
    chosen = sorted(snapshot.topics.items())
    return [
        topic_document(one)
        for name, one in chosen
        if not one.internal and name not in failures and scope.covers("topics", name)
    ]


def topic_document(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "partitions": len(topic.partitions),
        "replication_factor": topic.replication_factor,
        "configs": dict(sorted((topic.configs or {}).items())),
    }


def _rules(
    cluster: Cluster, scope: Scope, deadline: Deadline, failures: dict[str, LogctlError]
) -> list[dict[str, Any]]:
    return [rule._asdict() for rule in acls.list_rules(cluster, Filter(), deadline) if scope.covers("acls", rule)]


def _quotas(
    cluster: Cluster, scope: Scope, deadline: Deadline, failures: dict[str, LogctlError]
) -> list[dict[str, Any]]:
    found = quotas.list_quotas(cluster, deadline)
    return [quota_document(quota) for quota in found if scope.covers("quotas", str(quota.subject))]


def quota_document(quota: Quota) -> dict[str, Any]:
    """As a state file has it: {'user': 'alice', 'limits': {'producer_byte_rate': 10485760}}."""
    names = {"user": "user", "client-id": "client_id", "ip": "ip"}
    whose = {names[kind]: DEFAULT if name is None else name for kind, name in quota.subject.parts}
    return {**whose, "limits": {key: exact(value) for key, value in quota.limits.items()}}


def _users(
    cluster: Cluster, scope: Scope, deadline: Deadline, failures: dict[str, LogctlError]
) -> list[dict[str, Any]]:
    found = users.list_users(cluster, deadline)
    failures.update({name: one for name, one in found.failures.items() if scope.covers("users", name)})
    return [
        {"name": user.name, "mechanisms": list(user.mechanisms)}
        for user in found.users
        if scope.covers("users", user.name)
    ]


_Reader = Callable[[Cluster, Scope, Deadline, dict[str, LogctlError]], list[dict[str, Any]]]
_READERS: Final[Mapping[str, _Reader]] = {"topics": _topics, "acls": _rules, "quotas": _quotas, "users": _users}
