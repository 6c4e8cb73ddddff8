"""logctl cluster, in every world: told to a human and to a machine, and compared with what others see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.worlds import Done, Witness, World

Logctl = Callable[..., Done]


def test_the_cluster_tells_who_it_is(world: World, logctl: Logctl, witness: Witness) -> None:
    document = logctl("cluster", "info", "-o", "json").json
    [cluster] = document["clusters"]
    seen = witness.admin.describe_cluster()
    assert document["cluster_id"] == cluster["name"] == seen["cluster_id"]
    assert {node["id"] for node in cluster["nodes"] if "broker" in node["roles"]} == {
        broker["broker_id"] for broker in seen["brokers"]
    }
    assert cluster["controller"] in {node["id"] for node in cluster["nodes"]}
    assert cluster["metadata_version"] == "4.3-IV0"
    assert logctl("cluster", "info", "-o", "name").out == f"{seen['cluster_id']}\n"
    told = logctl("cluster", "info").out
    assert told.startswith(f"cluster {seen['cluster_id']}, controller {cluster['controller']}, ")


def test_health_is_a_verdict_and_a_code(world: World, logctl: Logctl) -> None:
    """Volumes of the machine at hand may be full, and a replica may lag for a moment; the rest must be well."""
    sure = ["offline-partitions", "controller", "missing-brokers", "offline-log-dirs", "under-min-isr"]
    document = logctl("cluster", "health", *sure, "--wait", "-o", "json").json
    [found] = document["clusters"]
    assert (found["verdict"], found["checks"], found["brokers"]) == ("healthy", sure, world.nodes)
    assert " is healthy: " in logctl("cluster", "health", *sure).out


def test_what_is_not_well_is_told_with_its_code(logctl: Logctl) -> None:
    full = logctl("cluster", "health", "full-log-dirs", "--full", "1", "-o", "json", code=1).json
    [cluster] = full["clusters"]
    assert cluster["verdict"] in ("degraded", "critical")
    assert {one["check"] for one in cluster["findings"] if one["severity"] != "info"} == {"full-log-dirs"}
    waited = logctl("cluster", "health", "full-log-dirs", "--full", "1", "--wait", "--timeout", "300ms", code=6)
    assert "full-log-dirs" in waited.out


def test_a_check_that_there_is_not_is_refused_before_anything_is_asked(logctl: Logctl) -> None:
    refused = logctl("cluster", "health", "moonshine", code=2)
    assert "there is no health check 'moonshine'" in refused.err
    assert "offline-partitions" in refused.err
    assert "it is a percentage" in logctl("cluster", "health", "--full", "0", code=2).err


def test_the_quorum_is_what_apache_s_script_says(world: World, logctl: Logctl, witness: Witness) -> None:
    [quorum] = logctl("cluster", "quorum", "-o", "json").json["clusters"]
    said = dict(
        line.split(":", 1) for line in witness.script("kafka-metadata-quorum", "describe", "--status").splitlines()
    )
    assert int(said["LeaderId"]) == quorum["leader"]
    assert int(said["LeaderEpoch"]) == quorum["leader_epoch"]
    [leader] = [one for one in quorum["replicas"] if one["role"] == "leader"]
    assert (leader["id"], leader["lag_records"], leader["lag_ms"]) == (quorum["leader"], 0, 0)
    assert leader["end_offset"] >= quorum["high_watermark"]
    told = logctl("cluster", "quorum", "--replication", "-o", "wide").out
    assert told.splitlines()[1].split()[:3] == ["NODE", "ROLE", "END"]


def test_features_are_what_apache_s_script_says(logctl: Logctl, witness: Witness) -> None:
    document = logctl("cluster", "features", "-o", "json").json
    ours = {
        one["name"]: (one["lowest"], one["highest"], one["level"])
        for one in document["features"]
        if one["name"] != "metadata.version"
    }
    said = _said_of_features(witness)
    levels = said.pop("metadata.version")
    assert ours == {name: tuple(int(level) for level in told) for name, told in said.items()}
    [metadata] = [one for one in document["features"] if one["name"] == "metadata.version"]
    assert metadata["release"] == levels[2] == "4.3-IV0"
    assert metadata["highest"] >= metadata["level"] > metadata["lowest"]


def _said_of_features(witness: Witness) -> dict[str, tuple[str, ...]]:
    """Feature -> lowest, highest and finalized level, as kafka-features tells them."""
    pattern = r"Feature: (\S+)\s+SupportedMinVersion: (\S+)\s+SupportedMaxVersion: (\S+)\s+FinalizedVersionLevel: (\S+)"
    return {found[0]: found[1:] for found in re.findall(pattern, witness.script("kafka-features", "describe"))}


def group_version(logctl: Logctl) -> int:
    features = logctl("cluster", "features", "-o", "json").json["features"]
    level: int = next(one["level"] for one in features if one["name"] == "group.version")
    return level


@pytest.fixture
def group_version_as_it_was(logctl: Logctl) -> Iterator[None]:
    assert group_version(logctl) == 1
    yield
    logctl("cluster", "feature-upgrade", "group.version=1", "-y")


@pytest.mark.usefixtures("group_version_as_it_was")
def test_a_feature_is_lowered_and_raised_again(logctl: Logctl, witness: Witness) -> None:
    tried = logctl("cluster", "feature-downgrade", "group.version=0", "--dry-run", "--exit-code", code=3)
    assert "lower group.version to 0" in tried.out
    assert "~ level: 1 -> 0" in tried.out
    assert logctl("cluster", "feature-downgrade", "group.version=0", code=5).out == "", "nobody could be asked"
    logctl("cluster", "feature-disable", "group.version", "-y")
    assert group_version(logctl) == 0
    assert _said_of_features(witness)["group.version"][2] == "0"
    logctl("cluster", "feature-upgrade", "--feature", "group.version=1", "-y")
    assert group_version(logctl) == 1
    already = logctl("cluster", "feature-upgrade", "group.version=1", "-y")
    assert "group.version is at level 1 already; nothing to do" in already.err


def test_features_that_cannot_be_changed_so_are_refused(logctl: Logctl) -> None:
    assert "is above 7" in logctl("cluster", "feature-upgrade", "metadata.version=7", "-y", code=1).err
    assert "knows no feature moon.version" in logctl("cluster", "feature-upgrade", "moon.version=1", "-y", code=1).err
    assert "has the form feature=level" in logctl("cluster", "feature-upgrade", "moon.version", code=2).err
    assert "not both" in logctl("cluster", "feature-upgrade", "a=1", "--release", "4.3", code=2).err
    assert "is not a release" in logctl("cluster", "feature-upgrade", "--release", "1.0", code=2).err
    unsafe = logctl("cluster", "feature-downgrade", "metadata.version=7", "--dry-run", code=1)
    assert "INVALID_UPDATE_VERSION" in unsafe.err


def test_api_versions_are_what_each_broker_serves(world: World, logctl: Logctl) -> None:
    apis = {one["name"]: one for one in logctl("cluster", "api-versions", "-o", "json").json["apis"]}
    metadata = apis["Metadata"]
    assert (metadata["lowest"], metadata["highest"], metadata["used"], metadata["differs"]) == (0, 13, 13, False)
    assert [one["broker"] for one in metadata["brokers"]] == list(range(1, world.nodes + 1))
    assert logctl("cluster", "api-versions", "--differences", "-o", "json").json["apis"] == []
    one = logctl("cluster", "api-versions", "--broker", "1", "--columns", "api,versions", "--no-headers").out
    assert "Metadata" in one
    assert "broker 77 is not in the cluster" in logctl("cluster", "api-versions", "--broker", "77", code=1).err


def test_capabilities_say_what_is_lacking_in_a_sentence_each(world: World, logctl: Logctl) -> None:
    found: dict[str, Any] = {
        one["name"]: one for one in logctl("cluster", "capabilities", "--all", "-o", "json").json["capabilities"]
    }
    assert found["DescribeQuorum"]["offered"] == "yes"
    assert "cluster quorum" in found["DescribeQuorum"]["commands"]
    for name, one in found.items():
        assert (one["offered"] == "yes") == world.offers(name), name
    lacking = logctl("cluster", "capabilities", "--lacking", "-o", "json").json["capabilities"]
    assert all(one["offered"] == "no" and one["commands"] for one in lacking)
    for one in lacking:
        assert one["sentence"].startswith(f"does not offer {one['name']} to "), json.dumps(one)
        assert one["sentence"].endswith(f"; Apache Kafka does since {one['since']}")
