"""logctl state, in every world: declared, planned, applied, read back by others, exported, and nothing left to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kafka.admin import NewTopic
from support.waiting import wait_until
from support.worlds import Done, Witness, World, only

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]

NOWHERE = {"LOGCTL_BOOTSTRAP_SERVER": "127.0.0.1:1"}


@pytest.fixture
def team(fresh: Fresh) -> str:
    """A name that the owner's things begin with."""
    return fresh("team")


def topics(logctl: Logctl) -> set[str]:
    return set(logctl("topic", "list", "-o", "name").out.split())


def file_of(team: str, folder: Path, declared: str) -> str:
    path = folder / "state.yaml"
    path.write_text(f"owner: {team}\nscope: {{topics: ['{team}.*']}}\ntopics:\n{declared}")
    return str(path)


def test_topics_become_what_is_declared_and_nothing_else_is_touched(
    logctl: Logctl, team: str, witness: Witness, tmp_path: Path
) -> None:
    stranger, undeclared = f"{team}-stranger", f"{team}.undeclared"
    witness.admin.create_topics([NewTopic(stranger, 1, 1), NewTopic(undeclared, 1, 1)])
    wait_until(lambda: {stranger, undeclared} <= topics(logctl), "the topics of others to be seen")
    declared = f"- {{name: {team}.in, partitions: 2, replication_factor: 1, configs: {{retention.ms: 86400000}}}}\n"
    path = file_of(team, tmp_path, declared)
    planned = logctl("state", "plan", path, "--exit-code", code=3)
    assert f"create topic {team}.in with 2 partitions" in planned.out
    assert f"topic {undeclared}, which is in the scope of {team}, is not declared" in planned.err
    assert stranger not in planned.out + planned.err
    assert f"{team}.in" not in witness.admin.list_topics()
    logctl("state", "apply", path)
    wait_until(lambda: f"{team}.in" in witness.admin.list_topics(), "the topic to be seen by others")
    [topic] = witness.admin.describe_topics([f"{team}.in"])
    assert len(topic["partitions"]) == 2
    logctl("state", "plan", path, "--exit-code")

    grown = f"- {{name: {team}.in, partitions: 3, replication_factor: 1, configs: {{segment.ms: 70000}}}}\n"
    path = file_of(team, tmp_path, grown)
    logctl("state", "apply", path)
    told = witness.script("kafka-topics", "--describe", "--topic", f"{team}.in")
    assert "PartitionCount: 3" in told
    assert "segment.ms=70000" in told
    assert "retention.ms=86400000" in told, "what is not declared stays"
    logctl("state", "apply", path, "--delete", code=5)
    assert undeclared in witness.admin.list_topics()
    logctl("state", "apply", path, "--delete", "-y")
    wait_until(lambda: undeclared not in witness.admin.list_topics(), "the topic to be gone for others")
    assert stranger in witness.admin.list_topics()
    assert "retention.ms" not in logctl("config", "list", "--topic", f"{team}.in").out
    logctl("state", "plan", path, "--delete", "--exit-code")


def test_an_export_is_as_declared_and_the_same_each_time(
    logctl: Logctl, world: World, team: str, tmp_path: Path
) -> None:
    logctl("topic", "create", f"{team}.b", "--partitions", "2", "--config", "retention.ms=5000")
    logctl("topic", "create", f"{team}.a")
    narrow = "state", "export", "--topic", f"{team}.*", "--owner", team
    written = logctl(*narrow).out
    assert written == logctl(*narrow).out
    assert written.index(f"{team}.a") < written.index(f"{team}.b")
    assert "__" not in written
    for form in ("yaml", "json"):
        path = tmp_path / f"state.{form}"
        path.write_bytes(logctl(*narrow, "-o", form).data)
        same = logctl("state", "plan", str(path), "--delete", "--exit-code")
        assert "everything is as declared" in same.out + same.err
    whole = logctl("state", "export")
    (tmp_path / "whole.yaml").write_bytes(whole.data)
    logctl("state", "plan", str(tmp_path / "whole.yaml"), "--exit-code")
    assert ("acls are left out" in whole.err) is not world.offers("DescribeAcls")


def test_a_plan_that_the_world_has_overtaken_is_refused(logctl: Logctl, team: str, tmp_path: Path) -> None:
    name = f"{team}.moving"
    logctl("topic", "create", name, "--config", "retention.ms=1000")
    path = file_of(team, tmp_path, f"- {{name: {name}, configs: {{retention.ms: 2000}}}}\n")
    plan = tmp_path / "plan.json"
    plan.write_bytes(logctl("state", "plan", path, "-o", "json").data)
    logctl("config", "set", "--topic", name, "retention.ms=3000")
    logctl("state", "apply", "--plan", str(plan), code=9)
    logctl("config", "set", "--topic", name, "retention.ms=1000")
    logctl("state", "apply", "--plan", str(plan))
    assert "2000" in logctl("config", "list", "--topic", name).out
    plan_id = logctl("audit", "list", "-o", "name").out.split()[-1]
    logctl("audit", "undo", plan_id)
    assert "1000" in logctl("config", "list", "--topic", name).out


def test_what_state_cannot_change_is_refused_with_what_to_do(logctl: Logctl, team: str, tmp_path: Path) -> None:
    name = f"{team}.fixed"
    logctl("topic", "create", name, "--partitions", "2")
    fewer = file_of(team, tmp_path, f"- {{name: {name}, partitions: 1}}\n- {{name: {team}.new}}\n")
    assert "can only become more" in logctl("state", "apply", fewer, code=1).err
    other = file_of(team, tmp_path, f"- {{name: {name}, replication_factor: 2}}\n")
    assert "have to be reassigned" in logctl("state", "apply", other, code=1).err
    assert f"{team}.new" not in topics(logctl)
    misspelt = file_of(team, tmp_path, f"- {{name: {name}, configs: {{retention.sm: 1}}}}\n")
    doubted = logctl("state", "apply", misspelt, code=1)
    assert f"{misspelt}:4: topics of this cluster have no setting retention.sm; did you mean" in doubted.err


@only("apache", "apache3")
def test_access_becomes_what_is_declared(logctl: Logctl, team: str, witness: Witness, tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(
        f"owner: {team}\n"
        f"scope: {{acls: ['User:{team}-*'], quotas: ['user={team}-*'], users: ['{team}-*']}}\n"
        f"acls: [{{principal: 'User:{team}-app', operation: [read], resource_type: topic, resource_name: x}}]\n"
        f"quotas: [{{user: {team}-app, limits: {{producer_byte_rate: 10MiB}}}}]\n"
        f"users: [{{name: {team}-app, mechanisms: [SCRAM-SHA-256], password: 'env:TEAM_PASSWORD'}}]\n"
    )
    assert "TEAM_PASSWORD is not set" in logctl("state", "apply", str(path), code=2).err
    assert "nothing was changed" in logctl("state", "plan", str(path), "--exit-code", code=3).err
    logctl("state", "apply", str(path), env={"TEAM_PASSWORD": "x"})
    user = f"{team}-app"
    wait_until(
        lambda: witness.admin.describe_user_scram_credentials([user])[user]["credential_infos"], "the user to be seen"
    )
    logctl("state", "plan", str(path), "--exit-code")
    logctl("acl", "grant", "--principal", f"User:{team}-app", "--operation", "write", "--topic", "x")
    logctl("quota", "set", "--user", f"{team}-old", "request_percentage=50")
    drifted = logctl("state", "plan", str(path), "--exit-code")
    assert f"ACL allow User:{team}-app write on topic x" in drifted.err
    assert f"quota user={team}-old" in drifted.err
    path.write_text(path.read_text().split("acls: [{")[0])
    logctl("state", "apply", str(path), "--delete", "-y")
    for noun in ("acl", "quota", "user"):
        assert team not in logctl(noun, "list", "-o", "name").out


@only("ours")
def test_access_that_a_cluster_does_not_keep_is_one_sentence(logctl: Logctl, team: str, tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(f"owner: {team}\nscope: {{acls: ['User:{team}']}}\n")
    assert "does not offer DescribeAcls (key 29)" in logctl("state", "apply", str(path), code=1).err
    assert "does not offer DescribeAcls (key 29)" in logctl("state", "export", "--kind", "acls", code=1).err


@only("ours")
def test_what_is_wrong_is_found_before_connecting(logctl: Logctl, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("owner: a\ntopics:\n- name: x\n  partitions: six\n")
    refused = logctl("state", "plan", str(path), env=NOWHERE, code=2)
    assert f"{path}:4: topics[0].partitions: 'six' is not a whole number" in refused.err
    path.write_text("owner: a\ntopics: [{name: x}]\n---\nowner: b\nscope: {topics: ['*']}\n")
    assert "claimed by two owners" in logctl("state", "apply", str(path), env=NOWHERE, code=2).err
    assert "no file was named" in logctl("state", "apply", env=NOWHERE, code=2).err
    assert "it is one of topics" in logctl("state", "export", "--kind", "groups", env=NOWHERE, code=2).err
    without = "state", "export", "--kind", "acls", "--topic", "x"
    assert "--kind leaves them out" in logctl(*without, env=NOWHERE, code=2).err
