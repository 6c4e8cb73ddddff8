"""State files: what a cluster shall hold, declared by owners, each within a scope.

    owner: payments                          # whose declaration this is
    scope:                                   # what is the owner's business, declared or not
      topics: ['payments-*']
      acls: ['User:payments-*', {resource_type: group, resource_name: 'payments-*'}]
      quotas: ['user=payments-*']
      users: ['payments-*']
    topics:
      - name: payments-in
        partitions: 6
        replication_factor: 3
        configs: {retention.ms: 86400000}
    acls:
      - {principal: 'User:payments-app', operation: [read, describe], resource_type: topic, resource_name: payments-in}
    quotas:
      - {user: payments-app, limits: {producer_byte_rate: 10MiB}}
    users:
      - {name: payments-app, mechanisms: [SCRAM-SHA-256], password: 'env:PAYMENTS_PASSWORD'}

A kind that `scope` leaves out is open: anything of it may be declared, and nothing undeclared is looked at. Whatever is
declared must lie in its owner's scope and in nobody else's, and is declared once in all files that are read together:
two owners that claim one thing would undo each other's work for ever. Everything here is found before connecting.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin import users
from logctl.admin.acl_rules import Rule, word_from
from logctl.admin.documents import Value, files_of, read_documents
from logctl.admin.quotas import DEFAULT, ChangeQuota, Quota, Subject, in_order, parse_limit
from logctl.admin.topic_changes import CreateTopic
from logctl.errors import UsageError
from logctl.security.acl import CLUSTER_NAME

KINDS: Final = ("topics", "acls", "quotas", "users")
_CALLED: Final = {"topics": "topic", "acls": "ACL", "quotas": "quota", "users": "user"}
_FIELDS: Final = ("owner", "scope", *KINDS)


class DeclaredTopic(NamedTuple):
    """None: not decided here (the cluster's default when it is created). `configs` None: its settings are not ours."""

    name: str
    partitions: int | None = None
    replication_factor: int | None = None
    configs: dict[str, str] | None = None

    def __str__(self) -> str:
        return self.name


class DeclaredUser(NamedTuple):
    """A user that shall exist. `password`: where it is found when the user has to be created."""

    name: str
    mechanisms: tuple[str, ...] = ()
    password: str | None = None
    iterations: int = users.DEFAULT_ITERATIONS

    def __str__(self) -> str:
        return self.name


class DeclaredQuota(NamedTuple):
    subject: Subject
    limits: dict[str, float]

    def __str__(self) -> str:
        return str(self.subject)


Wanted = DeclaredTopic | Rule | DeclaredQuota | DeclaredUser


class Item(NamedTuple):
    """One declared thing. `where`: 'topics.yaml:7'."""

    kind: str
    wanted: Wanted
    owner: str
    where: str

    def __str__(self) -> str:
        return f"{_CALLED[self.kind]} {self.wanted}"


class RulePattern(NamedTuple):
    """ACLs by shell patterns of what they say."""

    principal: str = "*"
    resource_type: str = "*"
    resource_name: str = "*"

    def covers(self, rule: Rule) -> bool:
        said = (rule.principal, rule.resource_type, rule.resource_name)
        return all(map(fnmatch.fnmatchcase, said, self))


class Scope(NamedTuple):
    """What is an owner's business, by shell patterns; None: of this kind only what is declared."""

    topics: tuple[str, ...] | None = None
    acls: tuple[RulePattern, ...] | None = None
    quotas: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None

    def of(self, kind: str) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = getattr(self, kind)
        return found

    def covers(self, kind: str, thing: Rule | str) -> bool:
        """Topics and users by name, quotas by the subject's text, ACLs by themselves."""
        patterns = self.of(kind) or ()
        if isinstance(thing, Rule):
            return any(pattern.covers(thing) for pattern in patterns)
        return any(fnmatch.fnmatchcase(thing, pattern) for pattern in patterns)


class Owner(NamedTuple):
    """An owner with the scopes of its documents."""

    name: str
    scopes: tuple[Scope, ...]

    def covers(self, kind: str, thing: Rule | str) -> bool:
        return any(scope.covers(kind, thing) for scope in self.scopes)

    def limits(self, kind: str) -> bool:
        """Has the owner said what of this kind is its business?"""
        return any(scope.of(kind) is not None for scope in self.scopes)


class Declared(NamedTuple):
    """All files together."""

    items: tuple[Item, ...]
    owners: tuple[Owner, ...]
    files: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Item]:
        return [item for item in self.items if item.kind == kind]

    def scoped(self, kind: str) -> bool:
        """Is anything of this kind to be looked at beyond what is declared?"""
        return any(owner.limits(kind) for owner in self.owners)

    def claimants(self, kind: str, thing: Rule | str) -> list[str]:
        """The owners whose business it is."""
        return [owner.name for owner in self.owners if owner.covers(kind, thing)]


def thing_of(wanted: Wanted) -> Rule | str:
    """What scopes are compared with."""
    return wanted if isinstance(wanted, Rule) else str(wanted)


# -- reading -----------------------------------------------------------------------------------------------------------


def load_state(paths: Iterable[str]) -> Declared:
    """What the files (and those in the folders) declare. Raises UsageError that names file, line and field."""
    files = files_of(paths)
    documents = [document for file in files for document in read_documents(file)]
    if not documents:
        raise UsageError(f"nothing is declared in {', '.join(files)}")
    return declared_in(documents, files)


def declared_in(documents: Iterable[Value], files: Sequence[str] = ()) -> Declared:
    """What the documents declare together. Raises UsageError."""
    items: list[Item] = []
    scopes: dict[str, list[Scope]] = {}
    for document in documents:
        fields = document.fields(_FIELDS, required=("owner",))
        owner = fields["owner"].text()
        scopes.setdefault(owner, []).append(_scope(fields["scope"]) if "scope" in fields else Scope())
        items += [Item(kind, wanted, owner, where) for kind, wanted, where in _items(fields)]
    declared = Declared(
        tuple(items), tuple(Owner(name, tuple(theirs)) for name, theirs in scopes.items()), tuple(files)
    )
    _refuse_conflicts(declared)
    return declared


def _items(fields: dict[str, Value]) -> Iterator[tuple[str, Wanted, str]]:
    for kind, read in (("topics", _topics), ("acls", _rules), ("quotas", _quotas), ("users", _users)):
        if kind in fields:
            for entry in fields[kind].each():
                for wanted in read(entry):
                    yield kind, wanted, entry.where


def _refuse_conflicts(declared: Declared) -> None:
    first: dict[tuple[str, str], Item] = {}
    owners = {owner.name: owner for owner in declared.owners}
    for item in declared.items:
        before = first.setdefault((item.kind, str(item.wanted)), item)
        if before is not item:
            twice = f"declared twice; first in {before.where}"
            if before.owner != item.owner:
                twice = f"claimed by two owners: {before.owner} ({before.where}) and {item.owner}"
            raise UsageError(f"{item.where}: {item} is {twice}", "leave it to one of them")
        thing, owner = thing_of(item.wanted), owners[item.owner]
        if owner.limits(item.kind) and not owner.covers(item.kind, thing):
            raise UsageError(
                f"{item.where}: {item} lies outside the scope of its owner {item.owner}",
                f"extend scope.{item.kind}, or leave it to its owner",
            )
        for other in declared.claimants(item.kind, thing):
            if other != item.owner:
                raise UsageError(
                    f"{item.where}: {item} is claimed by two owners: {item.owner}, and {other} whose scope covers it",
                    f"narrow scope.{item.kind} of {other}, or leave it to {other}",
                )


def _scope(value: Value) -> Scope:
    fields = value.fields(KINDS)
    texts = {kind: tuple(fields[kind].texts()) if kind in fields else None for kind in KINDS if kind != "acls"}
    rules = None
    if "acls" in fields:
        entries = fields["acls"].each() if fields["acls"].is_list else [fields["acls"]]
        rules = tuple(_rule_pattern(entry) for entry in entries)
    return Scope(texts["topics"], rules, texts["quotas"], texts["users"])


def _rule_pattern(value: Value) -> RulePattern:
    if not value.is_mapping:
        return RulePattern(value.text())
    fields = value.fields(RulePattern._fields)
    if not fields:
        raise value.wrong("a pattern that says nothing", "'*' means every ACL")
    return RulePattern(**{name: one.text() for name, one in fields.items()})


# -- the kinds ---------------------------------------------------------------------------------------------------------


def _topics(value: Value) -> list[DeclaredTopic]:
    fields = value.fields(DeclaredTopic._fields, required=("name",))
    counts = {name: fields[name].whole(1) for name in ("partitions", "replication_factor") if name in fields}
    configs = None
    if "configs" in fields:
        configs = {name: one.value_text() for name, one in fields["configs"].pairs().items()}
    topic = DeclaredTopic(fields["name"].text(), counts.get("partitions"), counts.get("replication_factor"), configs)
    _checked(value, CreateTopic(topic.name))
    return [topic]


def _rules(value: Value) -> list[Rule]:
    fields = value.fields((*Rule._fields, "name"), required=("principal", "resource_type", "operation"))
    kind = _word(fields["resource_type"], "resource type")
    if kind != "cluster" and "resource_name" not in fields:
        raise value.wrong("resource_name is missing", "'*' means every one")
    name = fields["resource_name"].text() if "resource_name" in fields else CLUSTER_NAME
    pattern = _word(fields["pattern_type"], "pattern type") if "pattern_type" in fields else "literal"
    permission = _word(fields["permission"], "permission") if "permission" in fields else "allow"
    host = fields["host"].text() if "host" in fields else "*"
    operations = fields["operation"].each() if fields["operation"].is_list else [fields["operation"]]
    rules = [
        Rule(fields["principal"].text(), host, kind, name, pattern, _word(one, "operation"), permission)
        for one in operations
    ]
    for rule in rules:
        _checked(value, rule)
    return rules


def _word(value: Value, what: str) -> str:
    try:
        return word_from(what, value.text())
    except UsageError as error:
        raise value.wrong(error.message, error.hint) from None


def _quotas(value: Value) -> list[DeclaredQuota]:
    fields = value.fields(("user", "client_id", "ip", "limits"), required=("limits",))
    named = {"user": "user", "client_id": "client-id", "ip": "ip"}
    texts = [(kind, fields[name].text()) for name, kind in named.items() if name in fields]
    subject = Subject(in_order((kind, None if text == DEFAULT else text) for kind, text in texts))
    limits: dict[str, float] = {}
    for key, one in fields["limits"].pairs().items():
        try:
            limits[key] = parse_limit(key, one.text())
        except UsageError as error:
            raise one.wrong(error.message, error.hint) from None
    _checked(value, ChangeQuota(subject, dict(limits)))
    return [DeclaredQuota(subject, limits)]


def _users(value: Value) -> list[DeclaredUser]:
    fields = value.fields(DeclaredUser._fields, required=("name",))
    mechanisms = tuple(one.upper() for one in fields["mechanisms"].texts()) if "mechanisms" in fields else ()
    iterations = fields["iterations"].whole(1) if "iterations" in fields else users.DEFAULT_ITERATIONS
    password = fields["password"].text() if "password" in fields else None
    user = DeclaredUser(fields["name"].text(), mechanisms, password, iterations)
    for mechanism in mechanisms or ("SCRAM-SHA-256",):
        _checked(value, users.CreateUser(user.name, users.Credential(password or "env:ANY", mechanism, iterations)))
    return [user]


def _checked(value: Value, operation: Any) -> None:
    """Have whoever knows the kind look at it, and say where it stands."""
    try:
        operation.check()
    except UsageError as error:
        raise value.wrong(error.message, error.hint) from None


# -- files of one kind -------------------------------------------------------------------------------------------------

_OF_A_LISTING: Final = ("cluster_id", "complete", "errors")


def read_acls(path: str) -> list[Rule]:
    """The ACLs of a document that `acl export` or `acl list` wrote, or of a state file. Raises UsageError."""
    return [rule for entry in _entries(path, "acls") for rule in _rules(entry)]


def read_quotas(path: str) -> list[Quota]:
    """The quotas of a document that `quota export` wrote, or of a state file. Raises UsageError."""
    return [Quota(*declared) for entry in _entries(path, "quotas") for declared in _quotas(entry)]


def _entries(path: str, kind: str) -> Iterator[Value]:
    documents = read_documents(path)
    if not documents:
        raise UsageError(f"{path}: the file is empty", f"it needs a list `{kind}`")
    for document in documents:
        yield from document.fields((*_FIELDS, *_OF_A_LISTING), required=(kind,))[kind].each()
