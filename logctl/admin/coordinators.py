"""Which broker looks after which group, and asking all of them at once.

Each coordinator gets one request for all of its groups. What a broker that is loading or has just lost a group says is
asked again, for a few seconds; a broker that cannot be reached costs its own groups and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.link import Address
from logctl.admin.routing import Broker, Cluster, refusal
from logctl.errors import LogctlError
from logctl.wire import errors
from logctl.wire.api import BY_NAME
from logctl.wire.schema import Message

_PATIENCE_S: Final = 5.0
_FIRST_FIND_WITH_MANY_KEYS: Final = 4
_COME_AGAIN: Final = frozenset(
    (errors.NOT_COORDINATOR, errors.COORDINATOR_NOT_AVAILABLE, errors.COORDINATOR_LOAD_IN_PROGRESS)
)

T = TypeVar("T")


class Said(NamedTuple):
    """What a coordinator said about one group: an error code, perhaps in words, or an answer."""

    group_id: str
    code: int
    message: str | None
    answer: Any


class Answers(NamedTuple):
    """By group: what was answered, the refusals that were final, and why there is neither."""

    found: dict[str, Any]
    refused: dict[str, int]
    failures: dict[str, LogctlError]


def newest(cluster: Cluster, api: str, deadline: Deadline) -> int:
    """The newest version of an API that the broker we entered by serves; -1 for none."""
    return cluster.client.versions(cluster.entrance(deadline)).get(BY_NAME[api].key, (0, -1))[1]


class Coordinators:
    """The coordinators of one cluster's groups, looked up once."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.of: dict[str, Broker] = {}

    def ask(
        self,
        groups: Iterable[str],
        request: Callable[[list[str]], Message],
        read: Callable[[Message, Any], Iterable[Said]],
        deadline: Deadline,
        *,
        final: Sequence[int] = (),
        together: bool = True,
    ) -> Answers:
        """Ask about groups: `request` makes the request for some of them, `read` tells what a response to it says about
        each. Codes in `final` are the caller's to judge; `together`: a request may be about several groups."""
        answers = Answers({}, {}, {})
        pending = list(dict.fromkeys(groups))
        patience, backoff = deadline.at_most(_PATIENCE_S), Backoff()
        while pending:
            again: dict[str, LogctlError] = {}
            self._find(pending, again, answers, deadline)
            asked = self._asked([group for group in pending if group in self.of], request, together)
            for said in self._scatter(asked, read, answers, deadline):
                if said.code in _COME_AGAIN:
                    self.of.pop(said.group_id, None)
                    again[said.group_id] = refusal(f"group {said.group_id}", said.code, said.message)
                else:
                    _take(said, answers, final)
            if not again or patience.expired:
                answers.failures.update(again)
                break
            pending = list(again)
            backoff.pause(patience)
        return answers

    def _scatter(
        self,
        asked: dict[Any, tuple[Address, Message]],
        read: Callable[[Message, Any], Iterable[Said]],
        answers: Answers,
        deadline: Deadline,
    ) -> Iterator[Said]:
        gathered = self.cluster.client.scatter(asked, deadline.at_most(deadline.left_s / 2))
        for names, error in gathered.missing.items():
            for group in names:
                self.of.pop(group, None)
                answers.failures[group] = type(error)(f"group {group}: its coordinator: {error.message}", error.hint)
        for names, response in gathered.answers.items():
            yield from read(asked[names][1], response)

    def _asked(
        self, groups: list[str], request: Callable[[list[str]], Message], together: bool
    ) -> dict[Any, tuple[Address, Message]]:
        """The requests to send, by the groups that each is about."""
        by_place: dict[Any, list[str]] = {}
        for group in groups:
            by_place.setdefault(self.of[group].address if together else group, []).append(group)
        return {tuple(names): (self.of[names[0]].address, request(names)) for names in by_place.values()}

    def _find(
        self, groups: list[str], again: dict[str, LogctlError], answers: Answers, deadline: Deadline
    ) -> None:
        """Look up the coordinators that are not known yet."""
        from logctl.wire.messages.find_coordinator import FindCoordinatorRequest

        wanted = [group for group in groups if group not in self.of]
        if not wanted:
            return
        if newest(self.cluster, "FindCoordinator", deadline) >= _FIRST_FIND_WITH_MANY_KEYS:
            response = self.cluster.ask(FindCoordinatorRequest(coordinator_keys=wanted), deadline)
            told = {found.key: found for found in response.coordinators}
        else:
            told = {key: self.cluster.ask(FindCoordinatorRequest(key=key), deadline, _no_codes) for key in wanted}
        for group, found in told.items():
            if found.error_code:
                error = refusal(f"coordinator of group {group}", found.error_code, found.error_message)
                (again if found.error_code in _COME_AGAIN else answers.failures)[group] = error
            else:
                self.of[group] = Broker(found.node_id, Address(found.host, found.port), None)


def _no_codes(response: Any) -> tuple[int, ...]:
    """Nothing in a response sends us elsewhere: the caller asks again by itself."""
    return ()


def _take(said: Said, answers: Answers, final: Sequence[int]) -> None:
    if said.code == errors.NONE:
        answers.found[said.group_id] = said.answer
    elif said.code in final:
        answers.refused[said.group_id] = said.code
    else:
        answers.failures[said.group_id] = refusal(f"group {said.group_id}", said.code, said.message)
