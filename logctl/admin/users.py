"""Users that log in with a password (SCRAM, KIP-554): seeing, creating, altering and deleting them.

The password never travels and is never kept: it is salted and hashed here (RFC 5802), and of what the cluster then
holds it tells only mechanism and iterations. A step carries either a `Secret`, which no plan or journal shows, or the
place where the password is found (`env:NAME`, `file:PATH`), which is no secret and is read when the step is done.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import near_names
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.security.secret_sources import is_reference
from logctl.security.secrets import Secret as Secret
from logctl.wire import errors

EVERY: Final = Resource("user", "*")
"""Looking at it shows every user: {'users': {name: {'mechanisms': {...}}}}."""

MECHANISMS: Final = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
_NAMES: Final = {number: name for name, number in MECHANISMS.items()}
_HASHES: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}

DEFAULT_ITERATIONS: Final = 8192
LEAST_ITERATIONS: Final = 4096
MOST_ITERATIONS: Final = 16384
"""Kafka's own bounds."""

_SALT_BYTES: Final = 24
PLACES: Final = "name where it is: env:NAME, file:PATH or keyring:SERVICE/USER"


class User(NamedTuple):
    """`mechanisms`: mechanism -> iterations of its key derivation."""

    name: str
    mechanisms: dict[str, int]

    def state(self) -> dict[str, Any]:
        return {"mechanisms": dict(self.mechanisms)}


class Found(NamedTuple):
    """Users in the order of their names, and why others could not be told."""

    users: list[User]
    failures: dict[str, LogctlError]


def list_users(cluster: Cluster, deadline: Deadline, names: Sequence[str] | None = None) -> Found:
    """The users of these names that exist; all of them with None. Raises OperationFailed, AccessDenied."""
    from logctl.wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName

    need(cluster, "DescribeUserScramCredentials", deadline)
    wanted = None if names is None else [UserName(name) for name in dict.fromkeys(names)]
    response = cluster.ask(DescribeUserScramCredentialsRequest(users=wanted), deadline)
    if response.error_code != errors.NONE:
        raise refusal("users", response.error_code, response.error_message)
    found = Found([], {})
    for result in sorted(response.results, key=lambda one: one.user):
        if result.error_code == errors.NONE:
            infos = sorted(result.credential_infos, key=lambda one: one.mechanism)
            found.users.append(User(result.user, {_mechanism(one.mechanism): one.iterations for one in infos}))
        elif result.error_code != errors.RESOURCE_NOT_FOUND:
            found.failures[result.user] = refusal(f"user {result.user}", result.error_code, result.error_message)
    return found


def _mechanism(number: int) -> str:
    return _NAMES.get(number, f"mechanism {number}")


def observe_users(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The users of these names; '*' for all of them."""
    found = list_users(cluster, deadline, None if EVERY.name in names else names)
    states: dict[str, State] = {user.name: user.state() for user in found.users}
    if EVERY.name in names:
        states[EVERY.name] = {"users": {user.name: user.state() for user in found.users}}
    return Seen(states, found.failures)


def users_seen(snapshot: Snapshot) -> dict[str, User]:
    """All users of a snapshot that looked at EVERY."""
    state = snapshot.states.get(EVERY)
    every = {} if state is None else state["users"]
    return {name: User(name, dict(one["mechanisms"])) for name, one in every.items()}


# -- changing them -----------------------------------------------------------------------------------------------------


class Credential(NamedTuple):
    """How a user shall log in. `password`: the secret itself, or where it is found: 'env:NAME' or the like."""

    password: Secret | str
    mechanism: str = "SCRAM-SHA-256"
    iterations: int = DEFAULT_ITERATIONS

    def check(self) -> None:
        """Raises UsageError for what Kafka would refuse."""
        check_mechanism(self.mechanism)
        if not LEAST_ITERATIONS <= self.iterations <= MOST_ITERATIONS:
            raise UsageError(
                f"{self.iterations} iterations: Kafka takes {LEAST_ITERATIONS} to {MOST_ITERATIONS}",
                "more make a stolen credential harder to guess, and every login slower",
            )
        if not self.password:
            raise UsageError("the password is empty")
        if isinstance(self.password, str) and not is_reference(self.password):
            raise UsageError("a password is not written where others can read it", PLACES)

    def arguments(self, name: str) -> dict[str, Any]:
        held = "password" if isinstance(self.password, Secret) else "password_from"
        return {"name": name, "mechanism": self.mechanism, "iterations": self.iterations, held: self.password}


def check_mechanism(mechanism: str) -> None:
    """Raises UsageError for a mechanism that Kafka does not know."""
    if mechanism not in MECHANISMS:
        raise UsageError(f"{mechanism!r} is no mechanism", f"there are {' and '.join(MECHANISMS)}")


def check_name(name: str) -> None:
    """Raises UsageError for a name that nobody could log in with."""
    if not name:
        raise UsageError("a user needs a name")
    if name == EVERY.name or not name.isprintable():
        raise UsageError(f"{name!r} cannot be a user's name")


class CreateUser(NamedTuple):
    """Create a user that can log in."""

    name: str
    credential: Credential

    def check(self) -> None:
        check_name(self.name)
        self.credential.check()

    def wants(self) -> Wants:
        return Wants(looks=(Resource("user", self.name),))

    def plan(self, snapshot: Snapshot) -> Plan:
        resource = self.wants().looks[0]
        _raise_failure(snapshot, self.name)
        if snapshot.states.get(resource) is not None:
            raise OperationFailed(
                f"user {self.name} exists already", f"to give it another password: `logctl user alter {self.name}`"
            )
        after = {"mechanisms": {self.credential.mechanism: self.credential.iterations}}
        undo = Undo("user.delete", f"delete user {self.name}", {"name": self.name}, Risk.DISRUPTIVE)
        sentence = f"create user {self.name} with a password ({_told(self.credential)})"
        step = Step("user.set", sentence, self.credential.arguments(self.name), Risk.SAFE, (resource,), undo)
        change = Change(resource, None, after)
        return Plan(f"create user {self.name}", (change,), (step,), (), (), snapshot.cluster_id, self.wants())


class AlterUser(NamedTuple):
    """Give a user another password, or one for another mechanism besides those it has. The old password cannot be read,
    so there is no way back."""

    name: str
    credential: Credential

    def check(self) -> None:
        check_name(self.name)
        self.credential.check()

    def wants(self) -> Wants:
        return Wants(looks=(EVERY,))

    def plan(self, snapshot: Snapshot) -> Plan:
        user = _existing(snapshot, self.name)
        resource, mechanism = Resource("user", self.name), self.credential.mechanism
        before = {"mechanisms": {mechanism: user.mechanisms.get(mechanism)}}
        change = Change(resource, before, {"mechanisms": {mechanism: self.credential.iterations}})
        fresh = mechanism not in user.mechanisms
        undo = None
        if fresh:
            what = {"name": self.name, "mechanisms": [mechanism]}
            undo = Undo("user.delete", f"take {mechanism} from user {self.name}", what, Risk.DISRUPTIVE)
        sentence = f"give user {self.name} {'a' if fresh else 'another'} password ({_told(self.credential)})"
        risk = Risk.SAFE if fresh else Risk.DISRUPTIVE
        step = Step("user.set", sentence, self.credential.arguments(self.name), risk, (resource,), undo)
        warnings = () if fresh else ("clients that use the old password fail when they next connect",)
        wants = Wants(looks=(resource,))
        return Plan(f"alter user {self.name}", (change,), (step,), (), warnings, snapshot.cluster_id, wants)


class DeleteUser(NamedTuple):
    """Take away a user's logins: all of them, or those of `mechanisms`."""

    name: str
    mechanisms: tuple[str, ...] = ()
    if_exists: bool = False

    def check(self) -> None:
        check_name(self.name)
        for mechanism in self.mechanisms:
            check_mechanism(mechanism)

    def wants(self) -> Wants:
        return Wants(looks=(EVERY,))

    def plan(self, snapshot: Snapshot) -> Plan:
        _raise_failure(snapshot, self.name)
        title = f"delete user {self.name}"
        if self.if_exists and self.name not in users_seen(snapshot):
            return Plan(title, (), (), (f"user {self.name} does not exist",), (), snapshot.cluster_id)
        user = _existing(snapshot, self.name)
        going = [one for one in user.mechanisms if not self.mechanisms or one in self.mechanisms]
        notes = tuple(f"user {self.name} has no {one}" for one in self.mechanisms if one not in going)
        if not going:
            return Plan(title, (), (), notes, (), snapshot.cluster_id)
        return self._deletion(user, going, notes, snapshot.cluster_id)

    def _deletion(self, user: User, going: list[str], notes: tuple[str, ...], cluster_id: str | None) -> Plan:
        resource = Resource("user", self.name)
        whole = len(going) == len(user.mechanisms)
        after: State = None if whole else {"mechanisms": dict.fromkeys(going)}
        before = {"mechanisms": {one: user.mechanisms[one] for one in going}}
        what = f"delete user {self.name}" if whole else f"take {', '.join(going)} from user {self.name}"
        arguments = {"name": self.name, "mechanisms": going}
        sentence = f"{what}; the password cannot be brought back"
        step = Step("user.delete", sentence, arguments, Risk.DESTRUCTIVE, (resource,))
        change = Change(resource, before, after)
        return Plan(what, (change,), (step,), notes, (), cluster_id, Wants(looks=(resource,)))


def _existing(snapshot: Snapshot, name: str) -> User:
    _raise_failure(snapshot, name)
    users = users_seen(snapshot)
    if name not in users:
        near = near_names(name, users)
        hint = f"did you mean {' or '.join(near)}?" if near else f"create it with `logctl user create {name}`"
        raise OperationFailed(f"user {name} does not exist", hint)
    return users[name]


def _raise_failure(snapshot: Snapshot, name: str) -> None:
    if name in snapshot.failures:
        raise snapshot.failures[name]


def _told(credential: Credential) -> str:
    return f"{credential.mechanism}, {credential.iterations} iterations"


# -- the actions of the steps ------------------------------------------------------------------------------------------

Outcomes = dict[Resource, LogctlError | None]


def set_password(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> Outcomes:
    """Salt, hash and set a password by AlterUserScramCredentials; Kafka cannot rehearse it."""
    from logctl.wire.messages.alter_user_scram_credentials import (
        AlterUserScramCredentialsRequest,
        ScramCredentialUpsertion,
    )

    need(cluster, "AlterUserScramCredentials", deadline)
    name, mechanism, iterations = arguments["name"], arguments["mechanism"], arguments["iterations"]
    if dry:
        return {}
    password = _password(arguments)
    salt = os.urandom(_SALT_BYTES)
    salted = salted_password(mechanism, password.reveal(), salt, iterations)
    entry = ScramCredentialUpsertion(name, MECHANISMS[mechanism], iterations, salt, salted)
    return _alter(cluster, AlterUserScramCredentialsRequest(upsertions=[entry]), "set a password of", deadline)


def delete(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> Outcomes:
    """Delete a user's logins: those of `mechanisms`, all when it names none. Kafka cannot rehearse it."""
    from logctl.wire.messages.alter_user_scram_credentials import (
        AlterUserScramCredentialsRequest,
        ScramCredentialDeletion,
    )

    need(cluster, "AlterUserScramCredentials", deadline)
    if dry:
        return {}
    name = arguments["name"]
    mechanisms = arguments.get("mechanisms") or _mechanisms_of(cluster, name, deadline)
    if not mechanisms:
        return {Resource("user", name): None}
    going = [ScramCredentialDeletion(name, MECHANISMS[one]) for one in mechanisms]
    return _alter(cluster, AlterUserScramCredentialsRequest(deletions=going), "delete", deadline)


def _mechanisms_of(cluster: Cluster, name: str, deadline: Deadline) -> Iterable[str]:
    return [one for user in list_users(cluster, deadline, [name]).users for one in user.mechanisms]


def _alter(cluster: Cluster, request: Any, verb: str, deadline: Deadline) -> Outcomes:
    response = cluster.ask(request, deadline, lambda answer: [result.error_code for result in answer.results])
    return {
        Resource("user", result.user): (
            refusal(f"cannot {verb} user {result.user}", result.error_code, result.error_message)
            if result.error_code != errors.NONE
            else None
        )
        for result in response.results
    }


def salted_password(mechanism: str, password: str, salt: bytes, iterations: int) -> bytes:
    """RFC 5802's Hi(): what Kafka keeps instead of the password. As Kafka does, the text is taken as it is (UTF-8)."""
    return hashlib.pbkdf2_hmac(_HASHES[mechanism], password.encode(), salt, iterations)


def typed_password(text: str) -> Secret:
    """What somebody typed, or wrote to stdin. Raises UsageError when it is empty."""
    if not text:
        raise UsageError("the password is empty")
    return Secret(text)


def refuse_unreadable(user: str, place: str) -> None:
    """Raises UsageError when no password is found at the place where somebody says it is."""
    _password({"name": user, "password_from": place})


def _password(arguments: Mapping[str, Any]) -> Secret:
    held = arguments.get("password")
    if isinstance(held, Secret):
        return held
    purpose = f"the password of user {arguments['name']}"
    if "password_from" not in arguments:
        raise UsageError(
            f"{purpose} is not in the plan, as secrets never are",
            "a plan can hold where it is found: make it with --password env:NAME or file:PATH",
        )
    from logctl.security.secret_sources import resolve

    found = resolve(arguments["password_from"], purpose, _nobody_to_ask)
    if not found:
        raise UsageError(f"{purpose}: it is empty at {arguments['password_from']}")
    return found


def _nobody_to_ask(purpose: str) -> str:
    raise UsageError(f"{purpose} cannot be asked for while a plan is carried out", PLACES)


ACTIONS: Final = {"set": set_password, "delete": delete}
