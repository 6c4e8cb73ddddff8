"""Access rules of a cluster: seeing them, granting and revoking.

A revocation names the rules that were seen, one by one: a rule that somebody adds meanwhile is never removed by it.
Rules have no state beyond being there, so the name of the resource is the rule itself; `EVERY` looks at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.acl_rules import Filter, Rule, code_of, rule_from, word_of
from logctl.admin.capabilities import need
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.routing import Cluster, refusal
from logctl.admin.wording import counted
from logctl.errors import LogctlError, UsageError
from logctl.wire import errors

EVERY: Final = Resource("acl", "*")
"""Looking at it shows every rule: {'rules': [{'principal': ..., ...}]}."""

_ANY: Final = 1
_AT_ONCE: Final = 500
_NO_AUTHORIZER: Final = "the brokers run without authorizer.class.name, so everyone may do everything"


def list_rules(cluster: Cluster, wanted: Filter, deadline: Deadline) -> list[Rule]:
    """The rules that match, in a fixed order. Raises OperationFailed where the cluster keeps none."""
    return [rule for rule in _all_rules(cluster, deadline) if wanted.matches(rule)]


def _all_rules(cluster: Cluster, deadline: Deadline) -> list[Rule]:
    from logctl.wire.messages.describe_acls import DescribeAclsRequest

    need(cluster, "DescribeAcls", deadline)
    request = DescribeAclsRequest(
        resource_type_filter=_ANY,
        resource_name_filter=None,
        pattern_type_filter=_ANY,
        principal_filter=None,
        host_filter=None,
        operation=_ANY,
        permission_type=_ANY,
    )
    response = cluster.ask(request, deadline)
    if response.error_code != errors.NONE:
        raise _refused("ACLs", response.error_code, response.error_message)
    return sorted(_rule(resource, entry) for resource in response.resources for entry in resource.acls)


def _rule(resource: Any, entry: Any) -> Rule:
    return Rule(
        entry.principal,
        entry.host,
        word_of("resource type", resource.resource_type),
        resource.resource_name,
        word_of("pattern type", resource.pattern_type),
        word_of("operation", entry.operation),
        word_of("permission", entry.permission_type),
    )


def _refused(subject: str, code: int, said: str | None) -> LogctlError:
    return refusal(subject, code, said, _NO_AUTHORIZER if code == errors.SECURITY_DISABLED else "")


def observe_acls(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The rules of these texts; '*' for all of them."""
    rules = _all_rules(cluster, deadline)
    states: dict[str, State] = {str(rule): _state(rule) for rule in rules}
    states[EVERY.name] = {"rules": [rule._asdict() for rule in rules]}
    return Seen({name: states[name] for name in names if name in states}, {})


def rules_seen(snapshot: Snapshot) -> list[Rule]:
    """All rules of a snapshot that looked at EVERY."""
    state = snapshot.states.get(EVERY)
    return [] if state is None else [rule_from(fields) for fields in state["rules"]]


# -- changing them -----------------------------------------------------------------------------------------------------


class Grant(NamedTuple):
    """Add rules: allowing or denying ones."""

    rules: tuple[Rule, ...]

    def check(self) -> None:
        """Raises UsageError for a rule that means nothing."""
        if not self.rules:
            raise UsageError("no ACL was described", "say who (--principal), what (--operation) and on what (--topic)")
        for rule in self.rules:
            rule.check()

    def wants(self) -> Wants:
        return Wants(looks=(EVERY,))

    def plan(self, snapshot: Snapshot) -> Plan:
        present = set(rules_seen(snapshot))
        wanted = dict.fromkeys(self.rules)
        missing = [rule for rule in wanted if rule not in present]
        notes = tuple(f"{rule} is there already" for rule in wanted if rule in present)
        changes = tuple(Change(_resource(rule), None, _state(rule)) for rule in missing)
        warnings = tuple(_lockouts(missing, present))
        plan = Plan(f"add {_count(missing or self.rules)}", changes, (), notes, warnings, snapshot.cluster_id)
        return plan._replace(steps=(granting(missing),), wants=_looks(missing)) if missing else plan


class Revoke(NamedTuple):
    """Remove the rules that match, each by itself."""

    wanted: Filter

    def check(self) -> None:
        """Raises UsageError for a filter that could mean every rule of the cluster."""
        if self.wanted.is_open:
            raise UsageError("that would remove ACLs of everyone on everything", "name a principal or a resource")

    def wants(self) -> Wants:
        return Wants(looks=(EVERY,))

    def plan(self, snapshot: Snapshot) -> Plan:
        found = [rule for rule in rules_seen(snapshot) if self.wanted.matches(rule)]
        if not found:
            return Plan("remove ACLs", notes=("no ACL matches",), cluster_id=snapshot.cluster_id)
        return revoking(found, snapshot.cluster_id)


class RevokeRules(NamedTuple):
    """Remove these rules, as far as they are there."""

    rules: tuple[Rule, ...]

    def check(self) -> None:
        """Raises UsageError for a rule that means nothing."""
        for rule in self.rules:
            rule.check()

    def wants(self) -> Wants:
        return Wants(looks=(EVERY,))

    def plan(self, snapshot: Snapshot) -> Plan:
        present = set(rules_seen(snapshot))
        notes = tuple(f"{rule} is not there" for rule in self.rules if rule not in present)
        going = [rule for rule in self.rules if rule in present]
        plan = revoking(going, snapshot.cluster_id) if going else Plan("remove ACLs", cluster_id=snapshot.cluster_id)
        return plan._replace(notes=notes)


def revoking(rules: Sequence[Rule], cluster_id: str | None) -> Plan:
    """The plan that removes exactly these rules, which were seen."""
    changes = tuple(Change(_resource(rule), _state(rule), None) for rule in rules)
    arguments = {"rules": [rule._asdict() for rule in rules]}
    undo = Undo("acl.grant", f"add {_count(rules)} again", arguments, _risk(rules, "deny"))
    step = Step("acl.revoke", f"remove {_told(rules)}", arguments, Risk.DISRUPTIVE, _resources(rules), undo)
    return Plan(f"remove {_count(rules)}", changes, (step,), (), (), cluster_id, _looks(rules))


def granting(rules: Sequence[Rule]) -> Step:
    """The step that adds these rules. Denying takes something away from somebody; allowing does not."""
    arguments = {"rules": [rule._asdict() for rule in rules]}
    undo = Undo("acl.revoke", f"remove {_count(rules)} again", arguments, Risk.DISRUPTIVE)
    return Step("acl.grant", f"add {_told(rules)}", arguments, _risk(rules, "deny"), _resources(rules), undo)


def _risk(rules: Iterable[Rule], permission: str) -> Risk:
    return Risk.DISRUPTIVE if any(rule.permission == permission for rule in rules) else Risk.SAFE


def _lockouts(missing: Iterable[Rule], present: Iterable[Rule]) -> Iterable[str]:
    """Resources that get their first rule: with allow.everyone.if.no.acl.found they were open until now."""
    had = {(rule.resource_type, rule.resource_name, rule.pattern_type) for rule in present}
    fresh = {rule.resource: None for rule in missing if (rule.resource_type, *rule[3:5]) not in had}
    for resource in fresh:
        yield (
            f"this is the first ACL on {resource}: where allow.everyone.if.no.acl.found=true, "
            "nobody else may use it from now on"
        )


def _told(rules: Sequence[Rule]) -> str:
    """'the ACL: ...' or '5 ACLs'; the preview lists each below."""
    return f"the ACL: {rules[0]}" if len(rules) == 1 else _count(rules)


def _count(rules: Sequence[Rule]) -> str:
    return counted(len(rules), "ACL")


def _state(rule: Rule) -> dict[str, Any]:
    """The name says it all; this is what a preview shows below it."""
    return {"permission": rule.permission}


def _resource(rule: Rule) -> Resource:
    return Resource("acl", str(rule))


def _resources(rules: Iterable[Rule]) -> tuple[Resource, ...]:
    return tuple(_resource(rule) for rule in rules)


def _looks(rules: Iterable[Rule]) -> Wants:
    return Wants(looks=_resources(rules))


# -- the actions of the steps ------------------------------------------------------------------------------------------

Outcomes = dict[Resource, LogctlError | None]


def grant(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> Outcomes:
    """Add rules by CreateAcls; Kafka cannot rehearse it."""
    return {} if dry else _by_parts(arguments, lambda rules: _create(cluster, rules, deadline))


def revoke(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> Outcomes:
    """Remove rules by DeleteAcls, each by a filter that only it matches; Kafka cannot rehearse it."""
    return {} if dry else _by_parts(arguments, lambda rules: _delete(cluster, rules, deadline))


def _by_parts(arguments: Mapping[str, Any], act: Callable[[list[Rule]], Outcomes]) -> Outcomes:
    rules = [rule_from(fields) for fields in arguments["rules"]]
    outcomes: Outcomes = {}
    for start in range(0, len(rules), _AT_ONCE):
        outcomes.update(act(rules[start : start + _AT_ONCE]))
    return outcomes


def _create(cluster: Cluster, rules: list[Rule], deadline: Deadline) -> Outcomes:
    from logctl.wire.messages.create_acls import AclCreation, CreateAclsRequest

    creations = [
        AclCreation(
            resource_type=code_of("resource type", rule.resource_type),
            resource_name=rule.resource_name,
            resource_pattern_type=code_of("pattern type", rule.pattern_type),
            principal=rule.principal,
            host=rule.host,
            operation=code_of("operation", rule.operation),
            permission_type=code_of("permission", rule.permission),
        )
        for rule in rules
    ]
    response = cluster.ask(CreateAclsRequest(creations=creations), deadline, _codes("results"))
    return {
        _resource(rule): _verdict(f"cannot add {rule}", result.error_code, result.error_message)
        for rule, result in zip(rules, response.results, strict=True)
    }


def _delete(cluster: Cluster, rules: list[Rule], deadline: Deadline) -> Outcomes:
    from logctl.wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest

    filters = [
        DeleteAclsFilter(
            resource_type_filter=code_of("resource type", rule.resource_type),
            resource_name_filter=rule.resource_name,
            pattern_type_filter=code_of("pattern type", rule.pattern_type),
            principal_filter=rule.principal,
            host_filter=rule.host,
            operation=code_of("operation", rule.operation),
            permission_type=code_of("permission", rule.permission),
        )
        for rule in rules
    ]
    response = cluster.ask(DeleteAclsRequest(filters=filters), deadline, _codes("filter_results"))
    return {
        _resource(rule): _removed(rule, result) for rule, result in zip(rules, response.filter_results, strict=True)
    }


def _removed(rule: Rule, result: Any) -> LogctlError | None:
    """A rule that nothing matched any more is gone, which is what was wanted."""
    for answer in (result, *result.matching_acls):
        if answer.error_code != errors.NONE:
            return _verdict(f"cannot remove {rule}", answer.error_code, answer.error_message)
    return None


def _verdict(subject: str, code: int, said: str | None) -> LogctlError | None:
    return None if code == errors.NONE else _refused(subject, code, said)


def _codes(field: str) -> Callable[[Any], list[int]]:
    return lambda answer: [result.error_code for result in getattr(answer, field)]


ACTIONS: Final = {"grant": grant, "revoke": revoke}
