"""Images that Longshore makes itself, of components and the machine's programs, and keeps in the
registry of EKS's own account."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec

from longshore.blobs import BlobStore
from longshore.controllers.interface import Surroundings
from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.images.contents import Contents
from longshore.images.manifest import parse_manifest
from longshore.model import ecr
from longshore.model.eks import IMAGES_ACCOUNT
from longshore.store.interface import Transaction

PIECE_BYTES = 2**20
EVERYBODY_PULLS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
        },
    }
)


class OwnImages:
    """Has them in the registry, each once, one region at a time."""

    def __init__(self, surroundings: Surroundings, blobs: BlobStore) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._drafts = surroundings.installation.data_dir / "images"
        self._blobs = blobs
        self._turns: dict[str, asyncio.Lock] = {}

    async def have(self, region: str, repository: str, tag: str, contents: Contents) -> str:
        """Have an image of these contents in this repository, under this tag; its reference."""
        home = Home(IMAGES_ACCOUNT, region, repository)
        async with self._turns.setdefault(f"{repository}:{tag}", asyncio.Lock()):
            if catalog.tagged(self._store.reader, home, tag) is None:
                await self._make(home, tag, contents)
        return f"{self._installation.registry_host(IMAGES_ACCOUNT, region)}/{repository}:{tag}"

    async def _make(self, home: Home, tag: str, contents: Contents) -> None:
        draft = self._drafts / home.name / tag
        try:
            await _make_aside(draft, contents)
            await self._push(home, tag, draft)
        finally:
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)

    async def _push(self, home: Home, tag: str, layout: Path) -> None:
        index = json.loads((layout / "index.json").read_bytes())
        entry = index["manifests"][0]
        content = _blob(layout, entry["digest"]).read_bytes()
        manifest = parse_manifest(content, entry["mediaType"])
        sizes = {
            digest: await self._upload(_blob(layout, digest), digest)
            for digest in manifest.required_blobs
        }
        await self._blobs.put(manifest.digest, content)
        now = self._clock.now()
        # One after the other: each needs what the one before has written.
        await self._store.transact(lambda tx: _have_repository(tx, home, now))
        await self._store.transact(lambda tx: _add_layers(tx, home, sizes, now))
        await self._store.transact(lambda tx: catalog.put_image(tx, home, manifest, tag, now))

    async def _upload(self, path: Path, digest: str) -> int:
        """The blob's size."""
        upload = self._ids.uuid()
        await self._blobs.begin(upload, f"eks/{digest}")
        await self._blobs.append(upload, 0, _pieces(path))
        return await self._blobs.finish(upload, digest)


def _have_repository(tx: Transaction, home: Home, now: float) -> None:
    if tx.get(ecr.REPOSITORY, *home) is None:
        value = ecr.Repository(name=home.name, created_at=now, policy=EVERYBODY_PULLS)
        tx.create(ecr.REPOSITORY, *home, value)
        catalog.open_registry(tx, home.account, home.region, now)


def _add_layers(tx: Transaction, home: Home, sizes: Mapping[str, int], now: float) -> None:
    for digest, size in sizes.items():
        catalog.add_layer(tx, home, digest, size, now)


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


async def _make_aside(draft: Path, contents: Contents) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    command = [sys.executable, "-m", "longshore.images.program", str(draft)]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    try:
        await process.communicate(msgspec.json.encode(contents))
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        raise RuntimeError(f"{draft.name} could not be made: exit code {process.returncode}")
