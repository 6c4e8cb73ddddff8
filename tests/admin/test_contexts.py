"""The file of contexts: what it says, what it refuses to say, and who may touch it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from logctl.admin.contexts import Context, Contexts, changing, load, path
from logctl.errors import UsageError

WHOLE = """
current: prod
contexts:
  prod:
    bootstrap_servers: [kafka-1:9092, kafka-2:9092]
    command_config: /etc/kafka/admin.properties
    properties: {security.protocol: SASL_SSL, sasl.password: "keyring:logctl/ann"}
    cluster_id: 012
    colour: red
    guard: type-name
  local:
    bootstrap_servers: localhost:9092
    colour:
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def written(text: str, mode: int = 0o600) -> None:
    path().parent.mkdir(exist_ok=True)
    path().write_text(text, encoding="utf-8")
    path().chmod(mode)


def refused(text: str, mode: int = 0o600) -> UsageError:
    written(text, mode)
    with pytest.raises(UsageError) as caught:
        load()
    return caught.value


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_with_its_values_as_text() -> None:
    written(WHOLE)
    assert load() == Contexts(
        "prod",
        {
            "prod": Context(
                "prod",
                "kafka-1:9092,kafka-2:9092",
                {"security.protocol": "SASL_SSL", "sasl.password": "keyring:logctl/ann"},
                "/etc/kafka/admin.properties",
                "012",
                "red",
                "type-name",
            ),
            "local": Context("local", "localhost:9092"),
        },
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "contexts: {}\n"])
def test_no_contexts_are_no_failure(text: str) -> None:
    assert load() == Contexts()
    written(text)
    assert load() == Contexts()


@pytest.mark.parametrize(
    ("text", "complaint", "hint"),
    [
        ("contexts:\n  a:\n    guards: none\n", "line 3: context a has no field guards", "did you mean guard?"),
        ("context:\n  a: {}\n", "line 1: the file has no field context", "did you mean contexts?"),
        ("contexts:\n  a:\n    guard: readonly\n", "line 3: a.guard is one of none, confirm, type-name, read-only", ""),
        ("contexts:\n  a:\n    colour: mauve\n", "line 3: a.colour is one of red", ""),
        ("contexts:\n  a: {}\n  a: {}\n", "line 3: contexts: a is given twice", ""),
        ("contexts:\n  a:\n    guard: none\n    guard: confirm\n", "line 4: context a: guard is given twice", ""),
        ("contexts:\n  a:\n    properties:\n      x: 1\n      x: 2\n", "line 5: a.properties: x is given twice", ""),
        ("contexts:\n  a: 5\n", "line 2: context a must hold fields", ""),
        ("contexts:\n  a:\n    cluster_id: [1]\n", "line 3: a.cluster_id must be one value", ""),
        ("contexts:\n  a: {}\ncurrent: b\n", "line 3: current: there is no context b", ""),
        ("contexts:\n  a: [\n", "this is not YAML", ""),
        ("contexts:\n  a: \x07\n", "this is not YAML", ""),
        ("- a\n", "line 1: the file must hold fields", ""),
        ("contexts:\n  'a b': {}\n", "cannot be the name of a context", ""),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_field(text: str, complaint: str, hint: str) -> None:
    error = refused(text)
    assert complaint in error.message
    assert hint in error.hint


def test_a_name_that_there_is_not_brings_up_those_near_it() -> None:
    written(WHOLE)
    with pytest.raises(UsageError, match="there is no context prot") as caught:
        load().named("prot")
    assert caught.value.hint == "did you mean prod?"


# -- who may touch it --------------------------------------------------------------------------------------------------

SECRET = "contexts:\n  a:\n    properties: {sasl.password: canary-6}\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_secret_that_others_may_read_is_refused_with_what_to_run(mode: int) -> None:
    error = refused(SECRET, mode)
    assert "holds a secret, and others than you may read it" in error.message
    assert error.hint == f"run: chmod 600 {path()}"
    assert "canary" not in error.message
    written(SECRET, 0o600)
    assert load().named("a").properties["sasl.password"] == "canary-6"


def test_without_a_secret_others_may_read_it_but_never_write_it() -> None:
    written(WHOLE, 0o644)
    assert load().current == "prod"
    assert "others than you may write" in refused(WHOLE, 0o664).message


# -- writing -----------------------------------------------------------------------------------------------------------


def test_it_is_written_for_its_owner_alone_and_read_back_the_same() -> None:
    written(WHOLE)
    before = load()
    path().unlink()
    path().parent.rmdir()
    with changing() as held:
        held.append(before)
    assert load() == before
    assert stat.S_IMODE(path().stat().st_mode) == 0o600
    assert stat.S_IMODE(path().parent.stat().st_mode) == 0o700
    assert sorted(one.name for one in path().parent.iterdir()) == ["contexts.lock", "contexts.yaml"]


def test_a_failure_in_between_leaves_the_file_as_it_was() -> None:
    written(WHOLE)
    with pytest.raises(UsageError):  # noqa: PT012, SIM117 - the failure is in the middle
        with changing() as held:
            held.append(held[0].without("prod"))
            held[0].named("absent")
    assert path().read_text() == WHOLE


def test_a_file_that_cannot_be_understood_is_not_written_over() -> None:
    written("contexts: [")
    with pytest.raises(UsageError), changing() as held:
        held.append(Contexts())
    assert path().read_text() == "contexts: ["


def test_a_link_to_a_file_kept_elsewhere_stays_a_link(tmp_path: Path) -> None:
    written(WHOLE)
    kept = path().rename(tmp_path / "kept.yaml")
    path().symlink_to(kept)
    with changing() as held:
        held.append(held[0].without("prod"))
    assert path().is_symlink()
    assert "prod" not in kept.read_text()


def test_many_at_once_lose_nothing() -> None:
    def add(number: int) -> None:
        with changing() as held:
            held.append(held[0].with_context(Context(f"c{number}", "x:1")))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(load().contexts) == [f"c{number}" for number in range(8)]


def test_removing_the_current_context_leaves_none_current() -> None:
    written(WHOLE)
    assert load().without("prod").current is None
    assert load().without("local").current == "prod"
