"""What the shell offers after Tab: words of the command tree, and live names of topics, groups, nodes and settings.

Theory of operation
-------------------
The shell runs `logctl __complete WORD...` at every Tab, the last word being the one that is typed, and reads
candidates, one a line, with a tab and a few words about each behind it. That must be quick, so nothing here loads
Typer: the tree of commands is a file (`tree.json`) that `cli/tree` writes from the app and a test keeps true, and live
names are kept for half a minute in the user's cache folder, by the cluster that the words and the environment name. A
cluster that does not answer is remembered too, for a few seconds, so that not every Tab waits for it.

A value is completed by what its place is called in the help: TOPIC, GROUP, BROKER, SETTING, CONTEXT; FILE and DIR are
left to the shell.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

TREE: Final = Path(__file__).with_name("tree.json")
_FRESH_S: Final = 30.0
_SILENT_S: Final = 5.0
_ASK_S: Final = "1s"
_CONNECTION: Final = {
    "-b": "bootstrap",
    "--bootstrap-server": "bootstrap",
    "-C": "context",
    "--context": "context",
    "--command-config": "command_config",
}


_VARIABLES: Final = {"bootstrap": "LOGCTL_BOOTSTRAP_SERVER", "context": "LOGCTL_CONTEXT"}


class Place(NamedTuple):
    """Where the word that is typed stands: the command so far, and what its value is called if it is one."""

    command: dict[str, Any]
    value: str | list[str] | None
    options: bool
    path: tuple[str, ...]


def answer(words: Sequence[str]) -> str:
    """The candidates for the last of `words`, as lines `candidate<TAB>help`."""
    before, typed = list(words[:-1]), words[-1] if words else ""
    place = locate(tree(), before)
    option, equals, part = typed.partition("=")
    if equals and option in place.command.get("options", {}):
        value = place.command["options"][option]["value"]
        found = [(f"{option}={name}", about) for name, about in _values(value, before, part)]
    else:
        found = list(_candidates(place, before, typed))
    return "".join(f"{name}\t{about}\n" for name, about in found)


def tree() -> dict[str, Any]:
    """The commands, their options and what is said of them."""
    read: dict[str, Any] = json.loads(TREE.read_text(encoding="utf-8"))
    return read


def locate(root: dict[str, Any], before: Sequence[str]) -> Place:
    """Walk the words that stand before the one that is typed."""
    command, path = root, []
    positional, wanted = 0, None
    options = True
    for word in before:
        if wanted is not None:
            wanted = None
        elif word == "--":
            options = False
        elif options and word.startswith("-") and word != "-":
            wanted = command.get("options", {}).get(word, {}).get("value")
        elif word in command.get("commands", {}):
            command = command["commands"][word]
            path.append(word)
        elif "commands" in command:
            return Place({}, None, False, tuple(path))
        else:
            positional += 1
    if wanted is not None:
        return Place(command, wanted, False, tuple(path))
    return Place(command, _argument(command.get("arguments", []), positional), options, tuple(path))


def _argument(arguments: list[dict[str, Any]], index: int) -> str | list[str] | None:
    """What the next positional word is called: the last of them when that may be repeated."""
    meant = arguments[index : index + 1] or [one for one in arguments[-1:] if one["repeated"]]
    value: str | list[str] | None = meant[0]["value"] if meant else None
    return value


def _candidates(place: Place, before: Sequence[str], typed: str) -> Iterator[tuple[str, str]]:
    if typed.startswith("-") and place.options:
        for name, option in place.command.get("options", {}).items():
            if name.startswith(typed) and (typed.startswith("--") or name.startswith("--") or len(name) == 2):
                yield name, option["help"]
        return
    for name, command in place.command.get("commands", {}).items():
        if name.startswith(typed):
            yield name, command["help"]
    yield from _values(place.value, before, typed)


def _values(value: str | list[str] | None, before: Sequence[str], typed: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        yield from ((name, "") for name in value if name.startswith(typed))
    elif value == "CONTEXT":
        yield from ((name, "") for name in _contexts() if name.startswith(typed))
    elif value in _KINDS:
        head, comma, part = typed.rpartition(",") if value == "SETTING" else ("", "", typed)
        yield from ((f"{head}{comma}{name}", "") for name in names(value, before) if name.startswith(part))


# -- live names --------------------------------------------------------------------------------------------------------


def names(kind: str, words: Sequence[str]) -> list[str]:
    """The names of a kind in the cluster that the words and the environment mean; none when it does not answer."""
    target = _target(words)
    path = _cache_folder() / f"names-{_key(target)}.json"
    kept = _read(path)
    entry = kept.get(kind)
    if entry is not None and 0 <= time.time() - entry["at"] < (_FRESH_S if entry["names"] else _SILENT_S):
        return list(entry["names"])
    found = _ask(kind, target)
    kept[kind] = {"at": time.time(), "names": found}
    _write(path, kept)
    return found


def _target(words: Sequence[str]) -> dict[str, str]:
    """Which cluster is meant: the connection flags among the words, then the environment's."""
    surroundings = {field: os.environ.get(variable) for field, variable in _VARIABLES.items()}
    target = {field: value for field, value in surroundings.items() if value}
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in _CONNECTION:
            target[_CONNECTION[name]] = value if equals else "".join(words[index + 1 : index + 2])
    return target


def _key(target: dict[str, str]) -> str:
    from zlib import crc32

    changed_ns = _contexts_file().stat().st_mtime_ns if _contexts_file().exists() else 0
    meant = [target, changed_ns, os.environ.get("LOGCTL_DATA"), os.environ.get("XDG_DATA_HOME")]
    return f"{crc32(json.dumps(meant, sort_keys=True).encode()):08x}"


def _ask(kind: str, target: dict[str, str]) -> list[str]:
    from logctl.cli.session import Target, connected
    from logctl.errors import LogctlError

    try:
        with connected(Target(**target), _ASK_S, silent=True) as session:
            return _KINDS[kind](session)
    except (LogctlError, OSError):
        return []


def _topics(session: Any) -> list[str]:
    return sorted(topic.name for topic in session.cluster.refresh(session.deadline, None).topics)


def _groups(session: Any) -> list[str]:
    from logctl.admin.groups import Selection, list_groups

    return [group.name for group in list_groups(session.cluster, Selection(), session.deadline).groups]


def _brokers(session: Any) -> list[str]:
    return [str(node) for node in sorted(session.cluster.refresh(session.deadline).brokers)]


def _settings(session: Any) -> list[str]:
    """The settings of a topic, if there is one to look at, and of a broker."""
    from logctl.admin.configs import Entity, describe_settings

    topics = session.cluster.refresh(session.deadline, None).topics
    entities = [Entity("topic", topic.name) for topic in topics[:1]]
    entities += [Entity("broker", str(node)) for node in sorted(session.cluster.brokers)[:1]]
    found = {one.name for entity in entities for one in describe_settings(session.cluster, entity, session.deadline)}
    return sorted(found)


_KINDS: Final = {"TOPIC": _topics, "GROUP": _groups, "BROKER": _brokers, "SETTING": _settings}


def _contexts() -> list[str]:
    from logctl.admin.contexts import load
    from logctl.errors import LogctlError

    try:
        return sorted(load().contexts)
    except LogctlError:
        return []


def _contexts_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "logctl" / "contexts.yaml"


# -- the cache ---------------------------------------------------------------------------------------------------------


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "logctl"


def _read(path: Path) -> dict[str, Any]:
    """What was kept; nothing when that cannot be read: a cache owes nobody an explanation."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {kind: entry for kind, entry in kept.items() if isinstance(entry["names"], list) and entry["at"] >= 0}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(path: Path, kept: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_text(json.dumps(kept), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
