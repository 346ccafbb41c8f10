"""What ECR keeps: repositories, their images, tags and layers. Bytes are in the blob store.

A repository's own records are named `<repository>@<digest>` (images, layers) or
`<repository>:<tag>`; neither sign can be in a repository's name. Times are epoch seconds.
"""

import re

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]

NAME_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
"""Of botocore's model, and of the OCI distribution specification ("Pulling manifests")."""
TAG_PATTERN = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
DIGEST_PATTERN = r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}"
NAME_LENGTHS = range(2, 257)
LARGEST_LAYER = 52_000 * 1024 * 1024
"""Bytes ("Amazon ECR service quotas": maximum layer size)."""
MUTABILITIES = ("MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION")

_NAME = re.compile(NAME_PATTERN)
_TAG = re.compile(TAG_PATTERN)
_DIGEST = re.compile(DIGEST_PATTERN)


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """`tag_exclusions` are wildcard filters of tags to which the opposite mutability applies."""

    name: str
    created_at: float
    tag_mutability: str = "MUTABLE"
    tag_exclusions: tuple[str, ...] = ()
    scan_on_push: bool = False
    encryption_type: str = "AES256"
    policy: str = ""
    """The policy document's JSON as it was given; empty where there is none."""
    lifecycle_policy: str = ""
    lifecycle_evaluated_at: float = 0.0
    tags: Tags = ()


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest in a repository. `size` is as ECR tells it: config and layers, in bytes."""

    repository: str
    digest: str
    media_type: str
    pushed_at: float
    size: int
    manifest_size: int
    config_media_type: str = ""
    artifact_type: str = ""
    blobs: tuple[str, ...] = ()
    """Digests of its config and layers."""
    children: tuple[str, ...] = ()
    """Digests of an index's manifests."""
    subject: str = ""
    annotations: Tags = ()
    """Kept for images that have a subject: the list of referrers shows them."""
    pulled_at: float = 0.0


class ImageTag(msgspec.Struct, frozen=True, kw_only=True):
    repository: str
    tag: str
    digest: str
    tagged_at: float


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """That a repository holds this blob: bytes are shared, the right to read them is not."""

    repository: str
    digest: str
    size: int
    created_at: float


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """That an account uses its registry in a region: from then on the registry's name resolves."""

    since: float
    policy: str = ""


class TokenKey(msgspec.Struct, frozen=True, kw_only=True):
    """What authorization tokens are sealed with; one of the installation, 64 hex digits."""

    key: str


def _in_repository(repository: str, digests: tuple[str, ...]) -> list[str]:
    return [image_name(repository, digest) for digest in digests]


REPOSITORY = Kind("ecr.repository", Repository)
IMAGE = Kind(
    "ecr.image",
    Image,
    {
        "subject": lambda value: (
            _in_repository(value.repository, (value.subject,)) if value.subject else []
        ),
        "blob": lambda value: _in_repository(value.repository, tuple(set(value.blobs))),
        "child": lambda value: _in_repository(value.repository, tuple(set(value.children))),
    },
)
TAG = Kind(
    "ecr.tag",
    ImageTag,
    {"digest": lambda value: _in_repository(value.repository, (value.digest,))},
)
LAYER = Kind("ecr.layer", Layer)
REGISTRY = Kind("ecr.registry", Registry)
REGISTRY_NAME = "registry"
"""The only name in this kind."""
TOKEN_KEY = Kind("ecr.token-key", TokenKey)
TOKEN_KEY_NAME = "token-key"  # noqa: S105 - a record's name


def valid_name(text: str) -> bool:
    return len(text) in NAME_LENGTHS and _NAME.fullmatch(text) is not None


def valid_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def valid_digest(text: str) -> bool:
    """Whether `text` is a digest that the blob store can keep: sha256 or sha512, in lower case."""
    return _DIGEST.fullmatch(text) is not None


def image_name(repository: str, digest: str) -> str:
    """The record name of an image or layer."""
    return f"{repository}@{digest}"


def tag_name(repository: str, tag: str) -> str:
    """The record name of a tag."""
    return f"{repository}:{tag}"


def repository_arn(account: str, region: str, name: str) -> str:
    return make_arn("ecr", region, account, f"repository/{name}")
