"""Built from a Go module of the repository's components/ folder."""

import hashlib
import os
import subprocess
import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from longshore.components.component import Component, GoModule, Progress, SourceFailed
from longshore.components.directory import ComponentsDirectory
from longshore.components.versions import compare, parse

MODULE_TOOLCHAIN = "1.26.6"
"""The go line of our modules; an older go fetches this toolchain through the module proxy."""
PROGRESS_SECONDS = 5.0
LINES_KEPT = 8

QUICKLY = ("-gcflags", "all=-dwarf=false")
"""A tenth of the compiler's time is for debuggers, whose part the linker strips in the end."""
Toolchain = Callable[[], tuple[Path, str]]
"""Gives the go command and its version, which it installs if need be. Raises `SourceFailed`."""


def provide(
    component: Component,
    source: GoModule,
    directory: ComponentsDirectory,
    progress: Progress,
    toolchain: Toolchain,
) -> dict[str, Path]:
    """Build every program into a draft, then publish all at once. Raises `SourceFailed`.

    A build that was broken off goes on from go's own cache.
    """
    module = module_folder(source)
    go, version = toolchain()
    environment = _environment(version)
    progress(
        f"{component.name} {source.version}: building with go {version} "
        f"(about {source.minutes} min the first time)"
    )
    with directory.draft(component.name) as draft:
        for program, package in source.packages.items():
            command = [
                *(str(go), "build", "-v", "-mod=readonly", "-buildvcs=false"),
                *("-modfile", source.modfile),
                *("-tags", ",".join(source.tags), "-ldflags", source.linker, *QUICKLY),
                *("-o", str(draft / program), package),
            ]
            _build(command, module, environment, program, progress)
        home = directory.publish(draft, component.name, version_name(source))
    return {program: home / program for program in component.programs}


def version_name(source: GoModule) -> str:
    """The version and a digest of what is built: a changed main or pin is another build."""
    digest = hashlib.sha256(source.linker.encode())
    folder = module_folder(source)
    mains = [package for package in source.packages.values() if package.startswith(".")]
    own = [folder / place for place in (*mains, *source.beside)]
    sources = [path for place in own for path in sorted(place.rglob("*.go"))]
    files = [path for path in sources if not path.name.endswith("_test.go")]
    pins = folder / source.modfile
    for path in (pins, pins.with_suffix(".sum"), *files):
        if path.is_file():
            digest.update(os.path.relpath(path, folder).encode() + path.read_bytes())
    return f"{source.version}-{digest.hexdigest()[:8]}"


def module_folder(source: GoModule) -> Path:
    """The module's folder: in the work tree, or where an installed Longshore keeps it.

    Raises `SourceFailed` where it is in neither.
    """
    installed = (
        sysconfig.get_path("data"),
        sysconfig.get_path("data", sysconfig.get_preferred_scheme("user")),
    )
    for root in (
        Path(__file__).parents[4] / "components",
        *(Path(base) / "share/longshore/components" for base in installed),
    ):
        if (root / source.folder / "go.mod").is_file():
            return root / source.folder
    raise SourceFailed(f"the Go module {source.folder} is not part of this installation")


def _environment(version: str) -> Mapping[str, str]:
    """Pure Go, so that no C compiler is wanted."""
    environment = {"HOME": str(Path.home()), **os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    environment.pop("GOFLAGS", None)
    if compare(parse(version), parse(MODULE_TOOLCHAIN)) < 0:
        environment["GOTOOLCHAIN"] = "auto"
    return environment


def _build(
    command: list[str],
    module: Path,
    environment: Mapping[str, str],
    program: str,
    progress: Progress,
) -> None:
    """Run go, which prints each package that it compiles and each module that it fetches."""
    kept: list[str] = []
    count, told = 0, time.monotonic()
    with subprocess.Popen(
        command,
        cwd=module,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        for line in build.stderr or ():
            kept = [*kept, line.strip()][-LINES_KEPT:]
            count += 1
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                progress(f"{program}: {count} packages so far, now {line.strip()}")
    if build.returncode != 0:
        raise SourceFailed(f"go build of {program}: " + " | ".join(kept))
    progress(f"{program}: built")
