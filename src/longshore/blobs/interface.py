"""What a blob store promises.

Terms
-----
A *blob* is bytes under their digest (`sha256:…` or `sha512:…`, lower case). It is there whole and
verified, or not there; it never changes.
An *upload* is bytes on their way to become a blob, under an id, for an owner (any string that says
whose it is). It grows at its end only. What was appended survives the death of the process; it is
promised to survive the machine's only when `finish` has returned.

Lifecycle
---------
    await blobs.begin("5f3c…", owner="123456789012/us-east-1/web")
    size = await blobs.append("5f3c…", 0, chunks)        # as often as need be
    size = await blobs.finish("5f3c…", "sha256:…")       # fsynced; the upload is gone
    async for piece in blobs.read("sha256:…"): ...
    await blobs.delete("sha256:…")

Blobs are shared, so only who knows every reference may delete, and only what has not been touched
for a while: `touch` comes before the reference to it.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass


class BlobError(Exception):
    """The store could not do what was asked; nothing is half-made."""


class BlobNotFound(BlobError):
    """There is no such blob; the message is its digest."""


class UploadNotFound(BlobError):
    """There is no such upload: finished, aborted, expired, or never begun."""


class UploadBusy(BlobError):
    """Another request is at work on this upload."""


class DigestMismatch(BlobError):
    """The upload's bytes do not have the digest that was told; the upload is gone."""


class OffsetMismatch(BlobError):
    """The bytes do not begin where the upload ends; `size` is where that is."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the upload has {size} bytes")
        self.size = size


class StorageFull(BlobError):
    """There is no room; the upload keeps what it had."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way."""

    id: str
    owner: str
    size: int
    """Bytes so far."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob as `list_blobs` tells it; `touched` is when it was last put, in epoch seconds."""

    digest: str
    size: int
    touched: float


class BlobStore(ABC):
    """Blobs and uploads of one installation. Digests and ids are valid or raise ValueError."""

    @abstractmethod
    async def size(self, digest: str) -> int | None:
        """The blob's size in bytes, or None where there is none."""

    @abstractmethod
    def read(self, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`, in pieces; raises BlobNotFound at the first.

        A blob deleted meanwhile is read to its end.
        """

    @abstractmethod
    async def put(self, digest: str, content: bytes) -> None:
        """Keep a small blob at once (a manifest); fsynced when this returns."""

    @abstractmethod
    async def begin(self, upload_id: str, owner: str) -> None:
        """Start an upload. `upload_id` is fresh: letters, digits and hyphens."""

    @abstractmethod
    async def upload(self, upload_id: str) -> Upload:
        """The upload as it is; raises UploadNotFound."""

    @abstractmethod
    async def append(self, upload_id: str, offset: int | None, chunks: AsyncIterator[bytes]) -> int:
        """Add bytes at the upload's end; its new size.

        `offset` is where the sender believes the end to be (None: wherever). Raises UploadNotFound,
        OffsetMismatch, UploadBusy, StorageFull. What `chunks` raises passes through, and what came
        before it is kept.
        """

    @abstractmethod
    async def finish(self, upload_id: str, digest: str) -> int:
        """Make the upload a blob; its size. Raises DigestMismatch, UploadNotFound, UploadBusy."""

    @abstractmethod
    async def abort(self, upload_id: str) -> None:
        """Forget the upload; raises UploadNotFound."""

    @abstractmethod
    async def touch(self, digest: str) -> bool:
        """Say that the blob is wanted again, before a reference is written; False if it is gone."""

    @abstractmethod
    def list_blobs(self) -> AsyncIterator[Blob]:
        """Every blob, in no order."""

    @abstractmethod
    async def delete(self, digest: str, untouched_since: float) -> bool:
        """Delete the blob unless it was put or touched after that time; whether it is gone."""

    @abstractmethod
    async def expire_uploads(self, untouched_since: float) -> int:
        """Forget uploads that nothing was added to since; how many."""

    @abstractmethod
    async def close(self) -> None:
        """Free everything; uploads stay."""
