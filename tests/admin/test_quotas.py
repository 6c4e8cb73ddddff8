"""Quotas as data: figures, whose they are, and the plans that follow."""

from __future__ import annotations

import json

import pytest

from logctl.admin.executor import agrees
from logctl.admin.observe import Snapshot
from logctl.admin.operation import Risk
from logctl.admin.quotas import (
    EVERY,
    ChangeQuota,
    ImportQuotas,
    Quota,
    Subject,
    limit_text,
    parse_limit,
    subject_from,
)
from logctl.errors import UsageError

ALICE = Subject((("user", "alice"),))
PAIR = Subject((("user", "alice"), ("client-id", None)))
ADDRESS = Subject((("ip", "10.0.0.1"),))


def seen(subject: Subject, **limits: float) -> Snapshot:
    return Snapshot("cluster", states={subject.resource: {"limits": limits}})


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("producer_byte_rate", "10485760", 10485760),
        ("producer_byte_rate", "10MiB", 10485760),
        ("producer_byte_rate", "10 mib/s", 10485760),
        ("producer_byte_rate", "10MB", 10_000_000),
        ("consumer_byte_rate", "1.5KiB", 1536),
        ("consumer_byte_rate", "1e6", 1_000_000),
        ("request_percentage", "200%", 200),
        ("request_percentage", "12.5", 12.5),
        ("controller_mutation_rate", "5/s", 5),
        ("connection_creation_rate", "100", 100),
    ],
)
def test_figures_are_read_with_and_without_units(key: str, text: str, value: float) -> None:
    assert parse_limit(key, text) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("producer_byte_rate", "ten"),
        ("producer_byte_rate", "10XB"),
        ("producer_byte_rate", "10%"),
        ("producer_byte_rate", "-1"),
        ("producer_byte_rate", "0"),
        ("producer_byte_rate", "nan"),
        ("producer_byte_rate", ""),
        ("request_percentage", "10MiB"),
        ("request_percentage", "10/s"),
        ("controller_mutation_rate", "5KiB"),
        ("producer_byte_rat", "5"),
    ],
)
def test_figures_that_mean_nothing_are_refused(key: str, text: str) -> None:
    with pytest.raises(UsageError):
        parse_limit(key, text)


def test_a_misspelt_limit_suggests_the_right_one() -> None:
    with pytest.raises(UsageError, match="no limit 'producer_byte_rat'") as refused:
        parse_limit("producer_byte_rat", "5")
    assert "producer_byte_rate" in refused.value.hint


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("producer_byte_rate", 10485760, "10 MiB/s"),
        ("producer_byte_rate", 10, "10 B/s"),
        ("consumer_byte_rate", 1.5 * 2**30, "1.5 GiB/s"),
        ("request_percentage", 150.0, "150%"),
        ("controller_mutation_rate", 5.0, "5 partitions/s"),
        ("something_newer", 5.0, "5"),
    ],
)
def test_figures_are_told_with_their_units(key: str, value: float, text: str) -> None:
    assert limit_text(key, value) == text


def test_each_subject_has_one_text_and_comes_back_from_a_document() -> None:
    named, default = Subject((("user", "<default>"),)), Subject((("user", None),))
    assert str(default) == "user=<default>"
    assert str(named) == 'user="<default>"'
    assert str(PAIR) == "user=alice client-id=<default>"
    for subject in (named, default, ALICE, PAIR, ADDRESS):
        assert subject_from(json.loads(json.dumps(subject.entity()))) == subject


@pytest.mark.parametrize(
    ("subject", "key", "sentence"),
    [
        (Subject(()), "producer_byte_rate", "Nobody was named"),
        (Subject((("user", "a"), ("ip", "10.0.0.1"))), "producer_byte_rate", "none of user with ip"),
        (Subject((("user", ""),)), "producer_byte_rate", "a name is empty"),
        (ADDRESS, "producer_byte_rate", "cannot be limited for ip 10.0.0.1"),
        (ALICE, "connection_creation_rate", "cannot be limited for user alice"),
        (ALICE, "nonsense", "no limit 'nonsense'"),
    ],
)
def test_what_kafka_would_refuse_is_found_before_asking(subject: Subject, key: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        ChangeQuota(subject, {key: 5.0}).check()


def test_only_what_differs_is_changed_and_the_way_back_holds_what_was() -> None:
    wanted = {"producer_byte_rate": 2048.0, "consumer_byte_rate": 4096.0, "request_percentage": None}
    plan = ChangeQuota(ALICE, wanted).plan(seen(ALICE, producer_byte_rate=1024.0, consumer_byte_rate=4096.0))
    [change], [step] = plan.changes, plan.steps
    assert (change.before, change.after) == (
        {"limits": {"producer_byte_rate": 1024}},
        {"limits": {"producer_byte_rate": 2048}},
    )
    assert step.sentence == "set producer_byte_rate to 2 KiB/s (2048) per broker for user alice"
    assert step.undo is not None
    assert step.undo.arguments["limits"] == {"producer_byte_rate": 1024}
    assert plan.notes == (
        "consumer_byte_rate is 4 KiB/s for user alice already",
        "request_percentage is not limited for user alice",
    )
    assert plan.risk is Risk.SAFE


def test_taking_the_last_limit_away_is_seen_as_done() -> None:
    plan = ChangeQuota(ALICE, {"producer_byte_rate": None}).plan(seen(ALICE, producer_byte_rate=1024.0))
    assert agrees({"limits": {}}, plan.changes[0].after)
    assert plan.steps[0].sentence == "take producer_byte_rate away for user alice"


def test_a_rate_of_a_few_bytes_is_doubted_and_needs_a_confirmation() -> None:
    plan = ChangeQuota(ALICE, {"producer_byte_rate": 10.0}).plan(seen(ALICE))
    assert plan.risk is Risk.DISRUPTIVE
    [warning] = plan.warnings
    assert "was a unit forgotten" in warning
    assert ChangeQuota(ALICE, {"request_percentage": 10.0}).plan(seen(ALICE)).risk is Risk.SAFE


def test_an_import_sets_what_differs_and_leaves_the_rest() -> None:
    now = [{"entity": ALICE.entity(), "limits": {"producer_byte_rate": 2048.0, "consumer_byte_rate": 1.0}}]
    snapshot = Snapshot("cluster", states={EVERY: {"subjects": now}})
    wanted = (Quota(ALICE, {"producer_byte_rate": 2048.0}), Quota(ADDRESS, {"connection_creation_rate": 5.0}))
    plan = ImportQuotas(wanted).plan(snapshot)
    assert [str(change.resource) for change in plan.changes] == ["quota ip=10.0.0.1"]
    assert plan.notes == ("producer_byte_rate is 2 KiB/s for user alice already",)
    assert plan.wants.looks == (ADDRESS.resource,)
