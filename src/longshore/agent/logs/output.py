"""One container's output, from before its start until nothing of it is needed any more."""

import asyncio
import shutil
from pathlib import Path
from typing import Protocol

import msgspec

from longshore.agent.host import Host
from longshore.agent.logs.files import Growth
from longshore.agent.logs.kept import JSON_FILE_BYTES, Kept
from longshore.agent.logs.options import LogOptions
from longshore.agent.logs.streams import LogStream, Signer
from longshore.agent.logs.tail import Tail
from longshore.agent.records import is_full
from longshore.base.files import replace_file
from longshore.base.logs import logger

FILES = ("stdout", "stderr")
OPTIONS = "options.json"
GONE = ".gone"
"""Suffix of a directory that is being removed."""
KEEP_SECONDS = 3 * 3600.0
"""How long the output of a stopped container with the json-file driver stays."""
RETRY_SECONDS = 1.0

log = logger(__name__)


class Follower(Protocol):
    async def run(self) -> None: ...


class Output:
    """A log directory and who looks after its files."""

    def __init__(self, host: Host, directory: Path, options: LogOptions, signer: Signer) -> None:
        self._host = host
        self._directory = directory
        self._options = options
        stream = LogStream(host, options, signer)
        self._streams = dict.fromkeys(FILES, stream)
        if options.stdout_stream:
            of_stdout = msgspec.structs.replace(options, stream=options.stdout_stream)
            self._streams["stdout"] = LogStream(host, of_stdout, signer)
        self.ended = asyncio.Event()
        self._is_without_room = False

    async def run(self, growth: Growth) -> None:
        """Return when the output has ended and its directory is gone."""
        try:
            while not await self._follow(growth):
                await self._host.clock.sleep(RETRY_SECONDS)
        finally:
            for stream in self._streams.values():
                stream.close()
        if self._options.driver == "json-file":
            await self._host.clock.sleep(KEEP_SECONDS)
        await asyncio.to_thread(remove, self._directory)

    def sign_with(self, signer: Signer) -> None:
        """The keys to write with from now on."""
        for stream in self._streams.values():
            stream.signer = signer

    async def _follow(self, growth: Growth) -> bool:
        """Whether it came to its end: a full disk, say, must not end the shipping."""
        done = True
        try:
            async with asyncio.TaskGroup() as group:
                for name in FILES:
                    group.create_task(self._follower(name, growth).run())
        except* Exception as failures:
            self._tell(failures)
            done = not self._directory.exists()
        return done

    def _tell(self, failures: ExceptionGroup[Exception]) -> None:
        """Log why following ended; a full disk, which lasts, once and in a few words."""
        full = all(isinstance(each, OSError) and is_full(each) for each in failures.exceptions)
        if not full:
            log.exception("following a container's output failed", directory=str(self._directory))
        elif not self._is_without_room:
            log.error("the disk is full, log output waits", directory=str(self._directory))
        self._is_without_room = full

    def _follower(self, name: str, growth: Growth) -> Follower:
        path, clock = self._directory / name, self._host.clock
        if self._options.driver != "awslogs":
            most = 0 if self._options.driver == "none" else JSON_FILE_BYTES
            return Kept(path, most, growth, clock, self.ended)
        producer = f"{self._directory.name}.{name}"
        return Tail(path, producer, self._options, self._streams[name], growth, clock, self.ended)


def load_options(directory: Path) -> LogOptions | None:
    """What the directory's output was configured with; None where that is not known."""
    try:
        return msgspec.json.decode((directory / OPTIONS).read_bytes(), type=LogOptions)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def save_options(directory: Path, options: LogOptions) -> None:
    """Make the directory and its files, ready for the container."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in FILES:
        (directory / name).touch(0o600)
    replace_file(directory / OPTIONS, msgspec.json.encode(options))


def remove(directory: Path) -> None:
    """Remove the directory in two steps, so that a crash leaves no half of one."""
    gone = directory if directory.suffix == GONE else directory.with_name(directory.name + GONE)
    if directory != gone and directory.exists():
        directory.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
