"""What a program of this machine needs elsewhere is what its loader would look for."""

import os
import shutil
from pathlib import Path

from longshore.components.libraries import libraries, with_libraries


def test_a_programs_libraries_and_its_loader_come_along_at_their_own_places():
    program = Path(shutil.which("ls") or "")
    files = with_libraries(program)
    assert files[str(program).lstrip("/")] == str(program)
    assert any(name.rpartition("/")[2].startswith("ld-linux") for name in files)
    assert all(Path(path).exists() for path in files.values())
    assert with_libraries(program, Path(shutil.which("busybox") or "")).keys() > files.keys()


def test_a_static_program_needs_nothing():
    assert libraries(Path(shutil.which("busybox") or "")) == set()


def test_a_program_that_is_written_anew_is_looked_at_anew(tmp_path):
    program = tmp_path / "program"
    shutil.copy(shutil.which("ls") or "", program)
    assert libraries(program)
    shutil.copy(shutil.which("busybox") or "", program)
    os.utime(program, ns=(1, 1))
    assert libraries(program) == set()
