"""What is remembered of a file: no byte is sent twice, none but those given up is left out."""

from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given

from longshore.agent.logs.positions import Position, load_position, save_position

steps = st.lists(
    st.tuples(st.sampled_from(["grow", "give up", "read", "flush"]), st.integers(1, 50)),
    max_size=40,
)


@given(steps)
def test_bytes_are_read_once_unless_they_were_given_up(steps: list[tuple[str, int]]):
    position, size = Position(), 0
    read: list[int] = []
    given_up: list[int] = []
    for step, count in steps:
        last = max(position.offset, position.cuts[-1][1] if position.cuts else 0)
        if step == "grow":
            size += count
        elif step == "give up" and last < size:
            at = max(last, size - count)
            given_up += range(at, size)
            position.leave_out(at, size)
        elif step == "flush" and not position.cuts and position.offset < size:
            position.cuts.append((size, size))
        elif step == "read":
            position.jump()
            end = min(position.cuts[0][0] if position.cuts else size, position.offset + count)
            read += range(position.offset, end)
            position.advance(end, end - position.offset)
        assert position.waiting(size) + len(read) + len(given_up) == size
    assert len(read) == position.events
    assert read == sorted(set(read))
    assert not set(read) & set(given_up)


def test_nothing_or_half_a_file_is_the_beginning(tmp_path: Path):
    path = tmp_path / "stdout.position"
    assert load_position(path) == Position()
    position = Position(offset=7, events=2, cuts=[(9, 12)])
    for synced in (False, True):
        save_position(path, position, synced=synced)
        assert load_position(path) == position
    path.write_bytes(path.read_bytes()[:-3])
    assert load_position(path) == Position()
