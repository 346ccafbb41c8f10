"""What no image needs any more is deleted, and nothing else is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.blobs import FileBlobs
from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.images.manifest import parse_manifest
from longshore.model import ecr
from longshore.registry.collection import collect
from longshore.store.interface import Store
from longshore.testing.memory_store import MemoryStore
from longshore.testing.registry_client import CONFIG, LAYER, manifest, sha256

HOME = Home("123456789012", "us-east-1", "web")
DAY = 86400.0


class Place:
    """A repository with one image, pushed at time 0."""

    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self.store: Store = MemoryStore()
        self.blobs = FileBlobs(directory, lambda: self.now)

    async def push(self, home: Home) -> None:
        repository = ecr.Repository(name=home.name, created_at=self.now)
        await self.store.transact(lambda tx: tx.put(ecr.REPOSITORY, *home, repository))
        for content in (CONFIG, LAYER):
            await self.hold(home, content)
        parsed = parse_manifest(manifest())
        await self.blobs.put(parsed.digest, manifest())
        await self.store.transact(lambda tx: catalog.put_image(tx, home, parsed, "v1", self.now))

    async def hold(self, home: Home, content: bytes) -> None:
        digest = sha256(content)
        await self.blobs.put(digest, content)
        await self.store.transact(
            lambda tx: catalog.add_layer(tx, home, digest, len(content), self.now)
        )

    async def kept(self) -> set[str]:
        return {blob.digest async for blob in self.blobs.list_blobs()}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.push(HOME)
    yield place
    await place.blobs.close()


PARTS = {sha256(CONFIG), sha256(LAYER), sha256(manifest())}


async def test_what_images_need_is_kept(place: Place) -> None:
    assert await collect(place.store, place.blobs, 100 * DAY) == 0
    assert await place.kept() == PARTS


async def test_layers_without_an_image_go_after_a_day(place: Place) -> None:
    await place.hold(HOME, b"left over")
    assert await collect(place.store, place.blobs, DAY / 2) == 0
    assert await collect(place.store, place.blobs, 2 * DAY) == 1
    assert await place.kept() == PARTS
    assert catalog.layer(place.store.reader, HOME, sha256(b"left over")) is None


async def test_a_deleted_images_layers_stay_where_another_repository_has_them(
    place: Place,
) -> None:
    other = HOME._replace(account="222222222222")
    await place.push(other)
    digest = sha256(manifest())
    await place.store.transact(lambda tx: catalog.remove_image(tx, HOME, digest))
    assert await collect(place.store, place.blobs, 2 * DAY) == 0
    assert await place.kept() == PARTS
    await place.store.transact(lambda tx: catalog.remove_repository(tx, other))
    assert await collect(place.store, place.blobs, 2 * DAY) == 3
    assert await place.kept() == set()


async def test_a_blob_that_a_push_has_just_mounted_stays(place: Place) -> None:
    digest = sha256(manifest())
    await place.store.transact(lambda tx: catalog.remove_image(tx, HOME, digest))
    place.now = 2 * DAY
    assert await place.blobs.touch(sha256(LAYER))
    await collect(place.store, place.blobs, place.now)
    assert await place.kept() == {sha256(LAYER)}
