"""Blobs in a directory.

    blobs/sha256/ab/abcd…       a blob, never written to
    uploads/<id>/data, owner    an upload

An upload becomes a blob by fsync and rename, so a blob is whole wherever there is one. Files are
read and written on threads of their own: the caller's loop never waits for a disk.
"""

import asyncio
import errno
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from longshore.blobs.incoming import Incoming
from longshore.blobs.interface import (
    Blob,
    BlobNotFound,
    BlobStore,
    DigestMismatch,
    OffsetMismatch,
    StorageFull,
    Upload,
    UploadBusy,
    UploadNotFound,
)

P = ParamSpec("P")
R = TypeVar("R")

PIECE = 1024 * 1024
"""Bytes read or written at a time: larger ones gain nothing, smaller ones cost thread switches."""
SYNC_EVERY = 64 * PIECE
"""Bytes after which the disk is set to work: the last fsync then has little left to do."""
THREADS = 8
DIGEST_LENGTHS = {"sha256": 64, "sha512": 128}
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_ID = re.compile(r"[A-Za-z0-9-]{1,128}")
_HEX = re.compile(r"[0-9a-f]+")


class FileBlobs(BlobStore):
    """A blob store in `directory`, which is made where it is missing. One process at a time."""

    def __init__(self, directory: Path, now: Callable[[], float] = time.time) -> None:
        self._blobs = directory / "blobs"
        self._uploads = directory / "uploads"
        self._now = now
        self._threads = ThreadPoolExecutor(THREADS, "blobs")
        self._incoming: dict[str, Incoming] = {}
        self._busy: set[str] = set()
        self._naming = threading.Lock()
        """No blob is put anew between the look at its age and its deletion."""
        for folder in (self._uploads, *(self._blobs / name for name in DIGEST_LENGTHS)):
            folder.mkdir(parents=True, exist_ok=True)

    async def _in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))

    async def size(self, digest: str) -> int | None:
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            return None

    async def read(
        self, digest: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        try:
            handle = os.open(self._path(digest), os.O_RDONLY)
        except FileNotFoundError:
            raise BlobNotFound(digest) from None
        size = os.fstat(handle).st_size
        stop = size if end is None else min(end, size)
        ahead: asyncio.Task[bytes] | None = None
        try:
            while start < stop:
                piece = await (ahead or self._in_thread(os.pread, handle, PIECE, start))
                if not piece:
                    return
                piece = piece[: stop - start]
                start += len(piece)
                ahead = None
                if start < stop:
                    ahead = asyncio.ensure_future(self._in_thread(os.pread, handle, PIECE, start))
                yield piece
        finally:
            if ahead is not None:
                # The thread still uses the handle: it may not be closed, and so reused, before.
                await asyncio.wait([ahead])
            os.close(handle)

    async def put(self, digest: str, content: bytes) -> None:
        target = self._path(digest)
        algorithm, _, wanted = digest.partition(":")
        if hashlib.new(algorithm, content).hexdigest() != wanted:
            raise DigestMismatch(digest)
        await self._in_thread(self._put, target, content)

    def _put(self, target: Path, content: bytes) -> None:
        draft = self._uploads / f"put-{os.urandom(16).hex()}"
        try:
            with _room(), draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._keep(draft, target)
        finally:
            draft.unlink(missing_ok=True)

    async def begin(self, upload_id: str, owner: str) -> None:
        folder = self._folder(upload_id)
        with _room():
            folder.mkdir()
            try:
                (folder / "owner").write_text(owner)
                (folder / "data").touch()
            except OSError:
                shutil.rmtree(folder)
                raise

    async def upload(self, upload_id: str) -> Upload:
        folder = self._folder(upload_id)
        try:
            owner = (folder / "owner").read_text()
            return Upload(upload_id, owner, (folder / "data").stat().st_size)
        except FileNotFoundError:
            raise UploadNotFound(upload_id) from None

    async def append(self, upload_id: str, offset: int | None, chunks: AsyncIterator[bytes]) -> int:
        with self._alone(upload_id):
            incoming = await self._open(upload_id)
            try:
                if offset is not None and offset != incoming.size:
                    raise OffsetMismatch(incoming.size)
                with _room():
                    await self._write(incoming, chunks)
                return incoming.size
            finally:
                await self._in_thread(incoming.close)

    async def _write(self, incoming: Incoming, chunks: AsyncIterator[bytes]) -> None:
        """Write one piece while the next is coming in, and sync what was written behind it."""
        writing: asyncio.Task[None] | None = None
        syncing: asyncio.Task[None] | None = None
        gathered: list[bytes] = []
        length = 0
        try:
            async for chunk in chunks:
                gathered.append(chunk)
                length += len(chunk)
                if length >= PIECE:
                    if writing is not None:
                        await asyncio.shield(writing)
                    writing = asyncio.ensure_future(self._in_thread(incoming.write, gathered))
                    gathered, length = [], 0
                    if incoming.unsynced >= SYNC_EVERY and (syncing is None or syncing.done()):
                        syncing = asyncio.ensure_future(self._in_thread(incoming.sync))
        finally:
            # Also when the sender is gone: what came in order is kept, so that it can resume.
            if tasks := [task for task in (writing, syncing) if task is not None]:
                await asyncio.wait(tasks)
            if writing is not None:
                writing.result()
            if gathered:
                await self._in_thread(incoming.write, gathered)

    async def _open(self, upload_id: str) -> Incoming:
        """The upload's file, opened, with the digest of what is in it at hand."""
        await self.upload(upload_id)
        incoming = self._incoming.get(upload_id)
        if incoming is None:
            incoming = Incoming(self._folder(upload_id) / "data")
            self._incoming[upload_id] = incoming
        await self._in_thread(incoming.open)
        return incoming

    async def finish(self, upload_id: str, digest: str) -> int:
        target = self._path(digest)
        algorithm, _, wanted = digest.partition(":")
        with self._alone(upload_id):
            incoming = await self._open(upload_id)
            try:
                found = await self._in_thread(incoming.digest, algorithm)
                if found == wanted:
                    with _room():
                        await self._in_thread(incoming.sync)
                        await self._in_thread(self._keep, incoming.path, target)
            finally:
                await self._in_thread(incoming.close)
            await self._forget(upload_id)
            if found != wanted:
                raise DigestMismatch(f"{algorithm}:{found}")
            return incoming.size

    def _keep(self, draft: Path, target: Path) -> None:
        """Rename a synced file to its digest, and sync the directories that name it."""
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            _sync_directory(target.parent.parent)
        now = self._now()
        os.utime(draft, (now, now))
        with self._naming:
            draft.replace(target)
        _sync_directory(target.parent)

    async def abort(self, upload_id: str) -> None:
        await self.upload(upload_id)
        with self._alone(upload_id):
            await self._forget(upload_id)

    async def _forget(self, upload_id: str) -> None:
        self._incoming.pop(upload_id, None)
        await self._in_thread(shutil.rmtree, self._folder(upload_id), ignore_errors=True)

    async def touch(self, digest: str) -> bool:
        now = self._now()
        try:
            with self._naming:
                os.utime(self._path(digest), (now, now))
        except FileNotFoundError:
            return False
        return True

    async def list_blobs(self) -> AsyncIterator[Blob]:
        for algorithm in DIGEST_LENGTHS:
            for folder in await self._in_thread(sorted, (self._blobs / algorithm).iterdir()):
                for blob in await self._in_thread(_blobs_in, algorithm, folder):
                    yield blob

    async def delete(self, digest: str, untouched_since: float) -> bool:
        path = self._path(digest)
        with self._naming, suppress(FileNotFoundError):
            if path.stat().st_mtime > untouched_since:
                return False
            path.unlink()
        return True

    async def expire_uploads(self, untouched_since: float) -> int:
        expired = await self._in_thread(_untouched, self._uploads, untouched_since)
        expired = [path for path in expired if path.name not in self._busy]
        for path in expired:
            if path.is_dir():
                await self._forget(path.name)
            else:
                path.unlink(missing_ok=True)
        return len(expired)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)

    def _path(self, digest: str) -> Path:
        """Where a blob lies: built from checked hexadecimal digits alone."""
        algorithm, _, text = digest.partition(":")
        if DIGEST_LENGTHS.get(algorithm) != len(text) or not _HEX.fullmatch(text):
            raise ValueError(f"not a digest: {digest[:200]!r}")
        return self._blobs / algorithm / text[:2] / text

    def _folder(self, upload_id: str) -> Path:
        if not _ID.fullmatch(upload_id):
            raise UploadNotFound(upload_id[:200])
        return self._uploads / upload_id

    def is_busy(self, upload_id: str) -> bool:
        """Whether a request is at work on the upload."""
        return upload_id in self._busy

    @contextmanager
    def _alone(self, upload_id: str) -> Iterator[None]:
        if upload_id in self._busy:
            raise UploadBusy(upload_id)
        self._busy.add(upload_id)
        try:
            yield
        finally:
            self._busy.discard(upload_id)


@contextmanager
def _room() -> Iterator[None]:
    """A full disk, as the interface tells it."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageFull(error.strerror) from error


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _blobs_in(algorithm: str, folder: Path) -> list[Blob]:
    found = []
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            told = entry.stat()
            found.append(Blob(f"{algorithm}:{entry.name}", told.st_size, told.st_mtime))
    return found


def _untouched(uploads: Path, since: float) -> list[Path]:
    found = []
    for path in uploads.iterdir():
        data = path / "data" if path.is_dir() else path
        with suppress(FileNotFoundError):
            if (data if data.exists() else path).stat().st_mtime <= since:
                found.append(path)
    return found
