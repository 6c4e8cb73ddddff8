"""What Apache Kafka needs to run: a JVM, and Apache's jars.

Jars come from Maven, which copies them once per version into the user's data folder, or from an unpacked distribution
that was registered there or is named on the spot (`kafka_home`).

    $XDG_DATA_HOME/logctl/apache/VERSION/
      lib/      Apache's jars, and `.whole`: the name and size of each
      home      instead of lib: the path of an unpacked distribution
      pom.xml   what Maven was asked for
      lock      held while Maven works

The folder `lib` appears by one rename when it is whole, under the lock, so that parallel callers and an interrupted
download leave either everything or nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Timer
from typing import Final, NamedTuple

from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, UsageError

VERSION: Final = "4.3.1"
JAVA_AT_LEAST: Final = 17
LOG4J: Final = "2.25.4"
"""Kafka's jars name the logging facade only; the binding that its distribution adds is named in our pom."""

MAVEN_TIMEOUT_S: Final = 900.0
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_DOWNLOADED: Final = re.compile(r"Downloaded from \S+: \S*/(\S+)")
_NO_NETWORK: Final = re.compile(
    r"Could not transfer|Unknown host|UnknownHost|Connection (refused|reset|timed out)|timed out|Network is unreachable"
)
Tell = Callable[[str], None]
"""Is given the name of each file as Maven has fetched it."""


def data_home() -> Path:
    """Where artifacts are kept: `$XDG_DATA_HOME/logctl/apache`, by default below `~/.local/share`."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "logctl" / "apache"


# -- the JVM -----------------------------------------------------------------------------------------------------------


class Jdk(NamedTuple):
    """A Java runtime; `version` is its major version, 0 when it cannot be run."""

    binary: Path
    version: int


def java() -> Path:
    """A `java` of version 17 or newer: `$JAVA_HOME` first, then PATH. Raises `UsageError` when there is none."""
    return jdk().binary


def jdk() -> Jdk:
    """The same with its version."""
    seen = []
    for candidate in _java_candidates():
        version = _java_version(candidate)
        if version >= JAVA_AT_LEAST:
            return Jdk(candidate, version)
        seen.append(f"{candidate} is version {version}" if version else f"{candidate} does not run")
    found = "; ".join(seen) or "no java on PATH and JAVA_HOME is not set"
    raise UsageError(
        f"Apache Kafka needs a Java runtime of version {JAVA_AT_LEAST} or newer: {found}.",
        f"Install one (Debian: apt-get install openjdk-{JAVA_AT_LEAST}-jdk-headless) or point JAVA_HOME to it.",
    )


def _java_candidates() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    places = [Path(home) / "bin" / "java"] if home else []
    on_path = shutil.which("java")
    return places + ([Path(on_path)] if on_path else [])


@cache
def _java_version(binary: Path) -> int:
    try:
        answer = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match[1]) if match else 0


# -- the jars ----------------------------------------------------------------------------------------------------------


def artifacts(version: str = VERSION, *, kafka_home: Path | None = None, tell: Tell | None = None) -> list[Path]:
    """The jars of one Apache Kafka version, fetched by Maven when they are not there yet.

    With `kafka_home` the jars of that unpacked distribution, whatever its version.
    """
    if kafka_home is not None:
        return distribution_jars(kafka_home)
    found = installed(version)
    if found is None:
        fetch(version, tell)
        return artifacts(version)
    if found.trouble:
        raise OperationFailed(
            f"Apache Kafka {version} in {found.place} is not whole: {found.trouble}.",
            f"Put it there anew with `logctl engine install apache --version {version}`.",
        )
    return found.jars


def classpath(version: str = VERSION, *, kafka_home: Path | None = None) -> str:
    """The same jars as one value for `java -cp`."""
    return os.pathsep.join(str(jar) for jar in artifacts(version, kafka_home=kafka_home))


def available(version: str = VERSION, *, kafka_home: Path | None = None) -> str | None:
    """None when this engine can be used here (perhaps after a download), else one sentence with the reason."""
    try:
        java()
        if kafka_home is not None:
            distribution_jars(kafka_home)
        elif installed(version) is None:
            _maven()
    except LogctlError as reason:
        return reason.message
    return None


class Installed(NamedTuple):
    """A version that is here. `source`: "maven" or "distribution"; `trouble`: why it cannot be used, or empty."""

    version: str
    source: str
    place: Path
    jars: list[Path]
    trouble: str = ""

    @property
    def size_bytes(self) -> int:
        return sum(jar.stat().st_size for jar in self.jars)


def installed(version: str) -> Installed | None:
    """That version, if it is here, whole or not."""
    folder = data_home() / check_version(version)
    if (folder / "lib").is_dir():
        lib = folder / "lib"
        return Installed(version, "maven", lib, sorted(lib.glob("*.jar")), _missing(lib))
    try:
        home = Path((folder / "home").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return None
    try:
        return Installed(version, "distribution", home, distribution_jars(home))
    except UsageError as gone:
        return Installed(version, "distribution", home, [], gone.message.rstrip("."))


def all_installed() -> list[Installed]:
    """Every version that is here, the newest first."""
    names = [path.name for path in data_home().glob("*") if _VERSION.fullmatch(path.name)]
    ordered = sorted(names, key=lambda name: [int(part) for part in name.split(".")], reverse=True)
    return [found for found in map(installed, ordered) if found is not None]


def check_version(version: str) -> str:
    """The version, when it is written like one. Raises UsageError."""
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is not a version of Apache Kafka.", f"Versions are written like {VERSION}.")
    return version


def distribution_jars(home: Path) -> list[Path]:
    """The jars of an unpacked distribution. Raises UsageError."""
    jars = sorted((home / "libs").glob("*.jar"))
    if not any(jar.name.startswith("kafka-clients-") for jar in jars):
        raise UsageError(
            f"{home} is not an unpacked Apache Kafka distribution: there is no libs/kafka-clients-*.jar in it.",
            "Point to the folder that holds bin, config and libs.",
        )
    return jars


def distribution_version(home: Path) -> str:
    """The version of an unpacked distribution, from the name of its client's jar. Raises UsageError."""
    found = (re.fullmatch(r"kafka-clients-(.+)\.jar", jar.name) for jar in distribution_jars(home))
    return check_version(next(match[1] for match in found if match))


def register(home: Path) -> Installed:
    """Remember an unpacked distribution under its version. Raises UsageError, OperationFailed."""
    version = distribution_version(home)
    folder = data_home() / version
    if (folder / "lib").is_dir():
        raise UsageError(
            f"Apache Kafka {version} is here already, fetched by Maven into {folder / 'lib'}.",
            f"Remove that folder first, or name {home} with --kafka-home where you need it.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "home").write_text(f"{home.absolute()}\n", encoding="utf-8")
    except OSError as failure:
        raise _unwritable(folder, failure) from failure
    found = installed(version)
    assert found is not None
    return found


# -- Maven -------------------------------------------------------------------------------------------------------------


def fetch(version: str, tell: Tell | None = None) -> None:
    """Let Maven put that version here, anew when it is not whole. Raises UsageError, OperationFailed,
    DeadlineExceeded."""
    lib = data_home() / check_version(version) / "lib"
    maven = _maven()
    try:
        lib.parent.mkdir(parents=True, exist_ok=True)
        with (lib.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not lib.is_dir() or _missing(lib):
                _run_maven(maven, version, lib, tell)
    except OSError as failure:
        raise _unwritable(lib.parent, failure) from failure


def _maven() -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise UsageError(
            "Apache Kafka's artifacts are fetched with Maven, and there is no mvn on PATH.",
            "Install it (Debian: apt-get install maven) or unpack a distribution and pass --kafka-home DIR.",
        )
    return maven


def _run_maven(maven: str, version: str, lib: Path, tell: Tell | None) -> None:
    pom, partial = lib.parent / "pom.xml", lib.parent / "lib.partial"
    pom.write_text(_pom(version))
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-B", "-f", str(pom), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
    try:
        _follow(command, version, tell)
        _write_manifest(partial)
        shutil.rmtree(lib, ignore_errors=True)
        partial.rename(lib)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _follow(command: list[str], version: str, tell: Tell | None) -> None:
    """Run Maven to its end and tell what it fetches. Raises when it fails."""
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        late = Timer(MAVEN_TIMEOUT_S, process.kill)
        late.start()
        try:
            for line in process.stdout:
                said.append(line.rstrip())
                fetched = _DOWNLOADED.search(line)
                if fetched and tell is not None:
                    tell(fetched[1])
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            expired = late.finished.is_set()
            late.cancel()
    if expired:
        raise DeadlineExceeded(f"Maven did not fetch Apache Kafka {version} in {MAVEN_TIMEOUT_S:.0f} s.")
    if code != 0:
        raise _not_fetched(version, said, command)


def _not_fetched(version: str, said: list[str], command: list[str]) -> OperationFailed:
    errors = [line.removeprefix("[ERROR]").strip() for line in said if "ERROR" in line] or said[-1:]
    text = errors[0] if errors else "it said nothing"
    by_hand = f"Repeat it by hand to see all it says: {' '.join(command)}"
    if "Could not find artifact org.apache.kafka" in text or "was not found in" in text:
        return OperationFailed(f"Maven found no Apache Kafka {version} in its repositories.", by_hand)
    if _NO_NETWORK.search(text):
        return OperationFailed(
            f"Maven could not fetch Apache Kafka {version}: its repository was not reached. {text}",
            "Check the network and Maven's proxy settings, or unpack a distribution and pass --kafka-home DIR.",
        )
    return OperationFailed(f"Maven could not fetch Apache Kafka {version}: {text}", by_hand)


def _unwritable(folder: Path, failure: OSError) -> OperationFailed:
    return OperationFailed(f"Cannot keep Apache Kafka's artifacts in {folder}: {failure.strerror}.")


def _write_manifest(lib: Path) -> None:
    lines = [f"{jar.name} {jar.stat().st_size}\n" for jar in sorted(lib.glob("*.jar"))]
    (lib / ".whole").write_text("".join(lines), encoding="utf-8")


def _missing(lib: Path) -> str:
    """What is not as Maven left it; empty when nothing is, or when nobody wrote that down."""
    try:
        lines = (lib / ".whole").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    for name, _, size in (line.rpartition(" ") for line in lines):
        path = lib / name
        if not path.exists():
            return f"{name} is missing"
        if path.stat().st_size != int(size):
            return f"{name} has {path.stat().st_size} bytes instead of {size}"
    return ""


def _pom(version: str) -> str:
    wanted = [
        ("org.apache.kafka", "kafka_2.13", version),
        ("org.apache.kafka", "kafka-tools", version),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J),
    ]
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{number}</version></dependency>"
        for group, name, number in wanted
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>logctl</groupId><artifactId>apache-kafka</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>\n"
    )
