"""An upload's file and the digest of what is in it. Runs on threads; one user at a time."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

PIECE = 1024 * 1024


class Incoming:
    """Appends to one file; keeps its sha256 as it grows.

    The digest is kept for the life of the process. After that, and for other algorithms, the file
    is read again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._handle = -1
        self._sha256 = hashlib.sha256()
        self._hashed = 0
        self._synced = 0

    def open(self) -> None:
        """Open the file; raises FileNotFoundError. Its length is the truth, whoever wrote it."""
        self._handle = os.open(self.path, os.O_RDWR | os.O_APPEND)
        self.size = os.fstat(self._handle).st_size

    def close(self) -> None:
        """Close the file; safe without `open`."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append; the file is as before where there is no room for all of it."""
        self._catch_up()
        data = b"".join(pieces)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError:
            os.ftruncate(self._handle, self.size)
            raise
        self._sha256.update(data)
        self.size += len(data)
        self._hashed = self.size

    def digest(self, algorithm: str) -> str:
        """Hexadecimal digits of the digest of the whole file."""
        if algorithm == "sha256":
            self._catch_up()
            return self._sha256.hexdigest()
        return self._read_into(hashlib.new(algorithm), 0).hexdigest()

    def sync(self) -> None:
        """What was written until now is on the disk when this returns."""
        self._synced = self.size
        os.fsync(self._handle)

    @property
    def unsynced(self) -> int:
        """Bytes written since the last sync began."""
        return self.size - self._synced

    def _catch_up(self) -> None:
        if self._hashed != self.size:
            self._sha256 = self._read_into(hashlib.sha256(), 0)
            self._hashed = self.size

    def _read_into(self, digest: "hashlib._Hash", offset: int) -> "hashlib._Hash":
        while piece := os.pread(self._handle, PIECE, offset):
            digest.update(piece)
            offset += len(piece)
        return digest
