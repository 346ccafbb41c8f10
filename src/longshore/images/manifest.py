"""Image manifests and indexes, taken apart ("OCI Image Manifest", "Image Manifest V 2, Schema 2").

A manifest is only read for what it refers to; its bytes are kept as they came, since their digest
is its name.
"""

import hashlib

import msgspec

from longshore.model.ecr import valid_digest

MAX_BYTES = 4 * 1024 * 1024
"""Also the limit of ECR's PutImage."""
MAX_LAYERS = 4200
"""ECR's quota "Layers per image"."""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGE_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
UNTYPED = frozenset({"", "application/json", "application/octet-stream", "text/plain"})
"""Content types that leave it to the manifest to say what it is."""


class ManifestInvalid(Exception):
    """The bytes are not a manifest that a registry may take; the message says why."""


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A reference to content ("OCI Content Descriptors"). Foreign layers have `urls`."""

    digest: str
    size: int
    media_type: str = ""
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Whether it is fetched from elsewhere, so that the registry need not have it."""
        return bool(self.urls) or ".foreign." in self.media_type


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    """Members of both manifests and indexes; null counts as absent."""

    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest or an index refers to."""

    digest: str
    media_type: str
    size: int
    """Of the manifest itself, in bytes."""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    subject: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def required_blobs(self) -> tuple[str, ...]:
        """Digests of what must be in the repository before the manifest may be: config, layers."""
        config = (self.config,) if self.config else ()
        named = (*config, *self.layers)
        return tuple(dict.fromkeys(item.digest for item in named if not item.is_foreign))

    @property
    def content_size(self) -> int:
        """Bytes of config and layers."""
        return sum(item.size for item in self.layers) + (self.config.size if self.config else 0)


def parse_manifest(content: bytes, content_type: str = "", algorithm: str = "sha256") -> Manifest:
    """What `content` refers to; its digest is taken with `algorithm`.

    `content_type` is what the client says it is; it must agree with the manifest's own mediaType,
    where there is one. Raises ManifestInvalid.
    """
    if len(content) > MAX_BYTES:
        raise ManifestInvalid(f"the manifest is larger than {MAX_BYTES} bytes")
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalid(f"the manifest is not valid: {error}") from error
    media_type = _media_type(document, content_type.partition(";")[0].strip())
    _check(document, media_type)
    digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    return _manifest(document, media_type, digest, len(content))


def _media_type(document: _Document, told: str) -> str:
    own = document.media_type or ""
    if told in UNTYPED:
        told = own or _guessed(document)
    if own and own != told:
        raise ManifestInvalid(f"mediaType in manifest should be '{told}' not '{own}'")
    if told not in IMAGE_TYPES | INDEX_TYPES:
        raise ManifestInvalid(f"the manifest's media type '{told}' is not supported")
    return told


def _guessed(document: _Document) -> str:
    """OCI manifests need not carry their media type."""
    if document.manifests is not None:
        return OCI_INDEX
    return OCI_MANIFEST if document.config is not None else ""


def _check(document: _Document, media_type: str) -> None:
    if document.schema_version != 2:
        raise ManifestInvalid(f"unsupported manifest schema version {document.schema_version}")
    if media_type in INDEX_TYPES:
        wrong = document.manifests is None or document.layers is not None
    else:
        wrong = document.config is None or document.layers is None or bool(document.manifests)
    if wrong:
        raise ManifestInvalid(f"the manifest's members are not those of '{media_type}'")
    for item in _descriptors(document):
        if not valid_digest(item.digest):
            raise ManifestInvalid(f"invalid digest '{item.digest[:200]}'")
        if item.size < 0:
            raise ManifestInvalid(f"invalid size {item.size} of '{item.digest}'")
    if len(document.layers or ()) > MAX_LAYERS:
        raise ManifestInvalid(f"the manifest has more than {MAX_LAYERS} layers")


def _descriptors(document: _Document) -> list[Descriptor]:
    single = [item for item in (document.config, document.subject) if item is not None]
    return [*single, *(document.layers or ()), *(document.manifests or ())]


def _manifest(document: _Document, media_type: str, digest: str, size: int) -> Manifest:
    config = document.config if media_type in IMAGE_TYPES else None
    return Manifest(
        digest=digest,
        media_type=media_type,
        size=size,
        artifact_type=document.artifact_type or (config.media_type if config else ""),
        config=config,
        layers=document.layers or (),
        children=document.manifests or (),
        subject=document.subject.digest if document.subject else "",
        annotations=tuple((document.annotations or {}).items()),
    )
