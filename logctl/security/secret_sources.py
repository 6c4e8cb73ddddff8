"""Where a secret comes from, when it is not written down where it is needed.

    env:NAME              the environment variable
    file:PATH             the file, without the line break at its end; nobody but its owner may read it
    keyring:SERVICE/USER  the keyring of the desktop or of the system, through the optional package `keyring`
    prompt:               asked for at the terminal, unseen

Inside other text the notation of Apache's config providers stands for the same: ${env:NAME}, ${file:PATH:KEY} (a key of
a .properties file) and ${directory:DIR:FILE}.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from typing import Final

from logctl.errors import UsageError
from logctl.security.secrets import Secret

Ask = Callable[[str], str]
"""Prompts a human with the text given and answers what was typed; raises UsageError where there is nobody to ask."""

WAYS: Final = "env:NAME, file:PATH, keyring:SERVICE/USER or prompt:"
_PROVIDED: Final = re.compile(r"\$\{(env|file|directory):(?:([^{}:]*):)?([^{}:]+)\}")


def is_reference(text: str) -> bool:
    """Does the text say where a secret is, instead of being one?"""
    return text.startswith(("env:", "file:", "keyring:")) or text == "prompt:" or _PROVIDED.fullmatch(text) is not None


def resolve(text: str, purpose: str, ask: Ask) -> Secret:
    """The secret that `text` refers to, or is. `purpose`: the property it is for, named in what goes wrong: UsageError.
    The secret itself is never named."""
    kind, _, rest = text.partition(":")
    if kind == "env":
        return Secret(_from_environment(rest, purpose))
    if kind == "file":
        return Secret(from_file(rest, purpose))
    if kind == "keyring":
        return Secret(_from_keyring(rest, purpose))
    if text == "prompt:":
        return Secret(ask(purpose))
    return Secret(expanded(text, purpose))


def expanded(text: str, purpose: str) -> str:
    """The text with what `${env:NAME}` and the like stand for in their place."""
    return _PROVIDED.sub(lambda found: _provided(found[1], found[2] or "", found[3], purpose), text)


def _provided(provider: str, place: str, key: str, purpose: str) -> str:
    if provider == "env":
        return _from_environment(key, purpose)
    if provider == "directory":
        return from_file(os.path.join(place, key), purpose)
    lines = (line.partition("=") for line in from_file(place or key, purpose).splitlines())
    held = {name.strip(): value.strip() for name, _, value in lines}
    if key not in held:
        raise UsageError(f"{purpose}: there is no {key} in {place}")
    return held[key]


def _from_environment(name: str, purpose: str) -> str:
    if name not in os.environ:
        raise UsageError(f"{purpose}: the environment variable {name} is not set")
    return os.environ[name]


def from_file(path: str, purpose: str) -> str:
    """The text of a file that is its owner's alone, without the line break at its end. Raises UsageError."""
    path = os.path.expanduser(path)
    try:
        with open(path, encoding="utf-8") as file:
            refuse_open_to_others(path, os.fstat(file.fileno()), purpose)
            return file.read().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise UsageError(f"{purpose}: {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{purpose}: {path} is not text in UTF-8") from None


def refuse_open_to_others(path: str, status: os.stat_result, purpose: str) -> None:
    """Raises UsageError for a file whose mode lets somebody else read or write it."""
    if others_may_enter(status):
        raise UsageError(f"{purpose}: others than its owner may read or write {path}", f"run: chmod 600 {path}")


def others_may_enter(status: os.stat_result) -> bool:
    """Is it a file that somebody else than its owner may read or write?"""
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o066)


def _from_keyring(place: str, purpose: str) -> str:
    service, slash, user = place.rpartition("/")
    if not slash or not service or not user:
        raise UsageError(f"{purpose}: keyring:{place} does not name an entry", "write it as keyring:SERVICE/USER")
    try:
        import keyring
    except ImportError:
        raise UsageError(
            f"{purpose}: keyring:{place} needs the package keyring, which is not installed",
            "run: pip install 'logctl[keyring]'",
        ) from None
    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # each backend of the keyring fails in its own way
        raise UsageError(f"{purpose}: the keyring cannot be read ({type(error).__name__})") from None
    if found is None:
        raise UsageError(
            f"{purpose}: the keyring holds nothing for {user} at {service}", f"run: keyring set {service} {user}"
        )
    return found
