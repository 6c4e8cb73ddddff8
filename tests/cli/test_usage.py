"""Wrong flags, no cluster, a cluster that is not there: a sentence, a hint, the exit code of the contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import run
from support.ports import free_port

NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["topik"], "No such command 'topik'. Did you mean 'topic'?", "see `logctl --help`"),
        (["topic", "crate"], "No such command 'crate'. Did you mean 'create', 'alter'?", "see `logctl topic --help`"),
        (["topic", "list", "--frob"], "No such option: --frob", "see `logctl topic list --help`"),
        (["topic", "create"], "no topic was named", "see --help of this command"),
        (["topic", "create", "a", "--topic", "b"], "two topics were named: a and b", ""),
        (["topic", "create", "a b"], "'a b' cannot be a topic's name", "use 1 to 249 of the letters"),
        (["topic", "create", "a", "--config", "x"], "--config x: a setting has the form name=value", ""),
        (["topic", "create", "a", "--config", "x=1", "--config", "x=2"], "--config x is given twice", ""),
        (["topic", "create", "a", "--replica-assignment", "1:x"], "broker ids joined by ':' were expected", ""),
        (["topic", "create", "a", "--replica-assignment", "1:1"], "partition 0 names a broker twice", ""),
        (["topic", "create", "a", "--replica-assignment", "1:2,3"], "needs the same number of replicas", ""),
        (["topic", "create", "a", "--replica-assignment", "1", "--partitions", "1"], "already says how many", ""),
        (["topic", "create", "a", "--partitions", "0"], "0 is not a number from 1 up", ""),
        (["topic", "list", "--timeout", "soon"], "'soon' is not a duration", "write it as 30, 30s, 500ms"),
        (["topic", "list", "-b", "host:port"], "'host:port' is not an address of the form HOST:PORT", ""),
        (["topic", "list", "-X", "ssl.ca=x"], "-X ssl.ca: this is not a client property", "did you mean ssl.ca.pem?"),
        (["topic", "list", "--topic", "("], "'(' is not a regular expression", ""),
        (["topic", "delete"], "no topic was named", ""),
        (["record", "produce", "a", "--json", "--raw"], "--json says all about a record", ""),
        (["record", "produce", "a", "--key-separator", ""], "the key separator cannot be empty", ""),
        (["record", "produce", "a", "-H", "x"], "a header has the form name=value", ""),
        (["record", "consume", "a", "--from", "soon"], "'soon' is not a position", "write beginning, end, an offset"),
        (["record", "consume", "a", "-f", "--to", "3"], "--follow has no end", ""),
        (["record", "consume", "a", "--format", "%q"], "%q in the template '%q' is not a field", "the fields are"),
        (["record", "consume", "a", "-n", "-1"], "a number from 0 up was expected", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_asked(arguments: list[str], sentence: str, hint: str) -> None:
    done = run(*arguments, bootstrap=NOWHERE)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert sentence in done.err
    assert f"hint: {hint}" in done.err if hint else True


def test_no_cluster_was_named_and_none_is_running(tmp_path: Path) -> None:
    done = run("topic", "list", env={"XDG_DATA_HOME": str(tmp_path)})
    assert done == (
        2,
        "",
        "error: no cluster was named, and no local node is running\n"
        "hint: start one with `logctl up`, or name a cluster with -b HOST:PORT or -C CONTEXT\n",
    )


@pytest.mark.parametrize("arguments", [["topic", "list"], ["record", "produce", "a"], ["record", "consume", "a"]])
def test_a_cluster_that_is_not_there_is_named_with_the_reason(arguments: list[str]) -> None:
    port = free_port()
    done = run(*arguments, "-b", f"127.0.0.1:{port}", "--timeout", "5s")
    assert done == (
        7,
        "",
        f"error: no broker could be reached: 127.0.0.1:{port}: connection refused\n"
        "hint: check the address, and that the node is running\n",
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = run("record", "produce", "a", str(tmp_path / "none"), bootstrap=NOWHERE)
    folder = run("record", "produce", "a", str(tmp_path), bootstrap=NOWHERE)
    assert (missing.code, folder.code) == (2, 2)
    assert "none: No such file or directory" in missing.err
    assert "Is a directory" in folder.err
