"""Debian's PostgreSQL, started for tests: private socket, no TCP port, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

USER = "postgres"
START_SECONDS = "60"


def postgres_programs() -> Path:
    """The directory of `initdb` and `pg_ctl`; LookupError where PostgreSQL is missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if not found:
        raise LookupError("PostgreSQL is missing: apt-get install postgresql")
    return found[-1].parent


def _version(program: Path) -> float:
    return float(program.parent.parent.name)


class PostgresServer:
    """A server of its own; `url` and `database` say how to reach it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._data = directory / "data"
        self._made = 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [postgres_programs() / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            user=USER if os.geteuid() == 0 else None,
            group=USER if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )

    def create(self) -> None:
        self._run(
            *("initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "-E", "UTF8"),
            *("--locale=C.UTF-8", "--no-sync"),
        )
        settings = (
            "listen_addresses = ''",
            f"unix_socket_directories = '{self.directory}'",
            "max_connections = 200",
            "shared_buffers = 64MB",
        )
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")
        self.start()

    def start(self) -> None:
        self._run(
            *("pg_ctl", "-D", str(self._data), "-w", "-t", START_SECONDS),
            *("-l", str(self.directory / "log"), "start"),
        )

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is like a crash: no checkpoint, connections cut."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def url(self, database: str = USER) -> str:
        return f"postgresql://{USER}@/{database}?host={self.directory}"

    def database(self) -> str:
        """The URL of a fresh database."""
        self._made += 1
        name = f"test_{self._made}"
        self._run("createdb", "-h", str(self.directory), "-U", USER, name)
        return self.url(name)


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server for a test session: `with running_postgres() as server: server.database()`."""
    # Not under pytest's own directories: the server's user may not enter those, and a socket's path
    # has at most 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="longshore-pg-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(USER)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        server = PostgresServer(directory)
        server.create()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
