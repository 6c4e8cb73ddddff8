"""Settings as an operator writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctl.admin.config_changes import looks_secret
from logctl.admin.config_input import apache_pairs, entries, from_command_line, from_file, parse_settings
from logctl.errors import UsageError
from logctl.security.secrets import Secret


def nobody(purpose: str) -> str:
    raise AssertionError(f"nobody is to be asked for {purpose}")


def test_settings_are_pairs() -> None:
    assert parse_settings(["a=1", " b = x=y ", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(UsageError, match="has the form name=value"):
        parse_settings(["a"])
    with pytest.raises(UsageError, match="a is given twice"):
        parse_settings(["a=1", "a=2"])


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=1", ["a=1"]),
        ("a=1,b=2", ["a=1", "b=2"]),
        ("a=[x,y],b=2", ["a=x,y", "b=2"]),
        ("a=[[x,y],z],b=[]", ["a=[x,y],z", "b="]),
        ("a=", ["a="]),
        ("", []),
    ],
)
def test_kafka_configs_keeps_commas_together_with_brackets(text: str, pairs: list[str]) -> None:
    assert apache_pairs(text) == pairs


def test_entries_of_a_list() -> None:
    assert entries("x, y,,x") == ("x", "y")
    assert entries("[x,y]") == ("x", "y")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("ssl.key.password", True),
        ("listener.name.internal.ssl.keystore.key", True),
        ("listener.name.internal.plain.sasl.jaas.config", True),
        ("sasl.oauthbearer.client.credentials.client.secret", True),
        ("ssl.keystore.location", False),
        ("retention.ms", False),
    ],
)
def test_a_secret_is_known_by_its_name(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


def test_on_a_command_line_a_secret_is_only_referred_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN", "hush")
    edits = from_command_line(["ssl.key.password=env:HIDDEN", "a=env:HIDDEN"], nobody)
    assert edits == {"ssl.key.password": Secret("hush"), "a": "env:HIDDEN"}
    with pytest.raises(UsageError, match="can be read by others") as refused:
        from_command_line(["ssl.key.password=hush"], nobody)
    assert "hush" not in str(refused.value) + refused.value.hint


def test_a_file_with_a_secret_is_its_owner_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "add.properties"
    file.write_text("# ours\nretention.ms: 5\nssl.key.password=hush\n")
    file.chmod(0o600)
    assert from_file(str(file), nobody) == {"retention.ms": "5", "ssl.key.password": Secret("hush")}
    file.chmod(0o644)
    with pytest.raises(UsageError, match="others than its owner"):
        from_file(str(file), nobody)
    file.write_text("a=1\n\na=2\n")
    with pytest.raises(UsageError, match="line 3: a is given twice"):
        from_file(str(file), nobody)
