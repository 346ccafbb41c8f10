"""Errors as the distribution specification writes them ("Error Codes")."""

from collections.abc import Callable, Mapping

import msgspec
from starlette.responses import Response

from longshore.blobs import (
    BlobError,
    BlobNotFound,
    DigestMismatch,
    OffsetMismatch,
    StorageFull,
    UploadBusy,
    UploadNotFound,
)
from longshore.images.manifest import ManifestInvalid
from longshore.model import ecr
from longshore.model.errors import AwsError
from longshore.store.interface import Conflict, StoreError


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def response(self) -> Response:
        body = msgspec.json.encode({"errors": [{"code": self.code, "message": self.message}]})
        return Response(body, self.status, dict(self.headers), "application/json")


ECR_CODES: Mapping[str, tuple[int, str]] = {
    "AccessDeniedException": (403, "DENIED"),
    "ImageNotFoundException": (404, "MANIFEST_UNKNOWN"),
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),
    "LayersNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),
    "ReferencedImagesNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),
}
"""ECR's exceptions, as its registry shows them to clients."""

WORDINGS: Mapping[type[Exception], tuple[int, str, str]] = {
    BlobNotFound: (404, "BLOB_UNKNOWN", "blob unknown to registry"),
    DigestMismatch: (400, "DIGEST_INVALID", "provided digest did not match uploaded content"),
    StorageFull: (507, "UNKNOWN", "the registry's disk is full"),
    UploadBusy: (409, "BLOB_UPLOAD_INVALID", "another request is at work on this upload"),
    UploadNotFound: (404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"),
    Conflict: (409, "UNKNOWN", "the repository was changed at the same time; try again"),
    StoreError: (503, "UNKNOWN", "the registry cannot keep anything at the moment"),
    BlobError: (500, "UNKNOWN", "the registry could not do this"),
}


def refusal(error: Exception) -> Refusal | None:
    """The answer for what the rooms below raise; None for what is a defect."""
    for kind, translate in TRANSLATIONS.items():
        if isinstance(error, kind):
            return translate(error)
    return None


def _of_aws(error: Exception) -> Refusal:
    assert isinstance(error, AwsError)
    status, code = ECR_CODES.get(error.code, (error.status, "UNKNOWN"))
    return Refusal(status, code, error.message)


def _of_offset(error: Exception) -> Refusal:
    assert isinstance(error, OffsetMismatch)
    headers = {"Range": upload_range(error.size)}
    return Refusal(416, "BLOB_UPLOAD_INVALID", f"the next byte is {error.size}", headers)


def _worded(error: Exception) -> Refusal:
    for kind, wording in WORDINGS.items():
        if isinstance(error, kind):
            return Refusal(*wording)
    raise error


TRANSLATIONS: Mapping[type[Exception], Callable[[Exception], Refusal]] = {
    AwsError: _of_aws,
    ManifestInvalid: lambda error: Refusal(400, "MANIFEST_INVALID", str(error)),
    OffsetMismatch: _of_offset,
    BlobError: _worded,
    StoreError: _worded,
}


def upload_range(size: int) -> str:
    """The Range header of an upload: `0-<last byte>`, also for an empty one."""
    return f"0-{max(size - 1, 0)}"


def name_invalid(name: str) -> Refusal:
    return Refusal(400, "NAME_INVALID", f"invalid repository name '{name[:300]}'")


def digest_invalid(digest: str) -> Refusal:
    return Refusal(400, "DIGEST_INVALID", f"invalid digest '{digest[:200]}'")


def layer_too_large() -> Refusal:
    """Of no matter which length: the client has the rest of its body left to send."""
    mib = ecr.LARGEST_LAYER // (1 << 20)
    return Refusal(
        413, "SIZE_INVALID", f"the layer is larger than {mib} MiB", {"Connection": "close"}
    )
