"""Packing and unpacking, and what becomes of data that was made to do harm."""

from __future__ import annotations

import struct
import tracemalloc

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logctl.wire import compression
from logctl.wire.compression import DecompressionFailed, compress, decompress
from logctl.wire.errors import UNSUPPORTED_COMPRESSION_TYPE, WireError

PACKING = compression.NAMES[1:]


@pytest.mark.parametrize("name", compression.NAMES)
@given(data=st.binary(max_size=100_000))
@settings(max_examples=25, deadline=None)
def test_what_goes_in_comes_out(name: str, data: bytes) -> None:
    packed = compress(name, data)
    assert bytes(decompress(compression.IDS[name], memoryview(packed))) == data


@pytest.mark.parametrize("name", PACKING)
def test_levels_are_the_codecs_own(name: str) -> None:
    text = b"".join(b"%d squared is %d. " % (number, number * number) for number in range(20_000))
    fast, thorough = compress(name, text, 1), compress(name, text, 9)
    assert (thorough == fast) == (name == "snappy"), "snappy has no levels"
    assert bytes(decompress(compression.IDS[name], thorough)) == text


@pytest.mark.parametrize("name", PACKING)
def test_a_bomb_goes_off_in_a_small_room(name: str) -> None:
    bomb = compress(name, bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(DecompressionFailed, match="more than the limit of 1000000 bytes"):
        decompress(compression.IDS[name], bomb, 1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize("name", PACKING)
def test_exactly_the_limit_is_allowed(name: str) -> None:
    packed = compress(name, b"x" * 300_000)
    assert len(decompress(compression.IDS[name], packed, 300_000)) == 300_000
    with pytest.raises(DecompressionFailed):
        decompress(compression.IDS[name], packed, 299_999)


@pytest.mark.parametrize("name", PACKING)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_data_is_a_typed_failure_or_other_data(name: str, data: st.DataObject) -> None:
    packed = bytearray(compress(name, b"some records that repeat, some records that repeat" * 20))
    for at in data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=4)):
        packed[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(packed)))
    try:
        decompress(compression.IDS[name], memoryview(packed)[:cut], 1 << 20)
    except DecompressionFailed:
        pass


@pytest.mark.parametrize("name", PACKING)
@given(garbage=st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_garbage_is_a_typed_failure(name: str, garbage: bytes) -> None:
    try:
        decompress(compression.IDS[name], garbage, 1 << 20)
    except DecompressionFailed:
        pass


def test_zstd_cannot_ask_for_a_large_window() -> None:
    frame = bytes.fromhex("28b52ffd") + bytes((0x00, 0xA8)) + b"\x01\x00\x00"  # a window of 2 GiB
    with pytest.raises(DecompressionFailed, match="too much memory"):
        decompress(compression.ZSTD, frame)


def test_unassigned_codecs_are_refused() -> None:
    for number in (5, 6, 7):
        with pytest.raises(WireError) as refusal:
            decompress(number, b"")
        assert refusal.value.code == UNSUPPORTED_COMPRESSION_TYPE
    with pytest.raises(WireError, match="no compression called 'lzma'"):
        compress("lzma", b"")


class TestSnappyFraming:
    def raw(self, data: bytes) -> bytes:
        return bytes(cramjam.snappy.compress_raw(data))

    def framed(self, *blocks: bytes) -> bytes:
        header = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
        return header + b"".join(struct.pack(">i", len(block)) + block for block in blocks)

    def test_we_write_blocks_of_32_kib_behind_the_java_header(self) -> None:
        packed = compress("snappy", bytes(70_000))
        assert packed[:16] == b"\x82SNAPPY\0\0\0\0\1\0\0\0\1"
        lengths = []
        position = 16
        while position < len(packed):
            (length,) = struct.unpack_from(">i", packed, position)
            lengths.append(cramjam.snappy.decompress_raw_len(packed[position + 4 : position + 4 + length]))
            position += 4 + length
        assert lengths == [32768, 32768, 70_000 - 65536]

    def test_one_raw_block_as_the_c_client_writes_it(self) -> None:
        assert bytes(decompress(compression.SNAPPY, self.raw(b"hello" * 100))) == b"hello" * 100

    def test_streams_joined_end_to_end(self) -> None:
        joined = self.framed(self.raw(b"one"), self.raw(b"two")) + self.framed(self.raw(b"three"))
        assert bytes(decompress(compression.SNAPPY, joined)) == b"onetwothree"

    def test_no_blocks_is_no_data(self) -> None:
        assert bytes(decompress(compression.SNAPPY, self.framed())) == b""

    @pytest.mark.parametrize("length", [-1, 1000, 1 << 30])
    def test_a_block_length_that_lies(self, length: int) -> None:
        header = self.framed()
        with pytest.raises(DecompressionFailed, match="claims"):
            decompress(compression.SNAPPY, header + struct.pack(">i", length) + self.raw(b"x"))

    def test_a_length_cut_short(self) -> None:
        with pytest.raises(DecompressionFailed, match="inside the length"):
            decompress(compression.SNAPPY, self.framed() + b"\0\0")

    def test_a_block_that_claims_gigabytes(self) -> None:
        claim = b"\xff\xff\xff\xff\x0f" + b"x" * 20
        with pytest.raises(DecompressionFailed, match="more than the limit"):
            decompress(compression.SNAPPY, claim, 1 << 20)
        with pytest.raises(DecompressionFailed, match="claims to hold"):
            decompress(compression.SNAPPY, claim, 1 << 40)

    def test_many_small_blocks_count_together(self) -> None:
        block = self.raw(bytes(1000))
        with pytest.raises(DecompressionFailed, match="limit of 5000 bytes"):
            decompress(compression.SNAPPY, self.framed(*[block] * 6), 5000)


def test_lz4_blocks_are_independent_as_the_java_client_demands() -> None:
    packed = compress("lz4", b"x" * 200_000)
    assert packed[:4] == b"\x04\x22\x4d\x18"
    assert packed[4] & 0x20, "the frame says its blocks depend on each other"
    assert not packed[4] & 0x04, "the frame carries a checksum of its content, which costs and is not wanted"
