"""What is in a repository, and the changes to it, each within one transaction.

A *home* says which repository: (account, region, name).
"""

import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from longshore.images import failures
from longshore.images.manifest import INDEX_TYPES, Manifest
from longshore.model import ecr
from longshore.store.interface import Reader, Record, Transaction

PULL_TIME_SECONDS = 3600.0
"""ECR too tells the time of the last pull with no better precision than some hours."""


class Home(NamedTuple):
    """A repository's place."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return ecr.repository_arn(*self)


def repository(reader: Reader, home: Home) -> Record[ecr.Repository]:
    """The repository; raises RepositoryNotFoundException."""
    found = reader.get(ecr.REPOSITORY, *home)
    if found is None:
        raise failures.repository_not_found(home.name, home.account)
    return found


def layer(reader: Reader, home: Home, digest: str) -> ecr.Layer | None:
    """The layer, if this repository holds it."""
    found = reader.get(ecr.LAYER, home.account, home.region, ecr.image_name(home.name, digest))
    return found.value if found else None


def add_layer(tx: Transaction, home: Home, digest: str, size: int, now: float) -> None:
    """State that the repository holds a blob that the blob store has."""
    tx.require(repository(tx, home))
    name = ecr.image_name(home.name, digest)
    if tx.get(ecr.LAYER, home.account, home.region, name) is None:
        value = ecr.Layer(repository=home.name, digest=digest, size=size, created_at=now)
        tx.put(ecr.LAYER, home.account, home.region, name, value)


def image(reader: Reader, home: Home, digest: str) -> ecr.Image | None:
    found = reader.get(ecr.IMAGE, home.account, home.region, ecr.image_name(home.name, digest))
    return found.value if found else None


def tagged(reader: Reader, home: Home, tag: str) -> ecr.Image | None:
    """The image that a tag names."""
    found = reader.get(ecr.TAG, home.account, home.region, ecr.tag_name(home.name, tag))
    return image(reader, home, found.value.digest) if found else None


def resolve(reader: Reader, home: Home, reference: str) -> ecr.Image | None:
    """The image of a tag or a digest."""
    found = image if ecr.valid_digest(reference) else tagged
    return found(reader, home, reference)


def tags_of(reader: Reader, home: Home, digest: str) -> list[str]:
    """Every tag of an image, in order."""
    name = ecr.image_name(home.name, digest)
    found = reader.find(ecr.TAG, home.account, home.region, "digest", name)
    return [record.value.tag for record in found]


def tags(reader: Reader, home: Home, after: str = "", limit: int | None = None) -> list[str]:
    """A page of the repository's tags, in order of their bytes."""
    prefix = ecr.tag_name(home.name, "")
    found = reader.scan(
        ecr.TAG,
        home.account,
        home.region,
        prefix=prefix,
        after=prefix + after if after else "",
        limit=limit,
    )
    return [record.value.tag for record in found]


def images(
    reader: Reader, home: Home, after: str = "", limit: int | None = None
) -> Sequence[Record[ecr.Image]]:
    """A page of the repository's images, in order of their digests."""
    prefix = ecr.image_name(home.name, "")
    return reader.scan(
        ecr.IMAGE,
        home.account,
        home.region,
        prefix=prefix,
        after=prefix + after if after else "",
        limit=limit,
    )


def referrers(reader: Reader, home: Home, digest: str) -> list[ecr.Image]:
    """Images whose subject is `digest`, which itself need not exist."""
    name = ecr.image_name(home.name, digest)
    found = reader.find(ecr.IMAGE, home.account, home.region, "subject", name)
    return [record.value for record in found]


def put_image(
    tx: Transaction, home: Home, manifest: Manifest, tag: str, now: float
) -> tuple[ecr.Image, bool]:
    """Keep an image, its bytes being in the blob store; the image, and whether anything changed.

    Raises LayersNotFoundException, ReferencedImagesNotFoundException,
    ImageTagAlreadyExistsException.
    """
    place = repository(tx, home)
    tx.require(place)
    _require_parts(tx, home, manifest)
    known = image(tx, home, manifest.digest)
    changed = _put_tag(tx, home, place.value, tag, manifest.digest, now) if tag else False
    if known is not None:
        return known, changed
    value = ecr.Image(
        repository=home.name,
        digest=manifest.digest,
        media_type=manifest.media_type,
        pushed_at=now,
        size=_size(tx, home, manifest),
        manifest_size=manifest.size,
        config_media_type=manifest.config.media_type if manifest.config else "",
        artifact_type=manifest.artifact_type,
        blobs=manifest.required_blobs,
        children=tuple(child.digest for child in manifest.children),
        subject=manifest.subject,
        annotations=manifest.annotations if manifest.subject else (),
    )
    tx.put(ecr.IMAGE, home.account, home.region, ecr.image_name(home.name, manifest.digest), value)
    return value, True


def _require_parts(tx: Transaction, home: Home, manifest: Manifest) -> None:
    missing = [digest for digest in manifest.required_blobs if layer(tx, home, digest) is None]
    if missing:
        raise failures.layers_missing(missing, home.name, home.account)
    absent = [child.digest for child in manifest.children if image(tx, home, child.digest) is None]
    if absent:
        raise failures.images_missing(absent, home.name, home.account)
    for digest in manifest.required_blobs:
        held = tx.get(ecr.LAYER, home.account, home.region, ecr.image_name(home.name, digest))
        if held is not None:
            tx.require(held)


def _size(tx: Transaction, home: Home, manifest: Manifest) -> int:
    """An index's size is that of its largest image (DescribeImages, ImageDetail)."""
    if manifest.media_type not in INDEX_TYPES:
        return manifest.content_size
    found = [image(tx, home, child.digest) for child in manifest.children]
    return max((child.size for child in found if child is not None), default=0)


def _put_tag(
    tx: Transaction, home: Home, place: ecr.Repository, tag: str, digest: str, now: float
) -> bool:
    name = ecr.tag_name(home.name, tag)
    found = tx.get(ecr.TAG, home.account, home.region, name)
    if found is not None and found.value.digest == digest:
        return False
    if found is not None and is_immutable(place, tag):
        raise failures.tag_already_exists(tag, home.name)
    value = ecr.ImageTag(repository=home.name, tag=tag, digest=digest, tagged_at=now)
    tx.put(ecr.TAG, home.account, home.region, name, value)
    return True


def is_immutable(place: ecr.Repository, tag: str) -> bool:
    """Whether the repository's setting forbids to move this tag."""
    excluded = any(_wildcard(pattern).fullmatch(tag) for pattern in place.tag_exclusions)
    return place.tag_mutability.startswith("IMMUTABLE") != excluded


@lru_cache(maxsize=1024)
def _wildcard(pattern: str) -> re.Pattern[str]:
    """Only `*` is special in the filters."""
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]").replace("?", "[?]")))


def untag(tx: Transaction, home: Home, tag: str) -> None:
    """Take a tag away; the image stays."""
    tx.delete(ecr.TAG, home.account, home.region, ecr.tag_name(home.name, tag))


def remove_image(tx: Transaction, home: Home, digest: str) -> list[str]:
    """Take an image and all its tags away; the tags. Its layers stay until they are collected."""
    gone = tags_of(tx, home, digest)
    for tag in gone:
        untag(tx, home, tag)
    tx.delete(ecr.IMAGE, home.account, home.region, ecr.image_name(home.name, digest))
    return gone


def parents(reader: Reader, home: Home, digest: str) -> list[str]:
    """Digests of the indexes that list this image."""
    name = ecr.image_name(home.name, digest)
    found = reader.find(ecr.IMAGE, home.account, home.region, "child", name)
    return [record.value.digest for record in found]


def remove_repository(tx: Transaction, home: Home) -> None:
    """Take the repository away with all that is in it."""
    for record in images(tx, home):
        remove_image(tx, home, record.value.digest)
    prefix = ecr.image_name(home.name, "")
    for held in tx.scan(ecr.LAYER, home.account, home.region, prefix=prefix):
        tx.delete(ecr.LAYER, home.account, home.region, held.key.name)
    tx.delete(ecr.REPOSITORY, *home)


def record_pull(tx: Transaction, home: Home, digest: str, now: float) -> None:
    """Note when the image was pulled last."""
    found = image(tx, home, digest)
    if found is not None and pull_is_news(found, now):
        name = ecr.image_name(home.name, digest)
        changed = msgspec.structs.replace(found, pulled_at=now)
        tx.put(ecr.IMAGE, home.account, home.region, name, changed)


def pull_is_news(found: ecr.Image, now: float) -> bool:
    """Whether a pull now is worth a write."""
    return now - found.pulled_at > PULL_TIME_SECONDS


def open_registry(tx: Transaction, account: str, region: str, now: float) -> ecr.Registry:
    """The account's registry in this region, in use from now on."""
    found = tx.get(ecr.REGISTRY, account, region, ecr.REGISTRY_NAME)
    if found is not None:
        return found.value
    value = ecr.Registry(since=now)
    tx.put(ecr.REGISTRY, account, region, ecr.REGISTRY_NAME, value)
    return value
