"""Subscription patterns: what RE2 accepts, what it refuses, and that no pattern is slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logctl.engine.broker.groups.regex import InvalidPattern, Pattern, matching


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("orders", ["orders"], ["orders2", "my-orders", ""]),
        ("orders.*", ["orders", "orders.eu"], ["order"]),
        ("^a|b$", ["a", "b"], ["ab"]),
        ("(eu|us)-[a-c]{2,3}", ["eu-ab", "us-abc"], ["eu-a", "eu-abcd"]),
        (r"\d+\.\w*", ["1.", "12.x_y"], [".", "a.1"]),
        (r"[^\d]+", ["abc.-_"], ["a1"]),
        (r"[[:upper:]][[:^upper:]]*", ["Ab"], ["AB", "ab"]),
        (r"\p{Lu}\pN", ["A1"], ["a1", "AA"]),
        (r"(?i)log\.X", ["LOG.x"], ["logx"]),
        (r"a(?i:b)c", ["aBc"], ["ABc"]),
        (r"(?P<name>a+?)(?:b)", ["aab"], ["b"]),
        (r"\Qa.b\E+", ["a.bb"], ["axb"]),
        (r"a\b.*", ["a", "a-b"], ["ab"]),
        (r"\x61\x{62}", ["ab"], ["a"]),
        ("[a-]x", ["ax", "-x"], ["bx"]),
        ("", [""], ["a"]),
        ("a{,2}", [], ["aa"]),
    ],
)
def test_patterns_match_whole_names(pattern, yes, no):
    compiled = Pattern(pattern)
    assert [name for name in yes + no if compiled.matches(name)] == yes


@pytest.mark.parametrize(
    "pattern",
    [
        *["(", "a)", "[a", "*a", "a**", r"(a)\1", "(?=a)", "(?<!a)", "a{1001}", "a{3,2}", r"\p{Greek}", "(?z)"],
        *["[b-a]", "\\", "(" * 200 + ")" * 200, "(((a{100}){100}){100})", "[[:nothing:]]", r"\x{zz}", "(?P<1>a)"],
    ],
)
def test_what_is_no_pattern_is_refused_in_a_sentence(pattern):
    with pytest.raises(InvalidPattern, match=r"\w+ "):
        Pattern(pattern)


def test_no_pattern_makes_the_coordinator_slow():
    assert not Pattern("(a+)+(a|a)*b?(.*.*.*)*x").matches("a" * 249)
    assert Pattern("((a?){50}){20}").matches("a" * 249)


atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", "(a|bc)", "(?:ab)"])
patterns = st.lists(st.tuples(atoms, st.sampled_from(["", "*", "+", "?", "{1,2}"])).map("".join)).map("".join)


@given(patterns, st.text("abc-", max_size=6))
def test_it_agrees_with_pythons_own_where_both_understand(pattern, name):
    assert Pattern(pattern).matches(name) == bool(re.fullmatch(pattern, name))


def test_several_patterns_at_once():
    found = matching(["a.*", "zz"], ["a1", "b", "a2"])
    assert found == {"a.*": {"a1", "a2"}, "zz": frozenset()}
