"""logctl engine: the other engine's parts on this machine, Apache Kafka and a JDK to run it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli.command import telling
from logctl.cli.output import Column, Listing, Progress, View, note
from logctl.cli.units import size_text
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.engine.apache.parts import Installed


def register(app: typer.Typer) -> None:
    """Add `logctl engine`."""
    engine = typer.Typer(no_args_is_help=True, help="Put the other engine, Apache Kafka, on this machine; look at it.")
    engine.command("install")(install_command)
    engine.command("list")(list_command)
    engine.command("ls", hidden=True)(list_command)
    app.add_typer(engine, name="engine")


class ListedEngine(TypedDict):
    name: str
    engine: Annotated[str, "logctl (bundled) or apache"]
    version: str
    state: Annotated[str, "ready, no-java or damaged"]
    trouble: Annotated[str | None, "why it cannot be used"]
    source: Annotated[str, "bundled, maven or distribution"]
    path: Annotated[str | None, "the folder with its jars, or the unpacked distribution"]
    size_bytes: int | None
    java: Annotated[str | None, "the java that runs it"]
    java_version: int | None


def _size(one: Mapping[str, Any]) -> object:
    return one["size_bytes"]


LISTED = Listing(
    "engines",
    ListedEngine,
    (
        Column("ENGINE", lambda one: one["engine"]),
        Column("VERSION", lambda one: one["version"]),
        Column("STATE", lambda one: one["state"]),
        Column("SOURCE", lambda one: one["source"]),
        Column("JAVA", lambda one: one["java_version"] or "-", number=True),
        Column("PATH", lambda one: one["path"] or "-"),
        Column("SIZE", lambda one: size_text(one["size_bytes"]), number=True, wide=True, key=_size),
        Column("TROUBLE", lambda one: one["trouble"] or "-", wide=True),
        Column("JAVA-PATH", lambda one: one["java"] or "-", wide=True),
    ),
)


@telling(LISTED)
def list_command(session: None) -> View:
    """List the engines that are on this machine, where they lie, and which Java runs them.

    \b
    Example:
      logctl engine list
    """
    from logctl import __version__
    from logctl.engine import apache

    trouble = apache.available()
    jdk = None
    if trouble is None or "Java" not in trouble:
        jdk = apache.jdk()
    items: list[ListedEngine] = [_bundled(__version__)]
    for found in apache.all_installed():
        why = found.trouble or (None if jdk else trouble)
        items.append(
            {
                "name": f"apache-{found.version}",
                "engine": "apache",
                "version": found.version,
                "state": "damaged" if found.trouble else "ready" if jdk else "no-java",
                "trouble": why,
                "source": found.source,
                "path": str(found.place),
                "size_bytes": found.size_bytes,
                "java": str(jdk.binary) if jdk else None,
                "java_version": jdk.version if jdk else None,
            }
        )
    if len(items) == 1:
        note(f"Apache Kafka is not here yet: `logctl engine install apache` fetches version {apache.VERSION}")
        if trouble:
            note(trouble)
    return LISTED.view(items)


def _bundled(version: str) -> ListedEngine:
    return {
        "name": "logctl",
        "engine": "logctl",
        "version": version,
        "state": "ready",
        "trouble": None,
        "source": "bundled",
        "path": None,
        "size_bytes": None,
        "java": None,
        "java_version": None,
    }


def install_command(
    engine: Annotated[str, typer.Argument(metavar="ENGINE", help="apache.")],
    version: Annotated[str | None, typer.Option("--version", metavar="X.Y.Z", help="Without it: 4.3.1.")] = None,
    kafka_home: Annotated[
        Path | None,
        typer.Option("--kafka-home", metavar="DIR", help="Use an unpacked distribution instead of Maven's artifacts."),
    ] = None,
) -> None:
    """Put Apache Kafka's artifacts into the user's data folder with Maven, for `logctl up --engine apache`.

    What is there already stays; what was left half done is begun anew.

    \b
    Example:
      logctl engine install apache
    """
    if engine != "apache":
        raise UsageError(f"there is nothing to install for {engine!r}", "the engine to install is called apache")
    from logctl.engine import apache

    jdk = apache.jdk()
    if kafka_home is not None:
        found = _registered(kafka_home, version)
    else:
        wanted = version or apache.VERSION
        there = apache.installed(wanted)
        if there is None or there.trouble:
            if there is not None and there.source == "distribution":
                raise UsageError(f"Apache Kafka {wanted} was registered as {there.place}, but {there.trouble}")
            fetch_with_progress(wanted)
        there = apache.installed(wanted)
        assert there is not None
        found = there
    note(f"Apache Kafka {found.version} is in {found.place} ({len(found.jars)} jars), with Java {jdk.version} from "
         f"{jdk.binary}; next: logctl up --engine apache")  # fmt: skip


def _registered(home: Path, version: str | None) -> Installed:
    from logctl.engine.apache import parts

    found = parts.distribution_version(home)
    if version is not None and version != found:
        raise UsageError(f"{home} holds Apache Kafka {found}, not {version}", "leave out --version")
    return parts.register(home)


def fetch_with_progress(version: str) -> None:
    """Let Maven fetch that version; tell how it goes."""
    from logctl.engine import apache

    note(f"Apache Kafka {version} is not here yet: Maven fetches it, some 120 MB")
    progress, count = Progress(), 0

    def tell(name: str) -> None:
        nonlocal count
        count += 1
        if progress.due():
            progress.tell(f"{count} files after {progress.elapsed_s:.0f} s; {name}"[:100])

    try:
        apache.fetch(version, tell)
    except KeyboardInterrupt:
        progress.clear()
        note("interrupted: nothing was installed; the next `logctl engine install apache` begins where Maven stopped")
        raise
    finally:
        progress.clear()
