"""The shared libraries that a program of this machine needs: whoever puts it elsewhere takes them
along."""

import re
import subprocess
from functools import lru_cache
from pathlib import Path

LINE = re.compile(r"(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)")


def libraries(*programs: Path) -> frozenset[Path]:
    """Paths as the programs look for them, the loader among them; none for a static program.

    Raises OSError where the machine has no `ldd`.
    """
    return _libraries(tuple((program, program.stat().st_mtime_ns) for program in programs))


@lru_cache
def _libraries(programs: tuple[tuple[Path, int], ...]) -> frozenset[Path]:
    """Of files as they were written last: `ldd` of all of iptables' modules takes a second."""
    told = subprocess.run(
        ["ldd", *(str(program) for program, _ in programs)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = (LINE.search(line) for line in told.stdout.splitlines())
    return frozenset(Path(each[1]) for each in found if each)


def with_libraries(*programs: Path) -> dict[str, str]:
    """These programs and all that they need: files of this machine by their places in an image,
    which are the same."""
    needed = {*programs, *libraries(*programs)}
    return {str(path).lstrip("/"): str(path) for path in sorted(needed)}
