"""Feature levels rise within what everybody can run, and fall only where nothing is lost."""

from __future__ import annotations

import pytest
from support.controller import Cluster, registration

from logctl.engine.controller.brokers import start_broker
from logctl.engine.controller.configs import incremental_alter_configs
from logctl.engine.controller.features import update_features
from logctl.engine.controller.image import ResourceType
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages import incremental_alter_configs as alter
from logctl.wire.messages.broker_registration import Feature
from logctl.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from logctl.wire.stored.feature_level_record import FeatureLevelRecord


def both(metadata: int = 30, group: int = 1) -> list[Feature]:
    return [Feature("metadata.version", 7, metadata), Feature("group.version", 0, group)]


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(brokers=0)
    cluster.take([FeatureLevelRecord(name="metadata.version", feature_level=25)])
    cluster.decide(start_broker, registration(1, features=both()))
    return cluster


def update(cluster: Cluster, *wanted: tuple[str, int, int], dry: bool = False) -> None:
    updates = [FeatureUpdateKey(name, level, upgrade_type=kind) for name, level, kind in wanted]
    cluster.decide(update_features, UpdateFeaturesRequest(feature_updates=updates, validate_only=dry))


def test_levels_rise_together(cluster: Cluster) -> None:
    update(cluster, ("metadata.version", 30, 1), ("group.version", 1, 1))
    assert cluster.image.features == {"metadata.version": 30, "group.version": 1}


def test_what_is_so_already_records_nothing_and_neither_does_a_trial(cluster: Cluster) -> None:
    before = len(cluster.log)
    update(cluster, ("metadata.version", 25, 1))
    update(cluster, ("metadata.version", 30, 1), dry=True)
    assert len(cluster.log) == before


def test_a_level_falls_when_it_is_asked_for_as_a_downgrade(cluster: Cluster) -> None:
    update(cluster, ("group.version", 1, 1))
    update(cluster, ("group.version", 0, 2))
    assert "group.version" not in cluster.image.features


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (("metadata.version", 31, 1), "this controller runs levels 7 to 30"),
        (("metadata.version", 6, 3), "this controller runs levels 7 to 30"),
        (("metadata.version", 24, 1), "must be asked for as a downgrade"),
        (("metadata.version", 24, 2), "could not hold everything"),
        (("metadata.version", 24, 3), "could not hold everything"),
        (("metadata.version", 30, 9), "there is no upgrade type 9"),
        (("share.version", 1, 1), "this engine does not serve the feature"),
        (("kraft.version", 1, 1), "there is no such feature"),
        (("no.such", 1, 1), "there is no such feature"),
    ],
)
def test_what_is_refused_refuses_the_whole(cluster: Cluster, wanted: tuple[str, int, int], says: str) -> None:
    before = len(cluster.log)
    with pytest.raises(WireError, match=says) as refused:
        update(cluster, ("group.version", 1, 1), wanted)
    assert refused.value.code == errors.INVALID_UPDATE_VERSION
    assert len(cluster.log) == before


def test_every_broker_must_be_able_to_run_it(cluster: Cluster) -> None:
    cluster.decide(start_broker, registration(2, features=both(metadata=28, group=0)))
    with pytest.raises(WireError, match="broker 2 runs levels 7 to 28"):
        update(cluster, ("metadata.version", 30, 1))
    with pytest.raises(WireError, match="broker 2 runs levels 0 to 0"):
        update(cluster, ("group.version", 1, 1))


ELIGIBLE = "eligible.leader.replicas.version"


def alter_minimum(cluster: Cluster, broker: str, value: str | None) -> str | None:
    """The objection."""
    change = alter.AlterableConfig("min.insync.replicas", 0 if value else 1, value)
    resource = alter.AlterConfigsResource(ResourceType.BROKER, broker, [change])
    answer = cluster.decide(incremental_alter_configs, alter.IncrementalAlterConfigsRequest(resources=[resource]))
    message: str | None = answer.responses[0].error_message
    return message


def test_eligible_leaders_go_with_one_minimum_for_all_brokers() -> None:
    cluster = Cluster(brokers=2, server_values={"min.insync.replicas": "2"})
    assert alter_minimum(cluster, "1", "1") is None
    update(cluster, (ELIGIBLE, 1, 1))
    assert cluster.image.features[ELIGIBLE] == 1
    assert cluster.image.broker_configs(None) == {"min.insync.replicas": "2"}
    assert cluster.image.broker_configs(1) == {}
    assert "cannot be set for one broker alone" in (alter_minimum(cluster, "1", "1") or "")
    assert "cannot be removed" in (alter_minimum(cluster, "", None) or "")
    assert alter_minimum(cluster, "", "1") is None
    update(cluster, (ELIGIBLE, 0, 2))
    assert alter_minimum(cluster, "1", "2") is None


def test_a_minimum_that_was_set_for_all_brokers_stays() -> None:
    cluster = Cluster(brokers=1)
    assert alter_minimum(cluster, "", "3") is None
    update(cluster, (ELIGIBLE, 1, 1))
    assert cluster.image.broker_configs(None) == {"min.insync.replicas": "3"}


def test_eligible_leaders_need_a_place_in_the_records() -> None:
    cluster = Cluster(brokers=1)
    cluster.take([FeatureLevelRecord(name="metadata.version", feature_level=22)])
    with pytest.raises(WireError, match="needs metadata"):
        update(cluster, (ELIGIBLE, 1, 1))
    update(cluster, ("metadata.version", 23, 1), (ELIGIBLE, 1, 1))
    assert cluster.image.features[ELIGIBLE] == 1
