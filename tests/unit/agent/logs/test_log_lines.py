"""How a container's output is cut into events, whatever it holds and whenever it is read."""

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from longshore.agent.logs import lines
from longshore.agent.logs.batches import BATCH_BYTES, BATCH_EVENTS, OVERHEAD, Mark, first_batch
from longshore.agent.logs.lines import EVENT_BYTES, Piece, cut

LIMIT = 24
"""In place of 262,118 bytes, so that small examples reach it."""


@pytest.fixture(scope="module", autouse=True)
def _small_events():
    lines.EVENT_BYTES = LIMIT
    yield
    lines.EVENT_BYTES = EVENT_BYTES


def begins(line: bytes) -> bool:
    return line.startswith(b"!")


ways = st.sampled_from([None, begins])
outputs = st.lists(
    st.sampled_from([b"\n", b"\n", b"!", b"a", b"word", b"\xc3\xa9", b"\xf0\x9f\x90\xb3", b"\xff"])
    | st.binary(min_size=1, max_size=60),
    max_size=30,
).map(b"".join)
Way = Callable[[bytes], bool] | None


@given(outputs, ways)
def test_no_byte_is_lost_and_order_is_kept(data: bytes, way: Way):
    pieces = list(cut(data, True, way))
    joined = "".join(piece.message for piece in pieces)
    assert joined.replace("\n", "") == data.decode("utf-8", "replace").replace("\n", "")
    ends = [piece.end for piece in pieces]
    assert ends == sorted(set(ends))
    assert not data or ends[-1] == len(data)


@given(outputs, ways)
def test_no_event_is_larger_than_one_may_be(data: bytes, way: Way):
    assert all(len(piece.message.encode()) <= LIMIT for piece in cut(data, True, way))


reads = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), max_size=20)


@given(outputs, ways, reads)
@example(b"a" * LIMIT + b"\n", None, [(LIMIT, 1)])
@example("é".encode() * LIMIT, None, [(LIMIT, 0), (1, 5)])
def test_events_are_the_same_however_often_it_is_read_anew(
    data: bytes, way: Way, reads: list[tuple[int, int]]
):
    """An agent that dies reads again from the last acknowledged event, and finds more there."""
    found: list[Piece] = []
    seen = 0
    for more, acknowledged in reads:
        start = found[-1].end if found else 0
        seen = min(max(seen, start) + more, len(data))
        pieces = list(cut(data[start:seen], False, way))[:acknowledged]
        found += [Piece(start + piece.end, piece.message) for piece in pieces]
    start = found[-1].end if found else 0
    rest = [Piece(start + piece.end, piece.message) for piece in cut(data[start:], True, way)]
    assert found + rest == list(cut(data, True, way))


@given(outputs, ways, st.binary(max_size=20))
def test_what_is_complete_does_not_change_when_more_comes(data: bytes, way: Way, more: bytes):
    early = list(cut(data, False, way))
    assert list(cut(data + more, False, way))[: len(early)] == early


@given(st.binary(min_size=2 * LIMIT, max_size=90), ways)
def test_something_comes_out_of_twice_the_limit(data: bytes, way: Way):
    assert list(cut(data, False, way))


def test_lines_that_do_not_begin_an_event_belong_to_the_one_before():
    data = b"!1\n 1a\n!2\n"
    assert [piece.message for piece in cut(data, True, begins)] == ["!1\n 1a\n", "!2\n"]
    assert [piece.message for piece in cut(data, False, begins)] == ["!1\n 1a\n"]


def test_long_characters_stay_whole_where_a_line_is_split():
    data = "é".encode() * 30
    messages = [piece.message for piece in cut(b"x" + data, True)]
    assert "�" not in "".join(messages)
    assert len(messages) == 3


pieces_of_any_size = st.lists(st.integers(0, EVENT_BYTES), max_size=12).map(
    lambda sizes: [Piece(10 * number, "x" * size) for number, size in enumerate(sizes, 1)]
)
marks_of_any_time = st.lists(st.integers(0, 200_000_000), min_size=1, max_size=6).map(
    lambda times: [Mark(30 * number, time) for number, time in enumerate(times, 1)]
)


@settings(max_examples=50, deadline=None)
@given(pieces_of_any_size, marks_of_any_time)
def test_batches_keep_every_limit_and_lose_nothing(pieces: list[Piece], marks: list[Mark]):
    messages: list[str] = []
    rest = pieces
    while rest:
        batch = first_batch(rest, marks)
        times = [time for time, _ in batch.events]
        assert sum(len(message) + OVERHEAD for _, message in batch.events) <= BATCH_BYTES
        assert times == sorted(times)
        assert not times or times[-1] - times[0] <= 24 * 3600 * 1000
        messages += [message for _, message in batch.events]
        assert batch.end >= rest[0].end
        rest = [piece for piece in rest if piece.end > batch.end]
    assert messages == [piece.message for piece in pieces if piece.message]


def test_batch_holds_ten_thousand_events_at_most():
    pieces = [Piece(number, "x") for number in range(1, 20_000)]
    batch = first_batch(pieces, [Mark(20_000, 5)])
    assert len(batch.events) == BATCH_EVENTS
    assert batch.end == BATCH_EVENTS


def test_each_line_gets_the_earliest_time_at_which_it_was_seen():
    pieces = [Piece(10, "a"), Piece(20, "b"), Piece(21, "c"), Piece(99, "d")]
    batch = first_batch(pieces, [Mark(20, 1), Mark(50, 2)])
    assert batch.events == [(1, "a"), (1, "b"), (2, "c"), (2, "d")]
