"""Releases from a publisher's server, and what happens when it sends something else."""

import hashlib
import io
import platform
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from longshore.components import Component, ComponentsDirectory, InstallFailed, install
from longshore.components.component import Download, Probe, Release
from longshore.components.versions import Range

SCRIPT = b"#!/bin/sh\necho crane version 1.4.2\n" + b"#" * 3_000_000


def archive(*members: tuple[str, bytes]) -> bytes:
    """A gzipped tar of regular files; stored, so that what is cut off is cut off the content."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=0) as tar:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


GOOD = archive(("dist/README", b"read me"), ("dist/crane", SCRIPT))


class Publisher:
    """An HTTP server whose one file breaks off after `breaks_after` bytes, once."""

    def __init__(self) -> None:
        self.content = GOOD
        self.breaks_after: int | None = None
        self.ranges: list[str | None] = []
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/crane.tar.gz"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        rest = self.content[start:]
        request.send_response(206 if asked else 200)
        request.send_header("Content-Length", str(len(rest)))
        request.end_headers()
        request.wfile.write(rest[: self.breaks_after])
        self.breaks_after = None

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def publisher(monkeypatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Publisher()
    yield server
    server.close()


@pytest.fixture
def directory(tmp_path) -> ComponentsDirectory:
    return ComponentsDirectory(tmp_path / "components")


def crane(publisher: Publisher, content: bytes = GOOD) -> Component:
    """A component of the publisher's, pinned to `content`."""
    download = Download(publisher.url, hashlib.sha256(content).hexdigest())
    return Component(
        name="crane",
        purpose="lifts",
        programs=("crane",),
        probe=Probe("crane", (), r"version (\S+)"),
        accepted=Range("1"),
        sources=(Release("1.4.2", {platform.machine(): download}, {"crane": "dist/crane"}),),
    )


def ignore(line: str) -> None:
    """Progress that nobody looks at."""


def test_release_is_installed_at_its_version_and_found_again(publisher, directory):
    lines = []
    state = install(crane(publisher), lines.append, directory)
    assert (state.version, state.source) == ("1.4.2", "longshore")
    assert directory.program("crane").resolve() == directory.version("crane", "1.4.2") / "crane"
    assert publisher.url in lines[0]
    assert install(crane(publisher), ignore, directory) == state
    assert len(publisher.ranges) == 1


def test_release_with_another_checksum_is_not_installed(publisher, directory):
    component = crane(publisher)
    publisher.content = GOOD[:-20] + b"x" * 20
    with pytest.raises(InstallFailed, match="has SHA-256"):
        install(component, ignore, directory)
    assert directory.program("crane") is None
    assert not list(directory.downloads.iterdir())


def test_archive_that_points_outside_of_itself_is_not_unpacked(publisher, directory, tmp_path):
    content = archive(("dist/crane", SCRIPT), ("dist/../../../stolen", b"x"))
    publisher.content = content
    with pytest.raises(InstallFailed, match="points outside"):
        install(crane(publisher, content), ignore, directory)
    assert not list(tmp_path.rglob("stolen"))
    assert not list(tmp_path.rglob("crane/*"))


def test_archive_without_the_program_says_so(publisher, directory):
    publisher.content = archive(("dist/other", b"x"))
    with pytest.raises(InstallFailed, match="no file dist/crane"):
        install(crane(publisher, publisher.content), ignore, directory)


def test_broken_download_goes_on_where_it_stopped(publisher, directory):
    publisher.breaks_after = 2_000_000
    with pytest.raises(InstallFailed, match=r"ended after|Incomplete"):
        install(crane(publisher), ignore, directory)
    install(crane(publisher), ignore, directory)
    assert publisher.ranges == [None, "bytes=2000000-"]


def test_two_installs_at_once_download_once_and_both_succeed(publisher, directory):
    component = crane(publisher)
    states = []
    threads = [
        threading.Thread(target=lambda: states.append(install(component, ignore, directory)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [state.version for state in states] == ["1.4.2"] * 4
    assert len(publisher.ranges) == 1


def test_what_a_killed_install_left_behind_goes_away(publisher, directory):
    left = directory.root / ".crane-draft-killed"
    left.mkdir(parents=True)
    (left / "crane").write_text("half")
    install(crane(publisher), ignore, directory)
    assert not left.exists()


def test_missing_server_is_named_in_the_failure(publisher, directory):
    component = crane(publisher)
    publisher.close()
    with pytest.raises(InstallFailed, match=r"release: http://127\.0\.0\.1"):
        install(component, ignore, directory)
