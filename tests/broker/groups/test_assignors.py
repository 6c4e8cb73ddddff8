"""Assignors by their promises: every partition once, only to readers, as even as can be, and no needless moves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logctl.engine.broker.groups.assignors import Wish, by_name
from logctl.engine.broker.groups.assignors.range import assign_ranges
from logctl.engine.broker.groups.assignors.uniform import assign_uniformly

TOPICS = [bytes([number]) * 16 for number in range(1, 5)]
members = st.sampled_from([f"m{number}" for number in range(7)])
sizes = st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 9), min_size=1)
subscriptions = st.dictionaries(members, st.frozensets(st.sampled_from(TOPICS), min_size=1), min_size=1)
same_topics = st.tuples(st.sets(members, min_size=1), st.frozensets(st.sampled_from(TOPICS), min_size=1)).map(
    lambda pair: dict.fromkeys(pair[0], pair[1])
)


def wishes(topics_of, previous=None):
    return {member: Wish(topics, None, (previous or {}).get(member, {})) for member, topics in topics_of.items()}


def places(assigned):
    return {
        (topic, partition): member
        for member, topics in assigned.items()
        for topic, partitions in topics.items()
        for partition in partitions
    }


def load(topics):
    return sum(len(partitions) for partitions in topics.values())


@pytest.mark.parametrize("assign", [assign_uniformly, assign_ranges])
@given(topics_of=subscriptions, sizes=sizes)
def test_every_partition_that_somebody_reads_is_given_to_one_of_its_readers(assign, topics_of, sizes):
    assigned = assign(wishes(topics_of), sizes)
    assert assigned.keys() == topics_of.keys()
    holder = places(assigned)
    assert len(holder) == sum(map(load, assigned.values())), "nothing is given twice"
    wanted = {topic for topics in topics_of.values() for topic in topics}
    assert holder.keys() == {(t, p) for t, size in sizes.items() if t in wanted for p in range(size)}
    assert all(topic in topics_of[member] for (topic, _), member in holder.items())


@given(topics_of=same_topics, sizes=sizes)
def test_equal_readers_get_equal_shares(topics_of, sizes):
    loads = [load(topics) for topics in assign_uniformly(wishes(topics_of), sizes).values()]
    assert max(loads) - min(loads) <= 1


@given(topics_of=subscriptions, sizes=sizes)
def test_with_different_topics_no_single_move_would_narrow_a_gap(topics_of, sizes):
    assigned = assign_uniformly(wishes(topics_of), sizes)
    for (topic, _), member in places(assigned).items():
        for other, topics in topics_of.items():
            if topic in topics:
                assert load(assigned[member]) - load(assigned[other]) <= 1


@given(topics_of=subscriptions, sizes=sizes)
def test_nothing_moves_when_nothing_changed(topics_of, sizes):
    before = assign_uniformly(wishes(topics_of), sizes)
    assert assign_uniformly(wishes(topics_of, before), sizes) == before


@given(topics_of=same_topics, sizes=sizes, newcomers=st.integers(1, 3))
@settings(max_examples=60)
def test_when_members_join_partitions_move_only_to_them(topics_of, sizes, newcomers):
    before = assign_uniformly(wishes(topics_of), sizes)
    topics = next(iter(topics_of.values()))
    grown = topics_of | {f"new{number}": topics for number in range(newcomers)}
    after = places(assign_uniformly(wishes(grown, before), sizes))
    for place, member in places(before).items():
        assert after[place] == member or after[place].startswith("new")


@given(topics_of=same_topics, sizes=sizes)
def test_when_a_member_leaves_only_its_partitions_move(topics_of, sizes):
    before = assign_uniformly(wishes(topics_of), sizes)
    gone = min(topics_of)
    rest = {member: topics for member, topics in topics_of.items() if member != gone}
    after = places(assign_uniformly(wishes(rest, before), sizes))
    for place, member in places(before).items():
        assert not rest or member == gone or after[place] == member


def test_a_range_is_a_run_and_lies_alike_for_topics_of_one_size():
    topics_of = dict.fromkeys(["a", "b", "c"], frozenset(TOPICS[:2]))
    assigned = assign_ranges(wishes(topics_of), {TOPICS[0]: 7, TOPICS[1]: 7})
    assert assigned["a"] == {TOPICS[0]: frozenset({0, 1, 2}), TOPICS[1]: frozenset({0, 1, 2})}
    assert assigned["c"][TOPICS[0]] == assigned["c"][TOPICS[1]] == frozenset({5, 6})


def test_a_static_member_keeps_its_range_under_a_new_member_id():
    topic = frozenset(TOPICS[:1])
    before = assign_ranges({"x1": Wish(topic, "a"), "b": Wish(topic)}, {TOPICS[0]: 4})
    after = assign_ranges({"zz": Wish(topic, "a"), "b": Wish(topic)}, {TOPICS[0]: 4})
    assert before["x1"] == after["zz"]


def test_assignors_are_found_by_the_names_clients_use():
    assert by_name("uniform") is assign_uniformly
    with pytest.raises(KeyError):
        by_name("sticky")
