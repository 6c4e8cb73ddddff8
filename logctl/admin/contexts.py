"""Contexts: clusters by name, with how to talk to them and what protects them, in one file of the user's.

`$XDG_CONFIG_HOME/logctl/contexts.yaml` (by default below `~/.config`):

    current: prod                                  # taken when no cluster is named
    contexts:
      prod:
        bootstrap_servers: [kafka-1:9092, kafka-2:9092]    # or one text with commas
        command_config: /etc/kafka/admin.properties        # read first; `properties` win over it
        properties: {security.protocol: SASL_SSL, sasl.password: "keyring:logctl/ann"}
        cluster_id: 4L6g3nShT-eMCtK--X86sw         # another cluster at the address is not changed
        colour: red                                # of the name, where it is shown
        guard: type-name                           # none, confirm, type-name, read-only

The file is ours alone (0600 in a folder of 0700), replaced in one piece, and refused when others could have written it,
or could read a secret in it. It is read strictly: a duplicate or an unknown field is named with its line, because a
guard with a typing mistake guards nothing. Values are text, whatever YAML would make of them.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from logctl.errors import UsageError

GUARDS: Final = ("none", "confirm", "type-name", "read-only")
COLOURS: Final = ("red", "green", "yellow", "blue", "magenta", "cyan", "white")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HEADER: Final = "# Written by `logctl context`, which does not keep comments.\n"


class Context(NamedTuple):
    """One cluster. `properties` are text by Apache's or librdkafka's names."""

    name: str
    bootstrap_servers: str | None = None
    properties: Mapping[str, str] = {}
    command_config: str | None = None
    cluster_id: str | None = None
    colour: str | None = None
    guard: str = "none"


_KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "bootstrap_servers": (),
    "properties": (),
    "command_config": (),
    "cluster_id": (),
    "colour": COLOURS,
    "guard": GUARDS,
}


def made(
    name: str,
    bootstrap_servers: str | None,
    pairs: Sequence[str],
    command_config: str | None,
    cluster_id: str | None,
    colour: str | None,
    guard: str,
) -> Context:
    """A context of what an operator typed; `pairs` are of the form name=value. Raises UsageError."""
    from logctl.admin.client import parse_addresses
    from logctl.admin.properties import from_file, from_flags

    for field, value in (("guard", guard), ("colour", colour)):
        if value is not None and value not in _KNOWN[field]:
            raise UsageError(f"--{field} is one of {', '.join(_KNOWN[field])}, not {value}")
    properties = {given.name: given.value for given in from_flags(pairs)}
    named = [bootstrap_servers, properties.get("bootstrap.servers"), properties.get("metadata.broker.list")]
    if command_config is not None:
        command_config = os.path.abspath(os.path.expanduser(command_config))
        named += [given.value for given in from_file(command_config)[0] if given.name == "bootstrap.servers"]
    if not any(named):
        raise UsageError(f"no address was given for {name}", "give it as -b HOST:PORT")
    if bootstrap_servers:
        parse_addresses(bootstrap_servers)
    return Context(check_name(name), bootstrap_servers, properties, command_config, cluster_id, colour, guard)


class Contexts(NamedTuple):
    """All of them by name, in the file's order, and which one is taken when none is named."""

    current: str | None = None
    contexts: Mapping[str, Context] = {}

    def named(self, name: str) -> Context:
        """Raises UsageError for a context that there is not, naming those near it."""
        if name in self.contexts:
            return self.contexts[name]
        from difflib import get_close_matches

        near = get_close_matches(name, self.contexts, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `logctl context list`"
        raise UsageError(f"there is no context {name}", hint)

    def with_context(self, context: Context) -> Contexts:
        return self._replace(contexts={**self.contexts, context.name: context})

    def without(self, name: str) -> Contexts:
        self.named(name)
        left = {other: context for other, context in self.contexts.items() if other != name}
        return Contexts(None if self.current == name else self.current, left)


def path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "logctl" / "contexts.yaml"


def check_name(name: str) -> str:
    """Raises UsageError for what cannot be the name of a context."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a context", "letters, digits, '.', '_' and '-' make one")
    return name


# -- the file ----------------------------------------------------------------------------------------------------------


def load() -> Contexts:
    """What the file says; nothing when there is no file. Raises UsageError naming file, line and field."""
    place = path()
    try:
        with open(place, encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            text = file.read()
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise UsageError(f"{place} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{place} is not text in UTF-8") from None
    from logctl.admin.context_file import parse

    current, found = parse(text, str(place), _KNOWN)
    contexts = Contexts(current, {name: Context(check_name(name), **fields) for name, fields in found.items()})
    _refuse_shared(contexts, place, status.st_mode)
    return contexts


def _refuse_shared(contexts: Contexts, place: Path, mode: int) -> None:
    if mode & 0o022:
        raise UsageError(f"others than you may write {place}, and so decide what is changed where", _chmod(place))
    if mode & 0o044 and any(_holds_secret(context) for context in contexts.contexts.values()):
        raise UsageError(f"{place} holds a secret, and others than you may read it", _chmod(place))


def _holds_secret(context: Context) -> bool:
    from logctl.admin.properties import holds_secret

    return any(holds_secret(name, value) for name, value in context.properties.items())


def _chmod(place: Path) -> str:
    return f"run: chmod 600 {place}"


@contextmanager
def changing() -> Iterator[list[Contexts]]:
    """Holds the only right to change the file. Yields a list with what it says; what is the list's last at the end is
    what it says from then on."""
    place = path()
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.parent.stat().st_mode & 0o022:
            place.parent.chmod(0o700)
        with open(place.with_suffix(".lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = [load()]
            yield held
            if len(held) > 1:
                _save(held[-1], place)
    except OSError as error:
        raise UsageError(f"{place} cannot be written: {(error.strerror or str(error)).lower()}") from None


def _save(contexts: Contexts, place: Path) -> None:
    import yaml

    text = _HEADER + yaml.safe_dump(_document(contexts), sort_keys=False, allow_unicode=True)
    place = place.resolve()  # the file may be a link into a folder that is kept elsewhere
    temporary = place.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _document(contexts: Contexts) -> dict[str, Any]:
    named = {name: _fields(context) for name, context in contexts.contexts.items()}
    return ({"current": contexts.current} if contexts.current else {}) | {"contexts": named}


def _fields(context: Context) -> dict[str, Any]:
    fields = context._asdict()
    del fields["name"]
    if context.guard == "none":
        del fields["guard"]
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in fields.items() if value}
