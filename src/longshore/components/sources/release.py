"""The publisher's release: downloaded, checked, unpacked."""

import hashlib
import http.client
import platform
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath

from longshore.components.component import (
    Component,
    Download,
    Progress,
    Release,
    SourceFailed,
)
from longshore.components.directory import ComponentsDirectory

CHUNK = 1 << 20
TIMEOUT_SECONDS = 30.0
PROGRESS_SECONDS = 5.0


def provide(
    component: Component, source: Release, directory: ComponentsDirectory, progress: Progress
) -> dict[str, Path]:
    """Download for this architecture, check, unpack, publish. Raises `SourceFailed`."""
    download = source.downloads.get(platform.machine())
    if download is None:
        raise SourceFailed(f"the publisher has no release for {platform.machine()}")
    progress(f"{component.name} {source.version}: downloading {download.url}")
    archive = fetch(component.name, download, directory.downloads, progress)
    try:
        with directory.draft(component.name) as draft:
            unpack(archive, source, draft)
            home = directory.publish(draft, component.name, source.version)
    finally:
        archive.unlink(missing_ok=True)
    return {program: home / program for program in component.programs}


def fetch(name: str, download: Download, folder: Path, progress: Progress) -> Path:
    """The checked file in `folder`. A broken download goes on where it stopped, at the next call.

    Raises `SourceFailed`; a file with another checksum is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{download.sha256}.part"
    try:
        _receive(name, download.url, part, progress)
    except (OSError, http.client.HTTPException) as error:
        raise SourceFailed(f"{download.url}: {error}") from error
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != download.sha256:
        part.unlink()
        raise SourceFailed(f"{download.url} has SHA-256 {found}, not {download.sha256}")
    return part


def _receive(name: str, url: str, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url)  # noqa: S310 - a pin of our own
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == 416:  # nothing is left to fetch; the checksum tells
            return
        raise
    with response:
        goes_on = response.status == 206
        have = have if goes_on else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        told = time.monotonic()
        with part.open("ab" if goes_on else "wb") as file:
            while chunk := response.read(CHUNK):
                have += file.write(chunk)
                if time.monotonic() - told > PROGRESS_SECONDS:
                    told = time.monotonic()
                    progress(f"{name}: {have >> 20} of {(total or 0) >> 20} MiB")
    if total is not None and have < total:
        raise ConnectionError(f"ended after {have} of {total} bytes")


def unpack(archive: Path, source: Release, folder: Path) -> None:
    """Write the release's programs, and nothing else of the archive, into `folder`.

    Raises `SourceFailed` where one is missing, or any member would lie outside of the archive.
    """
    try:
        with tarfile.open(archive) as tar:
            members = {_inside(member.name): member for member in tar if member.name}
            for program, path in source.members.items():
                _write(tar, members.get(PurePosixPath(path)), path, folder / program)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceFailed(f"the archive cannot be read: {error}") from error


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise SourceFailed(f"the archive's member {name!r} points outside of it")
    return path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo | None, path: str, target: Path) -> None:
    content = tar.extractfile(member) if member is not None and member.isfile() else None
    if content is None:
        raise SourceFailed(f"the archive has no file {path}")
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file, CHUNK)
    target.chmod(0o755)
