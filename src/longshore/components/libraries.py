"""The shared libraries that a program of this machine needs: whoever puts it elsewhere takes them
along."""

import re
import subprocess
from pathlib import Path

LINE = re.compile(r"(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)")


def libraries(program: Path) -> list[Path]:
    """Paths as the program looks for them, its loader among them; none for a static program.

    Raises OSError where the machine has no `ldd`.
    """
    told = subprocess.run(
        ["ldd", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        return []
    return [Path(found[1]) for line in told.stdout.splitlines() if (found := LINE.search(line))]


def with_libraries(*programs: Path) -> dict[str, str]:
    """These programs and all that they need: files of this machine by their places in an image,
    which are the same."""
    needed = {path for program in programs for path in (program, *libraries(program))}
    return {str(path).lstrip("/"): str(path) for path in sorted(needed)}
