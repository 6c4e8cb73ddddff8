"""Who may come in: the door counts connections in all, from each address, and how fast they come."""

from __future__ import annotations

from logctl.engine.limits import Door, Limits

STRANGER, OTHER, OWN = "192.0.2.7", "2001:db8::7", "127.0.0.1"


def test_an_address_may_have_so_many_connections() -> None:
    door = Door(Limits(connections_per_ip_max=2))
    assert [door.admit(STRANGER, 0) for _ in range(2)] == [None, None]
    assert "max.connections.per.ip" in (door.admit(STRANGER, 0) or "")
    assert door.admit(OTHER, 0) is None
    door.left(STRANGER)
    assert door.admit(STRANGER, 0) is None


def test_an_address_may_open_so_many_a_second() -> None:
    door = Door(Limits(creation_rate_per_ip=10))
    for _ in range(10):
        assert door.admit(STRANGER, 0) is None
        door.left(STRANGER)
    assert "max.connection.creation.rate" in (door.admit(STRANGER, 0) or "")
    assert door.admit(STRANGER, 50) is not None
    assert door.admit(STRANGER, 150) is None
    assert door.admit(STRANGER, 150) is not None


def test_a_full_node_keeps_places_for_its_own_console() -> None:
    door = Door(Limits(connections_max=3, reserved_for_own_machine=1))
    assert [door.admit(STRANGER, 0) for _ in range(3)] == [None] * 3
    assert "max.connections" in (door.admit(OTHER, 0) or "")
    assert door.admit(OWN, 0) is None
    assert door.admit(OWN, 0) is not None


def test_the_own_machine_is_not_slowed_down() -> None:
    door = Door(Limits(connections_per_ip_max=2, creation_rate_per_ip=2))
    assert [door.admit(OWN, 0) for _ in range(100)] == [None] * 100


def test_strangers_who_left_are_forgotten() -> None:
    door = Door(Limits())
    for number in range(100):
        door.admit(f"192.0.2.{number}", 0)
        if number:
            door.left(f"192.0.2.{number}")
    door.forget_strangers(10_000)
    assert list(door._addresses) == ["192.0.2.0"]
