"""Feature levels: what is told of them, and plans to change them."""

from __future__ import annotations

from typing import Any

import pytest
from admin.test_plans import snapshot
from support.scripted import ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.features import (
    LOWER,
    LOWER_EVEN_SO,
    RAISE,
    ChangeFeatures,
    level_text,
    levels_of_release,
    list_features,
    metadata_level,
    observe_features,
    update_features,
)
from logctl.admin.observe import Resource, Snapshot
from logctl.admin.operation import Risk
from logctl.admin.routing import Cluster
from logctl.errors import OperationFailed, UsageError
from logctl.wire import errors
from logctl.wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)
from logctl.wire.messages.update_features import UpdatableFeatureResult, UpdateFeaturesResponse


def at(level: int, name: str = "group.version", lowest: int | None = 0, highest: int | None = 2) -> Snapshot:
    state = {"level": level, "lowest": lowest, "highest": highest}
    return snapshot()._replace(states={Resource("feature", name): state})


def test_levels_have_names() -> None:
    assert metadata_level("30") == metadata_level("4.3-IV0") == metadata_level("4.3") == 30
    assert level_text("metadata.version", 7) == "7 (3.3-IV3)"
    assert level_text("metadata.version", 99) == "99"
    assert levels_of_release("3.9") == {
        "metadata.version": 21,
        "kraft.version": 1,
        "transaction.version": 0,
        "group.version": 0,
        "eligible.leader.replicas.version": 0,
        "share.version": 0,
        "streams.version": 0,
    }
    assert levels_of_release("4.1.2")["transaction.version"] == 2
    with pytest.raises(UsageError, match="is not a release"):
        levels_of_release("2.8")


def test_a_level_is_raised_and_can_be_lowered_again() -> None:
    plan = ChangeFeatures({"group.version": 1}).plan(at(0))
    [change], [step] = plan.changes, plan.steps
    assert (change.before, change.after) == ({"level": 0}, {"level": 1})
    assert (step.sentence, step.risk) == ("raise group.version to 1", Risk.DISRUPTIVE)
    assert step.undo is not None
    assert step.undo.arguments == {"levels": {"group.version": 0}, "how": LOWER}


def test_metadata_version_has_no_way_back_and_says_so() -> None:
    plan = ChangeFeatures({"metadata.version": 30}).plan(at(29, "metadata.version", 7, 30))
    assert plan.steps[0].sentence == "raise metadata.version to 30 (4.3-IV0)"
    assert plan.steps[0].undo is None
    assert "may not be lowered again" in plan.warnings[0]


def test_what_may_lose_something_is_destructive() -> None:
    plan = ChangeFeatures({"group.version": 0}, LOWER_EVEN_SO).plan(at(1))
    assert (plan.risk, plan.steps[0].undo) == (Risk.DESTRUCTIVE, None)
    assert plan.warnings == ("what the lower level cannot keep will be lost",)


def test_what_is_so_already_is_left_alone() -> None:
    plan = ChangeFeatures({"group.version": 1}).plan(at(1))
    assert (plan.steps, plan.notes) == ((), ("group.version is at level 1 already",))


@pytest.mark.parametrize(
    ("operation", "there", "says"),
    [
        (ChangeFeatures({"group.version": 0}), at(1), "group.version is at level 1, which is above 0"),
        (ChangeFeatures({"group.version": 2}, LOWER), at(1), "group.version is at level 1, which is below 2"),
        (ChangeFeatures({"group.version": 3}), at(1), "the brokers can run 0 to 2"),
        (ChangeFeatures({"group.version": 3}), at(1, lowest=None, highest=None), "have no level in common"),
        (ChangeFeatures({"moon.version": 3}), at(1), "this cluster knows no feature moon.version"),
    ],
)
def test_what_cannot_be_is_refused(operation: ChangeFeatures, there: Snapshot, says: str) -> None:
    with pytest.raises(OperationFailed, match=says):
        operation.plan(there)


def test_for_a_release_what_is_further_or_unknown_is_left_alone() -> None:
    wanted = ChangeFeatures({"group.version": 0, "share.version": 1}, RAISE, as_far=True)
    assert wanted.plan(at(1)).steps == ()


@pytest.mark.parametrize("operation", [ChangeFeatures({}), ChangeFeatures({"a": -1})])
def test_what_cannot_be_meant_is_refused_before_asking(operation: ChangeFeatures) -> None:
    with pytest.raises(UsageError):
        operation.check()


# -- brokers that differ, and refusals ---------------------------------------------------------------------------------


def versions(highest: int, epoch: int, level: int) -> Any:
    def answer(request: Any, version: int) -> ApiVersionsResponse:
        keys = [ApiVersion(api_key=key, min_version=0, max_version=top) for key, top in ((3, 13), (18, 4), (57, 2))]
        return ApiVersionsResponse(
            api_keys=keys,
            supported_features=[SupportedFeatureKey(name="group.version", min_version=0, max_version=highest)],
            finalized_features_epoch=epoch,
            finalized_features=[
                FinalizedFeatureKey(name="group.version", max_version_level=level, min_version_level=0)
            ],
        )

    return answer


def test_the_range_is_what_all_brokers_can_and_the_level_what_the_newest_answer_says() -> None:
    with ScriptedCluster(1, 2) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.brokers[1].answer("ApiVersions", versions(highest=3, epoch=7, level=1))
        scripted.brokers[2].answer("ApiVersions", versions(highest=2, epoch=8, level=2))
        found = list_features(Cluster(client), Deadline(10))
        [feature] = found.found
        assert (feature.lowest, feature.highest, feature.level, found.epoch) == (0, 2, 2, 8)
        seen = observe_features(Cluster(client), ("group.version", "moon.version"), Deadline(10))
        assert seen.states == {"group.version": {"level": 2, "lowest": 0, "highest": 2}}


def test_a_refusal_is_told_for_each_feature_and_a_trial_changes_nothing() -> None:
    def refuse(request: Any, version: int) -> UpdateFeaturesResponse:
        assert request.validate_only
        return UpdateFeaturesResponse(error_code=errors.INVALID_UPDATE_VERSION, error_message="too high")

    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("UpdateFeatures", refuse)
        outcomes = update_features(Cluster(client), {"levels": {"a": 9}, "how": RAISE}, Deadline(10), True)
        assert str(outcomes[Resource("feature", "a")]) == "cannot change a: INVALID_UPDATE_VERSION: too high"


def test_an_old_controller_cannot_try_and_answers_for_each_feature() -> None:
    def answer(request: Any, version: int) -> UpdateFeaturesResponse:
        assert version == 0
        return UpdateFeaturesResponse(results=[UpdatableFeatureResult(feature="a", error_code=96, error_message="no")])

    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("UpdateFeatures", answer)
        scripted.brokers[1].versions["UpdateFeatures"] = (0, 0)
        arguments = {"levels": {"a": 9, "b": 1}, "how": RAISE}
        assert update_features(Cluster(client), arguments, Deadline(10), True) == {}
        outcomes = update_features(Cluster(client), arguments, Deadline(10), False)
        assert "FEATURE_UPDATE_FAILED" in str(outcomes[Resource("feature", "a")])
        assert outcomes[Resource("feature", "b")] is None
