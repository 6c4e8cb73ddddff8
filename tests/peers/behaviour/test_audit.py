"""logctl audit, in every world: what is taken back is gone for others too, and what they changed is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kafka.admin._configs import ConfigResource
from support.worlds import Done, Witness

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]


def test_changes_are_listed_taken_back_and_gone_for_others_too(
    logctl: Logctl, fresh: Fresh, witness: Witness, home: Path
) -> None:
    name = fresh("undone")
    made = logctl("topic", "create", name, "--config", "retention.ms=1000", "-o", "json").json
    logctl("config", "set", "--topic", name, "retention.ms=2000", "segment.ms=70000")
    logctl("audit", "undo", "last")
    assert own_settings(witness, name) == {"retention.ms": "1000"}
    document = logctl("audit", "show", made["id"], "-o", "json").json
    assert document["plans"][0]["cluster_id"] == made["cluster_id"]
    assert logctl("audit", "undo", made["id"], code=5).err.endswith("hint: add -y to go ahead\n")
    logctl("audit", "undo", made["id"], "-y")
    assert name not in witness.admin.list_topics()
    states = [plan["state"] for plan in logctl("audit", "list", "-o", "json").json["plans"]]
    assert states == ["undone", "undone", "done", "done"]


def test_what_somebody_else_changed_since_is_not_overwritten(
    logctl: Logctl, fresh: Fresh, witness: Witness, home: Path
) -> None:
    name = fresh("moved")
    logctl("topic", "create", name)
    plan = home / "plan.json"
    plan.write_text(logctl("config", "set", "--topic", name, "segment.ms=70000", "--dry-run", "-o", "json").out)
    logctl("config", "set", "--plan", str(plan))
    assert "nothing to do" in logctl("config", "set", "--plan", str(plan)).err
    change = ConfigResource("topic", name, {"segment.ms": ("SET", "80000")})
    witness.admin.alter_configs([change], raise_on_unknown=False)
    for words in (("audit", "undo", "last"), ("audit", "resume", "last"), ("config", "set", "--plan", str(plan))):
        stale = logctl(*words, code=9)
        assert "is 80000" in stale.err
    assert own_settings(witness, name) == {"segment.ms": "80000"}
    assert json.loads(plan.read_text())["cluster_id"] == logctl("topic", "list", "-o", "json").json["cluster_id"]


def own_settings(witness: Witness, topic: str) -> dict[str, Any]:
    """What is set on the topic itself, as kafka-python reads it."""
    answer = witness.admin.describe_configs([ConfigResource("topic", topic)], config_filter="modified")
    return {name: told["value"] for name, told in answer["topic"][topic].items()}
