"""Content-addressed bytes: image layers, configurations and manifests, each once for everybody.

Enters: bytes in pieces, under an upload's id. Leaves: bytes in pieces, under their digest, exactly
as they were verified and fsynced. Who may read which blob is for others to say (`images/`).
`interface.py` defines the terms; `files.py` keeps blobs in a directory.
"""

from longshore.blobs.files import FileBlobs
from longshore.blobs.interface import (
    BlobError,
    BlobNotFound,
    BlobStore,
    DigestMismatch,
    OffsetMismatch,
    StorageFull,
    UploadBusy,
    UploadNotFound,
)

__all__ = [
    "BlobError",
    "BlobNotFound",
    "BlobStore",
    "DigestMismatch",
    "FileBlobs",
    "OffsetMismatch",
    "StorageFull",
    "UploadBusy",
    "UploadNotFound",
]
