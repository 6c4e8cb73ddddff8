"""The table of error codes."""

from __future__ import annotations

from logctl.wire import errors


def test_every_code_has_a_constant_of_its_name() -> None:
    assert sorted(errors.ERRORS) == list(range(-1, 134))
    for code, info in errors.ERRORS.items():
        assert info.code == code
        assert getattr(errors, info.name) == code
        assert not info.meaning.endswith(".")


def test_a_code_from_the_future_is_described_not_refused() -> None:
    assert errors.describe(9999).name == "UNKNOWN_ERROR_9999"
    assert not errors.describe(9999).retriable


def test_a_refusal_says_what_it_means() -> None:
    assert str(errors.WireError(errors.OFFSET_OUT_OF_RANGE)).startswith("OFFSET_OUT_OF_RANGE: The offset lies outside")
    assert errors.WireError(errors.INVALID_RECORD, "no key").message == "no key"
