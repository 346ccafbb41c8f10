"""How far a file's output has been acknowledged: on disk, one small file beside each output."""

import os
from pathlib import Path

import msgspec

Cut = tuple[int, int]
"""At the first offset an event ends, whatever follows; reading goes on at the second."""


class Position(msgspec.Struct, omit_defaults=True):
    """`offset` bytes made `events` events, and CloudWatch Logs has them.

    `cuts` are ends of events that the bytes alone do not tell: where a quiet moment completed an
    event of several lines, where the container ended, where output was given up. They are on disk
    before anything behind them is sent, so that events keep their numbers after a crash.
    """

    offset: int = 0
    events: int = 0
    cuts: list[Cut] = []

    def advance(self, offset: int, events: int) -> None:
        """These many events more were acknowledged, up to `offset`."""
        self.offset = offset
        self.events += events
        self.jump()

    def jump(self) -> None:
        """Go over every cut that is reached."""
        while self.cuts and self.cuts[0][0] <= self.offset:
            self.offset = max(self.offset, self.cuts.pop(0)[1])

    def waiting(self, size: int) -> int:
        """Bytes of a file of this size that are to be sent yet."""
        return size - self.offset - sum(to - at for at, to in self.cuts)

    def leave_out(self, at: int, to: int) -> None:
        """Give up what lies between; `at` is not before the last cut's end."""
        if self.cuts and self.cuts[-1][1] >= at and self.cuts[-1][1] > self.cuts[-1][0]:
            self.cuts[-1] = (self.cuts[-1][0], to)
        else:
            self.cuts.append((at, to))


def load_position(path: Path) -> Position:
    """What was saved; the beginning where nothing was, or where a crash cut it short."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Position)
    except (FileNotFoundError, msgspec.DecodeError):
        return Position()


def save_position(path: Path, position: Position, *, synced: bool = False) -> None:
    """Replace the file in one step.

    Unsynced it survives a killed process; of a crash of the machine an older one may be left, and
    the numbers of the events make up for it. Sync before bytes are given up.
    """
    draft = path.with_suffix(".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, msgspec.json.encode(position))
        if synced:
            os.fdatasync(fd)
    finally:
        os.close(fd)
    draft.replace(path)
