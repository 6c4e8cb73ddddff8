"""Client properties of -X and addresses of -b."""

from __future__ import annotations

import pytest

from logctl.admin.client import parse_addresses
from logctl.admin.link import Address
from logctl.admin.properties import ClientProperties, parse_properties
from logctl.errors import UsageError


def test_known_properties_are_taken() -> None:
    found = parse_properties(["client.id=ops", "bootstrap.servers=a:1", "security.protocol=plaintext"])
    assert found == ClientProperties("a:1", "ops")


@pytest.mark.parametrize(
    ("pair", "complaint"),
    [
        ("client.id", "has the form name=value"),
        ("clientid=x", "is not a client property"),
        ("sasl.username=x", "not offered yet"),
        ("security.protocol=SSL", "not offered yet"),
        ("request.timeout.ms=1", "there is one timeout"),
    ],
)
def test_a_property_that_would_be_ignored_is_refused(pair: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_properties([pair])


def test_addresses_are_read_in_order_and_once() -> None:
    assert parse_addresses("a:1, [::1]:2,b,a:1,::1") == [
        Address("a", 1),
        Address("::1", 2),
        Address("b", 9092),
        Address("::1", 9092),
    ]


@pytest.mark.parametrize("text", ["", ",", "a:", "a:x", "a:0", "a:65536", ":9092", "a:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_addresses(text)
