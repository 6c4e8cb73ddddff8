"""Access rules as words: what a rule says, which operations make sense on which resource, and what a filter matches.

A rule (Kafka's "ACL binding") allows or denies one principal one operation on one resource pattern. Words here are
lower case with dashes ('describe-configs', 'transactional-id'); Apache's spellings are understood on the way in, and
the numbers of the wire stay inside `code_of` and `word_of`. Everything here is pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.errors import UsageError
from logctl.security.acl import CLUSTER_NAME as CLUSTER_NAME
from logctl.security.acl import Operation as _Operation
from logctl.security.acl import Resource as _Resource

ANYONE: Final = "User:*"
ANYWHERE: Final = "*"

_CODES: Final = {
    "resource type": {one.name.lower().replace("_", "-"): int(one) for one in _Resource},
    "operation": {one.name.lower().replace("_", "-"): int(one) for one in _Operation},
    "pattern type": {"any": 1, "match": 2, "literal": 3, "prefixed": 4},
    "permission": {"any": 1, "deny": 2, "allow": 3},
}
_WORDS: Final = {what: {code: word for word, code in codes.items()} for what, codes in _CODES.items()}
_SAME: Final = {"userprincipal": "user", "transactionalid": "transactional-id", "delegationtoken": "delegation-token"}

OPERATIONS: Final = {
    "topic": ("read", "write", "create", "describe", "delete", "alter", "describe-configs", "alter-configs"),
    "group": ("read", "describe", "delete", "describe-configs", "alter-configs"),
    "cluster": (
        *("create", "alter", "describe", "cluster-action", "idempotent-write", "describe-configs", "alter-configs"),
    ),
    "transactional-id": ("describe", "write", "two-phase-commit"),
    "delegation-token": ("describe",),
    "user": ("create-tokens", "describe-tokens"),
}
"""What can be done to each type of resource, besides 'all'."""


def code_of(what: str, word: str) -> int:
    """The wire's number: ('operation', 'read') -> 3."""
    known = _CODES[what].get(word)
    return int(word.removeprefix("code-")) if known is None else known


def word_of(what: str, code: int) -> str:
    """The word of the wire's number; 'code-99' for one that is newer than this table."""
    return _WORDS[what].get(code, f"code-{code}")


def word_from(what: str, text: str) -> str:
    """'DESCRIBE_CONFIGS', 'DescribeConfigs' and 'describe-configs' alike. Raises UsageError for no such word."""
    plain = "".join(character for character in text.lower() if character not in "-_ ")
    if what == "resource type" and plain in _SAME:
        return _SAME[plain]
    for word in _CODES[what]:
        if word.replace("-", "") == plain:
            return word
    raise UsageError(f"{text!r} is no {what}", f"there are {', '.join(_CODES[what])}")


class Rule(NamedTuple):
    """One access rule. `principal`: 'User:alice'; `host`: an address or '*'; `pattern_type`: literal or prefixed."""

    principal: str
    host: str
    resource_type: str
    resource_name: str
    pattern_type: str
    operation: str
    permission: str

    def __str__(self) -> str:
        """One text for each rule: 'allow User:alice read on topic orders'."""
        prefix = "prefix " if self.pattern_type == "prefixed" else ""
        what = f"{self.operation} on {self.resource_type} {prefix}{_word(self.resource_name)}"
        came = "" if self.host == ANYWHERE else f" from {_word(self.host)}"
        return f"{self.permission} {_word(self.principal)} {what}{came}"

    @property
    def resource(self) -> str:
        """'topic orders' or 'topics beginning with orders-', for sentences."""
        if self.pattern_type == "prefixed":
            return f"every {self.resource_type} beginning with {self.resource_name}"
        if self.resource_type == "cluster":
            return "the cluster"
        if self.resource_name == "*":
            return f"every {self.resource_type}"
        return f"{self.resource_type} {self.resource_name}"

    def check(self) -> None:
        """Raises UsageError for a rule that would never have an effect, or that Kafka refuses."""
        check_principal(self.principal)
        if self.resource_type not in OPERATIONS:
            raise UsageError(f"{self.resource_type!r} is no resource type", f"there are {', '.join(OPERATIONS)}")
        if not self.resource_name:
            raise UsageError(f"which {self.resource_type}? A rule needs a name, or '*' for every one")
        if self.pattern_type not in ("literal", "prefixed"):
            raise UsageError(f"a rule's pattern is literal or prefixed, not {self.pattern_type}")
        if self.permission not in ("allow", "deny"):
            raise UsageError(f"a rule allows or denies; {self.permission!r} is neither")
        if self.resource_type == "cluster" and (self.resource_name, self.pattern_type) != (CLUSTER_NAME, "literal"):
            raise UsageError(f"the cluster is named {CLUSTER_NAME}, literally")
        possible = OPERATIONS[self.resource_type]
        if self.operation != "all" and self.operation not in possible:
            raise UsageError(
                f"{self.operation} cannot be done to a {self.resource_type}", f"only all, {', '.join(possible)}"
            )


def check_principal(principal: str) -> None:
    """Raises UsageError for a principal without its type."""
    kind, colon, name = principal.partition(":")
    if not colon or not kind or not name:
        raise UsageError(f"{principal!r} is no principal", f"write its type too: User:{principal or 'NAME'}")


def _word(text: str) -> str:
    """The text, in quotes where it could be taken for more than one word."""
    return text if text and text.isascii() and text.isprintable() and not set(text) & set(' "') else json.dumps(text)


def rule_from(fields: Mapping[str, Any]) -> Rule:
    """The rule that `Rule._asdict()` made a document of."""
    return Rule(*(str(fields[name]) for name in Rule._fields))


class Filter(NamedTuple):
    """Which rules are meant; what is empty restricts nothing. `resources`: pairs of type and name (None: any name).
    `pattern_type` any, literal, prefixed, or match: also the patterns that the name falls under."""

    principals: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    resources: tuple[tuple[str, str | None], ...] = ()
    pattern_type: str = "any"
    operations: tuple[str, ...] = ()
    permission: str = "any"

    @property
    def is_open(self) -> bool:
        """Does it say neither whose rules are meant nor on what?"""
        return not self.principals and not self.resources

    def matches(self, rule: Rule) -> bool:
        return (
            (not self.principals or rule.principal in self.principals)
            and (not self.hosts or rule.host in self.hosts)
            and (not self.operations or rule.operation in self.operations)
            and self.permission in ("any", rule.permission)
            and self._on(rule)
        )

    def _on(self, rule: Rule) -> bool:
        if self.pattern_type not in ("any", "match", rule.pattern_type):
            return False
        return not self.resources or any(
            kind in ("any", rule.resource_type) and (name is None or self._named(name, rule))
            for kind, name in self.resources
        )

    def _named(self, name: str, rule: Rule) -> bool:
        if self.pattern_type != "match" or name == rule.resource_name:
            return name == rule.resource_name
        if rule.pattern_type == "prefixed":
            return name.startswith(rule.resource_name)
        return rule.resource_name == "*"


# -- rules that belong together ----------------------------------------------------------------------------------------


class Who(NamedTuple):
    """Whom rules are for: each of the principals from each of the hosts."""

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    denied_hosts: tuple[str, ...] = ()

    def each(self) -> Iterable[tuple[str, str, str]]:
        """(permission, principal, host). A host without a principal of its kind means anyone from there."""
        for permission, principals, hosts in (
            ("allow", self.allowed, self.allowed_hosts),
            ("deny", self.denied, self.denied_hosts),
        ):
            for principal in principals or ((ANYONE,) if hosts else ()):
                for host in hosts or (ANYWHERE,):
                    yield permission, principal, host


def rules_for(
    who: Who, resources: Iterable[tuple[str, str]], operations: Iterable[str], pattern_type: str = "literal"
) -> list[Rule]:
    """Every principal, every resource (type and name), every operation. The cluster is always meant literally."""
    wanted = list(operations) or ["all"]
    return [
        Rule(principal, host, kind, name, "literal" if kind == "cluster" else pattern_type, operation, permission)
        for kind, name in resources
        for permission, principal, host in who.each()
        for operation in wanted
    ]


def producer_rules(
    who: Who, topics: Iterable[str], transactional_ids: Iterable[str], idempotent: bool, pattern_type: str = "literal"
) -> list[Rule]:
    """What a producer needs; `idempotent` for brokers before 3.0 and clusters that ask for it."""
    rules = rules_for(who, [("topic", name) for name in topics], ("write", "describe", "create"), pattern_type)
    ids = [("transactional-id", name) for name in transactional_ids]
    rules += rules_for(who, ids, ("write", "describe"), pattern_type)
    return rules + (rules_for(who, [("cluster", CLUSTER_NAME)], ("idempotent-write",)) if idempotent else [])


def consumer_rules(who: Who, topics: Iterable[str], groups: Iterable[str], pattern_type: str = "literal") -> list[Rule]:
    """What a member of a consumer group needs."""
    rules = rules_for(who, [("topic", name) for name in topics], ("read", "describe"), pattern_type)
    return rules + rules_for(who, [("group", name) for name in groups], ("read",), pattern_type)
