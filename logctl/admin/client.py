"""The admin room's door to the network: one link per broker, many calls at once, one deadline.

`submit` puts a call on its way and `wait` drives every link until the calls of interest are done or time is up; `ask`
is both for a single call. Nobody else in this room knows that sockets exist.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.channel import Access, Secured
from logctl.admin.deadline import Deadline
from logctl.admin.link import Address, Call, Link, State
from logctl.errors import AccessDenied, LogctlError, Unreachable, UsageError
from logctl.wire.schema import Message

_NEXT_ADDRESS_AFTER_S: Final = 1.0


class Lost(Unreachable):
    """The connection broke after the request had been sent: the broker may have acted on it."""


class Gathered(NamedTuple):
    """What several brokers answered, by whatever named them, and why the others did not."""

    answers: dict[Any, Any]
    missing: dict[Any, LogctlError]

    @property
    def complete(self) -> bool:
        return not self.missing

    def some(self) -> Gathered:
        """Itself. Raises what went wrong when nobody answered at all: that is no partial answer."""
        if self.answers or not self.missing:
            return self
        errors = list(self.missing.values())
        if len(errors) == 1:
            raise errors[0]
        raise Unreachable("no broker answered: " + "; ".join(error.message for error in errors), errors[0].hint)


class Client:
    """Links to the brokers of one cluster. `bootstrap` is where to begin; the rest is learnt from metadata. `access`:
    how its listeners are entered; without it in plaintext and without a login."""

    def __init__(
        self, bootstrap: Sequence[Address], client_id: str = "logctl", access: Access | None = None
    ) -> None:
        self.bootstrap = list(bootstrap)
        self._client_id = client_id
        self._access = access or Access()
        self._links: dict[Address, Link] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()

    def submit(self, address: Address, request: Message) -> Call:
        """Put a request on its way to the broker at `address`, connecting first where that is needed."""
        call = Call(request)
        self._link(address).submit(call)
        return call

    def wait(self, calls: Iterable[Call], deadline: Deadline, *, any_one: bool = False) -> None:
        """Drive all links until the calls (or any one of them) are done; returns at the deadline, come what may."""
        pending = list(calls)
        enough = any if any_one else all
        self._drive(lambda: enough(call.done for call in pending), deadline)

    def ask(self, address: Address, request: Message, deadline: Deadline) -> Any:
        """The response of one broker. Raises Unreachable, NotOffered, or DeadlineExceeded when it is silent."""
        call = self.submit(address, request)
        self.wait([call], deadline)
        return self.finish(call, deadline)

    def scatter(self, requests: Mapping[Any, tuple[Address, Message]], deadline: Deadline) -> Gathered:
        """Ask several brokers at once and collect until the deadline."""
        calls = {name: self.submit(address, request) for name, (address, request) in requests.items()}
        self.wait(calls.values(), deadline)
        answers, missing = {}, {}
        for name, call in calls.items():
            try:
                answers[name] = self.finish(call, deadline)
            except LogctlError as error:
                missing[name] = error
        return Gathered(answers, missing)

    def finish(self, call: Call, deadline: Deadline) -> Any:
        """The response of a call that was waited for; a silent broker becomes an error that says how far it got.

        The link to a silent broker is given up: an answer that is owed would keep those of later calls behind it.
        """
        if not call.done:
            assert call.link is not None
            call.link.give_up(deadline.timeout_s)
        if call.sent and isinstance(call.error, Unreachable):
            raise Lost(f"{call.error.message} after {call.name} was sent to it", call.error.hint)
        return call.result()

    def entrance(self, deadline: Deadline) -> Address:
        """A bootstrap address that answers: the first, or with the next one tried alongside after a second of silence.

        Raises Unreachable with every address and why it failed.
        """
        tried: list[Link] = []
        for address in self.bootstrap:
            tried.append(self._link(address))
            self._drive(lambda: _settled(tried), deadline.at_most(_NEXT_ADDRESS_AFTER_S))
            if _ready(tried) or _turned_away(tried):
                break
        self._drive(lambda: _settled(tried), deadline)
        for link in tried:
            if link.state is State.READY:
                return link.address
        raise _nobody(tried, deadline)

    def _link(self, address: Address) -> Link:
        link = self._links.get(address)
        if link is not None and link.state is State.READY and not link.busy:
            link.notice_end()
        if link is None or link.state is State.CLOSED:
            before, link = link, Link(address, self._client_id, self._access)
            if before is not None:
                # What the broker offered stands until it says otherwise.
                link.versions, link.secured = before.versions, before.secured
            self._links[address] = link
            link.open()
        return link

    def versions(self, address: Address) -> dict[int, tuple[int, int]]:
        """The API versions the broker at `address` offers: known once it has answered anything."""
        return self._link(address).versions

    def secured(self, address: Address) -> Secured | None:
        """What TLS agreed on with the broker at `address`; None in plaintext."""
        return self._link(address).secured

    def _drive(self, enough: Callable[[], bool], deadline: Deadline) -> None:
        while not enough():
            busy = [link for link in self._links.values() if link.busy]
            if not busy or (not _advance(busy, deadline.left_s) and deadline.expired):
                return


def _advance(links: list[Link], timeout_s: float) -> bool:
    """Wait for any of the links to be ready and let it work; False when time passed and nothing was."""
    with selectors.DefaultSelector() as selector:
        for link in links:
            mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.wants_write else 0)
            selector.register(link.fileno(), mask, link)
        events = selector.select(timeout_s)
    for key, mask in events:
        key.data.advance(readable=bool(mask & selectors.EVENT_READ), writable=bool(mask & selectors.EVENT_WRITE))
    return bool(events)


def _ready(links: list[Link]) -> bool:
    return any(link.state is State.READY for link in links)


def _turned_away(links: list[Link]) -> LogctlError | None:
    """A broker that answered and said no: the others would say the same, and may count the attempts."""
    said_no = (link.failure for link in links)
    return next((failure for failure in said_no if isinstance(failure, AccessDenied | UsageError)), None)


def _settled(links: list[Link]) -> bool:
    return _ready(links) or _turned_away(links) is not None or all(link.state is State.CLOSED for link in links)


def _nobody(tried: list[Link], deadline: Deadline) -> LogctlError:
    if (no := _turned_away(tried)) is not None:
        return no
    failures = [link.failure for link in tried]
    if len(failures) == 1 and failures[0] is not None and not isinstance(failures[0], Unreachable):
        return failures[0]
    why = [str(link.failure or f"{link.explain_silence()} within {deadline.timeout_s:g} s") for link in tried]
    hints = [failure.hint for failure in failures if failure is not None and failure.hint]
    return Unreachable(
        "no broker could be reached: " + "; ".join(why),
        hints[0] if hints else "check the address, and that the node is running",
    )


def parse_addresses(text: str) -> list[Address]:
    """'host:port,[::1]:port' as a bootstrap list. The port may be left out: 9092. Raises UsageError."""
    found = [_parse_address(part.strip()) for part in text.split(",") if part.strip()]
    if not found:
        raise UsageError("the bootstrap address is empty", "give it as -b HOST:PORT")
    return list(dict.fromkeys(found))


def _parse_address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text, "9092"
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{text!r} is not an address of the form HOST:PORT")
    return Address(host, int(port))
