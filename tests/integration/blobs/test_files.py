"""Blobs in a directory, when processes die and disks fill."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from longshore.blobs import FileBlobs, StorageFull
from longshore.testing import disks
from longshore.testing.wait import wait_until

MIB = 1024 * 1024

WRITER = """
import asyncio, sys
from pathlib import Path
from longshore.blobs import FileBlobs

async def endless():
    while True:
        yield b"0123456789abcdef" * 4096

async def main():
    blobs = FileBlobs(Path(sys.argv[1]))
    await blobs.begin("upload-1", "owner")
    await blobs.append("upload-1", 0, endless())

asyncio.run(main())
"""


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def write_until_killed(directory: Path, data: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)])
    wait_until(lambda: data.exists() and data.stat().st_size > 20 * MIB)
    child.send_signal(signal.SIGKILL)
    child.wait()


async def test_an_upload_goes_on_after_the_process_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "uploads" / "upload-1" / "data"
    write_until_killed(tmp_path, data)
    blobs = FileBlobs(tmp_path)
    size = (await blobs.upload("upload-1")).size
    assert size > 20 * MIB
    await blobs.append("upload-1", size, pieces(b"the end"))
    content = data.read_bytes()
    assert content.endswith(b"the end")
    assert await blobs.finish("upload-1", sha256(content)) == size + 7
    await blobs.close()


async def test_a_cancelled_append_keeps_a_prefix_of_what_was_sent(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    await blobs.begin("upload-1", "owner")
    blocks = [bytes([number]) * 300_000 for number in range(200)]
    reached = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        for number, block in enumerate(blocks):
            if number == 100:
                reached.set()
            await asyncio.sleep(0)
            yield block

    task = asyncio.create_task(blobs.append("upload-1", 0, stream()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    content = (tmp_path / "uploads" / "upload-1" / "data").read_bytes()
    assert len(content) > 80 * 300_000
    assert b"".join(blocks).startswith(content)
    await blobs.append("upload-1", len(content), pieces(b"".join(blocks)[len(content) :]))
    await blobs.finish("upload-1", sha256(b"".join(blocks)))
    await blobs.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small_disk(tmp_path / "disk", "8m") as disk:
        yield disk


async def test_a_full_disk_refuses_bytes_and_leaves_nothing_half_made(small_disk: Path) -> None:
    blobs = FileBlobs(small_disk)
    await blobs.begin("upload-1", "owner")
    await blobs.append("upload-1", 0, pieces(b"a" * MIB))
    with pytest.raises(StorageFull):
        await blobs.append("upload-1", MIB, pieces(b"b" * (4 * MIB), b"c" * (8 * MIB)))
    size = (await blobs.upload("upload-1")).size
    assert MIB <= size < 8 * MIB
    with pytest.raises(StorageFull):
        await blobs.put(sha256(b"d" * 8 * MIB), b"d" * 8 * MIB)
    assert [blob async for blob in blobs.list_blobs()] == []
    await blobs.abort("upload-1")
    await blobs.begin("upload-2", "owner")
    await blobs.append("upload-2", 0, pieces(b"e" * 6 * MIB))
    await blobs.finish("upload-2", sha256(b"e" * 6 * MIB))
    await blobs.close()


async def test_a_deleted_blob_is_read_to_its_end_by_who_had_begun(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    content = os.urandom(5 * MIB)
    await blobs.put(sha256(content), content)
    stream = blobs.read(sha256(content))
    got = await anext(stream)
    assert await blobs.delete(sha256(content), 1e12)
    async for piece in stream:
        got += piece
    assert got == content
    await blobs.close()
