"""Where records go: the same place as the Java client puts them."""

from __future__ import annotations

import pytest

from logctl.admin.partitioner import Sticky, murmur2, partition_for

# key (hexadecimal), Utils.murmur2 of Apache Kafka 4.3.1 as it prints it (signed), the partition among seven
FROM_JAVA = """
- 275646681 2
61 -1563381124 5
6162 316155434 0
616263 479470107 4
61626364 -1323649548 5
6162636465 461995741 4
666f6f626172 -790332482 0
6f726465722d31 1221710326 4
612d6c6974746c652d6269742d6c6f6e672d737472696e67 -985981536 1
c3a9c3a8e4b8ade69687 1136853271 1
d89cb8196f0efb6892f94d68fccc2c35f0b84609e5f12c55dd -58111868 6
6808f3b572e5900112b81927ba5bb5f67e1b -484882229 3
e4ae -572793538 0
fc0c34e9a99de4ef3bc2b17c8137ad659878f9e93df1f658367aca286452474b -745751274 0
24e9a88173724dddfb04b01dcceb0c8aead641c58dad569581baeea87c10d40a47902028e61cfd -1954658247 6
08aabc9fb77cc723a5 -375270068 4
b82fec85c0b9fe0549c475be5b887bb4b8995b24fb5c6846f88b527b4f9d4c13 778709471 1
61c5949f -594683107 5
96cacf096f4b7445ae2aa697d5d2e11c3375b9a75dc4923a6dc5ad1e79 -938738447 6
2300f681f3c8 15260744 2
"""


@pytest.mark.parametrize("row", FROM_JAVA.split("\n")[1:-1])
def test_keys_are_placed_as_the_java_client_places_them(row: str) -> None:
    text, hashed, partition = row.split()
    key = b"" if text == "-" else bytes.fromhex(text)
    assert murmur2(key) == int(hashed) & 0xFFFFFFFF
    assert partition_for(key, 7) == int(partition)


def test_records_without_a_key_stay_with_one_partition_until_told_to_move_on() -> None:
    sticky = Sticky(start=7)
    assert [sticky.current([0, 1, 2]) for _ in range(3)] == [1, 1, 1]
    sticky.move_on()
    assert sticky.current([0, 1, 2]) == 2
    sticky.move_on()
    assert sticky.current([0, 2]) == 2, "only partitions that are available count"
