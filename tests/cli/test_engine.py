"""`logctl engine`: the other engine's parts on this machine, put there and listed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import jsonschema
import pytest
from cli.conftest import Done, run


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The variables of a machine with a Java and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script(folder / "java", "echo 'openjdk version \"21.0.2\" 2024-01-16' >&2")
    return {"PATH": str(folder), "JAVA_HOME": "", "XDG_DATA_HOME": str(tmp_path / "share")}


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\nPATH={os.defpath}\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def maven(machine: dict[str, str], work: str) -> None:
    script(
        Path(machine["PATH"]) / "mvn",
        f'for flag; do case "$flag" in -DoutputDirectory=*) out=${{flag#*=}};; esac; done; {work}',
    )


def install(machine: dict[str, str], *more: str) -> Done:
    return run("engine", "install", "apache", *more, env=machine)


def listed(machine: dict[str, str]) -> list[tuple[str, str, str]]:
    done = run("engine", "list", "-o", "json", env=machine)
    document = json.loads(done.out)
    jsonschema.validate(document, json.loads(run("engine", "list", "--schema").out))
    return [(one["name"], one["state"], one["source"]) for one in document["engines"]]


BUNDLED = ("logctl", "ready", "bundled")


def test_install_and_list(machine: dict[str, str]) -> None:
    assert listed(machine) == [BUNDLED]
    maven(machine, 'mkdir -p "$out"; echo jar > "$out/kafka.jar"')
    done = install(machine)
    assert (done.code, done.out) == (0, "")
    assert "Maven fetches it" in done.err
    assert "(1 jars), with Java 21" in done.err
    assert listed(machine) == [BUNDLED, ("apache-4.3.1", "ready", "maven")]
    assert "Maven fetches it" not in install(machine).err, "what is there stays"


def test_what_is_damaged_is_listed_and_put_there_anew(machine: dict[str, str]) -> None:
    maven(machine, 'mkdir -p "$out"; echo jar > "$out/kafka.jar"')
    install(machine)
    (Path(machine["XDG_DATA_HOME"]) / "logctl/apache/4.3.1/lib/kafka.jar").write_text("")
    assert listed(machine) == [BUNDLED, ("apache-4.3.1", "damaged", "maven")]
    assert install(machine).code == 0
    assert listed(machine) == [BUNDLED, ("apache-4.3.1", "ready", "maven")]


def test_an_unpacked_distribution_instead(machine: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "kafka" / "libs").mkdir(parents=True)
    (tmp_path / "kafka" / "libs" / "kafka-clients-4.3.1.jar").touch()
    wrong = install(machine, "--kafka-home", str(tmp_path / "kafka"), "--version", "4.2.0")
    assert (wrong.code, "holds Apache Kafka 4.3.1, not 4.2.0" in wrong.err) == (2, True)
    assert install(machine, "--kafka-home", str(tmp_path / "kafka")).code == 0
    assert listed(machine) == [BUNDLED, ("apache-4.3.1", "ready", "distribution")]


def test_what_is_missing_is_named(machine: dict[str, str]) -> None:
    done = install(machine)
    assert (done.code, "there is no mvn on PATH" in done.err) == (2, True)
    maven(machine, 'echo "[ERROR] Could not transfer artifact x: Connection refused"; exit 1')
    done = install(machine)
    assert (done.code, "its repository was not reached" in done.err) == (1, True)
    assert listed(machine) == [BUNDLED]
    done = run("engine", "install", "redpanda", env=machine)
    assert (done.code, "the engine to install is called apache" in done.err) == (2, True)
    assert install(machine, "--version", "new").code == 2
    (Path(machine["PATH"]) / "java").unlink()
    done = install(machine)
    assert (done.code, "needs a Java runtime of version 17 or newer" in done.err) == (2, True)
