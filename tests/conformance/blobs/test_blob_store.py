"""What every blob store must do. Another implementation joins by one more line in `OPENERS`."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.blobs import (
    BlobNotFound,
    BlobStore,
    DigestMismatch,
    FileBlobs,
    OffsetMismatch,
    UploadBusy,
    UploadNotFound,
)

OPENERS: dict[str, Callable[[Path], BlobStore]] = {"files": FileBlobs}
OWNER = "123456789012/us-east-1/web"
CONTENT = bytes(range(256)) * 10_000


@pytest.fixture(params=OPENERS)
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    store = OPENERS[request.param](tmp_path)
    yield store
    await store.close()


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def read(blobs: BlobStore, digest: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.read(digest, start, end)])


async def uploaded(blobs: BlobStore, content: bytes) -> str:
    await blobs.begin("upload-1", OWNER)
    await blobs.append("upload-1", 0, pieces(content))
    await blobs.finish("upload-1", sha256(content))
    return sha256(content)


async def test_uploaded_bytes_come_back_under_their_digest(blobs: BlobStore) -> None:
    digest = await uploaded(blobs, CONTENT)
    assert await blobs.size(digest) == len(CONTENT)
    assert await read(blobs, digest) == CONTENT
    assert [blob.digest async for blob in blobs.list_blobs()] == [digest]


async def test_a_range_gives_just_these_bytes(blobs: BlobStore) -> None:
    digest = await uploaded(blobs, CONTENT)
    assert await read(blobs, digest, 1_100_000, 1_100_003) == CONTENT[1_100_000:1_100_003]
    assert await read(blobs, digest, len(CONTENT) - 5) == CONTENT[-5:]
    assert await read(blobs, digest, 0, len(CONTENT) * 2) == CONTENT


async def test_sha512_is_taken_as_well(blobs: BlobStore) -> None:
    digest = f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
    await blobs.begin("upload-1", OWNER)
    await blobs.append("upload-1", None, pieces(CONTENT))
    assert await blobs.finish("upload-1", digest) == len(CONTENT)
    assert await read(blobs, digest) == CONTENT


async def test_an_upload_grows_in_parts_and_says_where_it_ends(blobs: BlobStore) -> None:
    await blobs.begin("upload-1", OWNER)
    assert await blobs.append("upload-1", 0, pieces(b"ab", b"c")) == 3
    with pytest.raises(OffsetMismatch) as refusal:
        await blobs.append("upload-1", 2, pieces(b"x"))
    assert refusal.value.size == 3
    assert await blobs.append("upload-1", 3, pieces(b"def")) == 6
    upload = await blobs.upload("upload-1")
    assert (upload.owner, upload.size) == (OWNER, 6)
    await blobs.finish("upload-1", sha256(b"abcdef"))
    assert await read(blobs, sha256(b"abcdef")) == b"abcdef"


async def test_a_wrong_digest_leaves_no_blob_and_no_upload(blobs: BlobStore) -> None:
    await blobs.begin("upload-1", OWNER)
    await blobs.append("upload-1", 0, pieces(b"abc"))
    with pytest.raises(DigestMismatch):
        await blobs.finish("upload-1", sha256(b"abd"))
    assert [blob async for blob in blobs.list_blobs()] == []
    with pytest.raises(UploadNotFound):
        await blobs.upload("upload-1")


async def test_what_came_before_the_sender_vanished_is_kept(blobs: BlobStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield CONTENT
        yield b"tail"
        raise ConnectionResetError

    await blobs.begin("upload-1", OWNER)
    with pytest.raises(ConnectionResetError):
        await blobs.append("upload-1", 0, broken())
    assert await blobs.append("upload-1", len(CONTENT) + 4, pieces(b"end")) == len(CONTENT) + 7
    await blobs.finish("upload-1", sha256(CONTENT + b"tailend"))


async def test_two_requests_cannot_write_one_upload_at_a_time(blobs: BlobStore) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"abc"
        started.set()
        await go_on.wait()

    await blobs.begin("upload-1", OWNER)
    first = asyncio.create_task(blobs.append("upload-1", 0, slow()))
    await started.wait()
    for attempt in (
        blobs.append("upload-1", None, pieces(b"x")),
        blobs.finish("upload-1", sha256(b"abc")),
        blobs.abort("upload-1"),
    ):
        with pytest.raises(UploadBusy):
            await attempt
    go_on.set()
    assert await first == 3


async def test_an_aborted_upload_is_gone(blobs: BlobStore) -> None:
    await blobs.begin("upload-1", OWNER)
    await blobs.abort("upload-1")
    with pytest.raises(UploadNotFound):
        await blobs.append("upload-1", 0, pieces(b"x"))
    with pytest.raises(UploadNotFound):
        await blobs.abort("upload-1")


async def test_a_blob_put_twice_is_kept_once(blobs: BlobStore) -> None:
    await blobs.put(sha256(b"{}"), b"{}")
    await blobs.put(sha256(b"{}"), b"{}")
    await uploaded(blobs, b"{}")
    assert len([blob async for blob in blobs.list_blobs()]) == 1
    with pytest.raises(DigestMismatch):
        await blobs.put(sha256(b"{}"), b"[]")


async def test_a_blob_touched_since_is_not_deleted(blobs: BlobStore) -> None:
    digest = await uploaded(blobs, b"abc")
    (blob,) = [blob async for blob in blobs.list_blobs()]
    assert not await blobs.delete(digest, blob.touched - 1)
    assert await blobs.touch(digest)
    assert await blobs.delete(digest, blob.touched + 3600)
    assert await blobs.size(digest) is None
    assert not await blobs.touch(digest)
    with pytest.raises(BlobNotFound):
        await read(blobs, digest)


async def test_forgotten_uploads_expire(blobs: BlobStore) -> None:
    await blobs.begin("upload-1", OWNER)
    assert await blobs.expire_uploads(0) == 0
    assert await blobs.expire_uploads(1e12) == 1
    with pytest.raises(UploadNotFound):
        await blobs.upload("upload-1")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.from_regex(r"sha256:[./a-f0-9]{60,70}", fullmatch=True)))
async def test_no_text_but_a_digest_reaches_the_files(blobs: BlobStore, text: str) -> None:
    with pytest.raises((ValueError, BlobNotFound)):
        await read(blobs, text)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.sampled_from(["..", "../blobs", ".", "", "a/b", "a\0b"])))
async def test_no_text_but_an_id_reaches_an_upload(blobs: BlobStore, text: str) -> None:
    with pytest.raises(UploadNotFound):
        await blobs.append(text, None, pieces(b"x"))
