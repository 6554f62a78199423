"""Bytes of a file at any place, and parts of it joined to a file for a decoder."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.audio.containers.byte_ranges import BLOCK, ByteSource, Link, Piece, Pieces

DATA = bytes(range(251)) * 1_000


def test_a_source_gives_bytes_from_any_place_and_fewer_at_the_end() -> None:
    source = ByteSource(io.BytesIO(DATA))
    assert source.size == len(DATA)
    for position, count in ((0, 4), (BLOCK - 2, 4), (10, 3 * BLOCK), (5, 1), (len(DATA) - 3, 9), (len(DATA), 1)):
        assert source.at(position, count) == DATA[position : position + count]
    assert source.at(-1, 4) == source.at(1 << 70, 4) == b""


def test_a_source_begins_where_the_file_stood() -> None:
    file = io.BytesIO(DATA)
    file.seek(7)
    source = ByteSource(file)
    assert (source.size, source.at(0, 3)) == (len(DATA) - 7, DATA[7:10])


def test_what_is_sought_is_found_across_blocks_and_not_beyond_the_end() -> None:
    at = BLOCK - 2
    data = bytes(at) + b"here" + bytes(BLOCK)
    source = ByteSource(io.BytesIO(data))
    assert source.find(b"here", 0, len(data)) == at
    assert source.find(b"here", at, at + 4) == at
    assert source.find(b"here", 0, at + 3) == source.find(b"here", at + 1, len(data)) == -1


def test_an_error_of_the_file_is_kept_and_ends_it() -> None:
    class Broken(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    source = ByteSource(Broken(DATA))
    assert source.at(0, 4) == b""
    assert source.error is not None


PIECES = st.lists(
    st.binary(max_size=9) | st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda p: (min(p), max(p)))
)
SEEKS = st.tuples(st.just("seek"), st.integers(-400, 400), st.sampled_from([0, 1, 2]))
READS = st.tuples(st.just("read"), st.integers(-1, 500), st.just(0))


@given(pieces=PIECES, calls=st.lists(SEEKS | READS))
def test_joined_pieces_behave_like_a_file(pieces: list[Piece], calls: list[tuple[str, int, int]]) -> None:
    joined = b"".join(piece if isinstance(piece, bytes) else DATA[slice(*piece)] for piece in pieces)
    expected, found = io.BytesIO(joined), Pieces(ByteSource(io.BytesIO(DATA)), pieces)
    assert found.size == len(joined)
    for call, number, whence in calls:
        if call == "read":
            assert found.read(number) == expected.read(number)
        else:
            place = number + (0, expected.tell(), len(joined))[whence]
            found.seek(number, whence)
            if place < 0:
                assert found.tell() == -1  # a place that cannot be, once
            else:
                expected.seek(place)
        assert found.tell() == expected.tell()


def test_a_buffer_is_filled_as_far_as_there_are_bytes() -> None:
    buffer = bytearray(6)
    assert Pieces(ByteSource(io.BytesIO(b"abcdef")), [(1, 3), b"XY"]).readinto(buffer) == 4
    assert buffer == b"bcXY\0\0"


def test_size_of_a_link_is_that_of_its_pieces() -> None:
    assert Link([b"abc", (10, 14), (20, 20)]).size == 7
